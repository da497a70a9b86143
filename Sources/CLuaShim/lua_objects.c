// Objects of the host: userdata that holds a handle. What becomes of them is told by a list of released handles, so
// that the collector never enters the host.
#include "lua_host.h"
#include <stdlib.h>
#include <string.h>

static const char metatable_mark;  // its address is a key that only objects' metatables have

int clua_object_is(lua_State *L, int index) {
    if (lua_rawlen(L, index) != sizeof(clua_object) || !lua_getmetatable(L, index)) return 0;
    int is = lua_rawgetp(L, -1, &metatable_mark) == LUA_TBOOLEAN;
    lua_pop(L, 2);
    return is;
}
clua_object *clua_object_at(lua_State *L, int index) { return lua_touserdata(L, index); }

static void release(clua *host, clua_object *object) {
    if (!object->open) return;
    object->open = 0;
    // There is room: clua_object_reserve made it.
    if (!host->closing && host->released_count < host->released_capacity)
        host->released[host->released_count++] = object->handle;
}

static int object_gone(lua_State *L) {
    clua *host = clua_of(L);
    release(host, lua_touserdata(L, 1));
    host->objects--;
    return 0;
}
static int object_closed(lua_State *L) {
    if (clua_object_is(L, 1)) release(clua_of(L), lua_touserdata(L, 1));
    return 0;
}

// __index of objects with fields: what the script has set, then the methods.
static int field_get(lua_State *L) {
    if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, -2) != LUA_TNIL) return 1;
    }
    lua_pushvalue(L, 2);
    lua_gettable(L, lua_upvalueindex(1));
    return 1;
}
static int field_set(lua_State *L) {
    if (!clua_object_is(L, 1)) return luaL_error(L, "not an object");
    luaL_checktype(L, 2, LUA_TSTRING);
    lua_settop(L, 3);
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 1);
    }
    lua_insert(L, 2);
    lua_rawset(L, 2);
    return 0;
}

// Metamethods of classes that have a method of that name, found as methods are.
static int by_method(lua_State *L, const char *name) {
    int object = clua_object_is(L, 1) ? 1 : 2;
    if (lua_getfield(L, object, name) == LUA_TNIL) return luaL_error(L, "%s has no %s", luaL_typename(L, object), name);
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}
static int method_call(lua_State *L) { return by_method(L, "__call"); }
static int method_tostring(lua_State *L) { return by_method(L, "__tostring"); }
static int method_add(lua_State *L) { return by_method(L, "__add"); }
static int method_sub(lua_State *L) { return by_method(L, "__sub"); }
static int method_lt(lua_State *L) { return by_method(L, "__lt"); }
static int method_le(lua_State *L) { return by_method(L, "__le"); }
static int method_eq(lua_State *L) { return by_method(L, "__eq"); }

// In the order of their bits in clua_class.
static const luaL_Reg metamethods[] = {
    {"__call", method_call}, {"__tostring", method_tostring}, {"__add", method_add}, {"__sub", method_sub},
    {"__lt", method_lt},     {"__le", method_le},             {"__eq", method_eq},
};

// Asks the host for a member that was not used before, and remembers it in the table.
static int resolve(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING) return 0;
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 2);
    clua *host = clua_of(L);
    clua_value arguments[3];
    for (int i = 0; i < 3; i++) clua_to_value(L, 3 + i, &arguments[i]);
    clua_call call = {.thread = L, .function = CLUA_HOST_RESOLVE, .count = 3, .arguments = arguments};
    clua_clear(&host->output);
    host->callback(host->context, &call);
    lua_settop(L, 2);
    if (clua_push_program(L, host) < 1) return 0;
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) return 1;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_rawset(L, 1);
    return 1;
}

void clua_push_library(lua_State *L, uint32_t kind, uint32_t number) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushinteger(L, kind);
    lua_pushinteger(L, number);
    lua_pushcclosure(L, resolve, 2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

typedef struct {
    uint32_t number;
    const char *name;
    int flag;
    int64_t handle;
} object_call;

static int new_class(lua_State *L) {
    object_call *call = lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_classes);
    lua_createtable(L, 0, 8);
    clua_push_library(L, 1, call->number);
    if (call->flag & CLUA_CLASS_FIELDS) {
        lua_pushcclosure(L, field_get, 1);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, field_set);
        lua_setfield(L, -2, "__newindex");
    } else {
        lua_setfield(L, -2, "__index");
    }
    for (size_t i = 0; i < sizeof metamethods / sizeof *metamethods; i++) {
        if (!(call->flag & CLUA_CLASS_CALL << i)) continue;
        lua_pushcfunction(L, metamethods[i].func);
        lua_setfield(L, -2, metamethods[i].name);
    }
    lua_pushcfunction(L, object_gone);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, object_closed);
    lua_setfield(L, -2, "__close");
    lua_pushstring(L, call->name);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &metatable_mark);
    lua_rawseti(L, -2, call->number);
    return 0;
}
int clua_class(clua *host, uint32_t number, const char *name, int flags) {
    object_call call = {.number = number, .name = name, .flag = flags};
    return clua_run_protected(host, new_class, &call);
}

static int room(int64_t **list, int *capacity, int64_t needed) {
    if (needed <= *capacity) return 0;
    int64_t wanted = *capacity ? (int64_t)*capacity * 2 : 4;
    while (wanted < needed) wanted *= 2;
    int64_t *larger = realloc(*list, (size_t)wanted * sizeof **list);
    if (!larger) return -1;
    *list = larger;
    *capacity = (int)wanted;
    return 0;
}

