// xs_read of libxenstore, one at a time, which is all that it can: xenstore <path> <reads a round>. XENSTORED_PATH names the
// xenstored. Prints microseconds for each read, a line for each round, and waits for a line before the next.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xenstore.h>

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  struct xs_handle *store = xs_open(0);
  int reads = argc > 2 ? atoi(argv[2]) : 0;
  if (!store || reads < 1) return 1;
  do {
    double began = now();
    for (int i = 0; i < reads; i++) {
      unsigned length;
      char *value = xs_read(store, XBT_NULL, argv[1], &length);
      if (!value) return 1;
      free(value);
    }
    printf("%f\n", (now() - began) / reads);
    fflush(stdout);
  } while (getchar() != EOF);
  xs_close(store);
  return 0;
}
