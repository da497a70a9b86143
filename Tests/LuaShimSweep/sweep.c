// Lets every allocation of every call fail, one after the other, in a host of plain C: Swift's runtime keeps what it
// needs until the end, so that only here leaks can be looked for.
//   clang -g -fsanitize=address,undefined $(pkg-config --cflags --libs lua5.4) -ISources/CLuaShim/include \
//       Tests/LuaShimSweep/sweep.c Sources/CLuaShim/*.c -o /tmp/sweep && /tmp/sweep
#include "CLuaShim.h"
#include <stdio.h>
#include <string.h>

enum { ADD = CLUA_HOST_FIRST, WAIT, REFUSE, OBJECT };

static clua *host;

static int answer(void *context, const clua_call *call) {
    (void)context;
    static int64_t handle;
    static const char *const names[] = {"add", "wait", "refuse", "object"};
    clua_output *output = clua_output_of(host);
    clua_clear(output);
    switch (call->function) {
    case CLUA_HOST_RESOLVE:
        for (int i = 0; i < 4; i++) {
            if (call->arguments[2].count != strlen(names[i]) || memcmp(call->arguments[2].bytes, names[i], strlen(names[i])))
                continue;
            clua_put(output, (clua_value){.type = CLUA_HOST, .integer = ADD + i});
            return CLUA_RETURN;
        }
        clua_put(output, (clua_value){.type = CLUA_NIL});
        return CLUA_RETURN;
    case ADD:
        clua_put(output, (clua_value){.type = CLUA_INTEGER, .integer = call->count});
        clua_put_string(output, "text", 4);
        return CLUA_RETURN;
    case WAIT:
        if (call->can_wait) return CLUA_WAIT;
        clua_put_string(output, "cannot wait", 11);
        return CLUA_RAISE;
    case REFUSE:
        clua_put_string(output, "no", 2);
        clua_put(output, (clua_value){.type = CLUA_INTEGER, .integer = 1});
        return CLUA_RAISE_ARGUMENT;
    case OBJECT:
        if (clua_object_reserve(host, ++handle) != 0) return CLUA_RAISE;
        clua_put(output, (clua_value){.type = CLUA_NEW_OBJECT, .tag = 1, .integer = handle});
        clua_put_string(output, "callback", 8);
        clua_put(output, (clua_value){.type = CLUA_ARGUMENT, .integer = 1});
        clua_put(output, (clua_value){.type = CLUA_KEEP});
        return CLUA_RETURN;
    default: return CLUA_RETURN;
    }
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
    "local t = {} for i = 1, 50 do t[i] = {i} end", "coroutine.yield(true)", "pcall(require, 'nothing')",
};

static void start(int reference) {
    clua_clear(clua_output_of(host));
    clua_put(clua_output_of(host), (clua_value){.type = CLUA_REFERENCE, .integer = reference});
}

static void drain(void) {
    int thread;
    while (clua_released(host)) {}
    clua_collect(host);
    while (clua_released(host)) {}
    for (int left = 8; left > 0 && clua_finalizers(host); left--) {
        clua_clear(clua_output_of(host));
        clua_put(clua_output_of(host), (clua_value){.type = CLUA_FINALIZER});
        clua_start(host, &thread);
    }
}

// 1 when an allocation failed, 0 when the script needs fewer than that, -1 on a mistake.
static int run(const char *script, int64_t after) {
    clua_output *output = clua_output_of(host);
    int function = clua_compile(host, script, strlen(script), "=sweep", 0);
    if (function < 0) {
        printf("%s: %s\n", script, clua_error_text(host));
        return -1;
    }
    uint64_t before = clua_allocations(host);
    start(function);
    clua_fail_allocations(host, after, 1 << 20);
    int thread = 0, status = clua_start(host, &thread);
    // Every other time what comes later fails too.
    if (after % 2) clua_fail_allocations(host, 0, 0);
    for (int turn = 0; turn < 4 && (status == CLUA_WAITING || status == CLUA_YIELDED); turn++) {
        clua_clear(output);
        if (status == CLUA_WAITING) clua_put(output, (clua_value){.type = CLUA_BOOLEAN, .integer = 1});
        clua_put_string(output, "result", 6);
        status = clua_resume(host, thread);
    }
    int failed = clua_allocations(host) - before > (uint64_t)after;
    if (status == CLUA_WAITING || status == CLUA_YIELDED) clua_abandon(host, thread);
    clua_fail_allocations(host, 0, 0);
    clua_unreference(host, function);
    drain();
    return failed;
}

int main(void) {
    clua_limits limits = {.memory = 2 << 20, .instructions = 5000000, .processor_ns = 1000000000};
    long runs = 0, bad = 0;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        host = clua_new(&limits, answer, NULL);
        if (!host || clua_class(host, 1, "thing", CLUA_CLASS_FIELDS) != 0 || clua_library(host, 0, "lib", 1) != 0) return 1;
        for (int64_t after = 0; after < 5000; after++) {
            int failed = run(scripts[i], after);
            if (failed < 0) bad++;
            runs++;
            if (failed <= 0) break;
        }
        drain();
        if (clua_memory(host) > 60000) {
            printf("%zu bytes are left after %s\n", clua_memory(host), scripts[i]);
            bad++;
        }
        clua_close(host);
    }
    for (size_t memory = 500; memory < 25000; memory += 100) {
        clua_limits small = {.memory = memory, .instructions = 1000, .processor_ns = 1000000};
        host = clua_new(&small, answer, NULL);
        if (host) clua_close(host);
    }
    printf("%ld runs, %ld mistakes\n", runs, bad);
    return bad != 0;
}
