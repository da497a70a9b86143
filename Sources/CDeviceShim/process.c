// Starting a child between fork and exec, where only C's async-signal-safe functions may be called.
#define _GNU_SOURCE
#include "CDeviceShim.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Above every number that the child's files get.
enum { FIRST_COPY = CDEV_MAX_FILES };

static int prepare(const cdev_child *child, pid_t parent) {
    if (child->own_group && setpgid(0, 0) != 0) return errno;
    // A handler would be reset by exec, what is ignored stays so: only a hang-up does, for nohup's sake.
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGHUP) signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, child->death_signal) != 0) return errno;
    // The parent may have ended before that.
    if (getppid() != parent) return ECHILD;
    int copies[CDEV_MAX_FILES];
    for (size_t i = 0; i < child->file_count; i++) {
        int file = child->files[i] >= 0 ? child->files[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        // First away from the numbers that are given out now.
        copies[i] = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, FIRST_COPY);
        if (copies[i] < 0) return errno;
    }
    for (size_t i = 0; i < child->file_count; i++) {
        if (dup2(copies[i], (int)i) < 0) return errno;
    }
    return 0;
}

static void close_others_on_exec(unsigned first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) == 0) return;
#endif
    for (int file = (int)first; file < 1024; file++) fcntl(file, F_SETFD, FD_CLOEXEC);
}

int cdev_spawn(const cdev_child *child, int *pid) {
    if (child->file_count > CDEV_MAX_FILES) {
        errno = EINVAL;
        return -1;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    pid_t parent = getpid();
    // No handler of this process may run in the child before it is reset there.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t made = fork();
    int error = errno;
    if (made == 0) {
        int reason;
        int report = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_COPY);
        if (report < 0) _exit(127);
        reason = prepare(child, parent);
        if (reason == 0) {
            close_others_on_exec((unsigned)child->file_count);
            execve(child->path, child->arguments, child->environment);
            reason = errno;
        }
        ssize_t written = write(report, &reason, sizeof reason);
        (void)written;
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (made < 0) {
        close(ends[0]);
        errno = error;
        return -1;
    }
    int reason = 0;
    ssize_t got;
    do got = read(ends[0], &reason, sizeof reason);
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    if (got == (ssize_t)sizeof reason) {
        while (waitpid(made, NULL, 0) < 0 && errno == EINTR) {}
        errno = reason;
        return -1;
    }
    *pid = made;
    return 0;
}

int cdev_await_exit(int pid) {
    siginfo_t info;
    int result;
    do result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    while (result != 0 && errno == EINTR);
    return result;
}

int cdev_collect(int pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) return 127;
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
