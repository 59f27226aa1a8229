//! The language, statement by statement.

use crate::{Lab, error, rows, run};

#[test]
fn expressions_and_types() {
    let lab = Lab::new();
    let mut s = lab.session();
    assert_eq!(rows(&mut s, "SELECT 1 + 1, 'a' + 'b', 7 / 2, 7.0 / 2, N'x'"), ["2|ab|3|3.500000|x"]);
    assert_eq!(rows(&mut s, "DECLARE @x int = 5 SET @x += 2 SELECT @x"), ["7"]);
    assert_eq!(
        rows(
            &mut s,
            "SELECT CAST(1.005 AS decimal(10,2)), CAST('2020-02-29' AS date), CAST(1 AS bit), CAST(0x1F AS int)"
        ),
        ["1.01|2020-02-29|1|31"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT CAST('2024-01-01 12:34:56.789' AS datetime), CAST('10:11:12.1234567' AS time(3))"
        ),
        ["Jan  1 2024 12:34PM|10:11:12.123"]
    );
    assert_eq!(rows(&mut s, "SELECT CASE WHEN 'abc  ' = 'ABC' THEN 'equal' ELSE 'not' END"), ["equal"]);
    assert_eq!(
        rows(
            &mut s,
            "SELECT CASE WHEN 'abc' = 'ABC' COLLATE Latin1_General_BIN2 THEN 'equal' ELSE 'not' END"
        ),
        ["not"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT LEN('abc  '), DATALENGTH(N'abc'), UPPER('x'), SUBSTRING('hello', 2, 3), CHARINDEX('l', 'hello'), REPLACE('aXb','x','-'), STUFF('abcdef', 2, 3, 'z')"
        ),
        ["3|6|X|ell|3|a-b|azef"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT DATEADD(day, 1, CAST('2024-02-28' AS date)), DATEDIFF(month, '2024-01-31', '2024-02-01'), YEAR('2024-05-06'), DATEPART(weekday, '2024-11-24'), EOMONTH('2024-02-01')"
        ),
        ["2024-02-29|1|2024|1|2024-02-29"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT ISNULL(NULL, 'x'), COALESCE(NULL, NULL, 3), NULLIF(1, 1), IIF(1 < 2, 'y', 'n'), CHOOSE(2, 'a', 'b')"
        ),
        ["x|3|NULL|y|b"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT TRY_CAST('x' AS int), TRY_CONVERT(date, '2024-13-01'), CONVERT(varchar(10), CAST('2024-03-04' AS date), 103)"
        ),
        ["NULL|NULL|04/03/2024"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT JSON_VALUE('{\"a\":{\"b\":[1,2]}}', '$.a.b[1]'), ROUND(123.456, 1), ABS(-3), FLOOR(-1.5), POWER(2, 10), SQRT(16), SIGN(-4)"
        ),
        ["2|123.500|3|-2|1024|4|-1"]
    );
    assert_eq!(rows(&mut s, "SELECT 10 % 3, -7 / 2, 5 & 3, 5 | 2, 5 ^ 1, ~0"), ["1|-3|1|7|4|-1"]);
    assert_eq!(
        rows(&mut s, "SELECT CAST(12345678901234567890.123456789 AS numeric(38,9)) * 2"),
        ["24691357802469135780.2469136"]
    );
    assert_eq!(
        rows(&mut s, "SELECT CAST(19.99 AS money) * 3, $1.5 + 1, CAST(1 AS float) / 3, CAST(0.1 AS real)"),
        ["59.97|2.50|0.333333|0.1"]
    );
    assert_eq!(error(&mut s, "SELECT 1/0"), 8134);
    assert_eq!(error(&mut s, "SELECT nope"), 207);
    assert_eq!(error(&mut s, "SELECT * FROM nope"), 208);
    assert_eq!(error(&mut s, "SELECT CAST('x' AS int)"), 245);
    assert_eq!(error(&mut s, "SELECT CAST('not a date' AS datetime)"), 241);
    assert_eq!(error(&mut s, "SELECT CAST(300 AS tinyint)"), 220);
    assert_eq!(error(&mut s, "SELECT 2147483647 + 1"), 8115);
    assert_eq!(error(&mut s, "SELECT (1"), 102);
    assert_eq!(error(&mut s, "SELECT @nope"), 137);
    assert_eq!(error(&mut s, "SELECT dbo.nope(1)"), 4121);
}

