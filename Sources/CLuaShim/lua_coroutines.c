// The coroutine library, whose resume passes a wait of the host outward: in a coroutine of its own a script can wait as
// anywhere else.
#include "lua_host.h"

static int go_on(lua_State *L, lua_State *co, int count, int wrapped);

static int after_outer_wait(lua_State *L, int status, lua_KContext context) {
    (void)status;
    // Below: the coroutine, then what it is to go on with.
    int wrapped = (int)(context & 1), base = (int)(context >> 1);
    lua_State *co = lua_tothread(L, base);
    return go_on(L, co, lua_gettop(L) - base, wrapped);
}

static int fail(lua_State *L, int wrapped) {
    // The error is on top.
    if (!wrapped) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

// Runs the coroutine with the `count` values on top of L.
static int go_on(lua_State *L, lua_State *co, int count, int wrapped) {
    clua *host = clua_of(L);
    clua_charge(L, 20);
    if (!lua_checkstack(co, count + 8)) {
        lua_pushliteral(L, "too many arguments to resume");
        return fail(L, wrapped);
    }
    if (lua_status(co) == LUA_OK && lua_gettop(co) == 0) {
        lua_pushliteral(L, "cannot resume dead coroutine");
        return fail(L, wrapped);
    }
    lua_xmove(L, co, count);
    int blocks = !lua_isyieldable(L), results = 0;
    host->blocked += blocks;
    int status = lua_resume(co, L, count, &results);
    host->blocked -= blocks;
    if (host->spent) {
        // It was ended, or what it called was: what it wanted to close must not run, with its hook off for ever.
        if (status != LUA_OK && status != LUA_YIELD) clua_mark_killed(co);
        clua_raise_spent(L);
    }
    if (status == LUA_YIELD && host->waiting == co) {
        lua_pop(co, results);
        host->waiting = L;
        // The coroutine stays where a continuation finds it.
        if (lua_tothread(L, -1) != co) {
            lua_pushthread(co);
            lua_xmove(co, L, 1);
        }
        int base = lua_gettop(L);
        return lua_yieldk(L, 0, (lua_KContext)base << 1 | wrapped, after_outer_wait);
    }
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        int died = lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD;
        if (wrapped && died && !clua_is_killed(co)) {
            // Closes its variables; they see the error, and may raise another one.
            lua_xmove(L, co, 1);
            if (lua_resetthread(co) != LUA_OK || lua_gettop(co) > 0) lua_xmove(co, L, 1);
            else lua_pushliteral(L, "error in a coroutine");
            if (host->spent) clua_raise_spent(L);
        }
        return fail(L, wrapped);
    }
    if (!lua_checkstack(L, results + 2)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return fail(L, wrapped);
    }
    if (!wrapped) lua_pushboolean(L, 1);
    lua_xmove(co, L, results);
    return wrapped ? results : results + 1;
}

static lua_State *coroutine_at(lua_State *L, int index) {
    lua_State *co = lua_tothread(L, index);
    luaL_argexpected(L, co, index, "coroutine");
    return co;
}

static int resume(lua_State *L) {
    lua_State *co = coroutine_at(L, 1);
    return go_on(L, co, lua_gettop(L) - 1, 0);
}
static int wrapped(lua_State *L) {
    return go_on(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L), 1);
}
static int wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

static int is_running(lua_State *L, lua_State *co) {
    lua_Debug record;
    return co == L || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &record));
}

static int close(lua_State *L) {
    lua_State *co = coroutine_at(L, 1);
    clua_charge(L, 20);
    if (is_running(L, co)) return luaL_error(L, "cannot close a running coroutine");
    if (clua_is_killed(co)) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "the coroutine was ended for its budget");
        return 2;
    }
    clua *host = clua_of(L);
    host->blocked++;
    int status = lua_resetthread(co);
    host->blocked--;
    if (host->spent) clua_raise_spent(L);
    if (status == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

// Pushes the library.
void clua_make_coroutines(lua_State *L) {
    lua_pushcfunction(L, luaopen_coroutine);
    lua_call(L, 0, 1);
    static const luaL_Reg replaced[] = {{"resume", resume}, {"wrap", wrap}, {"close", close}, {NULL, NULL}};
    luaL_setfuncs(L, replaced, 0);
}
