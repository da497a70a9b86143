#pragma once
#if __has_include(<lua.h>)
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#else
#error "lua.h is missing. Install it with: sudo apt install liblua5.4-dev"
#endif
