// Bounds and number rules around string, table, math, utf8 and os.
//
// A float where an integer is wanted is floored, as by the Lua that Xedge32's scripts are written for. What loops in C
// is charged to the budget before it starts, because the count hook does not see it.
#include "lua_host.h"
#include <math.h>
#include <string.h>

// ---- Flooring ----

int clua_floor(lua_State *L, int index, lua_Integer *integer) {
    int good;
    *integer = lua_tointegerx(L, index, &good);
    if (good) return 1;
    lua_Number number = lua_tonumberx(L, index, &good);
    return good && lua_numbertointeger(floor(number), integer);
}

void clua_floor_arguments(lua_State *L, int first, int last) {
    int top = lua_gettop(L);
    if (last > top) last = top;
    for (int i = first; i <= last; i++) {
        // An integer, the usual case, costs one look.
        if (lua_isinteger(L, i)) continue;
        int type = lua_type(L, i);
        lua_Integer integer;
        if ((type == LUA_TNUMBER || type == LUA_TSTRING) && clua_floor(L, i, &integer)) {
            lua_pushinteger(L, integer);
            lua_replace(L, i);
        }
    }
}

static int original(lua_State *L, int which) { return clua_of(L)->original[which](L); }

// Bit operators on floats come here, because Lua itself refuses them.
static lua_Integer operand(lua_State *L, int index) {
    lua_Integer integer;
    if (clua_floor(L, index, &integer)) return integer;
    if (lua_type(L, index) == LUA_TNUMBER) luaL_error(L, "number has no integer representation");
    return luaL_error(L, "attempt to perform bitwise operation on a %s value", luaL_typename(L, index));
}
static int bit_or(lua_State *L) { lua_pushinteger(L, operand(L, 1) | operand(L, 2)); return 1; }
static int bit_and(lua_State *L) { lua_pushinteger(L, operand(L, 1) & operand(L, 2)); return 1; }
static int bit_xor(lua_State *L) { lua_pushinteger(L, operand(L, 1) ^ operand(L, 2)); return 1; }
static int bit_not(lua_State *L) { lua_pushinteger(L, ~operand(L, 1)); return 1; }
// Both are integers now, so that Lua does it.
static int shift(lua_State *L, int operation) {
    lua_Integer left = operand(L, 1), right = operand(L, 2);
    lua_settop(L, 0);
    lua_pushinteger(L, left);
    lua_pushinteger(L, right);
    lua_arith(L, operation);
    return 1;
}
static int bit_shl(lua_State *L) { return shift(L, LUA_OPSHL); }
static int bit_shr(lua_State *L) { return shift(L, LUA_OPSHR); }

// ---- string ----

static int string_rep(lua_State *L) {
    clua_floor_arguments(L, 2, 2);
    size_t length, separator = 0;
    luaL_checklstring(L, 1, &length);
    lua_Integer count = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    if (count <= 0 || length + separator == 0) {
        // Nothing, however often.
        lua_pushliteral(L, "");
        return 1;
    }
    size_t limit = clua_of(L)->limits.memory;
    if (length + separator > limit || (uint64_t)count > limit / (length + separator))
        return luaL_error(L, "resulting string too large");
    clua_charge(L, (int64_t)((length + separator) * (size_t)count / 64) + count / 8);
    clua_make_room(L, (length + separator) * (size_t)count);
    return original(L, ORIGINAL_REP);
}
static int converted(lua_State *L, int which) {
    size_t length;
    luaL_checklstring(L, 1, &length);
    clua_charge(L, (int64_t)(length / 16));
    clua_make_room(L, length * 2);
    return original(L, which);
}
static int string_lower(lua_State *L) { return converted(L, ORIGINAL_LOWER); }
static int string_upper(lua_State *L) { return converted(L, ORIGINAL_UPPER); }
static int string_reverse(lua_State *L) { return converted(L, ORIGINAL_REVERSE); }
static int string_sub(lua_State *L) {
    clua_floor_arguments(L, 2, 3);
    return original(L, ORIGINAL_SUB);
}
static int string_byte(lua_State *L) {
    clua_floor_arguments(L, 2, 3);
    return original(L, ORIGINAL_BYTE);
}
static int string_char(lua_State *L) {
    clua_floor_arguments(L, 1, lua_gettop(L));
    return original(L, ORIGINAL_CHAR);
}

