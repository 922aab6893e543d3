// What a C program would do: fill a shared mapping from memory or from a file, with so many threads.
// fill memory|file <threads> <bytes> <rounds> <mapped file> [<source file>]  → microseconds per round, one per line
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static char *target, *source;
static size_t bytes, slice;
static int threads, fd = -1;

static void *work(void *arg) {
  size_t from = (size_t)arg * slice, to = from + slice > bytes ? bytes : from + slice;
  if (fd < 0) {
    if (from < to) memcpy(target + from, source + from, to - from);
  } else {
    while (from < to) {
      size_t chunk = to - from > (1 << 20) ? (1 << 20) : to - from;
      ssize_t n = pread(fd, target + from, chunk, from);
      if (n <= 0) abort();
      from += n;
    }
  }
  return NULL;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  (void)argc;
  threads = atoi(argv[2]);
  bytes = strtoull(argv[3], NULL, 10);
  int rounds = atoi(argv[4]);
  int memory = open(argv[5], O_RDWR);
  target = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
  if (memory < 0 || target == MAP_FAILED) { perror("mapping"); return 1; }
  if (strcmp(argv[1], "file") == 0) {
    fd = open(argv[6], O_RDONLY);
    if (fd < 0) { perror("source"); return 1; }
  } else {
    source = malloc(bytes);
    memset(source, 1, bytes);
  }
  slice = ((bytes / threads) + 4095) & ~4095ul;
  for (int round = 0; round < rounds; round++) {
    double began = now();
    pthread_t ids[64];
    for (long i = 1; i < threads; i++) pthread_create(&ids[i], NULL, work, (void *)i);
    work((void *)0);
    for (long i = 1; i < threads; i++) pthread_join(ids[i], NULL);
    printf("%.1f\n", now() - began);
    fflush(stdout);
    // One round per line read from the other side, so that rounds of all candidates interleave.
    if (getchar() == EOF) break;
  }
  return 0;
}
