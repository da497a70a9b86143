// The peer: a host of Lua in plain C, without limits, protection or isolation.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct peer peer;
// With a count hook that does nothing but count, or without one.
peer *peer_new(int hook);
void peer_close(peer *p);
// Runs a chunk; nanoseconds that it took, or -1. `direct(int)` and `marshalled(int)` are its host functions.
int64_t peer_run(peer *p, const char *source);
// Calls the global function `f` so many times with an integer, each in a protected call; nanoseconds.
int64_t peer_call(peer *p, int count);
// Resumes a coroutine of the global function `f` so many times; nanoseconds.
int64_t peer_resume(peer *p, int count);
// A thread that waits for an eventfd and calls `f` for each event; the events come one after the other, each when the
// one before was answered. Nanoseconds.
int64_t peer_events(peer *p, int count);
// Makes a state with all libraries, loads a chunk, and closes it, so many times; nanoseconds.
int64_t peer_reload(const char *source, int count);
// Bytes of a state with all libraries.
size_t peer_memory(peer *p);
// Bytes that malloc has given out, in all of its arenas.
size_t peer_allocated(void);
// Resident bytes of all thread stacks of that size.
size_t peer_stacks(size_t size);
int peer_eventfd(void);