// Floors those arguments that the format wants as integers.
static void floor_for_format(lua_State *L) {
    size_t length;
    const char *format = luaL_checklstring(L, 1, &length), *end = format + length;
    int argument = 1, top = lua_gettop(L);
    while (format < end) {
        if (*format++ != '%') continue;
        if (format < end && *format == '%') {
            format++;
            continue;
        }
        while (format < end && strchr("-+ #0123456789.", *format) && *format) format++;
        if (format >= end || ++argument > top) return;
        if (strchr("diuxXoc", *format) && *format) clua_floor_arguments(L, argument, argument);
        format++;
    }
}
static int string_format(lua_State *L) {
    int top = lua_gettop(L);
    for (int i = 2; i <= top; i++) {
        if (lua_type(L, i) == LUA_TNUMBER && !lua_isinteger(L, i)) {
            floor_for_format(L);
            break;
        }
    }
    clua_charge(L, 10 + top);
    clua_make_room(L, 65536);
    return original(L, ORIGINAL_FORMAT);
}

// For logs: the text alone is no format.
int clua_format(lua_State *L) { return lua_gettop(L) == 1 ? (luaL_tolstring(L, 1, NULL), 1) : string_format(L); }

// ---- table ----

// Charges for the elements first...last.
static void charge_range(lua_State *L, lua_Integer first, lua_Integer last) {
    if (last < first) return;
    uint64_t count = (uint64_t)last - (uint64_t)first;
    if (count > (uint64_t)1 << 40) count = (uint64_t)1 << 40;
    clua_charge(L, (int64_t)count + 1);
}

static int table_concat(lua_State *L) {
    clua_floor_arguments(L, 3, 4);
    if (lua_gettop(L) > 4) lua_settop(L, 4);
    lua_Integer first = luaL_optinteger(L, 3, 1);
    lua_Integer last = lua_isnoneornil(L, 4) ? luaL_len(L, 1) : luaL_checkinteger(L, 4);
    charge_range(L, first, last);
    clua_make_room(L, 65536);
    lua_settop(L, 3);
    lua_pushinteger(L, last);
    return original(L, ORIGINAL_CONCAT);
}
static int table_insert(lua_State *L) {
    if (lua_gettop(L) == 3) {
        clua_floor_arguments(L, 2, 2);
        charge_range(L, luaL_checkinteger(L, 2), luaL_len(L, 1));
    }
    return original(L, ORIGINAL_INSERT);
}
static int table_remove(lua_State *L) {
    if (lua_gettop(L) > 1) {
        clua_floor_arguments(L, 2, 2);
        charge_range(L, luaL_checkinteger(L, 2), luaL_len(L, 1));
    }
    return original(L, ORIGINAL_REMOVE);
}
static int table_move(lua_State *L) {
    clua_floor_arguments(L, 2, 4);
    charge_range(L, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3));
    return original(L, ORIGINAL_MOVE);
}
static int table_unpack(lua_State *L) {
    clua_floor_arguments(L, 2, 3);
    return original(L, ORIGINAL_UNPACK);
}

// What sort uses when the script has no function of its own: the same order, and long strings have their price.
static int less(lua_State *L) {
    int64_t price = 2;
    if (lua_type(L, 1) == LUA_TSTRING && lua_type(L, 2) == LUA_TSTRING) {
        size_t left = lua_rawlen(L, 1), right = lua_rawlen(L, 2);
        price += (int64_t)((left < right ? left : right) / 16);
    }
    clua_charge(L, price);
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}
static int table_sort(lua_State *L) {
    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        lua_pushcfunction(L, less);
    }
    // A comparison in C that charges nothing must not last either.
    lua_Integer count = luaL_len(L, 1);
    if (count > 1) {
        int64_t levels = 1;
        for (lua_Integer rest = count; rest > 1; rest /= 2) levels++;
        clua_charge(L, count > INT64_MAX / 128 ? INT64_MAX : count * levels);
    }
    return original(L, ORIGINAL_SORT);
}

// ---- math, utf8, select, os ----

static int math_tointeger(lua_State *L) {
    luaL_checkany(L, 1);
    lua_Integer integer;
    if (clua_floor(L, 1, &integer)) lua_pushinteger(L, integer);
    else luaL_pushfail(L);
    return 1;
}

static uint64_t next_random(clua *host) {
    // SplitMix64: for scripts' dice, not for secrets.
    uint64_t z = host->random[0] += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}
