// Lets every allocation of every call fail, one after the other, in a host of plain C: Swift's runtime keeps what it
// needs until the end, so that only here leaks can be looked for. script/lua-sweep builds and runs it.
//
// What is called: the scripts below; every function that a state has, as it lists them itself, with arguments of all
// kinds; every operator with all kinds of operands; every function of CLuaShim.h, which script/lua-sweep checks.
#undef realloc
#undef calloc
#include "CLuaShim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADD = CLUA_HOST_FIRST, WAIT, REFUSE, OBJECT, KEEP, WALK };
static const char *const members[] = {"add", "wait", "refuse", "object", "keep", "walk"};
enum { MEMBERS = sizeof members / sizeof *members, FUNCTIONS = 256 };

static const clua_limits limits = {.memory = 2 << 20, .instructions = 5000000, .processor_ns = 1000000000};
static clua *host;
static int64_t last_handle;
static long runs, bad;

// ---- Allocations of the whole shim: its files are compiled with these in place of the system's ----

static int64_t system_after = -1;  // so many succeed, then none; negative: all succeed
static uint64_t system_count;

static int fails(void) {
    system_count++;
    if (system_after < 0) return 0;
    if (system_after == 0) return 1;
    system_after--;
    return 0;
}
void *sweep_realloc(void *pointer, size_t size) { return fails() ? NULL : realloc(pointer, size); }
void *sweep_calloc(size_t count, size_t size) { return fails() ? NULL : calloc(count, size); }

// ---- The host ----

static char *functions[FUNCTIONS];
static int function_count;

static void put(int type, int64_t integer) {
    clua_put(clua_output_of(host), (clua_value){.type = (uint32_t)type, .integer = integer});
}
static void put_text(const char *text) { clua_put_string(clua_output_of(host), text, strlen(text)); }

static int64_t walk(void *thread, int table) {
    clua_value key, value;
    int64_t count = 0;
    if (clua_walk_begin(thread) != 0) return -1;
    while (clua_walk(thread, table, &key, &value)) {
        count++;
        if (value.type == CLUA_TABLE && count < 100) count += walk(thread, (int)value.integer);
        if (count >= 100) {
            clua_walk_end(thread);
            break;
        }
        clua_walk_next(thread);
    }
    return count;
}

static int answer(void *context, const clua_call *call) {
    (void)context;
    clua_output *output = clua_output_of(host);
    clua_clear(output);
    const clua_value *first = call->count > 0 ? call->arguments : NULL;
    switch (call->function) {
    case CLUA_HOST_RESOLVE:
        for (int i = 0; i < MEMBERS; i++) {
            const clua_value *name = &call->arguments[2];
            if (name->count != strlen(members[i]) || memcmp(name->bytes, members[i], name->count) != 0) continue;
            put(CLUA_HOST, ADD + i);
            return CLUA_RETURN;
        }
        put(CLUA_NIL, 0);
        return CLUA_RETURN;
    case CLUA_HOST_TRACE:
        // The listing of functions, before anything fails.
        if (first && first->count > 9 && memcmp(first->bytes, "function ", 9) == 0 && function_count < FUNCTIONS)
            functions[function_count++] = strndup(first->bytes + 9, first->count - 9);
        return CLUA_RETURN;
    case CLUA_HOST_REQUIRE:
        if (first && first->count == 3) {
            put_text("return {}");
            put_text("=module");
        }
        return CLUA_RETURN;
    case ADD:
        put(CLUA_INTEGER, call->count);
        put_text("text");
        clua_has_blocked(host);
        return CLUA_RETURN;
    case WAIT:
        if (clua_can_wait(call)) return CLUA_WAIT;
        put_text("cannot wait");
        return CLUA_RAISE;
    case REFUSE:
        put_text("no");
        put(CLUA_INTEGER, 1);
        return CLUA_RAISE_ARGUMENT;
    case OBJECT:
        if (clua_object_reserve(host, ++last_handle) != 0) return CLUA_RAISE;
        clua_put(output, (clua_value){.type = CLUA_NEW_OBJECT, .tag = 1, .integer = last_handle});
        put_text("callback");
        put(CLUA_ARGUMENT, 1);
        put(CLUA_KEEP, 0);
        return CLUA_RETURN;
    case KEEP: {
        int reference = first ? clua_reference(host, call->thread, 1) : -1;
        if (reference < 0) return CLUA_RAISE;
        clua_unreference(host, reference);
        return CLUA_RETURN;
    }
    case WALK:
        put(CLUA_INTEGER, first && first->type == CLUA_TABLE ? walk(call->thread, 1) : 0);
        return CLUA_RETURN;
    default: return CLUA_RETURN;
    }
}

