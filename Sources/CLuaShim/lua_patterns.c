// find, match, gmatch and gsub with Lua's patterns (Lua 5.4 manual, 6.4.1), whose every step is charged to the budget:
// a pattern that backtracks for ever ends like a loop that does.
#define _GNU_SOURCE
#include "lua_host.h"
#include <ctype.h>
#include <string.h>

enum { MAX_CAPTURES = 32, MAX_DEPTH = 200, STEPS = 1000 };
enum { OPEN_CAPTURE = -1, POSITION_CAPTURE = -2 };

typedef struct {
    lua_State *L;
    const char *subject, *end, *pattern_end;
    int steps, depth, captures;
    struct {
        const char *start;
        ptrdiff_t length;
    } capture[MAX_CAPTURES];
} matcher;

static const char *match_here(matcher *m, const char *s, const char *p);

static inline void step(matcher *m) {
    if (--m->steps > 0) return;
    m->steps = STEPS;
    clua_charge(m->L, STEPS);
}

static const char *class_end(matcher *m, const char *p) {
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing a class)");
    char c = *p++;
    if (c == '%') {
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (c != '[') return p;
    if (p < m->pattern_end && *p == '^') p++;
    // A ] in the first place is a character of the set.
    do {
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        step(m);
        if (*p++ == '%') {
            if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
            p++;
        }
    } while (p == m->pattern_end || *p != ']');
    return p + 1;
}

static int in_class(int c, int class) {
    int found;
    switch (tolower(class)) {
    case 'a': found = isalpha(c); break;
    case 'c': found = iscntrl(c); break;
    case 'd': found = isdigit(c); break;
    case 'g': found = isgraph(c); break;
    case 'l': found = islower(c); break;
    case 'p': found = ispunct(c); break;
    case 's': found = isspace(c); break;
    case 'u': found = isupper(c); break;
    case 'w': found = isalnum(c); break;
    case 'x': found = isxdigit(c); break;
    default: return class == c;
    }
    return isupper(class) ? !found : found != 0;
}

// p: the [, last: the ].
static int in_set(matcher *m, int c, const char *p, const char *last) {
    int wanted = 1;
    if (*++p == '^') {
        wanted = 0;
        p++;
    }
    for (; p < last; p++) {
        step(m);
        if (*p == '%') {
            p++;
            if (in_class(c, (unsigned char)*p)) return wanted;
        } else if (p + 2 < last && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return wanted;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return wanted;
        }
    }
    return !wanted;
}

static int single(matcher *m, const char *s, const char *p, const char *after) {
    step(m);
    if (s >= m->end) return 0;
    int c = (unsigned char)*s;
    switch (*p) {
    case '.': return 1;
    case '%': return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(m, c, p, after - 1);
    default: return (unsigned char)*p == c;
    }
}

static const char *balanced(matcher *m, const char *s, const char *p) {
    if (p + 1 >= m->pattern_end) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->end || *s != *p) return NULL;
    char opening = p[0], closing = p[1];
    for (int level = 1; ++s < m->end;) {
        step(m);
        if (*s == closing) {
            if (--level == 0) return s + 1;
        } else if (*s == opening) {
            level++;
        }
    }
    return NULL;
}

static const char *longest(matcher *m, const char *s, const char *p, const char *after) {
    ptrdiff_t count = 0;
    while (single(m, s + count, p, after)) count++;
    for (; count >= 0; count--) {
        const char *end = match_here(m, s + count, after + 1);
        if (end) return end;
    }
    return NULL;
}
static const char *shortest(matcher *m, const char *s, const char *p, const char *after) {
    for (;;) {
        const char *end = match_here(m, s, after + 1);
        if (end) return end;
        if (!single(m, s, p, after)) return NULL;
        s++;
    }
}

static const char *begin_capture(matcher *m, const char *s, const char *p, ptrdiff_t kind) {
    if (m->captures >= MAX_CAPTURES) luaL_error(m->L, "too many captures");
    m->capture[m->captures].start = s;
    m->capture[m->captures].length = kind;
    m->captures++;
    const char *end = match_here(m, s, p);
    if (!end) m->captures--;
    return end;
}
static const char *end_capture(matcher *m, const char *s, const char *p) {
    int level = m->captures - 1;
    while (level >= 0 && m->capture[level].length != OPEN_CAPTURE) level--;
    if (level < 0) luaL_error(m->L, "invalid pattern capture");
    m->capture[level].length = s - m->capture[level].start;
    const char *end = match_here(m, s, p);
    if (!end) m->capture[level].length = OPEN_CAPTURE;
    return end;
}
static const char *back_reference(matcher *m, const char *s, int digit) {
    int level = digit - '1';
    if (level < 0 || level >= m->captures || m->capture[level].length < 0)
        luaL_error(m->L, "invalid capture index %%%d", level + 1);
    size_t length = (size_t)m->capture[level].length;
    clua_charge(m->L, (int64_t)(length / 16) + 1);
    if ((size_t)(m->end - s) < length || memcmp(m->capture[level].start, s, length) != 0) return NULL;
    return s + length;
}
static int at_frontier(matcher *m, const char *s, const char *p, const char *after) {
    int previous = s == m->subject ? 0 : (unsigned char)s[-1];
    int current = s < m->end ? (unsigned char)*s : 0;
    return !in_set(m, previous, p, after - 1) && in_set(m, current, p, after - 1);
}

