// A state: its memory, its budget, and what runs in it.
#include "lua_host.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char clua_key_objects, clua_key_anchors, clua_key_classes, clua_key_threads, clua_key_finalizers,
    clua_key_pending, clua_key_loaded, clua_key_idle;

// ---- Memory ----

static void *allocate(void *context, void *pointer, size_t old, size_t size) {
    clua *host = context;
    if (!pointer) old = 0;  // it is a type then
    if (size == 0) {
        host->used -= old;
        free(pointer);
        return NULL;
    }
    if (size > old) {
        host->allocations++;
        if (host->fail_count > 0) {
            if (host->fail_after > 0) {
                host->fail_after--;
            } else {
                host->fail_count--;
                return NULL;
            }
        }
        if (host->used - old > host->limits.memory || size > host->limits.memory - (host->used - old)) return NULL;
    }
    void *result = realloc(pointer, size);
    // Lua takes it that shrinking cannot fail.
    if (!result) return size <= old ? pointer : NULL;
    host->used = host->used - old + size;
    if (host->used > host->peak) host->peak = host->used;
    return result;
}

size_t clua_memory(clua *host) { return host->used; }
size_t clua_memory_peak(clua *host) { return host->peak; }
uint64_t clua_allocations(clua *host) { return host->allocations; }

void clua_fail_allocations(clua *host, int64_t after, int64_t count) {
    host->fail_after = after;
    host->fail_count = count;
}

static int collect(lua_State *L) {
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}
void clua_collect(clua *host) { clua_run_protected(host, collect, NULL); }

// ---- Budget ----

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
int64_t clua_monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static void look_at_clock(clua *host) {
    host->unchecked = 0;
    if (atomic_load_explicit(&host->interrupted, memory_order_relaxed)) {
        host->spent = CLUA_INTERRUPTED;
        return;
    }
    // The time on the wall is cheap to read. What counts is the thread's own: a busy machine is no fault of a script.
    int64_t now = clua_monotonic_ns();
    if (now < host->wall_check) return;
    if (now >= host->wall_end) {
        host->spent = CLUA_SPENT_WALL;
        return;
    }
    int64_t left = host->limits.processor_ns - (clock_ns(CLOCK_THREAD_CPUTIME_ID) - host->processor_start);
    if (left <= 0) host->spent = CLUA_SPENT_TIME;
    host->wall_check = now + left < host->wall_end ? now + left : host->wall_end;
}

static void begin_clock(clua *host) {
    int64_t now = clua_monotonic_ns(), wall = host->limits.wall_ns;
    host->wall_end = wall > 0 ? now + wall : INT64_MAX;
    host->wall_check = now + host->limits.processor_ns;
    if (host->wall_check > host->wall_end) host->wall_check = host->wall_end;
}

void clua_has_blocked(clua *host) { host->unchecked = CLUA_STEP; }

static void consume(clua *host, int64_t instructions) {
    if (!host->running || host->spent) return;
    host->left -= instructions;
    host->unchecked += instructions;
    if (host->left <= 0) host->spent = CLUA_SPENT_INSTRUCTIONS;
    else if (host->unchecked >= CLUA_STEP) look_at_clock(host);
}

void clua_raise_spent(lua_State *L) {
    // Every instruction raises from now on, so that no pcall of the script outlives its budget.
    lua_sethook(L, clua_hook, LUA_MASKCOUNT, 1);
    switch (clua_of(L)->spent) {
    case CLUA_SPENT_TIME: luaL_error(L, "too much processor time without a wait");
    case CLUA_SPENT_WALL: luaL_error(L, "too long on the clock without a wait");
    case CLUA_INTERRUPTED: luaL_error(L, "stopped");
    default: luaL_error(L, "too many instructions without a wait");
    }
}

void clua_hook(lua_State *L, lua_Debug *record) {
    (void)record;
    clua *host = clua_of(L);
    if (!host->running) return;
    if (!host->spent) {
        consume(host, lua_gethookcount(L));
        if (!host->spent) {
            if (lua_gethookcount(L) != CLUA_STEP) lua_sethook(L, clua_hook, LUA_MASKCOUNT, CLUA_STEP);
            return;
        }
    }
    clua_raise_spent(L);
}

void clua_charge(lua_State *L, int64_t instructions) {
    clua *host = clua_of(L);
    if (!host->running) return;
    consume(host, instructions);
    if (host->spent) clua_raise_spent(L);
}

