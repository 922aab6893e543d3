/*
 * A granter that follows docs/teardown.md, on libxengnttab and libxenevtchn.
 *
 *   grant_notify <domid> <pages>
 *
 * Page p is filled with the byte p + 1. Prints the offer as JSON, then "mapped" and "released" as its peer says so; then
 * takes the pages back, prints "woken" or "not woken" by an event, and ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096
#define OFFSET 6
/* Where this side tells the peer of its own end; any byte that no slot of the status page uses. */
#define GRANTER_GONE (PAGE - 1)

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

static const char *state(volatile uint8_t *status)
{
    uint8_t live = __atomic_load_n(&status[OFFSET], __ATOMIC_SEQ_CST);
    uint8_t seen = __atomic_load_n(&status[OFFSET + 1], __ATOMIC_SEQ_CST);
    if (live == 1 && seen <= 1)
        return "mapped";
    if (live == 0 && seen <= 1)
        return seen ? "released" : "never mapped";
    return "unknown";
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: grant_notify <domid> <pages>\n");
        return 2;
    }
    uint32_t domid = strtoul(argv[1], NULL, 10);
    int count = atoi(argv[2]);
    xengntshr_handle *shares = xengntshr_open(NULL, 0);
    xenevtchn_handle *events = xenevtchn_open(NULL, 0);
    if (!shares || !events)
        return fail("open");
    xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(events, domid);
    if (port < 0)
        return fail("bind_unbound_port");
    uint32_t status_ref, refs[count];
    volatile uint8_t *status = xengntshr_share_page_notify(shares, domid, &status_ref, 1, GRANTER_GONE, port);
    uint8_t *pages = xengntshr_share_pages(shares, domid, count, refs, 0);
    if (!status || !pages)
        return fail("share");
    status[GRANTER_GONE] = 1;

    printf("{\"refs\":[");
    for (int p = 0; p < count; p++) {
        memset(pages + (size_t)p * PAGE, p + 1, PAGE);
        printf("%s%u", p ? "," : "", refs[p]);
    }
    printf("],\"writable\":false,\"status\":{\"ref\":%u,\"offset\":%d,\"port\":%d}}\n", status_ref, OFFSET, port);
    fflush(stdout);

    const char *said = "never mapped";
    int woken = 0;
    while (strcmp(said, "released") && strcmp(said, "unknown")) {
        /* Nobody sends an event for having mapped: the bytes are looked at now and then as well. */
        struct pollfd event = {xenevtchn_fd(events), POLLIN, 0};
        if (poll(&event, 1, 20) < 0)
            return fail("poll");
        if (event.revents) {
            xenevtchn_port_or_error_t fired = xenevtchn_pending(events);
            if (fired < 0 || xenevtchn_unmask(events, fired))
                return fail("pending");
            woken = 1;
        }
        const char *now = state(status);
        if (strcmp(now, said))
            printf("%s\n", now);
        fflush(stdout);
        said = now;
    }
    if (poll(&(struct pollfd){xenevtchn_fd(events), POLLIN, 0}, 1, woken ? 0 : 2000) > 0)
        woken = 1;
    if (xengntshr_unshare(shares, pages, count) || xengntshr_unshare(shares, (void *)status, 1))
        return fail("unshare");
    printf(woken ? "woken\n" : "not woken\n");
    xengntshr_close(shares);
    xenevtchn_close(events);
    return 0;
}