static int math_random(lua_State *L) {
    clua *host = clua_of(L);
    clua_floor_arguments(L, 1, 2);
    uint64_t random = next_random(host);
    lua_Integer low = 1, high;
    switch (lua_gettop(L)) {
    case 0: lua_pushnumber(L, (lua_Number)(random >> 11) * 0x1p-53); return 1;
    case 1:
        high = luaL_checkinteger(L, 1);
        if (high == 0) {
            lua_pushinteger(L, (lua_Integer)random);
            return 1;
        }
        break;
    case 2:
        low = luaL_checkinteger(L, 1);
        high = luaL_checkinteger(L, 2);
        break;
    default: return luaL_error(L, "wrong number of arguments");
    }
    luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
    // Without a bias: what lies beyond the last whole multiple is thrown again.
    uint64_t span = (uint64_t)high - (uint64_t)low + 1;
    if (span != 0) {
        uint64_t reject = (0 - span) % span;
        while (random < reject) random = next_random(host);
        random %= span;
    }
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + random));
    return 1;
}
static int math_randomseed(lua_State *L) {
    lua_Integer seed = 0;
    if (!clua_floor(L, 1, &seed)) seed = (lua_Integer)clua_monotonic_ns();
    clua_of(L)->random[0] = (uint64_t)seed;
    return 0;
}

static int utf8_char(lua_State *L) {
    clua_floor_arguments(L, 1, lua_gettop(L));
    return original(L, ORIGINAL_UTF8CHAR);
}
static int utf8_offset(lua_State *L) {
    clua_floor_arguments(L, 2, 3);
    return original(L, ORIGINAL_UTF8OFFSET);
}
static int utf8_codepoint(lua_State *L) {
    clua_floor_arguments(L, 2, 3);
    return original(L, ORIGINAL_UTF8CODEPOINT);
}
static int utf8_len(lua_State *L) {
    clua_floor_arguments(L, 2, 3);
    return original(L, ORIGINAL_UTF8LEN);
}
static int base_select(lua_State *L) {
    if (lua_type(L, 1) == LUA_TNUMBER) clua_floor_arguments(L, 1, 1);
    return original(L, ORIGINAL_SELECT);
}
static int os_date(lua_State *L) {
    clua_floor_arguments(L, 2, 2);
    size_t length = 0;
    luaL_optlstring(L, 1, "", &length);
    clua_charge(L, (int64_t)length);
    return original(L, ORIGINAL_DATE);
}
static int os_time(lua_State *L) {
    if (lua_type(L, 1) == LUA_TTABLE) {
        static const char *const fields[] = {"year", "month", "day", "hour", "min", "sec", "isdst"};
        lua_settop(L, 1);
        lua_createtable(L, 0, 7);
        for (int i = 0; i < 7; i++) {
            lua_Integer integer;
            lua_getfield(L, 1, fields[i]);
            if (lua_type(L, -1) == LUA_TNUMBER && clua_floor(L, -1, &integer)) {
                lua_pushinteger(L, integer);
                lua_replace(L, -2);
            }
            lua_setfield(L, 2, fields[i]);
        }
        lua_replace(L, 1);
    }
    return original(L, ORIGINAL_TIME);
}

// ---- Opening ----

typedef struct {
    const char *name;
    lua_CFunction function;
    int original;
} replacement;

static void replace(lua_State *L, clua *host, const replacement *list) {
    for (; list->name; list++) {
        lua_getfield(L, -1, list->name);
        if (list->original < ORIGINAL_COUNT) host->original[list->original] = lua_tocfunction(L, -1);
        lua_pop(L, 1);
        lua_pushcfunction(L, list->function);
        lua_setfield(L, -2, list->name);
    }
}
// Pushes a library, with the replacements in it.
static void make(lua_State *L, lua_CFunction library, const char *name, const replacement *list) {
    lua_pushcfunction(L, library);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    replace(L, clua_of(L), list);
}

static void make_string(lua_State *L) {
    static const replacement strings[] = {
        {"rep", string_rep, ORIGINAL_REP},          {"sub", string_sub, ORIGINAL_SUB},
        {"byte", string_byte, ORIGINAL_BYTE},       {"char", string_char, ORIGINAL_CHAR},
        {"format", string_format, ORIGINAL_FORMAT}, {"lower", string_lower, ORIGINAL_LOWER},
        {"upper", string_upper, ORIGINAL_UPPER},    {"reverse", string_reverse, ORIGINAL_REVERSE},
        {NULL, NULL, 0}};
    make(L, luaopen_string, "string", strings);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}