static void begin(void) {
    host = clua_new(&limits, answer, NULL);
    if (!host) exit(1);
    clua_set_context(host, NULL);
    int failed = clua_class(host, 1, "thing", CLUA_CLASS_FIELDS) != 0 || clua_library(host, 0, "lib", 1) != 0;
    static const struct { const char *name; int built_in; } globals[] = {
        {"array", CLUA_BUILT_IN_BYTEARRAY}, {"h2n", CLUA_BUILT_IN_H2N}, {"n2h", CLUA_BUILT_IN_N2H},
        {"log", CLUA_BUILT_IN_LOG}, {"elog", CLUA_BUILT_IN_ERROR_LOG}, {"do_file", CLUA_BUILT_IN_DOFILE},
        {"listed", CLUA_BUILT_IN_LISTED}};
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        clua_clear(clua_output_of(host));
        put(CLUA_BUILT_IN, globals[i].built_in);
        failed |= clua_set(host, 0, globals[i].name) != 0;
    }
    if (failed) exit(1);
}

// Lets go of what nobody holds, and of what waits for that.
static void drain(void) {
    int thread;
    while (clua_released(host)) {}
    clua_collect(host);
    while (clua_released(host)) {}
    for (int left = 8; left > 0 && clua_finalizers(host); left--) {
        clua_clear(clua_output_of(host));
        put(CLUA_FINALIZER, 0);
        clua_start(host, &thread);
    }
}

// Nothing of what failed has been kept.
static void end(const char *what) {
    drain();
    drain();
    if (clua_memory(host) > 60000) {
        printf("%zu bytes are left after %s\n", clua_memory(host), what);
        bad++;
    }
    clua_close(host);
    host = NULL;
}

// ---- Scripts ----

enum { LUAS_OWN, ALL };  // which allocations fail

static void arm(int kind, int64_t after) {
    if (kind == ALL) system_after = after;
    else clua_fail_allocations(host, after, 1 << 20);
}
static void disarm(void) {
    system_after = -1;
    if (host) clua_fail_allocations(host, 0, 0);
}
static uint64_t allocations(int kind) { return kind == ALL ? system_count : clua_allocations(host); }

// 1 when an allocation failed, 0 when the script needs fewer than that, -1 on a mistake.
static int run(const char *script, int kind, int64_t after) {
    clua_output *output = clua_output_of(host);
    int function = clua_compile(host, script, strlen(script), "=sweep", 0);
    if (function < 0) {
        printf("%s: %s\n", script, clua_error_text(host));
        return -1;
    }
    uint64_t before = allocations(kind);
    clua_clear(output);
    put(CLUA_REFERENCE, function);
    arm(kind, after);
    int thread = 0, status = clua_start(host, &thread);
    // Every other time what comes later fails too.
    if (after % 2) disarm();
    for (int turn = 0; turn < 4 && (status == CLUA_WAITING || status == CLUA_YIELDED); turn++) {
        clua_clear(output);
        if (status == CLUA_WAITING) put(CLUA_BOOLEAN, 1);
        put_text("result");
        status = clua_resume(host, thread);
    }
    int failed = allocations(kind) - before > (uint64_t)after;
    disarm();
    if (status == CLUA_WAITING || status == CLUA_YIELDED) clua_abandon(host, thread);
    clua_value value;
    for (int i = 0; i < clua_result_count(host); i++) clua_result(host, i, &value);
    clua_unreference(host, function);
    runs++;
    return failed;
}

