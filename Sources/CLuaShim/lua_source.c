// Source, environments, references, libraries.
#include "lua_host.h"

typedef struct {
    const char *text, *name;
    size_t count;
    int reference, flag, index;
    uint32_t number;
    lua_State *thread;
} source_call;

static void push_environment(lua_State *L, int reference) {
    if (reference) lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
    else lua_pushglobaltable(L);
}

static int compile(lua_State *L) {
    source_call *call = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, call->text, call->count, call->name, "t") != LUA_OK) return lua_error(L);
    push_environment(L, call->reference);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    call->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}
int clua_compile(clua *host, const char *source, size_t count, const char *name, int environment) {
    source_call call = {.text = source, .count = count, .name = name, .reference = environment};
    return clua_run_protected(host, compile, &call) == 0 ? call.reference : -1;
}

static int environment(lua_State *L) {
    source_call *call = lua_touserdata(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    push_environment(L, call->reference);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    call->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}
int clua_environment(clua *host, int parent) {
    source_call call = {.reference = parent};
    return clua_run_protected(host, environment, &call) == 0 ? call.reference : -1;
}

static int set(lua_State *L) {
    source_call *call = lua_touserdata(L, 1);
    push_environment(L, call->reference);
    lua_pushstring(L, call->name);
    if (clua_push_program(L, clua_of(L)) != 1) return luaL_error(L, "one value is set at a time");
    lua_rawset(L, -3);
    return 0;
}
int clua_set(clua *host, int reference, const char *name) {
    source_call call = {.reference = reference, .name = name};
    return clua_run_protected(host, set, &call);
}

static int library(lua_State *L) {
    source_call *call = lua_touserdata(L, 1);
    clua_push_library(L, 2, call->number);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_loaded);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, call->name);
    lua_pop(L, 1);
    if (call->flag) lua_setglobal(L, call->name);
    return 0;
}
int clua_library(clua *host, uint32_t number, const char *name, int global) {
    source_call call = {.number = number, .name = name, .flag = global};
    return clua_run_protected(host, library, &call);
}

static int has_function(lua_State *L) {
    source_call *call = lua_touserdata(L, 1);
    push_environment(L, call->reference);
    lua_pushstring(L, call->name);
    call->flag = lua_rawget(L, -2) == LUA_TFUNCTION;
    return 0;
}
int clua_has_function(clua *host, int reference, const char *name) {
    source_call call = {.reference = reference, .name = name};
    return clua_run_protected(host, has_function, &call) == 0 && call.flag;
}

static int reference(lua_State *L) {
    source_call *call = lua_touserdata(L, 1);
    call->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}
int clua_reference(clua *host, void *thread, int index) {
    (void)host;
    lua_State *L = thread;
    if (!lua_checkstack(L, 4)) return -1;
    source_call call = {0};
    lua_pushvalue(L, index);
    lua_pushcfunction(L, reference);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, &call);
    lua_insert(L, -2);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK) return call.reference;
    lua_pop(L, 1);
    return -1;
}
void clua_unreference(clua *host, int reference) { luaL_unref(host->L, LUA_REGISTRYINDEX, reference); }