int clua_object_reserve(clua *host, int64_t handle) {
    if (room(&host->fresh, &host->fresh_capacity, host->fresh_count + 1) != 0) return -1;
    if (room(&host->released, &host->released_capacity,
             host->objects + host->fresh_count + host->released_count + 1) != 0)
        return -1;
    host->fresh[host->fresh_count++] = handle;
    return 0;
}

void clua_new_object(lua_State *L, clua *host, uint32_t class, int64_t handle) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_classes);
    if (lua_rawgeti(L, -1, class) != LUA_TTABLE) luaL_error(L, "the host has no such class");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_objects);
    clua_object *object = lua_newuserdatauv(L, sizeof *object, 1);
    object->class = class;
    object->open = 0;
    object->handle = handle;
    // Room for it first: from the moment it has its metatable nothing may fail.
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, handle);
    // Anchored before it was made: its place there is taken already, so nothing is allocated.
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_anchors);
    if (lua_rawgeti(L, -1, handle) != LUA_TNIL) {
        lua_pushvalue(L, -3);
        lua_rawseti(L, -3, handle);
    }
    lua_pop(L, 2);
    lua_pushvalue(L, -3);
    lua_setmetatable(L, -2);
    for (int i = 0; i < host->fresh_count; i++) {
        if (host->fresh[i] != handle) continue;
        host->fresh[i] = host->fresh[--host->fresh_count];
        object->open = 1;
        break;
    }
    host->objects++;
    lua_replace(L, -4);
    lua_pop(L, 2);
}

void clua_push_object(lua_State *L, int64_t handle) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_objects);
    lua_rawgeti(L, -1, handle);
    lua_remove(L, -2);
}

static int anchor(lua_State *L) {
    object_call *call = lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_anchors);
    if (call->flag) clua_push_object(L, call->handle);
    else lua_pushnil(L);
    if (call->flag && lua_isnil(L, -1)) {
        // The host has answered a call with it, and it is made when the call returns: see clua_new_object.
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_rawseti(L, -2, call->handle);
    return 0;
}
int clua_anchor(clua *host, int64_t handle, int on) {
    object_call call = {.handle = handle, .flag = on};
    return clua_run_protected(host, anchor, &call);
}

void clua_object_close(clua *host, int64_t handle) {
    // Neither raises nor allocates.
    lua_State *L = host->L;
    if (!lua_checkstack(L, 4)) return;
    clua_push_object(L, handle);
    clua_object *object = lua_touserdata(L, -1);
    if (object) object->open = 0;
    lua_pop(L, 1);
    // Nobody needs it anchored any more.
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_anchors);
    if (lua_rawgeti(L, -1, handle) != LUA_TNIL) {
        lua_pushnil(L);
        lua_rawseti(L, -3, handle);
    }
    lua_pop(L, 2);
}

int64_t clua_released(clua *host) {
    if (host->released_count > 0) return host->released[--host->released_count];
    // What was to become an object and did not.
    if (host->fresh_count > 0) return host->fresh[--host->fresh_count];
    return 0;
}

// ---- __gc of scripts: noted here, run by the host as an activation of its own ----

static const char finalizer_mark;

static int sentinel_gone(lua_State *L) {
    // sentinel: user value 1 the object, 2 the next one that waits
    clua *host = clua_of(L);
    if (host->closing) return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_pending);
    lua_setiuservalue(L, 1, 2);
    lua_pushvalue(L, 1);
    // The key is there already: nothing is allocated.
    lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_pending);
    host->finalizers++;
    return 0;
}

// Notes that the object at `index`, whose metatable has a __gc, is to be told when it is no longer used.
static void add_finalizer(lua_State *L, int index) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_finalizers);
    lua_pushvalue(L, index);
    lua_newuserdatauv(L, 0, 2);
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, 1);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &finalizer_mark) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, sentinel_gone);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &finalizer_mark);
    }
    lua_setmetatable(L, -2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

int clua_setmetatable(lua_State *L) {
    clua *host = clua_of(L);
    lua_settop(L, 2);
    if (lua_type(L, 1) == LUA_TTABLE) clua_fill_library(L, 1);
    if (lua_type(L, 1) != LUA_TTABLE || lua_type(L, 2) != LUA_TTABLE) return host->original[ORIGINAL_SETMETATABLE](L);
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) == LUA_TNIL) {
        lua_pop(L, 1);
        return host->original[ORIGINAL_SETMETATABLE](L);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "cannot change a protected metatable");
    if (lua_type(L, 3) == LUA_TFUNCTION) add_finalizer(L, 1);
    // Lua looks for __gc only now: without it, the collector never runs it, where no hook could end it.
    lua_pushliteral(L, "__gc");
    lua_pushnil(L);
    lua_rawset(L, 2);
    lua_pushvalue(L, 2);
    lua_setmetatable(L, 1);
    lua_pushliteral(L, "__gc");
    lua_pushvalue(L, 3);
    lua_rawset(L, 2);
    lua_settop(L, 1);
    return 1;
}

int clua_finalizers(clua *host) { return host->finalizers; }

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

void clua_next_finalizer(lua_State *L) {
    clua *host = clua_of(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &clua_key_pending) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        host->finalizers = 0;
        lua_pushcfunction(L, nothing);
        lua_pushnil(L);
        return;
    }
    lua_getiuservalue(L, -1, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &clua_key_pending);
    host->finalizers--;
    lua_getiuservalue(L, -1, 1);  // sentinel object
    if (luaL_getmetafield(L, -1, "__gc") == LUA_TNIL) lua_pushcfunction(L, nothing);
    if (lua_type(L, -1) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        lua_pushcfunction(L, nothing);
    }
    lua_replace(L, -3);  // function object
}