static void sweep(const char *script, int kind) {
    for (int64_t after = 0; after < 5000; after++) {
        int failed = run(script, kind, after);
        if (failed < 0) bad++;
        if (failed <= 0) break;
    }
    drain();
}

static const char *const scripts[] = {
    "return {1, 2, a = {b = 'c'}}", "trace('a', 1, {}, nil)", "return lib.add(1, 2)", "pcall(lib.refuse)", "lib.wait()",
    "local o <close> = lib.object(print) o.x = 1 return o.x, o.callback", "lib.object(print) collectgarbage()",
    "coroutine.wrap(function() lib.wait() end)()", "return pcall(error, {code = 1})", "error('x')", "error({})",
    "return xpcall(function() error('x') end, debug.traceback)", "return load('return 1 + 1')()", "return load('return return')",
    "local c = coroutine.wrap(function(a) local b = coroutine.yield(a) return b end) return c(1), c(2)",
    "local c = coroutine.create(function() error('x') end) return coroutine.resume(c), coroutine.close(c)",
    "setmetatable({}, {__gc = function() end}) collectgarbage() collectgarbage()",
    "do local x <close> = setmetatable({}, {__close = function() end}) end",
    "return ('a=1'):gsub('(%w)=(%w)', '%2=%1'), ('abc'):find('b'), ('abc'):match('(.)(.)')",
    "for k in ('a b'):gmatch('%a') do end", "return string.format('%d %s %q', 1.5, {}, 'x'), table.concat({1, 2, 3}, ',')",
    "local t = {3, 1, 2} table.sort(t) table.insert(t, 1, 0)", "return 3.7 | 0, os.date(), os.time(), utf8.char(228)",
    "local t = {} for i = 1, 50 do t[i] = {i} end", "coroutine.yield(true)", "return require 'nothing', require 'own'",
    "lib.keep(print) lib.keep({}) return lib.walk({1, {2, {3}}, x = {}})",
    "local b = array.create(100) b[1] = 'abc' b[2.5] = 7 return tostring(b), #b, b[1], array.copy(b, 1, 'x')",
    "do_file({loadfile = function() return function() lib.wait() return 1 end end}, 'x')",
    "log('%d %s', 1.5, 'x') elog({}, 'x %s', {}) return listed({[0] = 0, 1, 2})",
    "while true do end", "return os.date('*t').year, os.time({year = 2000.5, month = 1, day = 1})",
};

// ---- Every function of a state, with everything ----

static const char listing[] =
    "local seen = {[lib] = true} local function walk(t, path) seen[t] = true for name, value in pairs(t) do "
    "local full = path .. name if type(value) == 'function' then trace('function ' .. full) "
    "elseif type(value) == 'table' and not seen[value] then walk(value, full .. '.') end end end walk(_G, '')";

// What arguments and operands are made of; values that calls may change are made anew for each function.
static const char values[] = "t, s, f = {3, 1, 2}, 'a=1', function(...) return ... end m = setmetatable({}, {__index = f, "
                             "__call = f, __close = f, __gc = f, __len = function() return 2 end, __name = 'm'})";
static const char *const pool[] = {"t", "s", "2", "3.5", "'%w'", "f", "m", "array.create(8)", "lib.object(f)",
                                   "coroutine.create(f)", "nil"};
