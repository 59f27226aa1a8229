//! Definitions: what may be defined, what SQL Server refuses, and with which errors.

use crate::{Lab, error, rows, run};

/// A session in a database of its own.
fn session() -> (Lab, lab_engine::Session) {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    (lab, s)
}

/// The numbers of all errors of a batch.
fn errors(s: &mut lab_engine::Session, text: &str) -> Vec<i32> {
    run(s, text).errors.iter().map(|e| e.number).collect()
}

#[test]
fn constraints_are_refused_with_what_is_wrong_and_1750_behind() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "CREATE TABLE p (id int NOT NULL PRIMARY KEY, b int, name nvarchar(50) CONSTRAINT uq UNIQUE)",
    );
    for (text, number) in [
        ("CREATE TABLE t (a int NULL PRIMARY KEY)", 8111),
        ("CREATE TABLE t (a int NULL, CONSTRAINT k PRIMARY KEY (a))", 8111),
        ("CREATE TABLE t (a int PRIMARY KEY, b int, PRIMARY KEY (b))", 1779),
        ("CREATE TABLE t (a int REFERENCES nosuch (a))", 1767),
        ("CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (b) REFERENCES p (id))", 1769),
        ("CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (nope))", 1770),
        ("CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (b))", 1776),
        ("CREATE TABLE t (a bigint REFERENCES p (id))", 1778),
        ("CREATE TABLE t (a int, b int, CONSTRAINT f FOREIGN KEY (a, b) REFERENCES p (id))", 8139),
        ("CREATE TABLE t (a int DEFAULT 1 DEFAULT 2)", 1781),
        ("CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES t (id) ON DELETE CASCADE)", 1785),
        (
            "CREATE TABLE t (a int REFERENCES p ON DELETE CASCADE, b int REFERENCES p ON DELETE SET NULL)",
            1785,
        ),
        ("CREATE TABLE t (a int NOT NULL REFERENCES p ON DELETE SET NULL)", 1761),
        ("CREATE TABLE t (a int NOT NULL REFERENCES p ON DELETE SET DEFAULT)", 1762),
        ("CREATE TABLE t (a int REFERENCES master.dbo.x (a))", 1763),
        ("CREATE TABLE #t (a int REFERENCES p (id))", 1766),
        ("CREATE TABLE t (a int CHECK (a > b), b int)", 8141),
        ("CREATE TABLE t (a int CONSTRAINT uq UNIQUE)", 2714),
        ("CREATE TABLE t (a text PRIMARY KEY)", 1919),
        ("CREATE TABLE t (a int, PRIMARY KEY (a, a))", 1909),
        ("ALTER TABLE p ADD DEFAULT 1 FOR nope", 1752),
    ] {
        assert_eq!(errors(&mut s, text), [number, 1750], "{text}");
    }
    // A CATCH sees the last of them.
    assert_eq!(
        rows(
            &mut s,
            "BEGIN TRY CREATE TABLE t (a int REFERENCES nosuch (a)) END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH"
        ),
        ["1750"]
    );
    // A chain of cascades is no cycle, nor are two ways of which one does nothing.
    rows(&mut s, "CREATE TABLE c1 (id int PRIMARY KEY REFERENCES p ON DELETE CASCADE, a int REFERENCES p)");
    rows(&mut s, "CREATE TABLE c2 (id int REFERENCES c1 ON DELETE CASCADE ON UPDATE CASCADE)");
    assert_eq!(errors(&mut s, "ALTER TABLE c2 ADD a int REFERENCES p ON DELETE CASCADE"), [1785, 1750]);
}

