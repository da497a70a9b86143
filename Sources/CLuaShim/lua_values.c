// Values on their way between Lua and the host.
#include "lua_host.h"
#include <stdlib.h>
#include <string.h>

// Neither raises nor allocates: strings are only looked at when they are strings already.
void clua_to_value(lua_State *L, int index, clua_value *value) {
    value->tag = 0;
    value->count = 0;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        value->type = CLUA_NIL;
        value->integer = 0;
        break;
    case LUA_TBOOLEAN:
        value->type = CLUA_BOOLEAN;
        value->integer = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            value->type = CLUA_INTEGER;
            value->integer = lua_tointegerx(L, index, NULL);
        } else {
            value->type = CLUA_NUMBER;
            value->number = lua_tonumberx(L, index, NULL);
        }
        break;
    case LUA_TSTRING:
        value->type = CLUA_STRING;
        value->bytes = lua_tolstring(L, index, &value->count);
        break;
    case LUA_TTABLE:
        value->type = CLUA_TABLE;
        value->integer = index;
        break;
    case LUA_TFUNCTION:
        value->type = CLUA_FUNCTION;
        value->integer = index;
        value->count = (size_t)(uintptr_t)lua_topointer(L, index);
        break;
    case LUA_TUSERDATA:
        if (clua_object_is(L, index)) {
            clua_object *object = clua_object_at(L, index);
            value->type = CLUA_OBJECT;
            value->tag = object->class;
            value->integer = object->open ? object->handle : 0;
            break;
        }
        value->bytes = clua_bytearray(L, index, &value->count);
        value->type = value->bytes ? CLUA_BYTEARRAY : CLUA_OTHER;
        break;
    default:
        value->type = CLUA_OTHER;
        value->integer = index;
    }
}

// ---- Programs ----

int clua_grow(clua_output *output) {
    int capacity = output->capacity ? output->capacity * 2 : 8;
    if ((size_t)capacity * sizeof(clua_value) > output->limit + 4096) return -1;
    clua_value *values = realloc(output->values, (size_t)capacity * sizeof *values);
    if (!values) return -1;
    output->values = values;
    output->capacity = capacity;
    return 0;
}

int clua_put_string(clua_output *output, const void *bytes, size_t count) {
    size_t needed = output->scratch_count + count;
    if (count > output->limit || needed > output->limit) return -1;
    if (needed > output->scratch_capacity) {
        size_t capacity = output->scratch_capacity ? output->scratch_capacity : 64;
        while (capacity < needed) capacity *= 2;
        char *scratch = realloc(output->scratch, capacity);
        if (!scratch) return -1;
        output->scratch = scratch;
        output->scratch_capacity = capacity;
    }
    clua_value value = {.type = CLUA_STRING, .integer = (int64_t)output->scratch_count, .count = count};
    if (count) memcpy(output->scratch + output->scratch_count, bytes, count);
    output->scratch_count = needed;
    return clua_put(output, value);
}

