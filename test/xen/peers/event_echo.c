/*
 * One end of an event channel, on libxenevtchn.
 *
 *   event_echo echo <domid> <port>     binds to a port of the domain, prints "bound", answers every event by one
 *   event_echo ping <domid> <rounds>   prints "port <n>", and when a line comes on standard input sends that many events,
 *                                      each after the answer to the one before; prints "nanoseconds <for all>"
 *
 * Both end when standard input closes; "ping" goes on with the next line before that.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>

static xenevtchn_handle *handle;

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

/* Waits for an event or for standard input. Returns 1 for an event, which is taken; 0 for the other; -1 for an error. */
static int next_event(void)
{
    struct pollfd both[2] = {{xenevtchn_fd(handle), POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(both, 2, -1) < 0)
        return -1;
    if (!both[0].revents)
        return 0;
    xenevtchn_port_or_error_t port = xenevtchn_pending(handle);
    if (port < 0 || xenevtchn_unmask(handle, port))
        return -1;
    return 1;
}

static int echo(uint32_t domid, evtchn_port_t remote)
{
    xenevtchn_port_or_error_t port = xenevtchn_bind_interdomain(handle, domid, remote);
    if (port < 0)
        return fail("bind_interdomain");
    /* Binding makes the port fire once by itself: that one is not answered. */
    if (next_event() != 1)
        return fail("the first event");
    printf("bound\n");
    fflush(stdout);
    int event;
    while ((event = next_event()) == 1)
        if (xenevtchn_notify(handle, port))
            return fail("notify");
    return event == 0 ? 0 : fail("pending");
}

static int ping(uint32_t domid, long rounds)
{
    xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(handle, domid);
    if (port < 0)
        return fail("bind_unbound_port");
    printf("port %d\n", port);
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (long i = 0; i < rounds; i++) {
            if (xenevtchn_notify(handle, port))
                return fail("notify");
            xenevtchn_port_or_error_t fired = xenevtchn_pending(handle);
            if (fired < 0 || xenevtchn_unmask(handle, fired))
                return fail("pending");
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("nanoseconds %lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4 || (strcmp(argv[1], "echo") && strcmp(argv[1], "ping"))) {
        fprintf(stderr, "usage: event_echo echo <domid> <port> | ping <domid> <rounds>\n");
        return 2;
    }
    handle = xenevtchn_open(NULL, 0);
    if (!handle)
        return fail("open");
    uint32_t domid = strtoul(argv[2], NULL, 10);
    long number = atol(argv[3]);
    int result = argv[1][0] == 'e' ? echo(domid, number) : ping(domid, number);
    xenevtchn_close(handle);
    return result;
}