#[test]
fn columns_are_refused_by_number_and_name() {
    let (_lab, mut s) = session();
    for (text, number, part) in [
        ("CREATE TABLE t (a int, a int)", 2705, "'a' in table 't'"),
        ("CREATE TABLE t (b int, a nosuch)", 2715, "#2"),
        ("CREATE TABLE t (a varchar(8001))", 131, "column 'a'"),
        ("CREATE TABLE t (a decimal(39, 2))", 2750, "#1"),
        ("CREATE TABLE t (a decimal(5, 6))", 183, "column 'a'"),
        ("CREATE TABLE t (a datetime2(8))", 1002, "8"),
        ("CREATE TABLE t (a int(5))", 2716, "#1"),
        ("CREATE TABLE t (a int IDENTITY, b int IDENTITY)", 2744, "'t'"),
        ("CREATE TABLE t (a varchar(5) IDENTITY)", 2749, "'a'"),
        ("CREATE TABLE t (a timestamp, b rowversion)", 2738, "'b'"),
        ("CREATE TABLE t (a char(8000), b char(100))", 1701, "8060"),
        ("CREATE TABLE t (a int COLLATE Latin1_General_BIN2)", 447, "int"),
        ("CREATE TABLE t (a varchar(5) COLLATE nosuch)", 448, "nosuch"),
        ("CREATE TABLE t (a int, b AS a * 2, c AS b * 2)", 1759, "'b'"),
        ("CREATE TABLE t (a int, b AS nope)", 207, "nope"),
        ("CREATE TABLE t (a int DEFAULT (nope))", 128, "nope"),
        ("CREATE TABLE t (a int, b AS GETDATE() PERSISTED)", 4936, "'b'"),
        ("CREATE TABLE nosuch.t (a int)", 2760, "nosuch"),
        ("CREATE TABLE t (a AS 1)", 40510, "computed columns only"),
        ("CREATE TABLE t (a int MASKED WITH (FUNCTION = 'default()'))", 40510, "MASKED"),
        ("CREATE TABLE t (a int) WITH (MEMORY_OPTIMIZED = ON)", 40510, "MEMORY_OPTIMIZED"),
    ] {
        let found = run(&mut s, text).errors;
        assert_eq!(found.first().map(|e| e.number), Some(number), "{text}");
        assert!(found[0].message.contains(part), "{text}: {}", found[0].message);
    }
}

#[test]
fn what_depends_on_a_column_is_told_before_the_refusal() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "CREATE TABLE t (id int NOT NULL CONSTRAINT pk PRIMARY KEY, id2 int CONSTRAINT df DEFAULT 1, amount int CONSTRAINT ck CHECK (amount > 0), twice AS amount * 2)",
    );
    let found = run(&mut s, "ALTER TABLE t DROP COLUMN amount").errors;
    let numbers: Vec<i32> = found.iter().map(|e| e.number).collect();
    assert_eq!(numbers, [5074, 5074, 4922]);
    assert_eq!(found[0].message, "The object 'ck' is dependent on column 'amount'.");
    assert_eq!(found[1].message, "The column 'twice' is dependent on column 'amount'.");
    assert_eq!(errors(&mut s, "ALTER TABLE t DROP COLUMN id2"), [5074, 4922]);
    // The name of one column inside another's is no dependency.
    rows(&mut s, "ALTER TABLE t ADD am int NULL");
    rows(&mut s, "ALTER TABLE t DROP COLUMN am");
    rows(&mut s, "ALTER TABLE t DROP CONSTRAINT df, COLUMN id2");
    assert_eq!(errors(&mut s, "ALTER TABLE t DROP CONSTRAINT nope"), [3728, 3727]);
    assert_eq!(errors(&mut s, "ALTER TABLE t ALTER COLUMN amount varchar(10)"), [5074, 5074, 4922]);
    rows(&mut s, "CREATE VIEW v WITH SCHEMABINDING AS SELECT id FROM dbo.t");
    assert_eq!(errors(&mut s, "DROP TABLE t"), [3729]);
    assert_eq!(errors(&mut s, "ALTER TABLE t DROP COLUMN id"), [5074, 5074, 4922]);
    assert_eq!(errors(&mut s, "CREATE VIEW w WITH SCHEMABINDING AS SELECT id FROM t"), [4512]);
    assert_eq!(errors(&mut s, "CREATE VIEW w WITH SCHEMABINDING AS SELECT * FROM dbo.t"), [1054]);
    rows(&mut s, "DROP VIEW v DROP TABLE t");
}

#[test]
fn keys_and_indexes_over_computed_columns_hold() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "CREATE TABLE t (a int NOT NULL, b AS a % 10 PERSISTED NOT NULL PRIMARY KEY, c AS 'x' + CAST(a AS varchar(5)))",
    );
    rows(&mut s, "CREATE INDEX ix ON t (c)");
    rows(&mut s, "INSERT t (a) VALUES (1), (2)");
    assert_eq!(error(&mut s, "INSERT t (a) VALUES (11)"), 2627);
    rows(&mut s, "UPDATE t SET a = 3 - a");
    assert_eq!(rows(&mut s, "SELECT a, b, c FROM t ORDER BY b"), ["1|1|x1", "2|2|x2"]);
    rows(&mut s, "CREATE TABLE u (n nvarchar(10), folded AS UPPER(n)) CREATE UNIQUE INDEX ux ON u (folded)");
    rows(&mut s, "INSERT u VALUES (N'a'), (NULL)");
    assert_eq!(error(&mut s, "INSERT u VALUES (N'A')"), 2601);
    assert_eq!(error(&mut s, "INSERT u VALUES (NULL)"), 2601);
    assert_eq!(error(&mut s, "ALTER TABLE u ADD d AS GETDATE() CREATE INDEX id ON u (d)"), 2729);
    assert_eq!(error(&mut s, "INSERT t (a, b) VALUES (5, 5)"), 271);
}

