/*
 * Loaded before the C library of a gateway under test: a disk and a resolver that fail on demand.
 *
 * FAULTS_SHIM names a folder of switches that the harness makes and removes, FAULTS_ROOT the folder
 * whose files are on the failing disk.
 *
 *   write   the number of an error, that every write, and every opening to write, meets
 *   sync    a part of a path: the next fsync of such a file fails, once
 *   name    what `localhost` resolves to: an address, `fail` (SERVFAIL), `none`, or `slow MS ADDRESS`
 *   again   is written here: an fsync of a descriptor whose last fsync had failed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MOST 4096

static _Atomic unsigned char has_failed[65536];

/* Reads a switch without a function that is replaced here; -1 where it is off. */
static int read_switch(const char *name, char *text, size_t size) {
  const char *folder = getenv("FAULTS_SHIM");
  char path[MOST];
  if (!folder || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return -1;
  int fd = REAL(open)(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, text, size - 1);
  REAL(close)(fd);
  text[length > 0 ? length : 0] = 0;
  text[strcspn(text, "\n")] = 0;
  return 0;
}

static int is_ours(const char *path) {
  const char *root = getenv("FAULTS_ROOT");
  return root && *root && strncmp(path, root, strlen(root)) == 0;
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, MOST - 1);
  if (length < 0) return -1;
  path[length] = 0;
  return 0;
}

/* The error that writing there meets now, or 0. */
static int trouble_at(const char *path) {
  char text[32];
  if (!is_ours(path) || read_switch("write", text, sizeof text)) return 0;
  return atoi(text);
}

static int trouble(int fd) {
  char path[MOST];
  int kept = errno;
  int error = path_of(fd, path) ? 0 : trouble_at(path);
  errno = kept;
  return error;
}

#define FAIL_IF(fd)            \
  do {                         \
    int error = trouble(fd);   \
    if (error) {               \
      errno = error;           \
      return -1;               \
    }                          \
  } while (0)

ssize_t write(int fd, const void *bytes, size_t size) {
  FAIL_IF(fd);
  return REAL(write)(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  FAIL_IF(fd);
  return REAL(pwrite)(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  FAIL_IF(fd);
  return REAL(pwrite64)(fd, bytes, size, at);
}

static int opening(const char *path, int flags) {
  char whole[MOST];
  if (!(flags & (O_WRONLY | O_RDWR | O_CREAT))) return 0;
  int kept = errno;
  int error = 0;
  if (path[0] == '/') {
    error = trouble_at(path);
  } else if (getcwd(whole, sizeof whole)) {
    error = trouble_at(whole);
  }
  errno = kept;
  /* What is there may be opened on a full disk; only one that is read-only refuses that. */
  if (error && error != EROFS && access(path, F_OK) == 0) {
    errno = kept;
    return 0;
  }
  return error;
}

#define OPEN(name)                                 \
  int name(const char *path, int flags, ...) {     \
    mode_t mode = 0;                               \
    if (flags & (O_CREAT | O_TMPFILE)) {           \
      va_list more;                                \
      va_start(more, flags);                       \
      mode = va_arg(more, mode_t);                 \
      va_end(more);                                \
    }                                              \
    int error = opening(path, flags);              \
    if (error) {                                   \
      errno = error;                               \
      return -1;                                   \
    }                                              \
    return REAL(name)(path, flags, mode);          \
  }

OPEN(open)
OPEN(open64)

int close(int fd) {
  if (fd >= 0 && fd < (int)sizeof has_failed) has_failed[fd] = 0;
  return REAL(close)(fd);
}

/* True if this fsync is to fail. */
static int sync_fails(int fd) {
  char path[MOST], part[256], folder[MOST], taken[MOST + 8];
  int kept = errno, fails = 0;
  const char *switches = getenv("FAULTS_SHIM");
  if (!switches || path_of(fd, path) || !is_ours(path)) goto done;
  if (fd < (int)sizeof has_failed && has_failed[fd]) {
    /* It asks a descriptor again that has lost what it was given. */
    snprintf(folder, sizeof folder, "%s/again", switches);
    int report = REAL(open)(folder, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (report >= 0) {
      REAL(write)(report, path, strlen(path));
      REAL(write)(report, "\n", 1);
      REAL(close)(report);
    }
  }
  if (read_switch("sync", part, sizeof part) || !strstr(path, part)) goto done;
  /* Of two that come at one time one takes it. */
  snprintf(folder, sizeof folder, "%s/sync", switches);
  snprintf(taken, sizeof taken, "%s.done", folder);
  if (rename(folder, taken)) goto done;
  if (fd < (int)sizeof has_failed) has_failed[fd] = 1;
  fails = 1;
done:
  errno = kept;
  return fails;
}

int fsync(int fd) {
  if (sync_fails(fd)) {
    errno = EIO;
    return -1;
  }
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (sync_fails(fd)) {
    errno = EIO;
    return -1;
  }
  return REAL(fdatasync)(fd);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  char text[256];
  if (!host || strcmp(host, "localhost") || read_switch("name", text, sizeof text))
    return REAL(getaddrinfo)(host, service, hints, found);
  const char *address = text;
  if (strcmp(text, "fail") == 0) return EAI_AGAIN;
  if (strcmp(text, "none") == 0) return EAI_NONAME;
  if (strncmp(text, "slow ", 5) == 0) {
    char *end;
    long ms = strtol(text + 5, &end, 10);
    struct timespec span = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&span, NULL);
    address = *end ? end + 1 : end;
  }
  return REAL(getaddrinfo)(address, service, hints, found);
}