static const char *const second[] = {"s", "2", "'%w'"}, *const third[] = {"s", "1.5", "t", "f"};
static const char *const operators[] = {"+", "-", "*", "/", "%", "^", "//", "..", "|", "&", "~", "<<", ">>", "==", "<", "<="};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static void every_function(void) {
    begin();
    run(listing, ALL, 1 << 30);
    end("the listing");
    char script[256];
    for (int i = 0; i < function_count; i++) {
        const char *name = functions[i];
        begin();
        run(values, ALL, 1 << 30);
        snprintf(script, sizeof script, "return %s()", name);
        sweep(script, ALL);
        for (size_t a = 0; a < COUNT(pool); a++) {
            snprintf(script, sizeof script, "return %s(%s)", name, pool[a]);
            sweep(script, ALL);
            for (size_t b = 0; b < COUNT(pool); b++) {
                snprintf(script, sizeof script, "return %s(%s, %s)", name, pool[a], pool[b]);
                sweep(script, ALL);
            }
            for (size_t b = 0; b < COUNT(second); b++) {
                for (size_t c = 0; c < COUNT(third); c++) {
                    snprintf(script, sizeof script, "return %s(%s, %s, %s)", name, pool[a], second[b], third[c]);
                    sweep(script, ALL);
                }
            }
        }
        end(name);
        free(functions[i]);
    }
}

static void every_operator(void) {
    char script[256];
    for (size_t a = 0; a < COUNT(pool); a++) {
        begin();
        run(values, ALL, 1 << 30);
        for (size_t b = 0; b < COUNT(pool); b++) {
            for (size_t i = 0; i < COUNT(operators); i++) {
                snprintf(script, sizeof script, "return (%s) %s (%s)", pool[a], operators[i], pool[b]);
                sweep(script, ALL);
            }
            snprintf(script, sizeof script, "local a, b = %s, %s a[b] = b return a[b], #a, -a", pool[a], pool[b]);
            sweep(script, ALL);
        }
        snprintf(script, sizeof script, "local a <close> = %s return tostring(a), ~a, a:add(1)", pool[a]);
        sweep(script, ALL);
        end(pool[a]);
    }
}

// ---- Every function of the shim's own interface ----