#[test]
fn tables_and_constraints() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(
        &mut s,
        "CREATE TABLE p (id int IDENTITY(1,1) PRIMARY KEY, name nvarchar(10) NOT NULL UNIQUE, qty int DEFAULT 7 CHECK (qty > 0), total AS qty * 2)",
    );
    rows(
        &mut s,
        "CREATE TABLE c (id int NOT NULL PRIMARY KEY, pid int NULL CONSTRAINT fk_c REFERENCES p(id) ON DELETE CASCADE, v varchar(5))",
    );
    assert_eq!(
        rows(&mut s, "INSERT INTO p (name) OUTPUT inserted.id, inserted.qty VALUES (N'a'), (N'b')"),
        ["1|7", "2|7"]
    );
    assert_eq!(rows(&mut s, "SELECT SCOPE_IDENTITY(), @@IDENTITY, @@ROWCOUNT"), ["2|2|2"]);
    assert_eq!(rows(&mut s, "SELECT id, name, qty, total FROM p ORDER BY id"), ["1|a|7|14", "2|b|7|14"]);
    assert_eq!(error(&mut s, "INSERT INTO p (name) VALUES (N'A')"), 2627);
    assert_eq!(error(&mut s, "INSERT INTO p (name) VALUES (NULL)"), 515);
    assert_eq!(error(&mut s, "INSERT INTO p (name, qty) VALUES ('x', 0)"), 547);
    assert_eq!(error(&mut s, "INSERT INTO p (name) VALUES ('12345678901')"), 2628);
    assert_eq!(error(&mut s, "INSERT INTO p (id, name) VALUES (9, 'x')"), 544);
    assert_eq!(error(&mut s, "INSERT INTO c VALUES (1, 99, 'x')"), 547);
    assert_eq!(error(&mut s, "INSERT INTO c VALUES (1)"), 213);
    rows(&mut s, "INSERT INTO c VALUES (1, 1, 'x'), (2, 2, 'y')");
    rows(&mut s, "DELETE FROM p WHERE id = 1");
    assert_eq!(rows(&mut s, "SELECT id FROM c"), ["2"]);
    assert_eq!(
        rows(
            &mut s,
            "UPDATE p SET qty += 1, name = name + 'z' OUTPUT deleted.qty, inserted.name WHERE id = 2"
        ),
        ["7|bz"]
    );
    assert_eq!(rows(&mut s, "UPDATE c SET v = p.name FROM c JOIN p ON p.id = c.pid SELECT v FROM c"), ["bz"]);
    rows(&mut s, "CREATE UNIQUE INDEX ix ON c (v) INCLUDE (pid) WHERE v IS NOT NULL");
    assert_eq!(error(&mut s, "INSERT INTO c VALUES (3, 2, 'bz')"), 2601);
    rows(&mut s, "ALTER TABLE c ADD w int NOT NULL CONSTRAINT df_w DEFAULT 5, z datetime2(3) NULL");
    assert_eq!(rows(&mut s, "SELECT w, z FROM c"), ["5|NULL"]);
    assert_eq!(error(&mut s, "ALTER TABLE c ADD bad int NOT NULL"), 4901);
    rows(&mut s, "ALTER TABLE c ALTER COLUMN z varchar(30) NULL");
    rows(&mut s, "ALTER TABLE c DROP CONSTRAINT df_w");
    rows(&mut s, "ALTER TABLE c DROP COLUMN w");
    assert_eq!(error(&mut s, "ALTER TABLE c ADD CONSTRAINT ck CHECK (id > 5)"), 547);
    rows(&mut s, "ALTER TABLE c WITH NOCHECK ADD CONSTRAINT ck CHECK (id > 5)");
    assert_eq!(error(&mut s, "INSERT INTO c VALUES (4, NULL, 'q', NULL)"), 547);
    rows(&mut s, "ALTER TABLE c NOCHECK CONSTRAINT ALL");
    rows(&mut s, "INSERT INTO c VALUES (4, NULL, 'q', NULL)");
    assert_eq!(error(&mut s, "DROP TABLE p"), 3726);
    assert_eq!(error(&mut s, "CREATE TABLE p (x int)"), 2714);
    assert_eq!(error(&mut s, "TRUNCATE TABLE p"), 4712);
    rows(&mut s, "DROP TABLE c DROP TABLE p DROP TABLE IF EXISTS p");
    assert_eq!(error(&mut s, "DROP TABLE p"), 3701);
    rows(&mut s, "CREATE TABLE i (a int IDENTITY(10,5), b int)");
    rows(
        &mut s,
        "SET IDENTITY_INSERT i ON INSERT INTO i (a, b) VALUES (100, 1) SET IDENTITY_INSERT i OFF INSERT INTO i (b) VALUES (2)",
    );
    assert_eq!(rows(&mut s, "SELECT a FROM i ORDER BY a"), ["100", "105"]);
    rows(&mut s, "SELECT * INTO j FROM i");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM j"), ["2"]);
    rows(&mut s, "CREATE TABLE rv (id int PRIMARY KEY, r rowversion) INSERT INTO rv (id) VALUES (1)");
    rows(
        &mut s,
        "DECLARE @r binary(8) = (SELECT r FROM rv) UPDATE rv SET id = 2 IF (SELECT r FROM rv) = @r RAISERROR('same', 16, 1)",
    );
    rows(
        &mut s,
        "CREATE TABLE pk2 (a int PRIMARY KEY, b int) INSERT INTO pk2 VALUES (1, 1), (2, 2) UPDATE pk2 SET a = 3 - a",
    );
    assert_eq!(rows(&mut s, "SELECT a, b FROM pk2 ORDER BY a"), ["1|2", "2|1"]);
}

