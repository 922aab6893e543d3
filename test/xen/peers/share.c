/*
 * Shares pages with a domain through libxengnttab and prints their references.
 *
 *   share <domid> r|w <pages>
 *
 * Byte i of page p is (i * 7 + p * 13 + 1) mod 256. The pages stay shared until standard input closes; then the first
 * byte of each page is printed, which shows what the peer wrote.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xengnttab.h>

#define PAGE 4096

static int fail(void)
{
    printf("error %d\n", errno);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4 || (strcmp(argv[2], "r") && strcmp(argv[2], "w"))) {
        fprintf(stderr, "usage: share <domid> r|w <pages>\n");
        return 2;
    }
    uint32_t domid = strtoul(argv[1], NULL, 10);
    int writable = argv[2][0] == 'w';
    int count = atoi(argv[3]);
    uint32_t *refs = calloc(count, sizeof *refs);
    if (!refs)
        return fail();

    xengntshr_handle *handle = xengntshr_open(NULL, 0);
    if (!handle)
        return fail();
    uint8_t *pages = xengntshr_share_pages(handle, domid, count, refs, writable);
    if (!pages)
        return fail();

    for (int p = 0; p < count; p++) {
        for (int i = 0; i < PAGE; i++)
            pages[p * PAGE + i] = i * 7 + p * 13 + 1;
        printf("ref %u\n", refs[p]);
    }
    printf("shared\n");
    fflush(stdout);

    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    for (int p = 0; p < count; p++)
        printf("byte %u\n", pages[p * PAGE]);
    if (xengntshr_unshare(handle, pages, count))
        return fail();
    xengntshr_close(handle);
    return 0;
}