// Where a match that begins at s ends, or NULL.
static const char *match_here(matcher *m, const char *s, const char *p) {
    if (++m->depth > MAX_DEPTH) luaL_error(m->L, "pattern too complex");
    const char *end = NULL;
    for (;;) {
        step(m);
        if (p == m->pattern_end) {
            end = s;
            break;
        }
        if (*p == '(') {
            int position = p + 1 < m->pattern_end && p[1] == ')';
            end = begin_capture(m, s, p + 1 + position, position ? POSITION_CAPTURE : OPEN_CAPTURE);
            break;
        }
        if (*p == ')') {
            end = end_capture(m, s, p + 1);
            break;
        }
        if (*p == '$' && p + 1 == m->pattern_end) {
            end = s == m->end ? s : NULL;
            break;
        }
        if (*p == '%' && p + 1 < m->pattern_end) {
            if (p[1] == 'b') {
                s = balanced(m, s, p + 2);
                if (!s) break;
                p += 4;
                continue;
            }
            if (p[1] == 'f') {
                p += 2;
                if (p >= m->pattern_end || *p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
                const char *after = class_end(m, p);
                if (!at_frontier(m, s, p, after)) break;
                p = after;
                continue;
            }
            if (isdigit((unsigned char)p[1])) {
                s = back_reference(m, s, (unsigned char)p[1]);
                if (!s) break;
                p += 2;
                continue;
            }
        }
        const char *after = class_end(m, p);
        char repeat = after < m->pattern_end ? *after : 0;
        if (repeat == '*') {
            end = longest(m, s, p, after);
            break;
        }
        if (repeat == '+') {
            end = single(m, s, p, after) ? longest(m, s + 1, p, after) : NULL;
            break;
        }
        if (repeat == '-') {
            end = shortest(m, s, p, after);
            break;
        }
        if (repeat == '?') {
            if (single(m, s, p, after) && (end = match_here(m, s + 1, after + 1))) break;
            p = after + 1;
            continue;
        }
        if (!single(m, s, p, after)) break;
        s++;
        p = after;
    }
    m->depth--;
    return end;
}

static void begin(matcher *m, lua_State *L, const char *subject, size_t length, const char *pattern, size_t size) {
    m->L = L;
    m->subject = subject;
    m->end = subject + length;
    m->pattern_end = pattern + size;
    m->steps = STEPS;
    m->depth = m->captures = 0;
}
static const char *match_at(matcher *m, const char *s, const char *p) {
    m->depth = m->captures = 0;
    return match_here(m, s, p);
}

static void push_capture(matcher *m, int index, const char *s, const char *end) {
    if (index >= m->captures) {
        if (index != 0) luaL_error(m->L, "invalid capture index %%%d", index + 1);
        lua_pushlstring(m->L, s, (size_t)(end - s));
        return;
    }
    ptrdiff_t length = m->capture[index].length;
    if (length == POSITION_CAPTURE) lua_pushinteger(m->L, m->capture[index].start - m->subject + 1);
    else if (length < 0) luaL_error(m->L, "unfinished capture");
    else lua_pushlstring(m->L, m->capture[index].start, (size_t)length);
}
// All captures, or the whole match where there are none and s is known.
static int push_captures(matcher *m, const char *s, const char *end) {
    int count = m->captures == 0 && s ? 1 : m->captures;
    luaL_checkstack(m->L, count + 4, "too many captures");
    for (int i = 0; i < count; i++) push_capture(m, i, s, end);
    return count;
}

static size_t start_at(lua_State *L, int index, size_t length) {
    lua_Integer start;
    if (lua_isnoneornil(L, index)) return 0;
    if (!clua_floor(L, index, &start)) start = luaL_checkinteger(L, index);
    if (start > 0) return (uint64_t)start - 1 > length ? length + 1 : (size_t)start - 1;
    if (start == 0 || start < -(lua_Integer)length) return 0;
    return length - (size_t)-start;
}

static int find_or_match(lua_State *L, int finds) {
    size_t length, size;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &size);
    size_t start = start_at(L, 3, length);
    if (start > length) {
        luaL_pushfail(L);
        return 1;
    }
    if (finds && (lua_toboolean(L, 4) || !memchr(pattern, 0, size))) {
        int plain = lua_toboolean(L, 4) || strpbrk(pattern, "^$*+?.([%-") == NULL;
        if (plain) {
            clua_charge(L, (int64_t)((length + size) / 64) + 1);
            const char *at = size == 0 ? subject + start : memmem(subject + start, length - start, pattern, size);
            if (!at) {
                luaL_pushfail(L);
                return 1;
            }
            lua_pushinteger(L, at - subject + 1);
            lua_pushinteger(L, at - subject + (lua_Integer)size);
            return 2;
        }
    }
    int anchored = size > 0 && *pattern == '^';
    matcher m;
    begin(&m, L, subject, length, pattern, size);
    const char *p = pattern + anchored;
    for (const char *s = subject + start;; s++) {
        const char *end = match_at(&m, s, p);
        if (end) {
            if (!finds) return push_captures(&m, s, end);
            lua_pushinteger(L, s - subject + 1);
            lua_pushinteger(L, end - subject);
            return push_captures(&m, NULL, NULL) + 2;
        }
        if (anchored || s >= m.end) break;
    }
    luaL_pushfail(L);
    return 1;
}
static int find(lua_State *L) { return find_or_match(L, 1); }
static int match(lua_State *L) { return find_or_match(L, 0); }