#[test]
fn queries() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(
        &mut s,
        "CREATE TABLE #t (g int, v int) INSERT INTO #t VALUES (1, 10), (1, 20), (2, 5), (2, NULL), (3, 20)",
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT g, COUNT(*), COUNT(v), SUM(v), AVG(v), MIN(v), MAX(v) FROM #t GROUP BY g HAVING COUNT(*) > 1 ORDER BY g"
        ),
        ["1|2|2|30|15|10|20", "2|2|1|5|5|5|5"]
    );
    assert_eq!(rows(&mut s, "SELECT TOP 1 WITH TIES v FROM #t ORDER BY v DESC"), ["20", "20"]);
    assert_eq!(rows(&mut s, "SELECT TOP 50 PERCENT v FROM #t WHERE v IS NOT NULL ORDER BY v"), ["5", "10"]);
    assert_eq!(rows(&mut s, "SELECT v FROM #t ORDER BY v OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY"), ["5", "10"]);
    assert_eq!(
        rows(
            &mut s,
            "SELECT g, ROW_NUMBER() OVER (PARTITION BY g ORDER BY v), SUM(v) OVER (PARTITION BY g) FROM #t WHERE g = 1 ORDER BY 2"
        ),
        ["1|1|30", "1|2|30"]
    );
    assert_eq!(
        rows(
            &mut s,
            "WITH n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT SUM(x) FROM n"
        ),
        ["15"]
    );
    assert_eq!(
        error(&mut s, "WITH n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT SUM(x) FROM n"),
        530
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT a.g, b.m FROM (SELECT DISTINCT g FROM #t) a CROSS APPLY (SELECT MAX(v) AS m FROM #t WHERE g = a.g) b ORDER BY a.g"
        ),
        ["1|20", "2|5", "3|20"]
    );
    assert_eq!(
        rows(&mut s, "SELECT g FROM #t WHERE v = ANY (SELECT v FROM #t WHERE g = 3) ORDER BY g"),
        ["1", "3"]
    );
    assert_eq!(rows(&mut s, "SELECT 1 UNION SELECT 1 UNION ALL SELECT 2"), ["1", "2"]);
    assert_eq!(rows(&mut s, "SELECT v FROM #t INTERSECT SELECT 20"), ["20"]);
    assert_eq!(rows(&mut s, "SELECT g FROM #t EXCEPT SELECT 1 ORDER BY g"), ["2", "3"]);
    assert_eq!(
        rows(&mut s, "SELECT a.g FROM #t a WHERE a.g > 2 UNION SELECT 1 ORDER BY a.g DESC"),
        ["3", "1"]
    );
    assert_eq!(rows(&mut s, "SET ROWCOUNT 2 SELECT v FROM #t WHERE v IS NOT NULL SET ROWCOUNT 0").len(), 2);
    assert_eq!(
        rows(
            &mut s,
            "SELECT STRING_AGG(CAST(v AS varchar(10)), ',') WITHIN GROUP (ORDER BY v DESC) FROM #t WHERE g = 1"
        ),
        ["20,10"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT x.a FROM (VALUES (1), (2)) AS x(a) WHERE EXISTS (SELECT * FROM #t WHERE g = x.a) AND x.a NOT IN (2)"
        ),
        ["1"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT l.g, r.v FROM #t l LEFT JOIN #t r ON r.g = l.g + 1 AND r.v > 10 WHERE l.g = 2 AND l.v = 5"
        ),
        ["2|20"]
    );
    assert_eq!(error(&mut s, "SELECT g, v FROM #t GROUP BY g"), 8120);
    assert_eq!(error(&mut s, "SELECT (SELECT g FROM #t)"), 512);
    assert_eq!(
        rows(
            &mut s,
            "SELECT LAG(v) OVER (ORDER BY v), NTILE(2) OVER (ORDER BY v), RANK() OVER (ORDER BY v), DENSE_RANK() OVER (ORDER BY v) FROM #t WHERE v = 20"
        ),
        ["NULL|1|1|1", "20|2|1|1"]
    );
}