static void sources(void) {
    int environment = clua_environment(host, 0);
    int function = clua_compile(host, "x = 1 function onunload() end", 29, "=source", environment < 0 ? 0 : environment);
    int thread;
    if (function >= 0) {
        clua_clear(clua_output_of(host));
        put(CLUA_REFERENCE, function);
        clua_start(host, &thread);
        clua_unreference(host, function);
    }
    if (environment < 0) return;
    clua_has_function(host, environment, "onunload");
    clua_clear(clua_output_of(host));
    put_text("onunload");
    put(CLUA_RAW_MEMBER, environment);
    clua_start(host, &thread);
    clua_clear(clua_output_of(host));
    put(CLUA_SWEEP, environment);
    clua_start(host, &thread);
    clua_unreference(host, environment);
}
static void evaluation(void) {
    int function = clua_compile(host, "return 1, {}, 'x'", 17, "=prompt", 0), thread;
    if (function < 0) return;
    clua_clear(clua_output_of(host));
    put(CLUA_EVALUATE, 0);
    put(CLUA_REFERENCE, function);
    clua_start(host, &thread);
    clua_unreference(host, function);
}
static void tables(void) {
    clua_clear(clua_output_of(host));
    put(CLUA_NEW_TABLE, 2);
    put(CLUA_NUMBER, 0);
    put(CLUA_APPEND, 1);
    put_text("name");
    put_text("value");
    put(CLUA_SET, 0);
    put_text("library");
    put(CLUA_LIBRARY, 3);
    put(CLUA_SET, 0);
    put_text("bytes");
    if (clua_put_string(clua_output_of(host), "bytes", 5) == 0) {
        clua_value *last = &clua_output_of(host)->values[clua_output_of(host)->count - 1];
        last->type = CLUA_NEW_ARRAY;
    }
    put(CLUA_SET, 0);
    clua_set(host, 0, "made");
}
static void modules(void) {
    clua_library(host, 2, "another", 1);
    clua_class(host, 2, "another", 0xff);
}
static void objects(void) {
    int function = clua_compile(host, "return lib.object(print)", 24, "=objects", 0), thread;
    if (function < 0) return;
    clua_clear(clua_output_of(host));
    put(CLUA_REFERENCE, function);
    int64_t handle = last_handle + 1;
    if (clua_start(host, &thread) == CLUA_DONE) {
        clua_anchor(host, handle, 1);
        clua_clear(clua_output_of(host));
        put_text("callback");
        put(CLUA_MEMBER, handle);
        put(CLUA_OBJECT, handle);
        clua_start(host, &thread);
        clua_object_close(host, handle);
        clua_anchor(host, handle, 0);
    }
    clua_unreference(host, function);
}
// A timer's tick: an activation that is kept in its object until it goes on.
static void parking(void) {
    int maker = clua_compile(host, "anchor = lib.object(print)", 26, "=parking", 0), thread;
    int function = clua_compile(host, "coroutine.yield(true) lib.wait()", 32, "=parking", 0);
    int64_t handle = last_handle + 1;
    clua_clear(clua_output_of(host));
    put(CLUA_REFERENCE, maker);
    if (maker >= 0 && function >= 0 && clua_start(host, &thread) == CLUA_DONE) {
        clua_clear(clua_output_of(host));
        put(CLUA_REFERENCE, function);
        if (clua_start(host, &thread) == CLUA_YIELDED) {
            clua_yielded_true(host);
            if (clua_park(host, thread, handle) == 0) {
                int again = clua_unpark(host, handle);
                if (again >= 0) {
                    clua_clear(clua_output_of(host));
                    if (clua_resume(host, again) == CLUA_WAITING) clua_abandon(host, again);
                }
            } else {
                clua_abandon(host, thread);
            }
        }
    }
    if (maker >= 0) clua_unreference(host, maker);
    if (function >= 0) clua_unreference(host, function);
}
static void failures(void) {
    int function = clua_compile(host, "error({})", 9, "=failures", 0), thread;
    clua_compile(host, "return return", 13, "=failures", 0);
    if (function >= 0) {
        clua_clear(clua_output_of(host));
        put(CLUA_REFERENCE, function);
        clua_start(host, &thread);
        clua_unreference(host, function);
    }
    size_t length = strlen(clua_error_text(host)) + strlen(clua_traceback(host));
    if (length > 1024 + CLUA_TRACE_SIZE || clua_spent(host)) bad++;
    clua_interrupt(host, 1);
    clua_interrupt(host, 0);
    if (clua_used_ns(host) < 0 || clua_used_instructions(host) < 0 || clua_memory_peak(host) < clua_memory(host)) bad++;
    if (clua_result_thread(host) == NULL && clua_result_count(host) > 0) bad++;
}
static void states(void) {
    clua *outer = host;
    host = NULL;
    clua *other = clua_new(&limits, answer, NULL);
    if (other) clua_close(other);
    host = outer;
}

static void every_interface(void) {
    static void (*const steps[])(void) = {sources, evaluation, tables, modules, objects, parking, failures, states};
    for (size_t i = 0; i < COUNT(steps); i++) {
        for (int64_t after = 0; after < 5000; after++) {
            begin();
            uint64_t before = system_count;
            arm(ALL, after);
            steps[i]();
            disarm();
            int failed = system_count - before > (uint64_t)after;
            end("a call of the interface");
            runs++;
            if (!failed) break;
        }
    }
}

int main(void) {
    for (size_t i = 0; i < COUNT(scripts); i++) {
        for (int kind = LUAS_OWN; kind <= ALL; kind++) {
            begin();
            sweep(scripts[i], kind);
            end(scripts[i]);
        }
    }
    long by_hand = runs;
    every_function();
    if (function_count < 60 || function_count == FUNCTIONS) {
        printf("%d functions were listed\n", function_count);
        bad++;
    }
    every_operator();
    every_interface();
    for (size_t memory = 500; memory < 25000; memory += 100) {
        clua_limits small = {.memory = memory, .instructions = 1000, .processor_ns = 1000000};
        host = clua_new(&small, answer, NULL);
        if (host) clua_close(host);
    }
    printf("%ld runs, %ld of them with the scripts, %d functions; %ld mistakes\n", runs, by_hand, function_count, bad);
    return bad != 0;
}
