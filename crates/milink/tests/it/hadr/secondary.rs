//! What a secondary lets its clients do, and what they see of the primary.

use std::time::Duration;

use super::ledger::{Ledger, wait_for_commits};
use super::pair::{DAG, DB, Pair, Setup, database_state, replica_state, state};
use super::server::Server;
use super::{SOON, eventually, until};

/// Waits until a query says the same on both sides.
fn same(pair: &Pair, query: &str) {
    let wanted = pair.a.sql(DB).run(query);
    eventually(query, SOON, || match pair.b.sql(DB).rows(query) {
        Ok(found) if found == wanted => Ok(()),
        other => Err(format!("{other:?}, not {wanted:?}")),
    });
}

/// Each answer of a secondary is of one moment: the two tables of the ledger agree in it, whatever redo does meanwhile.
#[test]
fn reads_are_consistent_while_redo_runs() {
    let pair = Pair::linked(Setup { mode: "ASYNCHRONOUS_COMMIT", ..Setup::default() });
    let ledger = Ledger::new(4);
    let load = ledger.write_to(&pair.a);
    wait_for_commits(&ledger, 20);
    let mut sql = pair.b.sql(DB);
    let mut most = 0;
    let began = std::time::Instant::now();
    let mut reads = 0;
    while began.elapsed() < Duration::from_secs(3) {
        let rows = sql.run(
            "SELECT t.w, t.n, (SELECT COUNT(*) FROM ledger l WHERE l.w = t.w), (SELECT ISNULL(MAX(n), 0) FROM ledger l WHERE l.w = t.w) FROM totals t",
        );
        let mut sum = 0;
        for row in &rows {
            assert!(row[1] == row[2] && row[2] == row[3], "half a transaction: {row:?}");
            sum += row[1].parse::<i64>().unwrap();
        }
        assert!(sum >= most, "redo went back from {most} to {sum}");
        most = sum;
        reads += 1;
    }
    // Every isolation level is mapped to snapshot there: a transaction sees one moment.
    for level in ["READ COMMITTED", "SERIALIZABLE", "SNAPSHOT"] {
        sql.run(&format!("SET TRANSACTION ISOLATION LEVEL {level} BEGIN TRAN"));
        let first = sql.one("SELECT COUNT(*) FROM ledger");
        wait_for_commits(&ledger, 20);
        assert_eq!(sql.one("SELECT COUNT(*) FROM ledger"), first, "{level}");
        sql.run("COMMIT");
        until(level, &true, || sql.one("SELECT COUNT(*) FROM ledger") != first);
    }
    load.stop();
    assert!(reads > 10, "{reads} reads only");
    pair.wait_equal(&pair.a);
    ledger.check(&pair.b);
}

#[test]
fn writes_are_refused_and_settings_too() {
    let pair = Pair::linked(Setup::default());
    pair.a.sql(DB).run("CREATE PROCEDURE writes AS INSERT INTO totals VALUES (1, 1)");
    pair.wait_equal(&pair.a);
    let mut sql = pair.b.sql(DB);
    for statement in [
        "INSERT INTO totals VALUES (1, 1)",
        "UPDATE totals SET n = 2",
        "DELETE FROM totals",
        "CREATE TABLE t (a int)",
        "ALTER TABLE totals ADD x int",
        "DROP TABLE totals",
        "CREATE USER u WITHOUT LOGIN",
        "EXEC writes",
        "SELECT * INTO copied FROM totals",
        "TRUNCATE TABLE totals",
    ] {
        assert_eq!(sql.fails(statement), 3906, "{statement}");
    }
    // What is the session's own goes on.
    sql.run("CREATE TABLE #t (a int) INSERT INTO #t SELECT w FROM totals DECLARE @t TABLE (a int) INSERT INTO @t VALUES (1)");
    assert_eq!(
        sql.one("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS varchar(20))"),
        "READ_ONLY"
    );
    assert_eq!(
        pair.a.sql(DB).one("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS varchar(20))"),
        "READ_WRITE"
    );
}

