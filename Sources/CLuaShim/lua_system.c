// What Swift's Glibc module does not show: eventfd, inotify, openat2.
#define _GNU_SOURCE
#include "CLuaShim.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int clua_wake_new(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
void clua_wake_signal(int wake_fd) {
    uint64_t one = 1;
    ssize_t written = write(wake_fd, &one, sizeof one);
    (void)written;  // fails only when it is signalled already
}
void clua_wake_clear(int wake_fd) {
    uint64_t count;
    ssize_t got = read(wake_fd, &count, sizeof count);
    (void)got;  // fails only when it is clear already
}

int clua_poll(struct pollfd *files, int count, int64_t timeout_ns) {
    struct timespec time = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    return ppoll(files, (nfds_t)count, timeout_ns < 0 ? NULL : &time, NULL);
}

// Of the calling thread's stack, once it is prepared.
static _Thread_local char *lowest;

void clua_thread_prepare(const char *name) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_setname_np(pthread_self(), name);
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void *stack;
    size_t size;
    if (pthread_attr_getstack(&attributes, &stack, &size) == 0) lowest = stack;
    pthread_attr_destroy(&attributes);
}

void clua_thread_rest(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    // What is below this frame and the one of madvise is used by nobody: signals are blocked.
    char *end = (char *)(((uintptr_t)__builtin_frame_address(0) - 512) & ~(page - 1));
    if (lowest && end > lowest) madvise(lowest, (size_t)(end - lowest), MADV_DONTNEED);
}

int clua_watch_new(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }
int clua_watch_add(int watch_fd, const char *directory) {
    return inotify_add_watch(watch_fd, directory,
                             IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR);
}
int clua_watch_read(int watch_fd, void (*changed)(void *context, int watch, const char *name), void *context) {
    _Alignas(struct inotify_event) char buffer[8192];
    for (;;) {
        ssize_t count = read(watch_fd, buffer, sizeof buffer);
        if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
        for (char *at = buffer; at < buffer + count;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            changed(context, event->wd, event->len ? event->name : "");
            at += sizeof *event + event->len;
        }
    }
}

// Where the kernel (before 5.6) or a seccomp filter has no openat2: step by step, and no link is followed.
static int open_by_steps(int directory_fd, const char *path, int flags, unsigned mode) {
    char step[NAME_MAX + 1];
    int at = fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
    while (at >= 0) {
        while (*path == '/') path++;
        size_t length = strcspn(path, "/");
        if (length > NAME_MAX) {
            close(at);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(step, path, length);
        step[length] = 0;
        path += length;
        while (*path == '/') path++;
        if (strcmp(step, "..") == 0) {
            close(at);
            errno = EXDEV;
            return -1;
        }
        const char *name = length ? step : ".";
        int last = *path == 0;
        int next = openat(at, name, last ? flags | O_NOFOLLOW | O_CLOEXEC : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                          mode);
        int error = errno;
        close(at);
        errno = error;
        if (last) return next;
        at = next;
    }
    return -1;
}

int clua_open_root(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

int clua_open_beneath(int directory_fd, const char *path, int flags, unsigned mode) {
    while (*path == '/') path++;
    if (!*path) path = ".";
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long file = syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
    if (file < 0 && (errno == ENOSYS || errno == EPERM)) return open_by_steps(directory_fd, path, flags, mode);
    return (int)file;
}