#[test]
fn control_flow_and_errors() {
    let lab = Lab::new();
    let mut s = lab.session();
    assert_eq!(
        rows(
            &mut s,
            "DECLARE @i int = 0, @s varchar(20) = '' WHILE @i < 10 BEGIN SET @i += 1 IF @i = 3 CONTINUE IF @i = 6 BREAK SET @s += CAST(@i AS varchar(2)) END SELECT @s"
        ),
        ["1245"]
    );
    assert_eq!(
        rows(
            &mut s,
            "BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_SEVERITY(), ERROR_LINE(), ERROR_MESSAGE() END CATCH"
        ),
        ["8134|16|1|Divide by zero error encountered."]
    );
    assert_eq!(
        error(&mut s, "BEGIN TRY RAISERROR('bad %d', 16, 2, 5) END TRY BEGIN CATCH THROW END CATCH"),
        50000
    );
    assert_eq!(error(&mut s, "THROW 51000, 'mine', 3"), 51000);
    let a = run(&mut s, "SELECT 1/0 SELECT 2");
    assert_eq!(
        (a.errors.len(), a.last_rows()),
        (1, vec!["2".to_owned()]),
        "a divide by zero ends its statement"
    );
    let a = run(&mut s, "PRINT 'hello' SELECT * FROM missing SELECT 2");
    assert_eq!((a.errors[0].number, a.infos[0].message.as_str()), (208, "hello"));
    assert!(a.sets.is_empty(), "an unknown table ends the batch");
    assert_eq!(rows(&mut s, "SET PARSEONLY ON"), Vec::<String>::new());
    assert_eq!(rows(&mut s, "SELECT * FROM missing"), Vec::<String>::new());
    assert_eq!(error(&mut s, "SELECT (1"), 102);
    rows(&mut s, "SET PARSEONLY OFF");
    rows(&mut s, "SET NOEXEC ON");
    assert!(run(&mut s, "SELECT 1").sets.is_empty());
    rows(&mut s, "SET NOEXEC OFF");
    assert_eq!(rows(&mut s, "GOTO done SELECT 1; done: SELECT 2"), ["2"]);
    assert_eq!(error(&mut s, "MERGE t AS t USING u ON t.a = u.a WHEN MATCHED THEN DELETE;"), 40510);
    assert_eq!(error(&mut s, "CREATE TRIGGER t ON x AFTER INSERT AS SELECT 1"), 40510);
}

