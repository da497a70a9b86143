// Lua 5.4 behind an API that Swift can call: no function here raises, and none runs Swift between a raise and the
// protected call that catches it.
//
// One `clua` is one Lua state, used by one thread at a time; only clua_interrupt may be called by another. The host's
// callback gets its arguments converted, writes results as a small program into `clua_output`, and returns a code: the
// C side pushes and raises after the callback has returned.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct clua clua;

// More arguments than this to a host function raise an error.
#define CLUA_MAX_ARGUMENTS 64
// Room for the traceback of the last error.
#define CLUA_TRACE_SIZE 4096

// Kinds of values. Those from CLUA_NEW_TABLE on only stand in programs.
enum {
    CLUA_NIL,
    CLUA_BOOLEAN,    // integer: 0 or 1
    CLUA_INTEGER,
    CLUA_NUMBER,
    CLUA_STRING,     // in: bytes, count; in a program: integer is the offset in the scratch bytes
    CLUA_TABLE,      // in: integer is the stack index
    CLUA_FUNCTION,   // in: integer is the stack index, count identifies the function while it lives
    CLUA_OBJECT,     // tag: class, integer: handle, 0 when closed
    CLUA_BYTEARRAY,  // in: bytes (writable), count
    CLUA_OTHER,

    CLUA_NEW_TABLE,    // pushes a table; integer: how many members are expected
    CLUA_SET,          // pops a value and a key, sets them in the table below
    CLUA_APPEND,       // pops a value, sets it at index `integer` of the table below
    CLUA_REFERENCE,    // pushes what clua_reference kept under `integer`
    CLUA_ARGUMENT,     // pushes the argument at stack index `integer`
    CLUA_NEW_OBJECT,   // pushes a new object: tag class, integer handle
    CLUA_KEEP,         // pops a value and a name, keeps them in the object below
    CLUA_MEMBER,       // pops a name, pushes what the object with handle `integer` keeps under it, or nil
    CLUA_RAW_MEMBER,   // pops a name, pushes what the table reference `integer` has under it itself, or nil
    CLUA_HOST,         // pushes the host's function number `integer`
    CLUA_LIBRARY,      // pushes a new table whose members the host is asked for when they are used; integer: number
    CLUA_FINALIZER,    // pushes the next waiting __gc function and its object
    CLUA_SWEEP,        // pushes a function that closes what is in the table reference `integer` and empties it
    CLUA_EVALUATE,     // pushes a function that calls its argument and returns the results as one text
    CLUA_BUILT_IN,     // pushes something of the shim's own; integer: which, below
    CLUA_NEW_ARRAY,    // pushes a bytearray of `count` bytes from offset `integer`
};

// Numbers of host functions that the C side knows.
enum {
    CLUA_HOST_RESOLVE = 0,  // (1 class | 2 library, number, name): the member
    CLUA_HOST_TRACE = 1,    // (text [, level]): 1 log, 2 error log
    CLUA_HOST_REQUIRE = 2,  // (name): a library, or (source, chunk name), or nil and a reason
    CLUA_HOST_FIRST = 8,    // the first one of the host's own
};

// What CLUA_BUILT_IN pushes.
enum {
    CLUA_BUILT_IN_BYTEARRAY,
    CLUA_BUILT_IN_H2N,
    CLUA_BUILT_IN_N2H,
    CLUA_BUILT_IN_LOG,       // (format, ...)
    CLUA_BUILT_IN_ERROR_LOG, // ([options,] format, ...)
    CLUA_BUILT_IN_DOFILE,    // (io, name [, environment]): by the object's loadfile
    CLUA_BUILT_IN_LISTED,    // (list): the next two of it
};

typedef struct {
    uint32_t type;
    uint32_t tag;
    union {
        int64_t integer;
        double number;
        const char *bytes;
    };
    size_t count;
} clua_value;

// What the host's callback answers with.
typedef struct {
    clua_value *values;
    int count, capacity;
    char *scratch;
    size_t scratch_count, scratch_capacity;
    size_t limit;  // of the scratch bytes, and of the values' bytes
} clua_output;

