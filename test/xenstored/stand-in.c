// Stands in for the hypervisor below an unmodified xenstored of Xen 4.17 (LD_PRELOAD). All of the store is xenstored's own:
// nodes, permissions, quotas, transactions, watches. What it asks of Xen is answered from a directory, $STAND_IN_DIR:
//   dom-N   exists while domain N does. Holding "s", "c" or "d", it is shut down, crashed or dying.
//   ring-N  a Unix socket, made here when domain N is introduced: a client of it is that domain, through the shared page of
//           a real one, 1024 bytes each way. One client at a time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096
#define MAX_RINGS 4096
#define VIRQ_PORT 1
#define FIRST_PORT 2

struct ring {
  struct xenstore_domain_interface *page; // NULL: free
  unsigned domid;
  int port, listener, wake;
  volatile int ended;
  pthread_t thread;
};
static struct ring rings[MAX_RINGS];
static int events[2] = { -1, -1 }; // ports that have fired, for xenstored
static int next_port = FIRST_PORT;

static void path_of(char *path, size_t size, const char *kind, unsigned domid) {
  const char *dir = getenv("STAND_IN_DIR");
  snprintf(path, size, "%s/%s-%u", dir ? dir : ".", kind, domid);
}

static void fire(int port) {
  if (write(events[1], &port, sizeof port) != sizeof port) perror("stand-in: event");
}

static void wake(struct ring *ring) {
  uint64_t one = 1;
  if (write(ring->wake, &one, sizeof one) != sizeof one) perror("stand-in: wake");
}

// What the domain has sent goes into the page. Returns 0 when its client has gone.
static int take_requests(struct ring *ring, int client, unsigned space) {
  char bytes[XENSTORE_RING_SIZE];
  ssize_t got = read(client, bytes, space);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return 0;
  XENSTORE_RING_IDX at = ring->page->req_prod;
  for (ssize_t i = 0; i < got; i++) ring->page->req[MASK_XENSTORE_IDX(at + i)] = bytes[i];
  __sync_synchronize();
  ring->page->req_prod = at + got;
  fire(ring->port);
  return 1;
}

static int give_replies(struct ring *ring, int client, unsigned count) {
  char bytes[XENSTORE_RING_SIZE];
  XENSTORE_RING_IDX at = ring->page->rsp_cons;
  for (unsigned i = 0; i < count; i++) bytes[i] = ring->page->rsp[MASK_XENSTORE_IDX(at + i)];
  ssize_t put = send(client, bytes, count, MSG_NOSIGNAL);
  if (put < 0) return errno == EAGAIN;
  __sync_synchronize();
  ring->page->rsp_cons = at + put;
  fire(ring->port);
  return 1;
}

// The kernel of one domain.
static void *serve(void *argument) {
  struct ring *ring = argument;
  struct xenstore_domain_interface *page = ring->page;
  int client = -1;
  while (!ring->ended) {
    unsigned space = XENSTORE_RING_SIZE - (page->req_prod - page->req_cons);
    unsigned replies = page->rsp_prod - page->rsp_cons;
    struct pollfd files[] = {
      { ring->wake, POLLIN, 0 },
      { client < 0 ? ring->listener : -1, POLLIN, 0 },
      { client, (space ? POLLIN : 0) | (replies ? POLLOUT : 0), 0 },
    };
    if (poll(files, 3, -1) < 0) continue;
    uint64_t count;
    if (files[0].revents && read(ring->wake, &count, sizeof count) < 0) perror("stand-in: woken");
    if (files[1].revents) client = accept4(ring->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int there = client >= 0;
    if (there && (files[2].revents & (POLLIN | POLLHUP | POLLERR))) there = take_requests(ring, client, space);
    replies = page->rsp_prod - page->rsp_cons;
    if (there && replies) there = give_replies(ring, client, replies);
    if (client >= 0 && !there) {
      close(client);
      client = -1;
    }
  }
  if (client >= 0) close(client);
  return NULL;
}

static struct ring *start(unsigned domid, void *page) {
  struct ring *ring = rings;
  while (ring < rings + MAX_RINGS && ring->page) ring++;
  if (ring == rings + MAX_RINGS) return NULL;
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  path_of(address.sun_path, sizeof address.sun_path, "ring", domid);
  *ring = (struct ring){ .page = page, .domid = domid };
  unlink(address.sun_path);
  ring->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ring->wake = eventfd(0, EFD_CLOEXEC);
  if (bind(ring->listener, (void *)&address, sizeof address) || listen(ring->listener, 8)) perror("stand-in: ring");
  pthread_create(&ring->thread, NULL, serve, ring);
  return ring;
}

static void end(struct ring *ring) {
  char path[108];
  path_of(path, sizeof path, "ring", ring->domid);
  ring->ended = 1;
  wake(ring);
  pthread_join(ring->thread, NULL);
  close(ring->listener);
  close(ring->wake);
  unlink(path);
  munmap(ring->page, PAGE);
  ring->page = NULL;
}

// libxenctrl

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild, unsigned flags) {
  return (void *)rings;
}
int xc_interface_close(xc_interface *xch) { return 0; }