#[test]
fn transactions() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE TABLE t (a int PRIMARY KEY)");
    rows(
        &mut s,
        "BEGIN TRAN INSERT INTO t VALUES (1) SAVE TRAN x INSERT INTO t VALUES (2) ROLLBACK TRAN x COMMIT",
    );
    assert_eq!(rows(&mut s, "SELECT a FROM t"), ["1"]);
    rows(&mut s, "BEGIN TRAN BEGIN TRAN INSERT INTO t VALUES (3) COMMIT ROLLBACK");
    assert_eq!(rows(&mut s, "SELECT COUNT(*), @@TRANCOUNT FROM t"), ["1|0"]);
    assert_eq!(error(&mut s, "COMMIT"), 3902);
    assert_eq!(error(&mut s, "ROLLBACK"), 3903);
    let a = run(&mut s, "BEGIN TRAN INSERT INTO t VALUES (5) INSERT INTO t VALUES (5) COMMIT");
    assert_eq!(a.errors[0].number, 2627);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM t WHERE a = 5"), ["1"], "only the statement is undone");
    run(&mut s, "SET XACT_ABORT ON BEGIN TRAN INSERT INTO t VALUES (6) INSERT INTO t VALUES (6) COMMIT");
    assert_eq!(rows(&mut s, "SET XACT_ABORT OFF SELECT COUNT(*), @@TRANCOUNT FROM t WHERE a = 6"), ["0|0"]);
    rows(&mut s, "SET IMPLICIT_TRANSACTIONS ON");
    rows(&mut s, "INSERT INTO t VALUES (7)");
    assert_eq!(rows(&mut s, "SELECT @@TRANCOUNT"), ["1"]);
    rows(&mut s, "ROLLBACK SET IMPLICIT_TRANSACTIONS OFF");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM t WHERE a = 7"), ["0"]);
    rows(&mut s, "BEGIN TRAN CREATE TABLE u (x int) INSERT INTO u VALUES (1) ROLLBACK");
    assert_eq!(error(&mut s, "SELECT * FROM u"), 208);
    // Another session: reads beside the writer see what was committed; writers wait.
    let mut other = lab.session();
    rows(&mut other, "USE d");
    rows(&mut s, "BEGIN TRAN DELETE FROM t WHERE a = 1");
    assert_eq!(rows(&mut other, "SELECT COUNT(*) FROM t WHERE a = 1"), ["1"]);
    assert_eq!(error(&mut other, "SET LOCK_TIMEOUT 50 INSERT INTO t VALUES (100)"), 1222);
    rows(&mut s, "COMMIT");
    assert_eq!(rows(&mut other, "SELECT COUNT(*) FROM t WHERE a = 1"), ["0"]);
    // Snapshot.
    rows(&mut other, "USE master");
    rows(&mut s, "ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON");
    rows(&mut other, "USE d SET TRANSACTION ISOLATION LEVEL SNAPSHOT BEGIN TRAN");
    assert_eq!(rows(&mut other, "SELECT COUNT(*) FROM t"), ["1"]);
    rows(&mut s, "INSERT INTO t VALUES (50)");
    assert_eq!(rows(&mut other, "SELECT COUNT(*) FROM t"), ["1"]);
    assert_eq!(error(&mut other, "INSERT INTO t VALUES (51)"), 3960);
}

