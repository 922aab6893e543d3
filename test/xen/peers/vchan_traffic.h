/*
 * What one end of a vchan sends and takes, on libxenvchan. Part of vchan.c, which explains the options.
 */
#include <libxenvchan.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "vchan_events.h"
#include "vchan_pattern.h"

#define NEVER UINT64_MAX

struct options {
    int is_server, domid;
    const char *path;
    size_t receive, send;
    int has_start, waits, persist, blocking, drain, plain, echo, events;
    uint32_t start, seed;
    size_t chunk;
    uint64_t put, take, die, warm;
    long times, ping;
};

struct counts {
    uint64_t sent, received, measured;
    uint32_t sent_crc, received_crc;
    long waits, events;
    struct timespec from;
    long long nanoseconds;
};

static long long since(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - from->tv_sec) * 1000000000LL + now.tv_nsec - from->tv_nsec;
}

/* After every move: dies where it has been told to, and starts the clock when the warm-up is over. */
static void moved(const struct options *o, struct counts *c)
{
    uint64_t all = c->sent + c->received;
    if (all >= o->die)
        kill(getpid(), SIGKILL);
    if (!c->measured && all >= o->warm) {
        c->events = o->events ? events_so_far() : 0;
        clock_gettime(CLOCK_MONOTONIC, &c->from);
        c->measured = all;
    }
}

/*
 * libxenvchan_read() looks at the ring first and at the other end's byte then: what is written and closed in between would
 * be taken for the end. So -1 counts when it comes twice.
 */
static int read_or_end(struct libxenvchan *end, void *buffer, size_t size)
{
    int got = libxenvchan_read(end, buffer, size);
    return got < 0 ? libxenvchan_read(end, buffer, size) : got;
}

/* Sends and takes at the same time until both are done or the other end has closed. Returns -1 when waiting fails. */
static int pump(struct libxenvchan *end, const struct options *o, struct counts *c)
{
    uint8_t *out = malloc(o->chunk), *in = o->echo ? out : malloc(o->chunk);
    size_t from = 0, held = 0;
    int refused = 0, ended = 0, failed = 0;
    if (!out || !in)
        return -1;
    fill(out, o->chunk, o->seed, 0);
    while (!failed) {
        int put = 0, took = 0;
        if (!held && !refused && !o->echo && c->sent < o->put) {
            held = o->put - c->sent < o->chunk ? o->put - c->sent : o->chunk;
            from = 0;
            if (!o->plain)
                fill(out, held, o->seed, c->sent);
        }
        if (held) {
            put = libxenvchan_write(end, out + from, held);
            if (put < 0) {
                refused = 1;
                held = 0;
            } else {
                if (!o->plain)
                    c->sent_crc = crc32_of(c->sent_crc, out + from, put);
                from += put;
                held -= put;
                c->sent += put;
                moved(o, c);
            }
        }
        if (c->received < o->take && !(o->echo && held)) {
            uint64_t left = o->take - c->received;
            took = read_or_end(end, in, left < o->chunk ? left : o->chunk);
            if (took < 0) {
                ended = 1;
            } else {
                if (!o->plain)
                    c->received_crc = crc32_of(c->received_crc, in, took);
                c->received += took;
                if (o->echo) {
                    from = 0;
                    held = refused ? 0 : took;
                }
                moved(o, c);
            }
        }
        int sending = !refused && !ended && (held || (!o->echo && c->sent < o->put));
        int taking = !ended && c->received < o->take;
        if (!sending && !taking)
            break;
        if (put <= 0 && took <= 0 && !refused) {
            c->waits++;
            failed = libxenvchan_wait(end) < 0;
        }
    }
    c->nanoseconds = since(&c->from);
    c->events = o->events ? events_so_far() - c->events : 0;
    c->measured = c->sent + c->received - c->measured;
    free(out);
    if (in != out)
        free(in);
    return failed ? -1 : 0;
}

/* Waits until the other end has taken everything or is gone: what is in the ring of a server that closes stays readable, but
 * a consumer such as vchan-socket-proxy does not look for it. */
static void drain(struct libxenvchan *end)
{
    while (libxenvchan_buffer_space(end) < 1 << end->write.order && libxenvchan_is_open(end) == 1)
        if (libxenvchan_wait(end) < 0)
            return;
}

/* Round trips of packets of o->chunk bytes with an end that echoes, after as many to warm up. */
static int ping(struct libxenvchan *end, const struct options *o, struct counts *c)
{
    uint8_t *packet = calloc(1, o->chunk);
    if (!packet)
        return -1;
    end->blocking = 1;
    for (long i = 0; i < 2 * o->ping; i++) {
        if (i == o->ping) {
            c->events = o->events ? events_so_far() : 0;
            clock_gettime(CLOCK_MONOTONIC, &c->from);
        }
        if (libxenvchan_send(end, packet, o->chunk) < 0 || libxenvchan_recv(end, packet, o->chunk) < 0)
            return -1;
    }
    c->nanoseconds = since(&c->from);
    c->events = o->events ? events_so_far() - c->events : 0;
    c->measured = o->ping;
    free(packet);
    return 0;
}
