/* sqlite3: tables, indices, joins, text, floating point, transactions, JSON and recursion in a database in memory. */
#include <sqlite3.h>
#include <stdio.h>
static int row(void *unused, int n, char **values, char **names) {
    (void)unused, (void)names;
    for (int i = 0; i < n; i++) printf("%s%c", values[i] ? values[i] : "NULL", i + 1 < n ? '|' : '\n');
    return 0;
}
static sqlite3 *db;
static void run(const char *sql) {
    char *error = 0;
    if (sqlite3_exec(db, sql, row, 0, &error)) printf("error: %s in %s\n", error, sql);
    sqlite3_free(error);
}
int main(void) {
    sqlite3_open(":memory:", &db);
    run("create table t(id integer primary key, a int, b real, c text);"
        "with recursive n(i) as (select 1 union all select i+1 from n where i<20000)"
        " insert into t select i, i*7919%1000, i*1.37/(i%13+1), 'row '||(i*31%977) from n;");
    run("select count(*), sum(a), total(b), min(c), max(c) from t;");
    run("create index ta on t(a); create index tc on t(c, b desc); analyze;");
    run("select a, count(*), avg(b), group_concat(c) from t where a<5 group by a order by 2, a;");
    run("select x.id, y.id from t x join t y on x.a=y.a and x.id<y.id where x.id<40 order by 1, 2 limit 25;");
    run("select c, sum(b) over (order by id rows 3 preceding) from t where id between 100 and 110;");
    run("begin; delete from t where id%3=0; update t set c=upper(c), b=b*b where id%2; rollback; select count(*) from t;");
    run("select printf('%.15g %e %s %x', 1e100/3, -2.5e-10, 'x', 255), 9223372036854775807+1, 7/2, 7/2.0, -7%3;");
    run("select round(2.5), round(-2.567,2), abs(-3), length('größe'), hex('größe'), substr('hello',2,3);");
    run("select cast('1.5e308' as real)*10, cast(1e19 as int), 0.1+0.2, 1e-320, 123456789012345678*10;");
    run("select json_extract('{\"a\":[1,2.5,{\"b\":null}]}', '$.a[1]'), json_array(1,'x',null);");
    run("with recursive f(a,b) as (values(0,1) union all select b,a+b from f limit 90) select max(a) from f;");
    run("select name, datetime(1e9+id*86400,'unixepoch') from (select id, c name from t limit 3);");
    run("select a, b from t order by b desc limit 7; pragma integrity_check;");
    sqlite3_close(db);
    return 0;
}
