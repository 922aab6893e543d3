/*
 * What libxengnttab takes to share pages and to take them back.
 *
 *   share_rate <pages> <in flight> <alive>
 *
 * Holds <alive> single-page grants. A round shares <in flight> times <pages> pages and takes all of them back.
 */
#include "rounds.h"
#include <xengnttab.h>

static int pages, flight;
static uint32_t *refs;
static void **shares;
static xengntshr_handle *handle;

static int share_and_unshare(void)
{
    for (int i = 0; i < flight; i++)
        if (!(shares[i] = xengntshr_share_pages(handle, 0, pages, refs, 1)))
            return fail("share");
    for (int i = 0; i < flight; i++)
        if (xengntshr_unshare(handle, shares[i], pages))
            return fail("unshare");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: share_rate <pages> <in flight> <alive>\n");
        return 2;
    }
    pages = atoi(argv[1]);
    flight = atoi(argv[2]);
    refs = calloc(pages, sizeof *refs);
    shares = calloc(flight, sizeof *shares);
    handle = xengntshr_open(NULL, 0);
    if (!refs || !shares || !handle)
        return fail("open");
    for (int alive = atoi(argv[3]); alive > 0; alive--)
        if (!xengntshr_share_pages(handle, 0, 1, refs, 1))
            return fail("share of those alive");
    return answer_rounds(share_and_unshare);
}