int xc_domain_getinfo(xc_interface *xch, uint32_t domid, unsigned max, xc_dominfo_t *info) {
  char path[300], state[2] = "";
  *info = (xc_dominfo_t){ .domid = domid, .running = 1 };
  if (domid == 0) return 1;
  path_of(path, sizeof path, "dom", domid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  if (read(fd, state, 1) < 0) perror("stand-in: state");
  close(fd);
  info->shutdown = *state == 's';
  info->crashed = *state == 'c';
  info->dying = *state == 'd';
  return 1;
}

// libxengnttab

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned flags) { return (void *)rings; }
int xengnttab_close(xengnttab_handle *xgt) { return 0; }
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count) { return 0; }

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot) {
  xc_dominfo_t info;
  void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (xc_domain_getinfo(NULL, domid, 1, &info) == 1 && start(domid, page)) return page;
  munmap(page, PAGE);
  errno = EINVAL;
  return NULL;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *address, uint32_t count) {
  for (struct ring *ring = rings; ring < rings + MAX_RINGS; ring++)
    if (ring->page == address) end(ring);
  return 0;
}

// libxenevtchn

// A change of any dom-N is the virtual interrupt that says that some domain has changed.
static void *watch_domains(void *unused) {
  char changes[PAGE] __attribute__((aligned(8)));
  const char *dir = getenv("STAND_IN_DIR");
  int watch = inotify_init1(IN_CLOEXEC);
  inotify_add_watch(watch, dir ? dir : ".", IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_MOVED_TO);
  for (;;) {
    ssize_t length = read(watch, changes, sizeof changes);
    for (ssize_t at = 0; at < length;) {
      struct inotify_event *change = (void *)(changes + at);
      if (change->len && !strncmp(change->name, "dom-", 4)) fire(VIRQ_PORT);
      at += sizeof *change + change->len;
    }
  }
  return NULL;
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned flags) {
  pthread_t thread;
  if (pipe2(events, O_NONBLOCK | O_CLOEXEC)) return NULL;
  pthread_create(&thread, NULL, watch_domains, NULL);
  return (void *)rings;
}
xenevtchn_handle *xenevtchn_fdopen(xentoollog_logger *logger, int fd, unsigned flags) {
  return xenevtchn_open(logger, flags);
}
int xenevtchn_fd(xenevtchn_handle *xce) { return events[0]; }
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq) { return VIRQ_PORT; }
int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port) { return 0; }
int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port) { return 0; }

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote) {
  for (struct ring *ring = rings; ring < rings + MAX_RINGS; ring++)
    if (ring->page && ring->domid == domid) return ring->port = next_port++;
  errno = EINVAL;
  return -1;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce) {
  int port;
  return read(events[0], &port, sizeof port) == sizeof port ? port : -1;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port) {
  for (struct ring *ring = rings; ring < rings + MAX_RINGS; ring++)
    if (ring->page && ring->port == (int)port) wake(ring);
  return 0;
}

// The page and the port that the kernel of domain 0 offers.

static int page_of_domain_0 = -1;

int open(const char *path, int flags, ...) {
  static int (*next)(const char *, int, ...);
  if (!next) next = dlsym(RTLD_NEXT, "open");
  if (!strcmp(path, "/proc/xen/xsd_port")) {
    int fd = memfd_create("port", MFD_CLOEXEC);
    if (pwrite(fd, "1", 1, 0) != 1) perror("stand-in: port");
    return fd;
  }
  if (!strcmp(path, "/proc/xen/xsd_kva")) {
    page_of_domain_0 = memfd_create("page", MFD_CLOEXEC);
    if (ftruncate(page_of_domain_0, PAGE)) perror("stand-in: page");
    return page_of_domain_0;
  }
  va_list arguments;
  va_start(arguments, flags);
  int mode = va_arg(arguments, int);
  va_end(arguments);
  return next(path, flags, mode);
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset) {
  static void *(*next)(void *, size_t, int, int, int, off_t);
  if (!next) next = dlsym(RTLD_NEXT, "mmap");
  void *page = next(address, length, prot, flags, fd, offset);
  if (fd >= 0 && fd == page_of_domain_0 && page != MAP_FAILED) {
    page_of_domain_0 = -1;
    start(0, page);
  }
  return page;
}

// What oxenstored calls besides. Its socket's path is compiled in, so bind() puts it where the others are.

#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) { return 0; }

int open64(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int mode = va_arg(arguments, int);
  va_end(arguments);
  return open(path, flags, mode);
}

void *mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset) {
  return mmap(address, length, prot, flags, fd, offset);
}

void *xc_map_foreign_range(xc_interface *xch, uint32_t domid, int size, int prot, unsigned long mfn) {
  return xengnttab_map_grant_ref(NULL, domid, 1, prot);
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned max, xc_domaininfo_t *list) {
  xc_dominfo_t info;
  if (xc_domain_getinfo(xch, first, 1, &info) != 1) return 0;
  *list = (xc_domaininfo_t){ .domain = first, .flags = XEN_DOMINF_running };
  if (info.shutdown || info.crashed) list->flags |= XEN_DOMINF_shutdown;
  if (info.dying) list->flags |= XEN_DOMINF_dying;
  return 1;
}

const xc_error *xc_get_last_error(xc_interface *xch) {
  static xc_error none;
  return &none;
}

int xenevtchn_close(xenevtchn_handle *xce) { return 0; }

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  static int (*next)(int, const struct sockaddr *, socklen_t);
  if (!next) next = dlsym(RTLD_NEXT, "bind");
  const struct sockaddr_un *local = (const void *)address;
  if (address->sa_family != AF_UNIX || !strstr(local->sun_path, "/run/xenstored/")) return next(fd, address, length);
  struct sockaddr_un moved = { .sun_family = AF_UNIX };
  const char *dir = getenv("STAND_IN_DIR");
  snprintf(moved.sun_path, sizeof moved.sun_path, "%s/%s", dir ? dir : ".", strrchr(local->sun_path, '/') + 1);
  unlink(moved.sun_path);
  return next(fd, (void *)&moved, sizeof moved);
}
