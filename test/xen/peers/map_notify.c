/*
 * A mapper that follows docs/teardown.md, on libxengnttab and libxenevtchn.
 *
 *   map_notify <domid> <status ref> <offset> <port or 0> <ref>...
 *
 * Maps the pages for reading, prints the first byte of each and then "mapped"; lets go and prints "unmapped" when
 * standard input closes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: map_notify <domid> <status ref> <offset> <port or 0> <ref>...\n");
        return 2;
    }
    uint32_t domid = strtoul(argv[1], NULL, 10);
    uint32_t status_ref = strtoul(argv[2], NULL, 10);
    uint32_t offset = strtoul(argv[3], NULL, 10);
    evtchn_port_t remote = strtoul(argv[4], NULL, 10);
    uint32_t count = argc - 5;
    uint32_t refs[count];
    for (uint32_t i = 0; i < count; i++)
        refs[i] = strtoul(argv[5 + i], NULL, 10);

    xengnttab_handle *maps = xengnttab_open(NULL, 0);
    if (!maps)
        return fail("open");
    /* "No port" is all ones for this library. */
    evtchn_port_t port = -1;
    xenevtchn_handle *events = NULL;
    if (remote) {
        events = xenevtchn_open(NULL, 0);
        xenevtchn_port_or_error_t bound = events ? xenevtchn_bind_interdomain(events, domid, remote) : -1;
        if (bound < 0)
            return fail("bind_interdomain");
        port = bound;
    }

    /* 1 and 3: the status page first, and armed. */
    volatile uint8_t *status =
        xengnttab_map_grant_ref_notify(maps, domid, status_ref, PROT_READ | PROT_WRITE, offset, port);
    if (!status)
        return fail("status page");
    /* 2: the data after it, at a lower address. */
    uint8_t *pages = xengnttab_map_domain_grant_refs(maps, count, domid, refs, PROT_READ);
    if (!pages)
        return fail("pages");
    /* 4: live, then seen. */
    __atomic_store_n(&status[offset], 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&status[offset + 1], 1, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < count; i++)
        printf("byte %u\n", pages[(size_t)i * PAGE]);
    printf("mapped\n");
    fflush(stdout);

    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    if (xengnttab_unmap(maps, pages, count) || xengnttab_unmap(maps, (void *)status, 1))
        return fail("unmap");
    printf("unmapped\n");
    fflush(stdout);
    xengnttab_close(maps);
    if (events)
        xenevtchn_close(events);
    return 0;
}