#[test]
fn indexes() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "CREATE TABLE t (a int, b int INDEX ib, c nvarchar(10), x xml, INDEX ic UNIQUE (c) WHERE c IS NOT NULL)",
    );
    rows(&mut s, "INSERT t (a, c) VALUES (1, NULL), (1, NULL), (2, N'x')");
    assert_eq!(error(&mut s, "INSERT t (a, c) VALUES (2, N'X')"), 2601);
    for (text, number) in [
        ("CREATE INDEX i ON nosuch (a)", 1088),
        ("CREATE INDEX i ON t (nope)", 1911),
        ("CREATE INDEX i ON t (a, a)", 1909),
        ("CREATE INDEX i ON t (a) INCLUDE (a)", 1909),
        ("CREATE INDEX i ON t (x)", 1919),
        ("CREATE INDEX ib ON t (a)", 1913),
        ("CREATE INDEX i ON t (a) WITH (DROP_EXISTING = ON)", 7999),
        ("ALTER INDEX nope ON t REBUILD", 7999),
        ("DROP INDEX nope ON t", 3701),
        ("CREATE COLUMNSTORE INDEX i ON t (a)", 40510),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    let found = run(&mut s, "CREATE UNIQUE INDEX ua ON t (a)").errors;
    assert!(found[0].message.ends_with("index name 'ua'. The duplicate key value is (1)."), "{:?}", found[0]);
    rows(&mut s, "CREATE UNIQUE INDEX ua ON t (a) WHERE a > 1");
    assert_eq!(
        rows(
            &mut s,
            "SELECT name, filter_definition FROM sys.indexes WHERE object_id = OBJECT_ID('t') AND has_filter = 1 ORDER BY name"
        ),
        ["ic|([c] IS NOT NULL)", "ua|([a]>(1))"]
    );
    rows(&mut s, "ALTER INDEX ua ON t DISABLE");
    rows(&mut s, "INSERT t (a) VALUES (2)");
    assert_eq!(error(&mut s, "ALTER INDEX ALL ON t REBUILD PARTITION = ALL WITH (FILLFACTOR = 80)"), 1505);
    rows(&mut s, "DELETE TOP (1) FROM t WHERE a = 2");
    rows(&mut s, "ALTER INDEX ua ON t REBUILD");
    rows(&mut s, "INSERT t (a) VALUES (7)");
    assert_eq!(error(&mut s, "INSERT t (a) VALUES (7)"), 2601);
}

#[test]
fn definitions_are_shown_in_sql_servers_form() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "CREATE TABLE t (a int DEFAULT 0 CHECK (a in (1, 2)), b datetime DEFAULT CURRENT_TIMESTAMP, c nvarchar(5) DEFAULT N'x', d AS a * 2, e int DEFAULT -1, f bit DEFAULT (0))",
    );
    assert_eq!(
        rows(&mut s, "SELECT definition FROM sys.default_constraints ORDER BY parent_column_id"),
        ["((0))", "(getdate())", "(N'x')", "((-1))", "((0))"]
    );
    assert_eq!(rows(&mut s, "SELECT definition FROM sys.check_constraints"), ["([a]=(2) OR [a]=(1))"]);
    assert_eq!(rows(&mut s, "SELECT definition FROM sys.computed_columns"), ["([a]*(2))"]);
    rows(&mut s, "INSERT t (a, c) VALUES (2, DEFAULT)");
    assert_eq!(rows(&mut s, "SELECT a, c, d, e FROM t"), ["2|x|4|-1"]);
    assert_eq!(error(&mut s, "INSERT t (a) VALUES (3)"), 547);
}

