#define _GNU_SOURCE
#include "CLuaPeer.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct peer {
    lua_State *L;
    int64_t hooks;
    int wake, answer;
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int direct(lua_State *L) {
    lua_pushinteger(L, luaL_checkinteger(L, 1) + 1);
    return 1;
}

// The least that keeps a host written in another language apart from Lua's longjmp: converted arguments, a callback
// that answers a code and values, which are pushed after it has returned.
typedef struct {
    int type;
    union {
        int64_t integer;
        double number;
        const char *text;
    };
    size_t count;
} value;
static int callback(const value *arguments, int count, value *results) {
    if (count < 1) return -1;
    results[0].type = LUA_TNUMBER;
    results[0].integer = arguments[0].integer + 1;
    return 1;
}
static int (*volatile called)(const value *, int, value *) = callback;
static int marshalled(lua_State *L) {
    value arguments[16], results[16];
    int count = lua_gettop(L);
    if (count > 16) return luaL_error(L, "too many arguments");
    for (int i = 0; i < count; i++) {
        arguments[i].type = lua_type(L, i + 1);
        switch (arguments[i].type) {
        case LUA_TNUMBER:
            if (lua_isinteger(L, i + 1)) arguments[i].integer = lua_tointegerx(L, i + 1, NULL);
            else arguments[i].number = lua_tonumberx(L, i + 1, NULL);
            break;
        case LUA_TSTRING: arguments[i].text = lua_tolstring(L, i + 1, &arguments[i].count); break;
        case LUA_TBOOLEAN: arguments[i].integer = lua_toboolean(L, i + 1); break;
        }
    }
    int made = called(arguments, count, results);
    if (made < 0) return luaL_error(L, "refused");
    for (int i = 0; i < made; i++) lua_pushinteger(L, results[i].integer);
    return made;
}

static int answer(lua_State *L) {
    peer *p = lua_touserdata(L, lua_upvalueindex(1));
    uint64_t one = 1;
    ssize_t written = write(p->answer, &one, sizeof one);
    (void)written;
    return 0;
}

static void hook(lua_State *L, lua_Debug *record) {
    (void)record;
    (*(peer **)lua_getextraspace(L))->hooks++;
}

peer *peer_new(int with_hook) {
    peer *p = calloc(1, sizeof *p);
    p->L = luaL_newstate();
    luaL_openlibs(p->L);
    *(peer **)lua_getextraspace(p->L) = p;
    if (with_hook) lua_sethook(p->L, hook, LUA_MASKCOUNT, 1000);
    lua_register(p->L, "direct", direct);
    lua_register(p->L, "marshalled", marshalled);
    lua_pushlightuserdata(p->L, p);
    lua_pushcclosure(p->L, answer, 1);
    lua_setglobal(p->L, "answer");
    return p;
}
void peer_close(peer *p) {
    lua_close(p->L);
    free(p);
}
size_t peer_memory(peer *p) {
    lua_gc(p->L, LUA_GCCOLLECT, 0);
    return (size_t)lua_gc(p->L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(p->L, LUA_GCCOUNTB, 0);
}

int64_t peer_run(peer *p, const char *source) {
    if (luaL_loadstring(p->L, source) != LUA_OK) return -1;
    int64_t start = now();
    if (lua_pcall(p->L, 0, 0, 0) != LUA_OK) return -1;
    return now() - start;
}
int64_t peer_call(peer *p, int count) {
    int64_t start = now();
    for (int i = 0; i < count; i++) {
        lua_getglobal(p->L, "f");
        lua_pushinteger(p->L, i);
        if (lua_pcall(p->L, 1, 1, 0) != LUA_OK) return -1;
        lua_pop(p->L, 1);
    }
    return now() - start;
}
int64_t peer_resume(peer *p, int count) {
    lua_State *co = lua_newthread(p->L);
    lua_getglobal(co, "f");
    int64_t start = now();
    for (int i = 0; i < count; i++) {
        int results;
        if (lua_resume(co, p->L, 0, &results) != LUA_YIELD) return -1;
        lua_pop(co, results);
    }
    int64_t taken = now() - start;
    lua_pop(p->L, 1);
    return taken;
}

typedef struct {
    peer *p;
    int count;
} events;
static void *serve(void *context) {
    events *e = context;
    for (int i = 0; i < e->count; i++) {
        struct pollfd file = {.fd = e->p->wake, .events = POLLIN};
        uint64_t value;
        poll(&file, 1, -1);
        ssize_t got = read(e->p->wake, &value, sizeof value);
        (void)got;
        lua_getglobal(e->p->L, "f");
        if (lua_pcall(e->p->L, 0, 0, 0) != LUA_OK) break;
    }
    return NULL;
}
int64_t peer_events(peer *p, int count) {
    p->wake = eventfd(0, 0);
    p->answer = eventfd(0, 0);
    events e = {p, count};
    pthread_t thread;
    pthread_create(&thread, NULL, serve, &e);
    int64_t start = now();
    for (int i = 0; i < count; i++) {
        uint64_t value = 1;
        if (write(p->wake, &value, sizeof value) < 0 || read(p->answer, &value, sizeof value) < 0) return -1;
    }
    int64_t taken = now() - start;
    pthread_join(thread, NULL);
    close(p->wake);
    close(p->answer);
    return taken;
}

int64_t peer_reload(const char *source, int count) {
    int64_t start = now();
    for (int i = 0; i < count; i++) {
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        lua_register(L, "direct", direct);
        if (luaL_loadstring(L, source) != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK) return -1;
        lua_close(L);
    }
    return now() - start;
}

size_t peer_allocated(void) {
    // mallinfo knows the main arena alone.
    char *text = NULL;
    size_t length = 0, system = 0, rest = 0, fast = 0, large = 0;
    FILE *file = open_memstream(&text, &length);
    malloc_info(0, file);
    fclose(file);
    // The totals of all arenas are the last ones.
    for (char *at = text; (at = strstr(at, "<total type=\"")); at++) {
        sscanf(at, "<total type=\"fast\" count=\"%*u\" size=\"%zu\"", &fast);
        sscanf(at, "<total type=\"rest\" count=\"%*u\" size=\"%zu\"", &rest);
        sscanf(at, "<total type=\"mmap\" count=\"%*u\" size=\"%zu\"", &large);
    }
    for (char *at = text; (at = strstr(at, "<system type=\"current\"")); at++)
        sscanf(at, "<system type=\"current\" size=\"%zu\"", &system);
    free(text);
    return system - rest - fast + large;
}

size_t peer_stacks(size_t size) {
    char line[512];
    size_t all = 0, kilobytes;
    int is_stack = 0;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file && fgets(line, sizeof line, file)) {
        unsigned long first, last;
        if (sscanf(line, "%lx-%lx rw-p", &first, &last) == 2)
            // Less a guard page.
            is_stack = last - first <= size && last - first + 65536 > size;
        if (is_stack && sscanf(line, "Rss: %zu kB", &kilobytes) == 1) all += kilobytes * 1024;
    }
    if (file) fclose(file);
    return all;
}

int peer_eventfd(void) { return eventfd(0, 0); }