#[test]
fn modules() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE TABLE t (a int, b nvarchar(20)) INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    rows(&mut s, "CREATE VIEW v AS SELECT a * 10 AS ten, b FROM t");
    assert_eq!(rows(&mut s, "SELECT ten FROM v WHERE b = 'two'"), ["20"]);
    rows(
        &mut s,
        "CREATE PROCEDURE p @x int, @y int = 5, @z int OUTPUT AS BEGIN SELECT @x + @y SET @z = @x * @y RETURN 3 END",
    );
    let a = run(&mut s, "DECLARE @o int, @r int EXEC @r = p 2, @z = @o OUTPUT SELECT @o, @r");
    assert_eq!(a.last_rows(), ["10|3"], "{:?}", a.errors);
    assert_eq!(error(&mut s, "EXEC p"), 201);
    assert_eq!(error(&mut s, "EXEC p 1, 2, 3, 4"), 8144);
    assert_eq!(error(&mut s, "EXEC nope"), 2812);
    rows(&mut s, "CREATE FUNCTION f (@x int) RETURNS int AS BEGIN RETURN @x * 2 END");
    assert_eq!(rows(&mut s, "SELECT dbo.f(a) FROM t ORDER BY a"), ["2", "4"]);
    rows(&mut s, "CREATE FUNCTION g (@m int) RETURNS TABLE AS RETURN (SELECT a, b FROM t WHERE a >= @m)");
    assert_eq!(rows(&mut s, "SELECT b FROM dbo.g(2)"), ["two"]);
    rows(&mut s, "ALTER VIEW v AS SELECT a FROM t");
    assert_eq!(rows(&mut s, "SELECT * FROM v ORDER BY a"), ["1", "2"]);
    assert_eq!(
        rows(&mut s, "EXEC sp_executesql N'SELECT @a + @b', N'@a int, @b int', @a = 1, @b = 2"),
        ["3"]
    );
    assert_eq!(rows(&mut s, "EXEC ('SELECT ' + '5')"), ["5"]);
    rows(&mut s, "CREATE TABLE r (a int) INSERT INTO r EXEC ('SELECT a FROM t')");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM r"), ["2"]);
    rows(
        &mut s,
        "DECLARE @t TABLE (x int PRIMARY KEY, y int DEFAULT 4) INSERT INTO @t (x) VALUES (1), (2) DELETE FROM @t WHERE x = 1 IF (SELECT SUM(x + y) FROM @t) <> 6 RAISERROR('wrong', 16, 1)",
    );
    rows(
        &mut s,
        "CREATE PROCEDURE rec @n int AS IF @n > 0 BEGIN SET @n -= 1 EXEC rec @n END ELSE SELECT @@NESTLEVEL",
    );
    assert_eq!(rows(&mut s, "EXEC rec 5"), ["6"]);
    assert_eq!(error(&mut s, "EXEC rec 50"), 217);
    rows(
        &mut s,
        "CREATE PROCEDURE tmp AS CREATE TABLE #x (a int) INSERT INTO #x VALUES (1) SELECT a FROM #x",
    );
    assert_eq!(rows(&mut s, "EXEC tmp"), ["1"]);
    assert_eq!(error(&mut s, "SELECT * FROM #x"), 208);
}