#[test]
fn modules_are_checked_when_they_are_created() {
    let (_lab, mut s) = session();
    rows(&mut s, "CREATE TABLE t (a int, b int)");
    for (text, number) in [
        ("CREATE VIEW v AS SELECT 1", 4511),
        ("CREATE VIEW v AS SELECT x.a, y.a FROM t x JOIN t y ON 1 = 1", 4506),
        ("CREATE VIEW v AS SELECT a FROM t ORDER BY a", 1033),
        ("CREATE VIEW v AS SELECT * FROM nosuch", 208),
        ("ALTER VIEW v AS SELECT a FROM t", 208),
        ("CREATE FUNCTION f () RETURNS int AS BEGIN SELECT 1 RETURN 1 END", 444),
        ("CREATE FUNCTION f () RETURNS int AS BEGIN UPDATE t SET a = 1 RETURN 1 END", 443),
        ("CREATE FUNCTION f () RETURNS int AS BEGIN IF 1 = 1 RETURN 1 END", 455),
        ("CREATE PROCEDURE d.dbo.p AS SELECT 1", 166),
        ("SELECT 1 CREATE VIEW v AS SELECT a FROM t", 111),
        ("SELECT 1 CREATE SCHEMA x", 111),
        ("CREATE SCHEMA x CREATE TABLE y (a int)", 40510),
        ("CREATE PROCEDURE p @t dbo.tt READONLY AS SELECT 1", 40510),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    rows(&mut s, "CREATE VIEW v AS SELECT TOP 10 a FROM t ORDER BY a");
    assert_eq!(error(&mut s, "CREATE OR ALTER PROCEDURE v AS SELECT 1"), 2010);
    // A statement that is not carried out is refused when it is reached, and not before.
    rows(
        &mut s,
        "CREATE PROCEDURE p @x int AS IF @x = 1 MERGE t USING t AS u ON 1 = 0 WHEN MATCHED THEN DELETE; SELECT 2",
    );
    assert_eq!(rows(&mut s, "EXEC p 0"), ["2"]);
    assert_eq!(error(&mut s, "EXEC p 1"), 40510);
}

#[test]
fn schemas_owners_and_names() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "CREATE TABLE t (a int NOT NULL CONSTRAINT pk PRIMARY KEY, b int CONSTRAINT ck CHECK (b > 0))",
    );
    rows(&mut s, "CREATE SCHEMA app");
    assert_eq!(error(&mut s, "ALTER SCHEMA nosuch TRANSFER t"), 15151);
    rows(&mut s, "ALTER SCHEMA app TRANSFER dbo.t");
    assert_eq!(error(&mut s, "SELECT * FROM dbo.t"), 208);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM app.t"), ["0"]);
    assert_eq!(error(&mut s, "DROP SCHEMA app"), 3729);
    rows(&mut s, "EXEC sp_rename 'app.pk', 'pk_t', 'OBJECT'");
    rows(&mut s, "EXEC sp_rename 'app.ck', 'ck_t'");
    assert_eq!(
        rows(
            &mut s,
            "SELECT name FROM sys.objects WHERE parent_object_id = OBJECT_ID('app.t') ORDER BY name"
        ),
        ["ck_t", "pk_t"]
    );
    assert_eq!(error(&mut s, "EXEC sp_rename 'app.t.b', 'c', 'COLUMN'"), 15336);
    // A procedure's own schema comes first.
    rows(&mut s, "CREATE TABLE t (other int) INSERT t VALUES (5) INSERT app.t VALUES (1, 1)");
    rows(&mut s, "CREATE PROCEDURE app.p AS SELECT * FROM t");
    assert_eq!(rows(&mut s, "EXEC app.p"), ["1|1"]);
    rows(&mut s, "CREATE VIEW app.v AS SELECT a FROM app.t");
    assert_eq!(rows(&mut s, "SELECT * FROM app.v"), ["1"]);
    rows(&mut s, "CREATE LOGIN owner WITH PASSWORD = 'Owner#Pass1'");
    rows(&mut s, "ALTER AUTHORIZATION ON DATABASE::d TO owner");
    assert_eq!(rows(&mut s, "SELECT SUSER_SNAME(owner_sid) FROM sys.databases WHERE name = 'd'"), ["owner"]);
    rows(&mut s, "CREATE ROLE r ALTER ROLE r WITH NAME = r2 DROP ROLE r2");
}

#[test]
fn added_columns_take_their_defaults_only_where_they_must() {
    let (_lab, mut s) = session();
    rows(&mut s, "CREATE TABLE t (a int) INSERT t VALUES (1)");
    assert_eq!(error(&mut s, "ALTER TABLE t ADD b int NOT NULL"), 4901);
    rows(&mut s, "ALTER TABLE t ADD b int NOT NULL DEFAULT 5, c int DEFAULT 6, d int DEFAULT 7 WITH VALUES");
    assert_eq!(rows(&mut s, "SELECT a, b, c, d FROM t"), ["1|5|NULL|7"]);
}