// Upvalues: subject, pattern, where to go on, the end of the last match (or 0).
static int next_match(lua_State *L) {
    size_t length, size;
    const char *subject = lua_tolstring(L, lua_upvalueindex(1), &length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &size);
    lua_Integer from = lua_tointegerx(L, lua_upvalueindex(3), NULL), last = lua_tointegerx(L, lua_upvalueindex(4), NULL);
    matcher m;
    begin(&m, L, subject, length, pattern, size);
    if ((size_t)from > length) return 0;
    for (const char *s = subject + from; s <= m.end; s++) {
        const char *end = match_at(&m, s, pattern);
        // Not an empty match where the last one ended.
        if (end && end - subject != last - 1) {
            lua_pushinteger(L, end - subject);
            lua_replace(L, lua_upvalueindex(3));
            lua_pushinteger(L, end - subject + 1);
            lua_replace(L, lua_upvalueindex(4));
            return push_captures(&m, s, end);
        }
    }
    lua_pushinteger(L, (lua_Integer)length + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}
static int gmatch(lua_State *L) {
    size_t length;
    luaL_checklstring(L, 1, &length);
    luaL_checkstring(L, 2);
    size_t start = start_at(L, 3, length);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)start);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

// Adds what replaces a match; 0 when the match stays as it is.
static int add_replacement(matcher *m, luaL_Buffer *buffer, const char *s, const char *end, int type) {
    lua_State *L = m->L;
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        int count = push_captures(m, s, end);
        clua_charge(L, 10);
        lua_call(L, count, 1);
    } else if (type == LUA_TTABLE) {
        push_capture(m, 0, s, end);
        lua_gettable(L, 3);
    } else {
        size_t length;
        const char *text = lua_tolstring(L, 3, &length), *last = text + length;
        clua_charge(L, (int64_t)(length / 8) + 1);
        while (text < last) {
            const char *percent = memchr(text, '%', (size_t)(last - text));
            if (!percent) {
                luaL_addlstring(buffer, text, (size_t)(last - text));
                break;
            }
            luaL_addlstring(buffer, text, (size_t)(percent - text));
            char c = percent + 1 < last ? percent[1] : 0;
            text = percent + 2;
            if (c == '%') {
                luaL_addchar(buffer, '%');
            } else if (c == '0') {
                luaL_addlstring(buffer, s, (size_t)(end - s));
            } else if (isdigit((unsigned char)c)) {
                push_capture(m, c - '1', s, end);
                luaL_tolstring(L, -1, NULL);
                lua_remove(L, -2);
                luaL_addvalue(buffer);
            } else {
                luaL_error(L, "invalid use of '%%' in replacement string");
            }
        }
        return 1;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(buffer, s, (size_t)(end - s));
        return 0;
    }
    if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(buffer);
    return 1;
}

static int gsub(lua_State *L) {
    size_t length, size;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &size);
    int type = lua_type(L, 3);
    luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                     "string/function/table");
    lua_Integer limit = (lua_Integer)length + 1, count = 0;
    if (!lua_isnoneornil(L, 4) && !clua_floor(L, 4, &limit)) limit = luaL_checkinteger(L, 4);
    lua_settop(L, 3);
    int anchored = size > 0 && *pattern == '^', changed = 0;
    const char *p = pattern + anchored, *last = NULL;
    matcher m;
    begin(&m, L, subject, length, pattern, size);
    clua_make_room(L, length * 2);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    const char *s = subject;
    while (count < limit) {
        const char *end = match_at(&m, s, p);
        if (end && end != last) {
            count++;
            changed |= add_replacement(&m, &buffer, s, end, type);
            s = last = end;
        } else if (s < m.end) {
            luaL_addchar(&buffer, *s++);
        } else {
            break;
        }
        if (anchored) break;
    }
    if (!changed) {
        lua_pushvalue(L, 1);
    } else {
        luaL_addlstring(&buffer, s, (size_t)(m.end - s));
        luaL_pushresult(&buffer);
    }
    lua_pushinteger(L, count);
    return 2;
}

void clua_open_patterns(lua_State *L) {
    lua_getglobal(L, "string");
    static const luaL_Reg functions[] = {
        {"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
