#define _GNU_SOURCE
#include "CNetShim.h"
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

int cnet_wake_new(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void cnet_wake_signal(int wake_fd) {
    uint64_t one = 1;
    ssize_t written = write(wake_fd, &one, sizeof one);
    (void)written;  // fails only when it is signalled already
}

void cnet_wake_clear(int wake_fd) {
    uint64_t count;
    ssize_t got = read(wake_fd, &count, sizeof count);
    (void)got;  // fails only when it is clear already
}

void cnet_thread_prepare(const char *name) {
    sigset_t all;
    sigfillset(&all);
    // SIGPIPE among them: c-ares writes to TCP servers that may have gone.
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_setname_np(pthread_self(), name);
}
