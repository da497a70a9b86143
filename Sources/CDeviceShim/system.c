// What Swift's Glibc module does not show: eventfd, thread names, GNU's strerror_r.
#define _GNU_SOURCE
#include "CDeviceShim.h"
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int cdev_wake_new(void) { return eventfd(0, EFD_CLOEXEC); }

void cdev_wake_signal(int wake_fd) {
    uint64_t one = 1;
    ssize_t written = write(wake_fd, &one, sizeof one);
    (void)written;  // fails only when it is signalled already
}

void cdev_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

const char *cdev_error_text(int error, char *buffer, size_t size) { return strerror_r(error, buffer, size); }
