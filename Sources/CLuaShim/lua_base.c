// The base library, restricted: no files, no bytecode, nothing that a count hook cannot end.
#include "lua_host.h"
#include <string.h>

// ---- load ----

enum { LOAD_PIECE = 5 };  // where the piece lies that the parser reads

static const char *read_piece(lua_State *L, void *context, size_t *size) {
    (void)context;
    clua_charge(L, 50);  // a reader in C would never meet the count hook
    luaL_checkstack(L, 4, "too many nested functions");
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        *size = 0;
        return NULL;
    }
    if (!lua_isstring(L, -1)) luaL_error(L, "reader function must return a string");
    lua_replace(L, LOAD_PIECE);
    return lua_tolstring(L, LOAD_PIECE, size);
}

static int load(lua_State *L) {
    int has_environment = lua_gettop(L) >= 4;
    lua_settop(L, 4);
    int status;
    size_t length = 0;
    const char *source = lua_tolstring(L, 1, &length);
    if (source) {
        clua_charge(L, (int64_t)(length / 8) + 50);
        status = luaL_loadbufferx(L, source, length, luaL_optstring(L, 2, source), "t");
    } else {
        const char *name = luaL_optstring(L, 2, "=(load)");
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, LOAD_PIECE);
        status = lua_load(L, read_piece, NULL, name, "t");
    }
    if (status != LUA_OK) {
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_environment) {
        lua_pushvalue(L, 4);
        if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    }
    return 1;
}

// ---- xpcall ----

// Runs the script's message handler, but not for an error that ends the activation: after an error in the hook
// handlers run with hooks off, and one that loops would loop for ever.
static int guarded_handler(lua_State *L) {
    if (clua_of(L)->spent) {
        lua_settop(L, 1);
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}
static int finish_xpcall(lua_State *L, int status, lua_KContext extra) {
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)extra;
}
static int protected_with_handler(lua_State *L) {
    int count = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    return finish_xpcall(L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, finish_xpcall), 2);
}

// ---- trace ----

static int trace_from(lua_State *L, int first) {
    int count = lua_gettop(L);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (int i = first; i <= count; i++) {
        if (i > first) luaL_addchar(&buffer, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    lua_insert(L, 1);
    lua_settop(L, 1);
    return clua_call_host(L, CLUA_HOST_TRACE);
}
static int trace(lua_State *L) { return trace_from(L, 1); }
// tracep(flag, priority, ...)
static int trace_with_priority(lua_State *L) { return trace_from(L, 3); }

static int log_at(lua_State *L, int level) {
    clua_format(L);
    lua_insert(L, 1);
    lua_settop(L, 1);
    lua_pushinteger(L, level);
    return clua_call_host(L, CLUA_HOST_TRACE);
}
static int log_line(lua_State *L) { return log_at(L, 1); }
static int log_error(lua_State *L) {
    if (lua_type(L, 1) == LUA_TTABLE) lua_remove(L, 1);
    return log_at(L, 2);
}

static int after_loaded(lua_State *L, int status, lua_KContext context) {
    (void)L;
    (void)status;
    (void)context;
    return lua_gettop(L);
}
static int do_file(lua_State *L) {
    lua_settop(L, 3);
    if (lua_getfield(L, 1, "loadfile") != LUA_TFUNCTION) return luaL_error(L, "no loadfile");
    lua_insert(L, 1);
    lua_call(L, 3, 2);
    if (lua_type(L, 1) != LUA_TFUNCTION) return luaL_error(L, "%s", luaL_tolstring(L, 2, NULL));
    lua_settop(L, 1);
    lua_callk(L, 0, LUA_MULTRET, 0, after_loaded);
    return lua_gettop(L);
}

// Where it is stands at index 0.
static int next_listed(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawgeti(L, 1, 0);
    lua_Integer at = lua_tointegerx(L, -1, NULL);
    lua_rawgeti(L, 1, at + 1);
    lua_rawgeti(L, 1, at + 2);
    lua_pushinteger(L, at + 2);
    lua_rawseti(L, 1, 0);
    return 2;
}

void clua_push_built_in(lua_State *L, int64_t number) {
    switch (number) {
    case CLUA_BUILT_IN_H2N: lua_pushcfunction(L, clua_h2n); break;
    case CLUA_BUILT_IN_N2H: lua_pushcfunction(L, clua_n2h); break;
    case CLUA_BUILT_IN_LOG: lua_pushcfunction(L, log_line); break;
    case CLUA_BUILT_IN_ERROR_LOG: lua_pushcfunction(L, log_error); break;
    case CLUA_BUILT_IN_LISTED: lua_pushcfunction(L, next_listed); break;
    case CLUA_BUILT_IN_DOFILE: lua_pushcfunction(L, do_file); break;
    default: lua_pushnil(L);
    }
}

// ---- collectgarbage ----

static int collect_garbage(lua_State *L) {
    static const char *const options[] = {"collect", "count", "step", NULL};
    int option = 0;
    const char *name = luaL_optstring(L, 1, "collect");
    while (options[option] && strcmp(options[option], name) != 0) option++;
    clua *host = clua_of(L);
    switch (option) {
    case 1: lua_pushnumber(L, (lua_Number)host->used / 1024); return 1;
    case 0:
    case 2:
        clua_charge(L, (int64_t)(host->used / 32) + 100);
        lua_gc(L, LUA_GCCOLLECT);
        lua_pushinteger(L, 0);
        return 1;
    default: lua_pushinteger(L, 0); return 1;  // tuning belongs to the host
    }
}

// ---- require ----

static int after_require(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    // name ... result
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_loaded);
    if (lua_isnil(L, -2)) {
        lua_pushvalue(L, 1);
        if (lua_rawget(L, -2) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushboolean(L, 1);
        }
        lua_replace(L, -3);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return 1;
}

static int require(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_loaded);
    lua_pushvalue(L, 1);
    lua_rawget(L, -2);
    if (lua_toboolean(L, -1)) return 1;
    lua_settop(L, 1);
    clua_call_host(L, CLUA_HOST_REQUIRE);
    if (lua_type(L, 2) != LUA_TSTRING) {
        lua_settop(L, 2);
        return after_require(L, LUA_OK, 0);
    }
    size_t length;
    const char *source = lua_tolstring(L, 2, &length);
    const char *name = luaL_checkstring(L, 3);
    clua_charge(L, (int64_t)(length / 8) + 50);
    if (luaL_loadbufferx(L, source, length, name, "t") != LUA_OK) return lua_error(L);
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 1, 0, after_require);
    return after_require(L, LUA_OK, 0);
}

