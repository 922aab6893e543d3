/*
 * What a grant copy of libxengnttab takes, from pages that domain 0 has granted into memory of this process.
 *
 *   copy_rate <reference>...
 *
 * Copies all of these pages in one call, as often as the line "<rounds>" on standard input says. Prints the nanoseconds
 * it took.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xengnttab.h>

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

int main(int argc, char **argv)
{
    int pages = argc - 1;
    if (pages < 1) {
        fprintf(stderr, "usage: copy_rate <reference>...\n");
        return 2;
    }
    xengnttab_grant_copy_segment_t *segments = calloc(pages, sizeof *segments);
    char *memory = aligned_alloc(4096, 4096UL * pages);
    xengnttab_handle *handle = xengnttab_open(NULL, 0);
    if (!segments || !memory || !handle)
        return fail("open");
    memset(memory, 0, 4096UL * pages);
    for (int i = 0; i < pages; i++) {
        segments[i].flags = GNTCOPY_source_gref;
        segments[i].len = 4096;
        segments[i].source.foreign.ref = strtoul(argv[1 + i], NULL, 10);
        segments[i].dest.virt = memory + 4096UL * i;
    }
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int round = atoi(line); round > 0; round--) {
            if (xengnttab_grant_copy(handle, pages, segments))
                return fail("copy");
            for (int i = 0; i < pages; i++)
                if (segments[i].status)
                    return fail("one page of a copy");
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
