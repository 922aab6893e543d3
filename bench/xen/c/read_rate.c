/*
 * What xs_read of libxenstore takes, one at a time, which is all that it can.
 *
 *   read_rate <path>
 *
 * XENSTORED_PATH may name the device, /dev/xen/xenbus. Reads as often as the line "<reads>" on standard input says, and
 * prints the nanoseconds it took.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xenstore.h>

static int fail(const char *what)
{
    printf("error %d %s\n", errno, what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: read_rate <path>\n");
        return 2;
    }
    struct xs_handle *store = xs_open(0);
    if (!store)
        return fail("open");
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int left = atoi(line); left > 0; left--) {
            unsigned length;
            char *value = xs_read(store, XBT_NULL, argv[1], &length);
            if (!value)
                return fail("read");
            free(value);
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
        fflush(stdout);
    }
    xs_close(store);
    return 0;
}