void clua_make_room(lua_State *L, size_t bytes) {
    clua *host = clua_of(L);
    if (host->used + bytes <= host->limits.memory) return;
    clua_charge(L, (int64_t)(host->used / 32));
    lua_gc(L, LUA_GCCOLLECT);
}

void clua_interrupt(clua *host, int on) { atomic_store(&host->interrupted, on); }

// ---- Life ----

typedef struct {
    lua_CFunction function;
    void *argument;
} protected_call;

// Notes the text of an error.
static void note_error(clua *host, const char *text) {
    if (!host->failure) host->failure = calloc(1, sizeof *host->failure);
    if (host->failure) strncpy(host->failure->error, text, sizeof host->failure->error - 1);
}
static void forget_failure(clua *host) {
    free(host->failure);
    host->failure = NULL;
}

// Runs `function(L)` with `argument` as its light userdata; 0, or -1 with the reason in host->failure.
int clua_run_protected(clua *host, lua_CFunction function, void *argument) {
    lua_State *L = host->L;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 8)) return -1;
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) return 0;
    size_t length = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : "an error without a text";
    note_error(host, text);
    lua_settop(L, top);
    return -1;
}

static void new_table_at(lua_State *L, const void *key, const char *mode) {
    lua_newtable(L);
    if (mode) {
        lua_createtable(L, 0, 1);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

static int open_state(lua_State *L) {
    clua *host = clua_of(L);
    new_table_at(L, &clua_key_objects, "v");
    new_table_at(L, &clua_key_anchors, NULL);
    new_table_at(L, &clua_key_classes, NULL);
    new_table_at(L, &clua_key_threads, NULL);
    new_table_at(L, &clua_key_finalizers, "k");
    new_table_at(L, &clua_key_loaded, NULL);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_pending);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_idle);
    clua_open_base(L, host);
    clua_open_bounds(L);
    clua_open_patterns(L);
    clua_open_bytearray(L);
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

// An error outside of every protected call would be a mistake of the shim's own.
static int panic(lua_State *L) {
    (void)L;
    abort();
}

clua *clua_new(const clua_limits *limits, clua_callback callback, void *context) {
    clua *host = calloc(1, sizeof *host);
    if (!host) return NULL;
    host->limits = *limits;
    host->callback = callback;
    host->context = context;
    host->output.limit = limits->memory;
    host->L = lua_newstate(allocate, host);
    if (!host->L) {
        free(host);
        return NULL;
    }
    *(uintptr_t *)lua_getextraspace(host->L) = (uintptr_t)host;
    lua_atpanic(host->L, panic);
    host->random[0] = (uint64_t)clua_monotonic_ns() ^ (uint64_t)(uintptr_t)host;
    if (clua_run_protected(host, open_state, NULL) != 0) {
        clua_close(host);
        return NULL;
    }
    // Coroutines inherit it.
    lua_sethook(host->L, clua_hook, LUA_MASKCOUNT, CLUA_STEP);
    return host;
}

void clua_set_context(clua *host, void *context) { host->context = context; }

void clua_close(clua *host) {
    host->closing = 1;
    lua_close(host->L);
    free(host->output.values);
    free(host->output.scratch);
    free(host->released);
    free(host->fresh);
    forget_failure(host);
    free(host);
}

clua_output *clua_output_of(clua *host) { return &host->output; }

// ---- Activations ----

static int handler(lua_State *L) {
    clua *host = clua_of(L);
    if (lua_type(L, 1) != LUA_TSTRING) {
        // A __tostring of the script's would run without a hook when the budget is spent.
        if (host->spent) lua_pushliteral(L, "killed");
        else luaL_tolstring(L, 1, NULL);
        lua_replace(L, 1);
    }
    lua_settop(L, 1);
    luaL_traceback(L, L, NULL, 1);
    note_error(host, lua_tostring(L, 1));
    if (host->failure) strncpy(host->failure->trace, lua_tostring(L, 2), sizeof host->failure->trace - 1);
    lua_settop(L, 1);
    return 1;
}

// The function of every activation's coroutine: a protected call, because only that turns the hook on again for the
// to-be-closed variables of a script that an error in the hook has ended.
static int after_body(lua_State *L, int status, lua_KContext context) {
    (void)context;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_replace(L, 1);
    return lua_gettop(L);
}
static int body(lua_State *L) {
    lua_pushcfunction(L, handler);
    lua_insert(L, 1);
    return after_body(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, after_body), 0);
}

