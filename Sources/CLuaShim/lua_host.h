// What the files of the shim share.
#pragma once
#include "CLuaShim.h"
#include "liblua/shim.h"
#include <stdatomic.h>
#include <stdint.h>

// Instructions between two looks at the budget.
#define CLUA_STEP 1000

enum { ORIGINAL_REP, ORIGINAL_SUB, ORIGINAL_BYTE, ORIGINAL_CHAR, ORIGINAL_FORMAT, ORIGINAL_CONCAT, ORIGINAL_INSERT,
       ORIGINAL_REMOVE, ORIGINAL_MOVE, ORIGINAL_UNPACK, ORIGINAL_SORT, ORIGINAL_TOINTEGER, ORIGINAL_UTF8CHAR,
       ORIGINAL_UTF8OFFSET, ORIGINAL_UTF8CODEPOINT, ORIGINAL_UTF8LEN, ORIGINAL_DATE, ORIGINAL_TIME, ORIGINAL_SELECT,
       ORIGINAL_LOWER, ORIGINAL_UPPER, ORIGINAL_REVERSE, ORIGINAL_SETMETATABLE, ORIGINAL_COUNT };

// What is told of an error. Apart, because an app that does well needs no room for it.
typedef struct {
    char error[1024];
    char trace[CLUA_TRACE_SIZE];
} clua_failure;

struct clua {
    lua_State *L;
    clua_callback callback;
    void *context;
    clua_limits limits;
    clua_output output;

    size_t used, peak;
    size_t live;  // after the last collection that was made for want of room
    uint64_t allocations;
    int64_t fail_after, fail_count;

    // Of the activation that runs.
    int running;
    int spent;
    int64_t left;        // instructions; more are charged for long C loops
    int64_t unchecked;   // charged since the clock was read
    int64_t wall_check;  // when to look at the processor time
    int64_t wall_end;
    int64_t processor_start;
    int64_t used_ns;
    atomic_int interrupted;

    int64_t walked;  // members of tables that the host has looked at in this call

    lua_State *waiting;  // the coroutine in which a host function waits
    int blocked;         // coroutines on the stack that were resumed by what cannot yield
    lua_State *last;     // where the results of the last activation lie
    int last_first, last_count;
    int last_thread;
    int yielded_true;
    clua_failure *failure;  // of the last error, until something runs again; NULL without one, or without memory

    // Handles of objects that are gone, and of those that are about to be made. Room is made before an object is.
    int64_t *released, *fresh;
    int released_count, fresh_count, released_capacity, fresh_capacity;
    int64_t objects;
    int finalizers;
    int closing;
    uint64_t random[4];
    lua_CFunction original[ORIGINAL_COUNT];
};

// Keys of the registry, by address.
extern const char clua_key_objects, clua_key_anchors, clua_key_classes, clua_key_threads, clua_key_finalizers,
    clua_key_pending, clua_key_loaded, clua_key_idle;

// The lowest bit of a coroutine's extra space says that it was killed: its to-be-closed variables must not run,
// because its hook is off for ever.
static inline clua *clua_of(lua_State *L) {
    return (clua *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}
static inline int clua_is_killed(lua_State *L) { return (int)(*(uintptr_t *)lua_getextraspace(L) & 1); }
static inline void clua_mark_killed(lua_State *L) { *(uintptr_t *)lua_getextraspace(L) |= 1; }

// Lua's own checks let floats through that have no integer; these floor them as the vendor's Lua does.
int clua_floor(lua_State *L, int index, lua_Integer *integer);
// Replaces those of the arguments first...last that are floats without an integer by their floor.
void clua_floor_arguments(lua_State *L, int first, int last);

void clua_hook(lua_State *L, lua_Debug *record);
// Spends instructions for work that the count hook does not see; raises when the budget is gone.
void clua_charge(lua_State *L, int64_t instructions);
// Collects garbage when there is no room for so many bytes: Lua's string buffers do not do that themselves.
void clua_make_room(lua_State *L, size_t bytes);
void clua_raise_spent(lua_State *L);
int64_t clua_monotonic_ns(void);

void clua_to_value(lua_State *L, int index, clua_value *value);
// Pushes what the output's program says, in protected context. Returns how many values; `arguments`: how many there
// are at the bottom of the stack for CLUA_ARGUMENT.
int clua_push_program(lua_State *L, clua *host);
// A host function as a closure: its number is the upvalue.
void clua_push_host(lua_State *L, uint32_t number);
// Calls a host function with the first `count` values of the stack.
int clua_call_host(lua_State *L, uint32_t number);

void clua_open_base(lua_State *L, clua *host);
void clua_open_bounds(lua_State *L);
// Makes a table what it is to become, where it is a library that waits for its first use.
void clua_fill_library(lua_State *L, int table);
void clua_open_patterns(lua_State *L);
void clua_open_bytearray(lua_State *L);
int clua_open_bytearray_table(lua_State *L);
void clua_push_built_in(lua_State *L, int64_t number);
int clua_format(lua_State *L);
int clua_h2n(lua_State *L);
int clua_n2h(lua_State *L);
void clua_make_coroutines(lua_State *L);
void *clua_bytearray(lua_State *L, int index, size_t *count);
void clua_push_bytearray(lua_State *L, const char *bytes, size_t count);
int clua_sweep(lua_State *L);
int clua_evaluate(lua_State *L);
int clua_setmetatable(lua_State *L);
int clua_run_protected(clua *host, lua_CFunction function, void *argument);

typedef struct {
    uint32_t class;
    uint32_t open;
    int64_t handle;
} clua_object;
clua_object *clua_object_at(lua_State *L, int index);
int clua_object_is(lua_State *L, int index);
void clua_new_object(lua_State *L, clua *host, uint32_t class, int64_t handle);
void clua_push_object(lua_State *L, int64_t handle);
void clua_push_library(lua_State *L, uint32_t kind, uint32_t number);
void clua_next_finalizer(lua_State *L);
