#define _GNU_SOURCE
#define CARES_NO_DEPRECATED
#include "CNetShim.h"
#include <ares.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

struct cnet_dns {
    ares_channel channel;
    cnet_dns_callback callback;
    void *context;
    // The sockets that c-ares has open now, and what it waits for on each.
    struct pollfd *sockets;
    size_t count, capacity;
    // What poll is called with: a copy, because handling one socket changes the list.
    struct pollfd *polled;
    size_t polled_capacity;
    int out_of_memory;
    // The error code of the datagram that c-ares looks at now, 0 for none.
    int response_code;
};

struct question {
    cnet_dns *dns;
    uint64_t id;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;
static void library_start(void) { library_status = ares_library_init(ARES_LIB_INIT_ALL); }

static void socket_changed(void *context, ares_socket_t socket, int readable, int writable) {
    cnet_dns *dns = context;
    short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
    for (size_t i = 0; i < dns->count; i++) {
        if (dns->sockets[i].fd != socket) continue;
        if (events) {
            dns->sockets[i].events = events;
        } else {
            dns->sockets[i] = dns->sockets[--dns->count];
        }
        return;
    }
    if (!events) return;
    if (dns->count == dns->capacity) {
        size_t capacity = dns->capacity ? dns->capacity * 2 : 8;
        struct pollfd *sockets = realloc(dns->sockets, capacity * sizeof *sockets);
        // Unwatched, its queries end by their time limits.
        if (!sockets) { dns->out_of_memory = 1; return; }
        dns->sockets = sockets;
        dns->capacity = capacity;
    }
    dns->sockets[dns->count++] = (struct pollfd){.fd = socket, .events = events};
}

// Sockets as c-ares makes them itself, but for two things: no SIGPIPE, and a look at the code of each response. 1.18
// forgets it: when its last server says SERVFAIL or REFUSED, it reports a refused connection.
static ares_socket_t open_socket(int domain, int type, int protocol, void *context) {
    (void)context;
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t socket, void *context) {
    (void)context;
    return close(socket);
}

static int connect_socket(ares_socket_t socket, const struct sockaddr *to, ares_socklen_t size, void *context) {
    (void)context;
    return connect(socket, to, size);
}

static ares_ssize_t receive(
    ares_socket_t socket, void *bytes, size_t count, int flags, struct sockaddr *from, ares_socklen_t *size,
    void *context) {
    cnet_dns *dns = context;
    dns->response_code = 0;
    ares_ssize_t got = recvfrom(socket, bytes, count, flags, from, size);
    // Only datagrams have a sender here.
    if (from && got >= 12) dns->response_code = ((uint8_t *)bytes)[3] & 0x0F;
    return got;
}

static ares_ssize_t send_pieces(ares_socket_t socket, const struct iovec *pieces, int count, void *context) {
    (void)context;
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
    open_socket, close_socket, connect_socket, receive, send_pieces,
};

cnet_dns *cnet_dns_new(
    const char *servers, const char *resolv_conf, uint16_t port, int timeout_ms, int tries,
    cnet_dns_callback callback, void *context) {
    pthread_once(&library_once, library_start);
    cnet_dns *dns = library_status == ARES_SUCCESS ? calloc(1, sizeof *dns) : NULL;
    if (!dns) { errno = ENOMEM; return NULL; }
    dns->callback = callback;
    dns->context = context;

    struct ares_options options = {0};
    // The limit of 1232 bytes: what passes every link unfragmented. Longer answers come by TCP.
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS
        | ARES_OPT_SOCK_STATE_CB | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
    options.flags = ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;
    options.ednspsz = 1232;
    options.timeout = timeout_ms;
    options.tries = tries;
    char lookups[] = "b";
    options.lookups = lookups;
    options.udp_port = port;
    options.tcp_port = port;
    options.sock_state_cb = socket_changed;
    options.sock_state_cb_data = dns;
    if (resolv_conf) {
        options.resolvconf_path = (char *)resolv_conf;
        mask |= ARES_OPT_RESOLVCONF;
    }
#ifdef ARES_OPT_QUERY_CACHE
    // 1.31 and later keep answers by themselves. When to ask again is decided in one place, and that is not here.
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    int status = ares_init_options(&dns->channel, &options, mask);
    if (status == ARES_SUCCESS && servers) {
        status = ares_set_servers_ports_csv(dns->channel, servers);
        if (status != ARES_SUCCESS) ares_destroy(dns->channel);
    }
    if (status == ARES_SUCCESS) ares_set_socket_functions(dns->channel, &socket_functions, dns);
    if (status != ARES_SUCCESS) {
        free(dns->sockets);
        free(dns);
        errno = status == ARES_ENOMEM ? ENOMEM : EINVAL;
        return NULL;
    }
    return dns;
}

void cnet_dns_free(cnet_dns *dns) {
    if (!dns) return;
    ares_destroy(dns->channel);
    free(dns->sockets);
    free(dns->polled);
    free(dns);
}

static cnet_dns_status translated(int status) {
    switch (status) {
    case ARES_SUCCESS: return CNET_DNS_ANSWER;
    case ARES_ENODATA: return CNET_DNS_NO_DATA;
    case ARES_ENOTFOUND: return CNET_DNS_NO_NAME;
    case ARES_EFORMERR:
    case ARES_ENOTIMP:
    case ARES_ESERVFAIL: return CNET_DNS_FAILED;
    case ARES_EREFUSED: return CNET_DNS_REFUSED;
    case ARES_ECONNREFUSED: return CNET_DNS_UNREACHABLE;
    case ARES_ETIMEOUT: return CNET_DNS_TIMEOUT;
    case ARES_EBADRESP: return CNET_DNS_MALFORMED;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED: return CNET_DNS_ENDED;
    default: return CNET_DNS_OTHER;
    }
}

static void answered(void *context, int status, int timeouts, unsigned char *bytes, int count) {
    (void)timeouts;
    struct question *question = context;
    size_t length = bytes && count > 0 ? (size_t)count : 0;
    if (status == ARES_ECONNREFUSED) {
        if (question->dns->response_code == 2) status = ARES_ESERVFAIL;
        if (question->dns->response_code == 4) status = ARES_ENOTIMP;
        if (question->dns->response_code == 5) status = ARES_EREFUSED;
    }
    question->dns->callback(question->dns->context, question->id, translated(status), length ? bytes : NULL, length);
    free(question);
}

void cnet_dns_query(cnet_dns *dns, uint64_t id, const char *name, uint16_t type, int search) {
    struct question *question = malloc(sizeof *question);
    if (!question) {
        dns->callback(dns->context, id, CNET_DNS_OTHER, NULL, 0);
        return;
    }
    *question = (struct question){.dns = dns, .id = id};
    const int class_in = 1;
    if (search) {
        ares_search(dns->channel, name, class_in, type, answered, question);
    } else {
        ares_query(dns->channel, name, class_in, type, answered, question);
    }
}

// Milliseconds until c-ares has something to do, rounded up; at most the limit (-1: none).
static int wait_time(cnet_dns *dns, int limit) {
    struct timeval buffer;
    struct timeval *time = ares_timeout(dns->channel, NULL, &buffer);
    // A socket that found no place is looked at by the clock.
    if (dns->out_of_memory && (limit < 0 || limit > 50)) limit = 50;
    if (!time) return limit;
    long long left = (long long)time->tv_sec * 1000 + (time->tv_usec + 999) / 1000;
    if (left < 0) left = 0;
    return limit >= 0 && limit < left ? limit : (int)(left > 3600000 ? 3600000 : left);
}

int cnet_dns_wait(cnet_dns *dns, int wake_fd, int timeout_ms) {
    size_t needed = dns->count + 1;
    if (needed > dns->polled_capacity) {
        struct pollfd *polled = realloc(dns->polled, needed * sizeof *polled);
        if (!polled) { errno = ENOMEM; return -1; }
        dns->polled = polled;
        dns->polled_capacity = needed;
    }
    for (size_t i = 0; i < dns->count; i++) dns->polled[i] = dns->sockets[i];
    dns->polled[needed - 1] = (struct pollfd){.fd = wake_fd, .events = POLLIN};

    int ready = poll(dns->polled, needed, wait_time(dns, timeout_ms));
    if (ready < 0 && errno != EINTR) return -1;
    for (size_t i = 0; ready > 0 && i + 1 < needed; i++) {
        short events = dns->polled[i].revents;
        if (!events) continue;
        // An error is read or written like data, which gives c-ares its number.
        int reads = events & (POLLIN | POLLERR | POLLHUP | POLLNVAL), writes = events & POLLOUT;
        dns->response_code = 0;
        ares_process_fd(
            dns->channel, reads ? dns->polled[i].fd : ARES_SOCKET_BAD, writes ? dns->polled[i].fd : ARES_SOCKET_BAD);
    }
    dns->response_code = 0;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    return ready > 0 && dns->polled[needed - 1].revents ? 1 : 0;
}
