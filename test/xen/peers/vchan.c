/*
 * One end of a vchan, on libxenvchan.
 *
 *   vchan server|client <domid> <path> [option...]
 *
 * The server takes a path relative to its own domain or an absolute one, the client an absolute one. Prints
 * "serving {}" (a server that has published its keys), "connected {...}" with the sizes of its rings, and at the end
 * "done {...}" with what was sent and taken; "Error <errno> <what>" and exit code 1 when something fails.
 *
 *   receive=<bytes>  send=<bytes>   rings of a server, as libxenvchan rounds them; 65536 each
 *   start=<index>    a server: where all four indexes start
 *   persist          a server: goes on when its client closes, and serves the next
 *   waits            a client: waits for a server. Without, one that finds none fails
 *   times=<n>        so many connections, one after the other; one in which nothing was moved does not count
 *   put=<bytes>      sends so many bytes of the pattern seed=<n>
 *   take=<bytes>     is done when so many have come; without, when the other end has closed
 *   echo             sends back what comes
 *   chunk=<bytes>    most bytes of a call; 65536
 *   drain            before it closes, waits until the other end has taken everything
 *   die=<bytes>      kills itself when so many have been sent and taken
 *   ping=<n>         instead: so many round trips of chunk bytes with an end that echoes, after as many to warm up
 *   blocking         calls that block. For traffic in one direction, or an echo
 *   plain            no pattern and no checksum, which would be measured too
 *   warm=<bytes>     the clock starts when so many have been moved
 *   events           counts the events of all programs of this domain while the clock runs
 */
#include <errno.h>
#include <string.h>
#include <xenstore.h>
#include "vchan_traffic.h"

static int fail(const char *what)
{
    printf("Error %d %s\n", errno, what);
    return 1;
}

static int number(const char *word, const char *name, uint64_t *value)
{
    size_t length = strlen(name);
    if (strncmp(word, name, length) || word[length] != '=')
        return 0;
    *value = strtoull(word + length + 1, NULL, 0);
    return 1;
}

static int read_option(const char *word, struct options *o)
{
    uint64_t value;
    if (number(word, "receive", &value))
        o->receive = value;
    else if (number(word, "send", &value))
        o->send = value;
    else if (number(word, "start", &value))
        o->has_start = 1, o->start = value;
    else if (number(word, "seed", &value))
        o->seed = value;
    else if (number(word, "chunk", &value))
        o->chunk = value;
    else if (number(word, "times", &value))
        o->times = value;
    else if (number(word, "ping", &value))
        o->ping = value;
    else if (!number(word, "put", &o->put) && !number(word, "take", &o->take) && !number(word, "die", &o->die) &&
             !number(word, "warm", &o->warm)) {
        const char *names[] = {"waits", "persist", "blocking", "drain", "plain", "echo", "events"};
        int *flags[] = {&o->waits, &o->persist, &o->blocking, &o->drain, &o->plain, &o->echo, &o->events};
        for (int i = 0; i < 7; i++)
            if (!strcmp(word, names[i]))
                return *flags[i] = 1;
        return 0;
    }
    return 1;
}

static struct libxenvchan *serve(const struct options *o)
{
    struct libxenvchan *end = libxenvchan_server_init(NULL, o->domid, o->path, o->receive, o->send);
    if (!end)
        return NULL;
    /* Nobody connects before the line below is printed. */
    if (o->has_start) {
        end->ring->left.prod = end->ring->left.cons = o->start;
        end->ring->right.prod = end->ring->right.cons = o->start;
    }
    end->server_persist = o->persist;
    printf("serving {}\n");
    fflush(stdout);
    while (libxenvchan_is_open(end) == 2 || (o->persist && end->ring->cli_live == 2))
        libxenvchan_wait(end);
    return end;
}

static struct libxenvchan *connect_to(const struct options *o)
{
    struct libxenvchan *end = NULL;
    if (!o->waits)
        return libxenvchan_client_init(NULL, o->domid, o->path);
    struct xs_handle *store = xs_open(0);
    if (!store || !xs_watch(store, o->path, "server"))
        return NULL;
    /* A watch fires once at first, then after each change: no moment is missed. */
    while (!end) {
        unsigned int count;
        char **event = xs_read_watch(store, &count);
        if (!event)
            return NULL;
        free(event);
        end = libxenvchan_client_init(NULL, o->domid, o->path);
    }
    xs_close(store);
    return end;
}

static int once(const struct options *o, struct counts *c)
{
    struct libxenvchan *end = o->is_server ? serve(o) : connect_to(o);
    if (!end)
        return fail(o->is_server ? "server_init" : "client_init");
    /* Neither libxenvchan_server_init() nor libxenvchan_client_init() sets it. */
    end->blocking = o->blocking;
    printf("connected {\"read\":%u,\"write\":%u}\n", 1u << end->read.order, 1u << end->write.order);
    fflush(stdout);
    moved(o, c);
    if (o->ping ? ping(end, o, c) : pump(end, o, c))
        return fail("traffic");
    if (o->drain)
        drain(end);
    libxenvchan_close(end);
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {
        .receive = 65536, .send = 65536, .chunk = 65536, .take = NEVER, .die = NEVER, .times = 1,
    };
    int known = argc >= 4 && (!strcmp(argv[1], "server") || !strcmp(argv[1], "client"));
    for (int i = 4; known && i < argc; i++)
        known = read_option(argv[i], &o);
    if (!known) {
        fprintf(stderr, "usage: vchan server|client <domid> <path> [option...], see vchan.c\n");
        return 2;
    }
    o.is_server = argv[1][0] == 's';
    o.domid = atoi(argv[2]);
    o.path = argv[3];

    for (long connection = 0; connection < o.times;) {
        struct counts c = {0};
        if (once(&o, &c))
            return 1;
        if (o.times > 1 && c.sent + c.received == 0)
            continue;
        connection++;
        printf("done {\"sent\":%llu,\"sentCrc\":%u,\"received\":%llu,\"receivedCrc\":%u,\"waits\":%ld,"
               "\"events\":%ld,\"measured\":%llu,\"nanoseconds\":%lld}\n",
               (unsigned long long)c.sent, c.sent_crc, (unsigned long long)c.received, c.received_crc, c.waits, c.events,
               (unsigned long long)c.measured, c.nanoseconds);
        fflush(stdout);
    }
    return 0;
}