static void keep_in_object(lua_State *L) {
    // object name value
    if (lua_getiuservalue(L, -3, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, -5, 1);
    }
    lua_insert(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

int clua_push_program(lua_State *L, clua *host) {
    int base = lua_gettop(L);
    // The values live outside of Lua and stay as they are: nothing here calls the host.
    for (int i = 0; i < host->output.count; i++) {
        clua_value value = host->output.values[i];
        // A C function has room for 20 values; a step leaves one and needs no more than eight for a while.
        if (i >= 8) luaL_checkstack(L, 8, "too many results");
        switch (value.type) {
        case CLUA_NIL: lua_pushnil(L); break;
        case CLUA_BOOLEAN: lua_pushboolean(L, value.integer != 0); break;
        case CLUA_INTEGER: lua_pushinteger(L, value.integer); break;
        case CLUA_NUMBER: lua_pushnumber(L, value.number); break;
        case CLUA_STRING: lua_pushlstring(L, host->output.scratch + value.integer, value.count); break;
        case CLUA_OBJECT: clua_push_object(L, value.integer); break;
        case CLUA_NEW_TABLE: lua_createtable(L, 0, value.integer > 1000 ? 0 : (int)value.integer); break;
        case CLUA_SET:
            if (lua_isnil(L, -2)) lua_pop(L, 2);
            else lua_rawset(L, -3);
            break;
        case CLUA_APPEND: lua_rawseti(L, -2, value.integer); break;
        case CLUA_REFERENCE: lua_rawgeti(L, LUA_REGISTRYINDEX, value.integer); break;
        case CLUA_ARGUMENT: lua_pushvalue(L, (int)value.integer); break;
        case CLUA_NEW_OBJECT: clua_new_object(L, host, value.tag, value.integer); break;
        case CLUA_KEEP: keep_in_object(L); break;
        case CLUA_MEMBER:
            clua_push_object(L, value.integer);
            if (!lua_isnil(L, -1)) {
                if (lua_getiuservalue(L, -1, 1) == LUA_TTABLE) {
                    lua_pushvalue(L, -3);
                    lua_rawget(L, -2);
                    lua_replace(L, -4);
                    lua_pop(L, 2);
                    break;
                }
                lua_pop(L, 1);
            }
            lua_pop(L, 2);
            lua_pushnil(L);
            break;
        case CLUA_RAW_MEMBER:
            lua_rawgeti(L, LUA_REGISTRYINDEX, value.integer);
            lua_insert(L, -2);
            lua_rawget(L, -2);
            lua_remove(L, -2);
            break;
        case CLUA_HOST: clua_push_host(L, (uint32_t)value.integer); break;
        case CLUA_LIBRARY: clua_push_library(L, 2, (uint32_t)value.integer); break;
        case CLUA_FINALIZER: clua_next_finalizer(L); break;
        case CLUA_SWEEP:
            lua_pushcfunction(L, clua_sweep);
            lua_rawgeti(L, LUA_REGISTRYINDEX, value.integer);
            break;
        case CLUA_EVALUATE: lua_pushcfunction(L, clua_evaluate); break;
        case CLUA_BUILT_IN:
            if (value.integer == CLUA_BUILT_IN_BYTEARRAY) clua_open_bytearray_table(L);
            else clua_push_built_in(L, value.integer);
            break;
        case CLUA_NEW_ARRAY: clua_push_bytearray(L, host->output.scratch + value.integer, value.count); break;
        default: luaL_error(L, "the host answered with a value of kind %d", (int)value.type);
        }
    }
    return lua_gettop(L) - base;
}

// ---- Calls of the host ----

static int raise_waited(lua_State *L) {
    if (lua_type(L, -1) != LUA_TSTRING) return luaL_error(L, "the results do not fit into the script's memory");
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
}
static int after_wait(lua_State *L, int status, lua_KContext context) {
    (void)status;
    // Above what was there: whether it is good, then the results.
    int first = (int)context + 1;
    if (lua_toboolean(L, first)) return lua_gettop(L) - first;
    return raise_waited(L);
}

static int can_wait(lua_State *L) { return !clua_of(L)->blocked && lua_isyieldable(L); }
int clua_can_wait(const clua_call *call) { return can_wait(call->thread); }

// The results of a call. Most calls answer one plain value, which needs no program.
static int push_results(lua_State *L, clua *host) {
    if (host->output.count == 1) {
        const clua_value *value = host->output.values;
        switch (value->type) {
        case CLUA_BOOLEAN: lua_pushboolean(L, value->integer != 0); return 1;
        case CLUA_INTEGER: lua_pushinteger(L, value->integer); return 1;
        case CLUA_NUMBER: lua_pushnumber(L, value->number); return 1;
        }
    }
    return clua_push_program(L, host);
}

// Less than that is not worth a look at the budget.
enum { CHARGED_BYTES = 512, CHARGED_VALUES = 64 };

int clua_call_host(lua_State *L, uint32_t number) {
    clua *host = clua_of(L);
    int count = lua_gettop(L);
    if (count > CLUA_MAX_ARGUMENTS) return luaL_error(L, "too many arguments (at most %d)", CLUA_MAX_ARGUMENTS);
    clua_value arguments[CLUA_MAX_ARGUMENTS];
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        if (lua_isinteger(L, i + 1)) {
            // The usual kind, without looking for another.
            arguments[i] = (clua_value){.type = CLUA_INTEGER, .integer = lua_tointegerx(L, i + 1, NULL)};
            continue;
        }
        clua_to_value(L, i + 1, &arguments[i]);
        if (arguments[i].type == CLUA_STRING || arguments[i].type == CLUA_BYTEARRAY) bytes += arguments[i].count;
    }
    // What the host does with a long text is one instruction for the count hook.
    if (bytes >= CHARGED_BYTES) clua_charge(L, (int64_t)(bytes / 8));
    host->walked = 0;
    clua_call call = {
        .thread = L,
        .function = number,
        .count = count,
        .has_released = host->released_count + host->fresh_count > 0,
        .arguments = arguments,
    };
    clua_clear(&host->output);
    int outcome = host->callback(host->context, &call);
    if (host->walked + host->output.count >= CHARGED_VALUES || host->output.scratch_count >= CHARGED_BYTES)
        clua_charge(L, (host->walked + host->output.count) * 8 + (int64_t)(host->output.scratch_count / 8));
    if (host->unchecked >= CLUA_STEP) clua_charge(L, 1);  // it has blocked
    if (outcome == CLUA_RETURN) return push_results(L, host);
    lua_settop(L, count);
    switch (outcome) {
    case CLUA_WAIT:
        if (!can_wait(L)) return luaL_error(L, "cannot wait here");
        host->waiting = L;
        return lua_yieldk(L, 0, count, after_wait);
    case CLUA_RAISE_ARGUMENT: {
        int argument = host->output.count > 1 ? (int)host->output.values[1].integer : 1;
        clua_push_program(L, host);
        return luaL_argerror(L, argument, luaL_tolstring(L, count + 1, NULL));
    }
    default:
        if (clua_push_program(L, host) < 1) return luaL_error(L, "the host refused without a reason");
        lua_settop(L, count + 1);
        return raise_waited(L);
    }
}

static int trampoline(lua_State *L) {
    return clua_call_host(L, (uint32_t)lua_tointegerx(L, lua_upvalueindex(1), NULL));
}
void clua_push_host(lua_State *L, uint32_t number) {
    lua_pushinteger(L, number);
    lua_pushcclosure(L, trampoline, 1);
}

// ---- Walking through tables ----

int clua_walk_begin(void *thread) {
    lua_State *L = thread;
    if (!lua_checkstack(L, 6)) return -1;
    lua_pushnil(L);
    return 0;
}
int clua_walk(void *thread, int table, clua_value *key, clua_value *value) {
    lua_State *L = thread;
    // The key is the table's own, and nobody changes the table meanwhile: lua_next has no reason to raise.
    if (!lua_next(L, table)) return 0;
    clua_of(L)->walked++;
    clua_to_value(L, lua_gettop(L) - 1, key);
    clua_to_value(L, lua_gettop(L), value);
    return 1;
}
void clua_walk_next(void *thread) { lua_settop(thread, -2); }
void clua_walk_end(void *thread) { lua_settop(thread, -3); }