typedef struct {
    int thread;
    int count;
    lua_State *co;
    int64_t handle;
} thread_call;

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

// Makes a coroutine, or takes the idle one, and fills it with the program's function and arguments.
static int prepare(lua_State *L) {
    thread_call *call = lua_touserdata(L, 1);
    clua *host = clua_of(L);
    lua_settop(L, 0);
    // Lua's string buffers do not collect garbage when memory is short: an activation begins with room for them.
    if (host->used > host->limits.memory / 4 * 3 && host->used > host->live + host->limits.memory / 8) {
        lua_gc(L, LUA_GCCOLLECT);
        host->live = host->used;
    }
    int count = clua_push_program(L, host);
    if (count > 0 && lua_isnil(L, 1)) {
        // A callback that the script has not set.
        lua_pushcfunction(L, nothing);
        lua_replace(L, 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_threads);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_idle);
    lua_State *co = lua_tothread(L, -1);
    if (!co) {
        lua_pop(L, 1);
        co = lua_newthread(L);
    } else {
        lua_pushboolean(L, 0);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_idle);
    }
    call->thread = luaL_ref(L, -2);
    lua_pop(L, 1);
    if (!lua_checkstack(co, count + 8)) return luaL_error(L, "not enough memory");
    lua_pushcfunction(co, body);
    lua_xmove(L, co, count);
    call->co = co;
    call->count = count;
    return 0;
}

static int find_thread(lua_State *L) {
    thread_call *call = lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_threads);
    lua_rawgeti(L, -1, call->thread);
    call->co = lua_tothread(L, -1);
    if (!call->co) return luaL_error(L, "no such activation");
    return 0;
}
static int prepare_results(lua_State *L) {
    thread_call *call = lua_touserdata(L, 1);
    find_thread(L);
    lua_State *co = call->co;
    lua_settop(L, 0);
    call->count = clua_push_program(L, clua_of(L));
    if (!lua_checkstack(co, call->count + 8)) return luaL_error(L, "not enough memory");
    lua_xmove(L, co, call->count);
    return 0;
}

static void forget_thread(clua *host, int thread) {
    // Neither raises nor allocates: the slots are there.
    lua_State *L = host->L;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_threads);
    luaL_unref(L, -1, thread);
    lua_pop(L, 1);
}

static void keep_results(clua *host, lua_State *co, int first, int count) {
    host->last = co;
    host->last_first = first;
    host->last_count = count;
}

static void copy_error(clua *host, lua_State *co) {
    const char *text = lua_gettop(co) > 0 && lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1)
                                                                             : "an error without a text";
    note_error(host, text);
}

// Lets go of results that nobody can ask for any more.
static void drop_last(clua *host) {
    if (host->last && host->last_thread) {
        lua_State *co = host->last;
        if (lua_status(co) == LUA_OK && host->last_count >= 0) {
            lua_settop(co, 0);
            // The next activation may use the coroutine again. The slot is there, so nothing is allocated.
            lua_State *L = host->L;
            lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_threads);
            lua_rawgeti(L, -1, host->last_thread);
            lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_idle);
            lua_pop(L, 1);
        }
        forget_thread(host, host->last_thread);
    }
    host->last = NULL;
    host->last_thread = 0;
    host->last_count = 0;
}

static int run(clua *host, thread_call *call, int count) {
    lua_State *co = call->co;
    host->waiting = NULL;
    host->blocked = 0;
    host->spent = CLUA_NOT_SPENT;
    host->left = host->limits.instructions;
    host->unchecked = 0;
    host->processor_start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    begin_clock(host);
    lua_sethook(co, clua_hook, LUA_MASKCOUNT, CLUA_STEP);
    if (atomic_load(&host->interrupted)) host->spent = CLUA_INTERRUPTED;
    host->running = 1;
    int results = 0;
    int status = lua_resume(co, host->L, count, &results);
    host->running = 0;
    host->used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - host->processor_start;

    if (status == LUA_YIELD) {
        host->yielded_true = results > 0 && lua_toboolean(co, lua_gettop(co) - results + 1);
        lua_pop(co, results);
        return host->waiting == co ? CLUA_WAITING : CLUA_YIELDED;
    }
    host->last_thread = call->thread;
    if (status == LUA_OK) {
        int first = lua_gettop(co) - results + 1;
        int good = results > 0 && lua_toboolean(co, first);
        keep_results(host, co, first + 1, results > 0 ? results - 1 : 0);
        if (good && !host->spent) return CLUA_DONE;
        if (!good) copy_error(host, co);
    } else {
        keep_results(host, co, 0, 0);
        copy_error(host, co);
        host->last_count = -1;  // of no further use
    }
    return host->spent ? CLUA_KILLED : CLUA_FAILED;
}