typedef struct {
    void *thread;
    uint32_t function;
    int count;
    int has_released;  // whether clua_released has something
    const clua_value *arguments;
} clua_call;

// How the callback ends.
enum {
    CLUA_RETURN,          // with the values of the output
    CLUA_RAISE,           // the first value is the message; its position is put before it
    CLUA_RAISE_ARGUMENT,  // the second value is the number of the bad argument
    CLUA_WAIT,            // the activation is suspended until clua_resume
};
typedef int (*clua_callback)(void *context, const clua_call *call);
// Within a callback that may have blocked: the clock is looked at when it returns.
void clua_has_blocked(clua *host);
// Whether the call may answer CLUA_WAIT.
int clua_can_wait(const clua_call *call);

typedef struct {
    size_t memory;          // bytes that the state may use
    int64_t instructions;   // of one activation between two waits
    int64_t processor_ns;   // of one activation between two waits
    int64_t wall_ns;        // on the wall, likewise; 0 for no limit
} clua_limits;

// Makes a state with the restricted libraries. NULL when there is no memory for it within the limit.
clua *clua_new(const clua_limits *limits, clua_callback callback, void *context);
// What the callback gets from now on; it is not called by clua_new.
void clua_set_context(clua *host, void *context);
void clua_close(clua *host);
clua_output *clua_output_of(clua *host);

int clua_grow(clua_output *output);
// Adds a value to a program; -1 beyond the limit.
static inline int clua_put(clua_output *output, clua_value value) {
    if (output->count == output->capacity && clua_grow(output) != 0) return -1;
    output->values[output->count++] = value;
    return 0;
}
static inline void clua_clear(clua_output *output) { output->count = 0; output->scratch_count = 0; }
// Adds a string to a program; -1 beyond the limit.
int clua_put_string(clua_output *output, const void *bytes, size_t count);

// ---- Running. An activation is a coroutine; `thread` is its number. ----
enum {
    CLUA_DONE,     // ended; results by clua_result
    CLUA_YIELDED,  // the script itself yielded; clua_yielded_true tells what
    CLUA_WAITING,  // in a host function that answered CLUA_WAIT
    CLUA_FAILED,   // an error: clua_error_text, clua_traceback
    CLUA_KILLED,   // over its budget or interrupted: clua_spent
};
enum { CLUA_NOT_SPENT, CLUA_SPENT_INSTRUCTIONS, CLUA_SPENT_TIME, CLUA_SPENT_WALL, CLUA_INTERRUPTED };

// Starts an activation. The output's program pushes the function and its arguments. CLUA_DONE, CLUA_FAILED and
// CLUA_KILLED end it, but its results stay readable until the next call of clua_start or clua_resume.
int clua_start(clua *host, int *thread);
// Goes on with a suspended activation. After CLUA_WAITING the program's first value is true before the results, or
// false before a message that is raised.
int clua_resume(clua *host, int thread);
// Gives up a suspended activation, and closes its to-be-closed variables.
int clua_abandon(clua *host, int thread);
// Hands a suspended activation over to an object, with which it is collected; 0, or -1 without memory.
int clua_park(clua *host, int thread, int64_t handle);
// Takes it back: its number, or -1 when there is none.
int clua_unpark(clua *host, int64_t handle);
// The results of the last activation, counted from 0. Valid until the next call that runs Lua.
int clua_result_count(clua *host);
void clua_result(clua *host, int index, clua_value *value);
// The thread that they are on, for clua_walk through a table among them.
void *clua_result_thread(clua *host);
// Whether the first value that a script yielded is neither false nor nil.
int clua_yielded_true(clua *host);
const char *clua_error_text(clua *host);
const char *clua_traceback(clua *host);
int clua_spent(clua *host);
// Instructions (about) and processor time that the last activation used.
int64_t clua_used_instructions(clua *host);
int64_t clua_used_ns(clua *host);
// Ends what runs now, and everything that is started until clua_interrupt(host, 0). From any thread.
void clua_interrupt(clua *host, int on);

