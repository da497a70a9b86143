// Swift's Glibc module leaves epoll out.
#ifndef CEPOLL_H
#define CEPOLL_H
#include <sys/epoll.h>
#endif
