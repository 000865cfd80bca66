/* SQLite in memory: inserts, an index, joins and sorts. */
#include <sqlite3.h>
#include <stdio.h>
static int show(void *u, int n, char **v, char **names) {
    (void)u, (void)names;
    for (int i = 0; i < n; i++) printf("%s ", v[i] ? v[i] : "null");
    puts("");
    return 0;
}
int main(void) {
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db)) return 1;
    return sqlite3_exec(
        db,
        "create table t(id integer primary key, name text, v real);"
        "with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)"
        "insert into t select x, 'n' || (x * 7919 % 1009), x * 0.5 from c;"
        "create index i on t(name);"
        "select count(*), sum(a.v) from t a join t b on a.name = b.name where b.id < 500;"
        "select name, count(*), avg(v) from t group by name order by 3 desc limit 3;"
        "update t set v = v + length(name) where id % 3 = 0; select sum(v), max(name) from t;"
        "select count(*) from t where name like '%9_';",
        show, 0, 0) != 0;
}
