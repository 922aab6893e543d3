/*
 * Events that have arrived at the ports that programs of this domain have open, by the kernel's count of interrupts: one for
 * each that found its port unmasked. test/xen/guest/vchan-events.mjs counts the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long events_so_far(void)
{
    char line[512];
    long sum = 0;
    FILE *file = fopen("/proc/interrupts", "r");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        char *at = strchr(line, ':'), *next;
        if (!at || !strstr(at, "evtchn:"))
            continue;
        /* A column for each processor, then words. */
        for (at++;; at = next) {
            long count = strtol(at, &next, 10);
            if (next == at)
                break;
            sum += count;
        }
    }
    fclose(file);
    return sum;
}
