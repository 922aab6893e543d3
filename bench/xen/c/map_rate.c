/*
 * What libxengnttab takes to map grants of domain 0 and to unmap them.
 *
 *   map_rate <pages> <in flight> <reference>...
 *
 * Maps <pages> references together, <in flight> such mappings one after the other, and unmaps all of them: as often as
 * the line "<rounds>" on standard input says. Prints the nanoseconds it took.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <xengnttab.h>

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

int main(int argc, char **argv)
{
    int pages = argc > 2 ? atoi(argv[1]) : 0, flight = argc > 2 ? atoi(argv[2]) : 0;
    if (pages < 1 || flight < 1 || argc != 3 + pages * flight) {
        fprintf(stderr, "usage: map_rate <pages> <in flight> <reference>...\n");
        return 2;
    }
    uint32_t *refs = calloc(pages * flight, sizeof *refs);
    void **maps = calloc(flight, sizeof *maps);
    xengnttab_handle *handle = xengnttab_open(NULL, 0);
    if (!refs || !maps || !handle)
        return fail("open");
    for (int i = 0; i < pages * flight; i++)
        refs[i] = strtoul(argv[3 + i], NULL, 10);
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int round = atoi(line); round > 0; round--) {
            for (int i = 0; i < flight; i++) {
                maps[i] = xengnttab_map_domain_grant_refs(handle, pages, 0, refs + i * pages, PROT_READ | PROT_WRITE);
                if (!maps[i])
                    return fail("map");
            }
            for (int i = 0; i < flight; i++)
                if (xengnttab_unmap(handle, maps[i], pages))
                    return fail("unmap");
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