// ---- What the host runs as activations ----

static int close_table(lua_State *L) {
    if (lua_getfield(L, 1, "close") != LUA_TFUNCTION) return 0;
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

static void sweep_table(lua_State *L, int table, int seen, int levels) {
    clua_charge(L, 20);
    luaL_checkstack(L, 12, "too many tables");
    lua_pushvalue(L, table);
    lua_rawget(L, seen);
    int known = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (known || levels == 0) return;
    lua_pushvalue(L, table);
    lua_pushboolean(L, 1);
    lua_rawset(L, seen);

    // The values first: what closes them may change the table.
    lua_newtable(L);
    int values = lua_gettop(L);
    lua_Integer count = 0;
    for (lua_pushnil(L); lua_next(L, table);) {
        if (lua_type(L, -1) == LUA_TTABLE || lua_type(L, -1) == LUA_TUSERDATA) lua_rawseti(L, values, ++count);
        else lua_pop(L, 1);
    }
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, values, i);
        int value = lua_gettop(L);
        if (lua_type(L, value) == LUA_TUSERDATA) {
            if (clua_object_is(L, value) && luaL_getmetafield(L, value, "__close") != LUA_TNIL) {
                lua_pushvalue(L, value);
                lua_call(L, 1, 0);
            }
        } else {
            lua_pushcfunction(L, close_table);
            lua_pushvalue(L, value);
            lua_pcall(L, 1, 0, 0);
            lua_settop(L, value);
            sweep_table(L, value, seen, levels - 1);
        }
        lua_settop(L, values);
    }
    lua_settop(L, values - 1);
}

// (environment): closes what is in it, ten levels deep, and empties it.
int clua_sweep(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    // Neither the globals nor what the environment looks into is its own.
    lua_pushglobaltable(L);
    lua_pushboolean(L, 1);
    lua_rawset(L, 2);
    sweep_table(L, 1, 2, 10);
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, 1);
    }
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

static int after_evaluate(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    int count = lua_gettop(L);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (int i = 1; i <= count; i++) {
        if (i > 1) luaL_addchar(&buffer, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    return 1;
}
int clua_evaluate(lua_State *L) {
    lua_settop(L, 1);
    lua_callk(L, 0, LUA_MULTRET, 0, after_evaluate);
    return after_evaluate(L, LUA_OK, 0);
}

// ---- Opening ----

static void open_library(lua_State *L, lua_CFunction open, const char *name) {
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}

void clua_open_base(lua_State *L, clua *host) {
    open_library(L, luaopen_base, "_G");
    lua_getfield(L, -1, "setmetatable");
    host->original[ORIGINAL_SETMETATABLE] = lua_tocfunction(L, -1);
    lua_getfield(L, -2, "select");
    host->original[ORIGINAL_SELECT] = lua_tocfunction(L, -1);
    lua_pop(L, 2);
    static const char *const removed[] = {"dofile", "loadfile", "warn"};
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, removed[i]);
    }
    static const luaL_Reg replaced[] = {
        {"load", load},
        {"xpcall", protected_with_handler},
        {"setmetatable", clua_setmetatable},
        {"print", trace},
        {"trace", trace},
        {"tracep", trace_with_priority},
        {"collectgarbage", collect_garbage},
        {"require", require},
        {NULL, NULL},
    };
    luaL_setfuncs(L, replaced, 0);
    lua_createtable(L, 0, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_loaded);
    lua_setfield(L, -2, "loaded");
    lua_setfield(L, -2, "package");
    lua_createtable(L, 0, 1);
    open_library(L, luaopen_debug, "debug");
    lua_getfield(L, -1, "traceback");
    lua_setfield(L, -3, "traceback");
    lua_pop(L, 1);
    lua_setfield(L, -2, "debug");
    lua_pop(L, 1);
}
