/*
 * What xs_read of libxenstore takes: one at a time, which is all that it can.
 *
 *   read_rate <path>
 *
 * XENSTORED_PATH may name the device, /dev/xen/xenbus. A round is one read.
 */
#include "rounds.h"
#include <xenstore.h>

static struct xs_handle *store;
static const char *path;

static int read_once(void)
{
    unsigned length;
    char *value = xs_read(store, XBT_NULL, path, &length);
    if (!value)
        return fail("read");
    free(value);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: read_rate <path>\n");
        return 2;
    }
    path = argv[1];
    store = xs_open(0);
    if (!store)
        return fail("open");
    int code = answer_rounds(read_once);
    xs_close(store);
    return code;
}