int clua_start(clua *host, int *thread) {
    forget_failure(host);
    drop_last(host);
    thread_call call = {0};
    if (clua_run_protected(host, prepare, &call) != 0) {
        if (call.thread) forget_thread(host, call.thread);
        host->spent = CLUA_NOT_SPENT;
        host->used_ns = 0;
        return CLUA_FAILED;
    }
    *thread = call.thread;
    return run(host, &call, call.count);
}

int clua_resume(clua *host, int thread) {
    forget_failure(host);
    drop_last(host);
    thread_call call = {.thread = thread};
    if (clua_run_protected(host, prepare_results, &call) != 0) {
        // The results do not fit: the activation gets that as an error.
        clua_clear(&host->output);
        if (!call.co && clua_run_protected(host, find_thread, &call) != 0) return CLUA_FAILED;
        if (!lua_checkstack(call.co, 2)) return CLUA_FAILED;
        lua_pushboolean(call.co, 0);
        lua_pushnil(call.co);
        call.count = 2;
    }
    return run(host, &call, call.count);
}

int clua_abandon(clua *host, int thread) {
    drop_last(host);
    thread_call call = {.thread = thread};
    if (clua_run_protected(host, find_thread, &call) != 0) return -1;
    host->running = 1;
    host->spent = CLUA_NOT_SPENT;
    host->left = host->limits.instructions;
    host->unchecked = 0;
    host->processor_start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    begin_clock(host);
    host->blocked = 1;
    lua_sethook(call.co, clua_hook, LUA_MASKCOUNT, CLUA_STEP);
    lua_resetthread(call.co);
    host->blocked = 0;
    host->running = 0;
    forget_thread(host, thread);
    return 0;
}

static int park(lua_State *L) {
    thread_call *call = lua_touserdata(L, 1);
    find_thread(L);
    clua_push_object(L, call->handle);
    if (lua_isnil(L, -1)) return luaL_error(L, "no such object");
    if (lua_getiuservalue(L, -1, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, -3, 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_threads);
    lua_rawgeti(L, -1, call->thread);
    lua_rawseti(L, -3, 1);
    return 0;
}
int clua_park(clua *host, int thread, int64_t handle) {
    thread_call call = {.thread = thread, .handle = handle};
    if (clua_run_protected(host, park, &call) != 0) return -1;
    forget_thread(host, thread);
    return 0;
}
static int unpark(lua_State *L) {
    thread_call *call = lua_touserdata(L, 1);
    clua_push_object(L, call->handle);
    if (lua_isnil(L, -1) || lua_getiuservalue(L, -1, 1) != LUA_TTABLE) return luaL_error(L, "no such activation");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_threads);
    if (lua_rawgeti(L, -2, 1) != LUA_TTHREAD) return luaL_error(L, "no such activation");
    call->thread = luaL_ref(L, -2);
    lua_pushnil(L);
    lua_rawseti(L, -3, 1);
    return 0;
}
int clua_unpark(clua *host, int64_t handle) {
    thread_call call = {.handle = handle};
    return clua_run_protected(host, unpark, &call) == 0 ? call.thread : -1;
}

int clua_result_count(clua *host) { return host->last && host->last_count > 0 ? host->last_count : 0; }
void clua_result(clua *host, int index, clua_value *value) {
    memset(value, 0, sizeof *value);
    if (index < 0 || index >= clua_result_count(host)) return;
    clua_to_value(host->last, host->last_first + index, value);
}
void *clua_result_thread(clua *host) { return host->last; }
const char *clua_error_text(clua *host) { return host->failure ? host->failure->error : "not enough memory"; }
const char *clua_traceback(clua *host) { return host->failure ? host->failure->trace : ""; }
int clua_yielded_true(clua *host) { return host->yielded_true; }
int clua_spent(clua *host) { return host->spent; }
int64_t clua_used_instructions(clua *host) {
    return host->limits.instructions - (host->left < 0 ? 0 : host->left);
}
int64_t clua_used_ns(clua *host) { return host->used_ns; }
