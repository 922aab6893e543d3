// The floor of the control path: the system calls a share and unshare cannot do without, made directly.
// calls <rounds>  → nanoseconds per share+unshare (two cheap ioctls, one mmap, one munmap of one page), then per ioctl
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
  (void)argc;
  int rounds = atoi(argv[1]), ends[2], n;
  if (pipe(ends) != 0) return 1;
  double began = now();
  for (int i = 0; i < rounds; i++) {
    ioctl(ends[0], FIONREAD, &n);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p, 4096);
    ioctl(ends[0], FIONREAD, &n);
  }
  printf("%.1f\n", (now() - began) / rounds);
  began = now();
  for (int i = 0; i < rounds; i++) ioctl(ends[0], FIONREAD, &n);
  printf("%.1f\n", (now() - began) / rounds);
  return 0;
}