static void make_table(lua_State *L) {
    static const replacement tables[] = {
        {"concat", table_concat, ORIGINAL_CONCAT}, {"insert", table_insert, ORIGINAL_INSERT},
        {"remove", table_remove, ORIGINAL_REMOVE}, {"move", table_move, ORIGINAL_MOVE},
        {"unpack", table_unpack, ORIGINAL_UNPACK}, {"sort", table_sort, ORIGINAL_SORT},
        {NULL, NULL, 0}};
    make(L, luaopen_table, "table", tables);
}
static void make_math(lua_State *L) {
    static const replacement numbers[] = {{"tointeger", math_tointeger, ORIGINAL_TOINTEGER},
                                          {"random", math_random, ORIGINAL_COUNT},
                                          {"randomseed", math_randomseed, ORIGINAL_COUNT},
                                          {NULL, NULL, 0}};
    make(L, luaopen_math, "math", numbers);
}
static void make_utf8(lua_State *L) {
    static const replacement utf8[] = {
        {"char", utf8_char, ORIGINAL_UTF8CHAR},       {"offset", utf8_offset, ORIGINAL_UTF8OFFSET},
        {"len", utf8_len, ORIGINAL_UTF8LEN},          {"codepoint", utf8_codepoint, ORIGINAL_UTF8CODEPOINT},
        {NULL, NULL, 0}};
    make(L, luaopen_utf8, "utf8", utf8);
}
static void make_os(lua_State *L) {
    static const replacement times[] = {
        {"date", os_date, ORIGINAL_DATE}, {"time", os_time, ORIGINAL_TIME}, {NULL, NULL, 0}};
    static const char *const kept[] = {"clock", "difftime", "date", "time"};
    make(L, luaopen_os, "os", times);
    lua_createtable(L, 0, 4);
    for (int i = 0; i < 4; i++) {
        lua_getfield(L, -2, kept[i]);
        lua_setfield(L, -2, kept[i]);
    }
    lua_remove(L, -2);
}

// ---- Libraries that wait for their first use: most scripts use few, and each takes a kilobyte or two ----

static const struct {
    const char *name;
    void (*make)(lua_State *L);
} waiting_libraries[] = {
    {"table", make_table}, {"math", make_math}, {"utf8", make_utf8}, {"os", make_os}, {"coroutine", clua_make_coroutines},
};
enum { WAITING_LIBRARIES = sizeof waiting_libraries / sizeof *waiting_libraries };
// Its address is the key under which a table has the number of the library that it is to become.
static const char waiting_mark;

void clua_fill_library(lua_State *L, int table) {
    int which = lua_rawgetp(L, table, &waiting_mark) == LUA_TNUMBER ? (int)lua_tointegerx(L, -1, NULL) : -1;
    lua_pop(L, 1);
    if (which < 0 || which >= WAITING_LIBRARIES) return;
    luaL_checkstack(L, 8, NULL);
    waiting_libraries[which].make(L);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, table);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawsetp(L, table, &waiting_mark);
    lua_pushnil(L);
    lua_setmetatable(L, table);
}

static int fill_and_get(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    clua_fill_library(L, 1);
    lua_settop(L, 2);
    lua_rawget(L, 1);
    return 1;
}
static int fill_and_set(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    clua_fill_library(L, 1);
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 0;
}
static int fill_and_list(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    clua_fill_library(L, 1);
    lua_settop(L, 1);
    lua_getglobal(L, "next");
    lua_insert(L, 1);
    return 2;
}

void clua_open_bounds(lua_State *L) {
    make_string(L);
    lua_setglobal(L, "string");

    lua_createtable(L, 0, 3);
    static const luaL_Reg filling[] = {
        {"__index", fill_and_get}, {"__newindex", fill_and_set}, {"__pairs", fill_and_list}, {NULL, NULL}};
    luaL_setfuncs(L, filling, 0);
    for (int i = 0; i < WAITING_LIBRARIES; i++) {
        lua_createtable(L, 0, 1);
        lua_pushinteger(L, i);
        lua_rawsetp(L, -2, &waiting_mark);
        lua_pushvalue(L, -2);
        lua_setmetatable(L, -2);
        lua_setglobal(L, waiting_libraries[i].name);
    }
    lua_settop(L, 0);

    lua_pushcfunction(L, base_select);
    lua_setglobal(L, "select");

    lua_pushinteger(L, 0);
    lua_createtable(L, 0, 7);
    static const luaL_Reg bits[] = {{"__bor", bit_or},  {"__band", bit_and}, {"__bxor", bit_xor}, {"__bnot", bit_not},
                                    {"__shl", bit_shl}, {"__shr", bit_shr},  {NULL, NULL}};
    luaL_setfuncs(L, bits, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_settop(L, 0);
}
