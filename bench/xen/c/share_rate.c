/*
 * The rate at which libxengnttab shares pages and takes them back.
 *
 *   share_rate <pages> <in flight> <alive>
 *
 * Holds <alive> single-page grants. For each line "<rounds>" on standard input it shares <in flight> times <pages> pages,
 * takes all of them back, does that so often, and prints the nanoseconds it took.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xengnttab.h>

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: share_rate <pages> <in flight> <alive>\n");
        return 2;
    }
    int pages = atoi(argv[1]), flight = atoi(argv[2]), alive = atoi(argv[3]);
    uint32_t *refs = calloc(pages, sizeof *refs);
    void **shares = calloc(flight, sizeof *shares);
    xengntshr_handle *handle = xengntshr_open(NULL, 0);
    if (!refs || !shares || !handle)
        return fail("open");
    for (int i = 0; i < alive; i++)
        if (!xengntshr_share_pages(handle, 0, 1, refs, 1))
            return fail("share of those alive");
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int round = atoi(line); round > 0; round--) {
            for (int i = 0; i < flight; i++)
                if (!(shares[i] = xengntshr_share_pages(handle, 0, pages, refs, 1)))
                    return fail("share");
            for (int i = 0; i < flight; i++)
                if (xengntshr_unshare(handle, shares[i], pages))
                    return fail("unshare");
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