// ---- Source, environments, references ----
// Compiles a text; binary chunks are refused. `environment`: a reference, or 0 for the globals.
// A reference to the function, or -1 with the reason in clua_error_text.
int clua_compile(clua *host, const char *source, size_t count, const char *name, int environment);
// A new table that looks into the table `parent` (0: the globals) for what it lacks. A reference, or -1.
int clua_environment(clua *host, int parent);
// Sets a member of the table `reference` (0: the globals) to what the program pushes; -1 when it cannot.
int clua_set(clua *host, int reference, const char *name);
// Makes library `number` known to require, and global where wanted.
int clua_library(clua *host, uint32_t number, const char *name, int global);
// Whether the table `reference` itself has a function of that name.
int clua_has_function(clua *host, int reference, const char *name);
// Keeps the value at a stack index of a call's thread. A reference, or -1 without memory.
int clua_reference(clua *host, void *thread, int index);
void clua_unreference(clua *host, int reference);

// Steps through a table: clua_walk_begin, then clua_walk until it answers 0, each followed by clua_walk_next. The key
// and the value stay on the stack until then, so that a table in the value can be walked too; clua_walk_end leaves
// early. -1: there is no room on the stack.
int clua_walk_begin(void *thread);
int clua_walk(void *thread, int table, clua_value *key, clua_value *value);
void clua_walk_next(void *thread);
void clua_walk_end(void *thread);

// ---- Objects: userdata that holds a handle ----
// What a class has: fields that scripts set, and metamethods that are methods of the same name.
enum {
    CLUA_CLASS_FIELDS = 1,
    CLUA_CLASS_CALL = 2,  // then tostring, add, sub, lt, le, eq, each twice the one before
};
int clua_class(clua *host, uint32_t number, const char *name, int flags);
// Room for one more object; has to succeed before CLUA_NEW_OBJECT. -1 without memory.
int clua_object_reserve(clua *host, int64_t handle);
// Keeps an object from being collected, or no more; -1 without memory.
int clua_anchor(clua *host, int64_t handle, int on);
// Lets the script see it as closed.
void clua_object_close(clua *host, int64_t handle);
// Takes a handle whose object was collected or closed; 0 when there is none.
int64_t clua_released(clua *host);
// Objects with a __gc function of the script that wait for it.
int clua_finalizers(clua *host);

// ---- Memory ----
size_t clua_memory(clua *host);
size_t clua_memory_peak(clua *host);
void clua_collect(clua *host);
// For tests: lets `count` allocations fail after `after` more.
void clua_fail_allocations(clua *host, int64_t after, int64_t count);
uint64_t clua_allocations(clua *host);

// ---- What Swift's Glibc module does not show ----
// A descriptor that becomes readable after clua_wake_signal, until clua_wake_clear; to be closed with close.
int clua_wake_new(void);
void clua_wake_signal(int wake_fd);
void clua_wake_clear(int wake_fd);
// poll with a timeout in nanoseconds, -1: for ever.
struct pollfd;
int clua_poll(struct pollfd *files, int count, int64_t timeout_ns);
// Names the calling thread and keeps signals from it.
void clua_thread_prepare(const char *name);
// Gives back the pages of the calling thread's stack that were used once and lie unused now.
void clua_thread_rest(void);
// Watches a directory: inotify's descriptor, or -1. What was changed or moved there is told to `changed` by
// clua_watch_read, which does not wait; -1 when the watch is lost.
int clua_watch_new(void);
int clua_watch_add(int watch_fd, const char *directory);
int clua_watch_read(int watch_fd, void (*changed)(void *context, int watch, const char *name), void *context);
// Opens a directory to be the root of others.
int clua_open_root(const char *path);
// Opens a file below a directory, which no symbolic link and no ".." leaves; -1 with the reason in errno.
int clua_open_beneath(int directory_fd, const char *path, int flags, unsigned mode);
