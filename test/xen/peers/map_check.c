/*
 * Maps grant references of a domain and prints one checksum per page.
 *
 *   map_check <domid> r|w <ref>...
 *
 * With "w" every mapped page is filled afterwards with the complement of what was read. Prints "error <errno>" and ends
 * with 1 when Xen refuses. The mapping is held until standard input closes, so that the caller can look at a page that
 * is in use.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xengnttab.h>

#define PAGE 4096

/* FNV-1a, 64 bits: enough to tell two pages apart, and short enough to write twice without a mistake. */
static uint64_t checksum(const uint8_t *page)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < PAGE; i++) {
        hash ^= page[i];
        hash *= 0x100000001b3u;
    }
    return hash;
}

static int fail(void)
{
    printf("error %d\n", errno);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[2], "r") && strcmp(argv[2], "w"))) {
        fprintf(stderr, "usage: map_check <domid> r|w <ref>...\n");
        return 2;
    }
    uint32_t domid = strtoul(argv[1], NULL, 10);
    int writable = argv[2][0] == 'w';
    uint32_t count = argc - 3;
    uint32_t *refs = calloc(count, sizeof *refs);
    if (!refs)
        return fail();
    for (uint32_t i = 0; i < count; i++)
        refs[i] = strtoul(argv[3 + i], NULL, 10);

    xengnttab_handle *handle = xengnttab_open(NULL, 0);
    if (!handle)
        return fail();
    int protection = writable ? 3 : 1; /* PROT_READ | PROT_WRITE */
    uint8_t *pages = xengnttab_map_domain_grant_refs(handle, count, domid, refs, protection);
    if (!pages)
        return fail();

    for (uint32_t i = 0; i < count; i++)
        printf("page %" PRIu64 "\n", checksum(pages + i * PAGE));
    if (writable)
        for (size_t i = 0; i < (size_t)count * PAGE; i++)
            pages[i] = ~pages[i];
    printf("held\n");
    fflush(stdout);

    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    if (xengnttab_unmap(handle, pages, count))
        return fail();
    xengnttab_close(handle);
    return 0;
}
