/* Lua's interpreter on strings, tables and closures. */
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>
#include <stdio.h>
static const char script[] =
    "local function sieve(n) local t, c = {}, 0 for i = 2, n do t[i] = true end\n"
    " for i = 2, n do if t[i] then c = c + 1 for j = i * i, n, i do t[j] = false end end end return c end\n"
    "local words, count = {}, {}\n"
    "for i = 1, 20000 do words[i] = string.format('%d', i * 7919 % 1009) end\n"
    "for _, w in ipairs(words) do count[w] = (count[w] or 0) + 1 end\n"
    "local s = table.concat(words, ' ')\n"
    "local n = 0 for w in s:gmatch('%d+') do n = n + #w end\n"
    "local Point = {} Point.__index = Point\n"
    "function Point.new(x, y) return setmetatable({x = x, y = y}, Point) end\n"
    "function Point:add(o) return Point.new(self.x + o.x, self.y + o.y) end\n"
    "local p = Point.new(0, 0) for i = 1, 100000 do p = p:add(Point.new(i, 0.5)) end\n"
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "return string.format('%d %d %d %g %g %d', sieve(200000), #s, n, p.x, p.y, fib(24))";
int main(void) {
    lua_State *l = luaL_newstate();
    luaL_openlibs(l);
    if (luaL_dostring(l, script)) return 1;
    puts(lua_tostring(l, -1));
    return 0;
}
