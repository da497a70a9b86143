// ba.bytearray: bytes that a script changes in place. b[i] reads and writes from 1; setsize narrows the view.
#include "lua_host.h"
#include <string.h>

typedef struct {
    size_t first, count;  // the view
    size_t capacity;
    char bytes[];
} array;

static const char array_key;

static array *to_array(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    int is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is ? lua_touserdata(L, index) : NULL;
}
static array *check_array(lua_State *L, int index) {
    array *a = to_array(L, index);
    luaL_argexpected(L, a, index, "bytearray");
    return a;
}
void *clua_bytearray(lua_State *L, int index, size_t *count) {
    array *a = to_array(L, index);
    if (!a) return NULL;
    *count = a->count;
    return a->bytes + a->first;
}

static array *new_array(lua_State *L, size_t count) {
    array *a = lua_newuserdatauv(L, sizeof *a + count, 0);
    memset(a, 0, sizeof *a + count);
    a->count = a->capacity = count;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, -2);
    return a;
}
void clua_push_bytearray(lua_State *L, const char *bytes, size_t count) {
    array *a = new_array(L, count);
    if (count) memcpy(a->bytes, bytes, count);
}

static lua_Integer integer_at(lua_State *L, int index) {
    lua_Integer integer;
    return clua_floor(L, index, &integer) ? integer : luaL_checkinteger(L, index);
}
// A position from 1, from the end where negative, within 1...count+extra.
static size_t position_at(lua_State *L, int index, const array *a, lua_Integer otherwise, int extra) {
    lua_Integer position = lua_isnoneornil(L, index) ? otherwise : integer_at(L, index);
    if (position < 0) position += (lua_Integer)a->count + 1;
    luaL_argcheck(L, position >= 1 && position <= (lua_Integer)a->count + extra, index, "out of range");
    return (size_t)position;
}

static int create(lua_State *L) {
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t length;
        const char *bytes = lua_tolstring(L, 1, &length);
        clua_push_bytearray(L, bytes, length);
        return 1;
    }
    array *other = to_array(L, 1);
    if (other) {
        clua_push_bytearray(L, other->bytes + other->first, other->count);
        return 1;
    }
    lua_Integer count = integer_at(L, 1);
    luaL_argcheck(L, count >= 0 && (uint64_t)count <= clua_of(L)->limits.memory, 1, "out of range");
    clua_charge(L, count / 64 + 1);
    new_array(L, (size_t)count);
    return 1;
}

static int size(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check_array(L, 1)->count);
    return 1;
}

// setsize(b [, first [, last]]): the view, within what was created. Without numbers: all of it.
static int set_size(lua_State *L) {
    array *a = check_array(L, 1);
    lua_Integer first = lua_isnoneornil(L, 2) ? 1 : integer_at(L, 2);
    lua_Integer last = lua_isnoneornil(L, 3) ? (lua_Integer)a->capacity : integer_at(L, 3);
    luaL_argcheck(L, first >= 1 && first <= (lua_Integer)a->capacity + 1, 2, "out of range");
    luaL_argcheck(L, last >= first - 1 && last <= (lua_Integer)a->capacity, 3, "out of range");
    a->first = (size_t)first - 1;
    a->count = (size_t)(last - first + 1);
    lua_settop(L, 1);
    return 1;
}

