/*
 * What a grant copy of libxengnttab takes, from pages that domain 0 has granted into memory of this process.
 *
 *   copy_rate <reference>...
 *
 * A round copies all of these pages in one call.
 */
#include "rounds.h"
#include <string.h>
#include <xengnttab.h>

static int pages;
static xengnttab_grant_copy_segment_t *segments;
static xengnttab_handle *handle;

static int copy(void)
{
    if (xengnttab_grant_copy(handle, pages, segments))
        return fail("copy");
    for (int i = 0; i < pages; i++)
        if (segments[i].status)
            return fail("one page of a copy");
    return 0;
}

int main(int argc, char **argv)
{
    pages = argc - 1;
    if (pages < 1) {
        fprintf(stderr, "usage: copy_rate <reference>...\n");
        return 2;
    }
    segments = calloc(pages, sizeof *segments);
    char *memory = aligned_alloc(4096, 4096UL * pages);
    handle = xengnttab_open(NULL, 0);
    if (!segments || !memory || !handle)
        return fail("open");
    memset(memory, 0, 4096UL * pages);
    for (int i = 0; i < pages; i++) {
        segments[i].flags = GNTCOPY_source_gref;
        segments[i].len = 4096;
        segments[i].source.foreign.ref = strtoul(argv[1 + i], NULL, 10);
        segments[i].dest.virt = memory + 4096UL * i;
    }
    return answer_rounds(copy);
}