#[test]
fn the_catalog_tells_what_is_there() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE SCHEMA app");
    rows(
        &mut s,
        "CREATE TABLE app.parent (id int NOT NULL CONSTRAINT pk_parent PRIMARY KEY, name nvarchar(50))",
    );
    rows(
        &mut s,
        "CREATE TABLE app.child (id int IDENTITY PRIMARY KEY, pid int CONSTRAINT fk REFERENCES app.parent(id), amount decimal(10,2) CONSTRAINT df DEFAULT 1.5)",
    );
    rows(&mut s, "CREATE PROCEDURE app.pr @a int AS SELECT @a");
    assert_eq!(
        rows(
            &mut s,
            "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES ORDER BY TABLE_NAME"
        ),
        ["app|child|BASE TABLE", "app|parent|BASE TABLE"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'child' ORDER BY ORDINAL_POSITION"
        ),
        ["id|int|NO", "pid|int|YES", "amount|decimal|YES"]
    );
    assert_eq!(
        rows(&mut s, "SELECT OBJECT_NAME(parent_object_id), name FROM sys.foreign_keys"),
        ["child|fk"]
    );
    assert_eq!(rows(&mut s, "SELECT name FROM sys.databases WHERE database_id > 4"), ["d"]);
    assert_eq!(
        rows(
            &mut s,
            "SELECT DATABASEPROPERTYEX('d', 'Recovery'), SERVERPROPERTY('ProductMajorVersion'), DB_NAME(), OBJECT_ID('app.parent') - OBJECT_ID('d.app.parent')"
        ),
        ["FULL|16|d|0"]
    );
    assert_eq!(rows(&mut s, "EXEC sp_tables @table_owner = 'app'").len(), 2);
    assert_eq!(rows(&mut s, "EXEC sp_columns 'child'").len(), 3);
    assert_eq!(rows(&mut s, "EXEC sp_pkeys 'parent'").len(), 1);
    assert_eq!(rows(&mut s, "EXEC sp_fkeys @pktable_name = 'parent'").len(), 1);
    assert_eq!(rows(&mut s, "EXEC sp_statistics 'child'").len(), 1);
    assert_eq!(rows(&mut s, "EXEC sp_helptext 'app.pr'"), ["CREATE PROCEDURE app.pr @a int AS SELECT @a"]);
    assert_eq!(
        rows(&mut s, "EXEC sp_describe_first_result_set N'SELECT id, amount FROM app.child'").len(),
        2
    );
    for each in [
        "EXEC sp_help 'app.child'",
        "EXEC sp_helpdb",
        "EXEC sp_who",
        "EXEC sp_server_info",
        "EXEC sp_datatype_info",
        "EXEC sp_databases",
        "EXEC sp_stored_procedures",
        "EXEC sp_sproc_columns 'pr'",
        "EXEC sp_special_columns 'parent'",
        "EXEC sp_helpuser",
        "EXEC sp_configure",
        "SELECT * FROM sys.dm_exec_requests",
        "SELECT * FROM sys.dm_exec_connections",
        "SELECT * FROM sys.dm_tran_locks",
        "SELECT * FROM sys.indexes",
        "SELECT * FROM sys.types",
        "DBCC CHECKDB",
    ] {
        let errors = run(&mut s, each).errors;
        assert!(errors.is_empty(), "{each}: {errors:?}");
    }
    rows(&mut s, "EXEC sp_rename 'app.child.amount', 'total', 'COLUMN'");
    rows(&mut s, "EXEC sp_rename 'app.child', 'kid'");
    assert_eq!(rows(&mut s, "SELECT total FROM app.kid"), Vec::<String>::new());
    rows(&mut s, "CREATE LOGIN bob WITH PASSWORD = 'Bob#Pass123', DEFAULT_DATABASE = d");
    rows(&mut s, "CREATE USER bob FOR LOGIN bob ALTER ROLE db_datareader ADD MEMBER bob");
    assert_eq!(error(&mut s, "CREATE LOGIN bob WITH PASSWORD = 'Bob#Pass123'"), 15025);
    assert_eq!(error(&mut s, "CREATE LOGIN weak WITH PASSWORD = 'x'"), 15118);
    assert_eq!(error(&mut s, "DROP DATABASE d"), 3702);
    rows(&mut s, "USE master DROP DATABASE d");
    assert_eq!(error(&mut s, "USE d"), 911);
}
