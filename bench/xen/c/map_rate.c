/*
 * What libxengnttab takes to map grants of domain 0 and to unmap them.
 *
 *   map_rate <pages> <in flight> <reference>...
 *
 * A round maps <pages> references together, <in flight> such mappings one after the other, and unmaps all of them.
 */
#include "rounds.h"
#include <sys/mman.h>
#include <xengnttab.h>

static int pages, flight;
static uint32_t *refs;
static void **maps;
static xengnttab_handle *handle;

static int map_and_unmap(void)
{
    for (int i = 0; i < flight; i++) {
        maps[i] = xengnttab_map_domain_grant_refs(handle, pages, 0, refs + i * pages, PROT_READ | PROT_WRITE);
        if (!maps[i])
            return fail("map");
    }
    for (int i = 0; i < flight; i++)
        if (xengnttab_unmap(handle, maps[i], pages))
            return fail("unmap");
    return 0;
}

int main(int argc, char **argv)
{
    pages = argc > 2 ? atoi(argv[1]) : 0;
    flight = argc > 2 ? atoi(argv[2]) : 0;
    if (pages < 1 || flight < 1 || argc != 3 + pages * flight) {
        fprintf(stderr, "usage: map_rate <pages> <in flight> <reference>...\n");
        return 2;
    }
    refs = calloc(pages * flight, sizeof *refs);
    maps = calloc(flight, sizeof *maps);
    handle = xengnttab_open(NULL, 0);
    if (!refs || !maps || !handle)
        return fail("open");
    for (int i = 0; i < pages * flight; i++)
        refs[i] = strtoul(argv[3 + i], NULL, 10);
    return answer_rounds(map_and_unmap);
}