static int to_string(lua_State *L) {
    array *a = check_array(L, 1);
    if (a->count == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    size_t first = position_at(L, 2, a, 1, 1), last = position_at(L, 3, a, (lua_Integer)a->count, 0);
    lua_pushlstring(L, a->bytes + a->first + first - 1, last < first ? 0 : last - first + 1);
    return 1;
}

static const char *bytes_at(lua_State *L, int index, size_t *length) {
    array *other = to_array(L, index);
    if (!other) return luaL_checklstring(L, index, length);
    *length = other->count;
    return other->bytes + other->first;
}

// copy(destination, position, source [, first [, last]]): as much as fits; how many bytes.
static int copy(lua_State *L) {
    array *a = check_array(L, 1);
    size_t position = position_at(L, 2, a, 1, 1), length;
    const char *source = bytes_at(L, 3, &length);
    array view = {.count = length};
    size_t first = length ? position_at(L, 4, &view, 1, 1) : 1;
    size_t last = length ? position_at(L, 5, &view, (lua_Integer)length, 0) : 0;
    size_t count = last < first ? 0 : last - first + 1, room = a->count - (position - 1);
    if (count > room) count = room;
    // They may be the same array.
    if (count) memmove(a->bytes + a->first + position - 1, source + first - 1, count);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

static int width_at(lua_State *L, int index) {
    lua_Integer width = integer_at(L, index);
    luaL_argcheck(L, width >= 1 && width <= 8, index, "1 to 8 bytes");
    return (int)width;
}
static void put_number(char *to, int width, uint64_t number) {
    for (int i = width - 1; i >= 0; i--, number >>= 8) to[i] = (char)number;
}
static uint64_t get_number(const char *from, int width) {
    uint64_t number = 0;
    for (int i = 0; i < width; i++) number = number << 8 | (unsigned char)from[i];
    return number;
}
// h2n(b, position, bytes, number): big-endian, as on the network.
static int host_to_network(lua_State *L) {
    array *a = check_array(L, 1);
    size_t position = position_at(L, 2, a, 1, 0);
    int width = width_at(L, 3);
    luaL_argcheck(L, position - 1 + (size_t)width <= a->count, 2, "out of range");
    put_number(a->bytes + a->first + position - 1, width, (uint64_t)integer_at(L, 4));
    return 0;
}
static int network_to_host(lua_State *L) {
    array *a = check_array(L, 1);
    size_t position = position_at(L, 2, a, 1, 0);
    int width = width_at(L, 3);
    luaL_argcheck(L, position - 1 + (size_t)width <= a->count, 2, "out of range");
    lua_pushinteger(L, (lua_Integer)get_number(a->bytes + a->first + position - 1, width));
    return 1;
}

// ba.socket.h2n(bytes, number) and n2h(bytes, string [, position]).
int clua_h2n(lua_State *L) {
    int width = width_at(L, 1);
    char bytes[8];
    put_number(bytes, width, (uint64_t)integer_at(L, 2));
    lua_pushlstring(L, bytes, (size_t)width);
    return 1;
}
int clua_n2h(lua_State *L) {
    int width = width_at(L, 1);
    size_t length;
    const char *bytes = bytes_at(L, 2, &length);
    array view = {.count = length};
    size_t position = position_at(L, 3, &view, 1, 0);
    luaL_argcheck(L, position - 1 + (size_t)width <= length, 2, "too short");
    lua_pushinteger(L, (lua_Integer)get_number(bytes + position - 1, width));
    return 1;
}

static int get_byte(lua_State *L) {
    array *a = check_array(L, 1);
    if (lua_type(L, 2) == LUA_TSTRING) return 0;
    lua_Integer index = integer_at(L, 2);
    if (index < 1 || (uint64_t)index > a->count) return 0;
    lua_pushinteger(L, (unsigned char)a->bytes[a->first + (size_t)index - 1]);
    return 1;
}
static int set_byte(lua_State *L) {
    array *a = check_array(L, 1);
    size_t position = position_at(L, 2, a, 1, 0);
    char *to = a->bytes + a->first + position - 1;
    if (lua_type(L, 3) == LUA_TNUMBER) {
        *to = (char)integer_at(L, 3);
        return 0;
    }
    size_t length;
    const char *bytes = bytes_at(L, 3, &length);
    luaL_argcheck(L, length <= a->count - (position - 1), 3, "does not fit");
    if (length) memmove(to, bytes, length);
    return 0;
}

int clua_open_bytearray_table(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"create", create}, {"copy", copy},         {"h2n", host_to_network}, {"n2h", network_to_host},
        {"size", size},     {"setsize", set_size},  {"tostring", to_string},  {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

void clua_open_bytearray(lua_State *L) {
    lua_createtable(L, 0, 6);
    static const luaL_Reg metamethods[] = {
        {"__index", get_byte}, {"__newindex", set_byte}, {"__len", size}, {"__tostring", to_string}, {NULL, NULL}};
    luaL_setfuncs(L, metamethods, 0);
    lua_pushliteral(L, "bytearray");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
}