#[test]
fn changes_of_names_arrive() {
    let pair = Pair::linked(Setup::default());
    let mut sql = pair.a.sql(DB);
    let mut there = pair.b.sql(DB);
    there.run("SELECT * FROM totals");
    sql.run("CREATE TABLE fresh (a int IDENTITY PRIMARY KEY, b nvarchar(20) COLLATE Latin1_General_BIN)");
    sql.run("INSERT INTO fresh (b) VALUES (N'é')");
    same(&pair, "SELECT a, b FROM fresh");
    sql.run("ALTER TABLE fresh ADD c decimal(9, 2) NOT NULL CONSTRAINT df DEFAULT 1.5");
    same(&pair, "SELECT a, b, c FROM fresh");
    // The same session sees what its earlier statements could not.
    assert_eq!(there.run("SELECT a, b, c FROM fresh"), [["1", "é", "1.50"]]);
    sql.run("CREATE PROCEDURE doubled @a int AS SELECT 2 * @a AS doubled");
    eventually("the procedure is there", SOON, || match pair.b.sql(DB).rows("EXEC doubled 21") {
        Ok(rows) if rows == [["42"]] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    sql.run("ALTER PROCEDURE doubled @a int AS SELECT 3 * @a AS tripled");
    eventually("the procedure has changed", SOON, || match there.rows("EXEC doubled 21") {
        Ok(rows) if rows == [["63"]] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    sql.run("EXEC sp_rename 'fresh.b', 'bb', 'COLUMN'");
    sql.run("CREATE VIEW seen AS SELECT bb FROM fresh");
    sql.run("CREATE USER reader WITHOUT LOGIN");
    same(&pair, "SELECT bb FROM seen");
    same(&pair, "SELECT name FROM sys.database_principals WHERE name = N'reader'");
    sql.run("DROP VIEW seen");
    sql.run("DROP TABLE fresh");
    eventually("it is gone", SOON, || match there.rows("SELECT * FROM fresh") {
        Err(e) if e.number() == Some(208) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn data_movement_is_suspended_and_resumed() {
    let mut pair = Pair::linked(Setup::default());
    let (a, b) = (&pair.a, &pair.b);
    let suspended = |s: &Server| {
        (database_state(s, DAG, true, "is_suspended"), database_state(s, DAG, true, "suspend_reason_desc"))
    };
    for by in [a, b] {
        by.run(&format!("ALTER DATABASE [{DB}] SET HADR SUSPEND"));
        until("nothing moves", &"NOT SYNCHRONIZING".to_owned(), || state(a, DAG, false));
        until("it says why", &("1".to_owned(), "SUSPEND_FROM_USER".to_owned()), || suspended(by));
        let before = b.sql(DB).one("SELECT COUNT(*) FROM totals");
        // The primary goes on meanwhile; nobody is waited for.
        let n = before.parse::<i32>().unwrap() + 1;
        a.sql(DB).run(&format!("INSERT INTO totals VALUES ({n}, {n})"));
        assert_eq!(b.sql(DB).one("SELECT COUNT(*) FROM totals"), before);
        by.run(&format!("ALTER DATABASE [{DB}] SET HADR RESUME"));
        pair.wait_state(a, "SYNCHRONIZED");
        until("it says so", &("0".to_owned(), "NULL".to_owned()), || suspended(by));
        same(&pair, "SELECT w FROM totals ORDER BY w");
    }
    // It stays suspended over a restart.
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR SUSPEND"));
    pair.b.restart();
    let (a, b) = (&pair.a, &pair.b);
    until("it is connected", &"CONNECTED".to_owned(), || {
        replica_state(a, DAG, false, "connected_state_desc")
    });
    until("it is still suspended", &("1".to_owned(), "SUSPEND_FROM_USER".to_owned()), || suspended(b));
    assert_eq!(state(a, DAG, false), "NOT SYNCHRONIZING");
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR RESUME"));
    pair.wait_state(a, "SYNCHRONIZED");
}
