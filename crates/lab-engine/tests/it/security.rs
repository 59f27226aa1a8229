//! Who may do what: fixed server roles, fixed database roles, and what a login without either is refused.

use lab_engine::{LoginRequest, Secret, Session};

use crate::{Lab, error, rows, run};

const PASSWORD: &str = "Lab#Pass123";

fn login(lab: &Lab, name: &str) -> Session {
    let password = Some(Secret::new(PASSWORD.into()));
    lab.server.login(&LoginRequest { user: name.into(), password, ..LoginRequest::default() }).unwrap()
}

/// A lab with database `d`, table `t`, view `v`, procedure `p`, function `f`, and a login `bob` with a user in it.
fn lab() -> (Lab, Session) {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "CREATE DATABASE other");
    rows(&mut s, &format!("CREATE LOGIN bob WITH PASSWORD = '{PASSWORD}'"));
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE TABLE t (a int) INSERT t VALUES (1)");
    rows(&mut s, "CREATE VIEW v AS SELECT a FROM t");
    rows(&mut s, "CREATE PROCEDURE p AS INSERT t VALUES (2) SELECT a FROM t");
    rows(&mut s, "CREATE FUNCTION f () RETURNS int AS BEGIN RETURN 5 END");
    rows(&mut s, "CREATE USER bob FOR LOGIN bob");
    (lab, s)
}

#[test]
fn a_user_without_roles_may_do_nothing() {
    let (lab, _sa) = lab();
    let mut bob = login(&lab, "bob");
    rows(&mut bob, "USE d");
    for (text, number) in [
        ("SELECT * FROM t", 229),
        ("SELECT * FROM v", 229),
        ("SELECT dbo.f()", 229),
        ("EXEC p", 229),
        ("INSERT t VALUES (1)", 229),
        ("UPDATE t SET a = 1", 229),
        ("DELETE t", 229),
        ("TRUNCATE TABLE t", 1088),
        ("CREATE TABLE u (a int)", 262),
        ("SELECT 1 AS a INTO u", 262),
        ("CREATE VIEW w AS SELECT 1 AS a", 262),
        ("CREATE PROCEDURE q AS SELECT 1", 262),
        ("ALTER PROCEDURE p AS SELECT 1", 3704),
        ("ALTER TABLE t ADD b int", 1088),
        ("CREATE INDEX i ON t (a)", 1088),
        ("DROP TABLE t", 3701),
        ("CREATE SCHEMA s", 262),
        ("CREATE USER x WITHOUT LOGIN", 15247),
        ("CREATE ROLE x", 15247),
        ("ALTER ROLE db_owner ADD MEMBER bob", 15151),
        ("EXEC sp_rename 't', 'u'", 15225),
        ("CREATE LOGIN x WITH PASSWORD = 'Strong#Pass1'", 15247),
        ("ALTER LOGIN sa WITH PASSWORD = 'Strong#Pass1'", 15151),
        ("DROP LOGIN sa", 15151),
        ("ALTER SERVER ROLE sysadmin ADD MEMBER bob", 15151),
        ("CREATE DATABASE x", 262),
        ("ALTER DATABASE d SET RECOVERY SIMPLE", 5011),
        ("DROP DATABASE other", 3701),
        ("BACKUP DATABASE d TO DISK = 'x.bak'", 262),
        ("BACKUP LOG d TO DISK = 'x.bak'", 262),
        ("RESTORE DATABASE other FROM DISK = 'x.bak'", 3110),
        ("SHUTDOWN", 6004),
        ("KILL 50", 6102),
        ("RECONFIGURE", 5812),
        ("EXEC sp_configure 'max degree of parallelism', 1", 15247),
        ("DBCC CHECKDB", 7983),
        ("DBCC TRACEON (1222)", 2571),
        ("CHECKPOINT", 262),
        ("USE other", 916),
        ("SELECT * FROM other.dbo.x", 916),
        ("SELECT * FROM other.sys.tables", 916),
    ] {
        assert_eq!(error(&mut bob, text), number, "{text}");
    }
    let denied = run(&mut bob, "SELECT * FROM t").errors;
    assert_eq!(
        denied[0].message,
        "The SELECT permission was denied on the object 't', database 'd', schema 'dbo'."
    );
    // What is everybody's: temporary tables, catalog views, functions, the own password.
    rows(&mut bob, "CREATE TABLE #x (a int) INSERT #x VALUES (1) SELECT * FROM #x");
    rows(&mut bob, "SELECT name FROM sys.databases");
    rows(&mut bob, &format!("ALTER LOGIN bob WITH PASSWORD = 'Other#Pass1' OLD_PASSWORD = '{PASSWORD}'"));
    assert_eq!(
        error(&mut bob, "ALTER LOGIN bob WITH PASSWORD = 'Third#Pass1' OLD_PASSWORD = 'wrong'"),
        15151
    );
    assert_eq!(error(&mut bob, "ALTER LOGIN bob WITH PASSWORD = 'Third#Pass1'"), 15151);
}

#[test]
fn database_roles_give_what_they_are_called_for() {
    let (lab, mut sa) = lab();
    let mut bob = login(&lab, "bob");
    rows(&mut bob, "USE d");
    rows(&mut sa, "ALTER ROLE db_datareader ADD MEMBER bob");
    assert_eq!(rows(&mut bob, "SELECT a FROM t"), ["1"]);
    assert_eq!(rows(&mut bob, "SELECT a FROM v"), ["1"]);
    assert_eq!(error(&mut bob, "INSERT t VALUES (3)"), 229);
    rows(&mut sa, "ALTER ROLE db_datawriter ADD MEMBER bob");
    rows(&mut bob, "INSERT t VALUES (3) UPDATE t SET a = 4 WHERE a = 3 DELETE t WHERE a = 4");
    assert_eq!(error(&mut bob, "CREATE TABLE u (a int)"), 262);
    rows(&mut sa, "ALTER ROLE db_ddladmin ADD MEMBER bob");
    rows(&mut bob, "CREATE TABLE u (a int) ALTER TABLE u ADD b int CREATE INDEX i ON u (a) DROP TABLE u");
    assert_eq!(error(&mut bob, "EXEC p"), 229, "no role but db_owner runs procedures");
    rows(&mut sa, "ALTER ROLE db_denydatareader ADD MEMBER bob");
    assert_eq!(error(&mut bob, "SELECT a FROM t"), 229);
    rows(&mut sa, "ALTER ROLE db_denydatareader DROP MEMBER bob");
    // Through a role of one's own.
    for role in ["db_datareader", "db_datawriter", "db_ddladmin"] {
        rows(&mut sa, &format!("ALTER ROLE {role} DROP MEMBER bob"));
    }
    rows(&mut sa, "CREATE ROLE staff ALTER ROLE staff ADD MEMBER bob ALTER ROLE db_owner ADD MEMBER staff");
    assert_eq!(
        rows(&mut bob, "SELECT IS_MEMBER('db_owner'), IS_MEMBER('staff'), IS_MEMBER('db_datareader')"),
        ["1|1|0"]
    );
    assert_eq!(rows(&mut bob, "EXEC p").len(), 2);
    rows(&mut bob, "ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON");
    assert_eq!(error(&mut sa, "ALTER ROLE staff ADD MEMBER db_owner"), 15413);
}

#[test]
fn a_modules_owner_answers_for_what_it_reads() {
    let (lab, mut sa) = lab();
    rows(&mut sa, "CREATE SCHEMA hidden");
    rows(&mut sa, "CREATE TABLE hidden.h (x int) INSERT hidden.h VALUES (9)");
    rows(&mut sa, "CREATE PROCEDURE reader AS SELECT x FROM hidden.h EXEC ('SELECT x FROM hidden.h')");
    rows(&mut sa, "CREATE USER eve WITHOUT LOGIN");
    rows(&mut sa, "ALTER ROLE db_owner ADD MEMBER bob ALTER ROLE db_denydatareader ADD MEMBER bob");
    let mut bob = login(&lab, "bob");
    rows(&mut bob, "USE d");
    assert_eq!(error(&mut bob, "SELECT x FROM hidden.h"), 229);
    let a = run(&mut bob, "EXEC reader");
    assert_eq!(a.sets.first().map(|s| s.1.len()), Some(1), "the procedure's own statement");
    assert_eq!(a.errors.first().map(|e| e.number), Some(229), "text that it runs is the caller's");
}

#[test]
fn server_roles_give_what_they_are_called_for() {
    let (lab, mut sa) = lab();
    for (role, text) in [
        ("dbcreator", "CREATE DATABASE made"),
        ("securityadmin", "CREATE LOGIN made WITH PASSWORD = 'Made#Pass12'"),
        ("serveradmin", "EXEC sp_configure 'max degree of parallelism', 1"),
    ] {
        rows(&mut sa, &format!("ALTER SERVER ROLE {role} ADD MEMBER bob"));
        let mut bob = login(&lab, "bob");
        rows(&mut bob, text);
        assert_eq!(
            rows(&mut bob, &format!("SELECT IS_SRVROLEMEMBER('{role}'), IS_SRVROLEMEMBER('sysadmin')")),
            ["1|0"]
        );
    }
    let mut bob = login(&lab, "bob");
    assert_eq!(
        error(&mut bob, "ALTER LOGIN sa WITH PASSWORD = 'Taken#Pass1'"),
        15151,
        "securityadmin is below sysadmin"
    );
    // Who made a database is its owner.
    rows(&mut bob, "USE made");
    assert_eq!(rows(&mut bob, "SELECT USER_NAME()"), ["dbo"]);
    rows(&mut bob, "CREATE TABLE t (a int) INSERT t VALUES (1)");
    rows(&mut bob, "USE master DROP DATABASE made");
}

#[test]
fn names_without_a_schema_are_the_users_own() {
    let (lab, mut sa) = lab();
    rows(&mut sa, "CREATE SCHEMA app");
    rows(&mut sa, "CREATE TABLE app.t (only_here int)");
    rows(&mut sa, "ALTER USER bob WITH DEFAULT_SCHEMA = app ALTER ROLE db_owner ADD MEMBER bob");
    let mut bob = login(&lab, "bob");
    rows(&mut bob, "USE d");
    assert_eq!(rows(&mut bob, "SELECT COUNT(only_here) FROM t"), ["0"]);
    rows(&mut bob, "CREATE TABLE mine (a int)");
    assert_eq!(rows(&mut sa, "SELECT SCHEMA_NAME(schema_id) FROM sys.tables WHERE name = 'mine'"), ["app"]);
    assert_eq!(rows(&mut bob, "SELECT SCHEMA_NAME()"), ["app"]);
}

#[test]
fn a_login_moves_with_its_hash_and_sid() {
    let (lab, mut s) = lab();
    let hash =
        rows(&mut s, "SELECT CONVERT(varchar(200), password_hash, 1) FROM sys.sql_logins WHERE name = 'bob'");
    let sid = "0x000102030405060708090A0B0C0D0E0F";
    rows(
        &mut s,
        &format!("CREATE LOGIN moved WITH PASSWORD = {} HASHED, SID = {sid}, CHECK_POLICY = OFF", hash[0]),
    );
    login(&lab, "moved");
    let shown =
        "SELECT CONVERT(varchar(40), sid, 1), is_policy_checked FROM sys.sql_logins WHERE name = 'moved'";
    assert_eq!(rows(&mut s, shown), [format!("{sid}|0")]);
    rows(&mut s, "CREATE LOGIN other WITH PASSWORD = 'Other#Pass1'");
    rows(&mut s, &format!("ALTER LOGIN other WITH PASSWORD = {} HASHED", hash[0]));
    login(&lab, "other");
    assert_eq!(
        rows(
            &mut s,
            "SELECT COUNT(DISTINCT password_hash) FROM sys.sql_logins WHERE name IN ('bob', 'moved', 'other')"
        ),
        ["1"]
    );
    for (text, number) in [
        ("CREATE LOGIN x WITH PASSWORD = 0x0200AB HASHED", 15021),
        ("CREATE LOGIN x WITH PASSWORD = 'text' HASHED", 15021),
        ("ALTER LOGIN bob WITH PASSWORD = 0x HASHED", 15021),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    // Nobody but an administrator sees hashes.
    let mut bob = login(&lab, "bob");
    assert_eq!(rows(&mut bob, "SELECT COUNT(password_hash) FROM sys.sql_logins WHERE name = 'bob'"), ["0"]);
    rows(&mut s, "ALTER SERVER ROLE securityadmin ADD MEMBER bob");
    assert_eq!(rows(&mut bob, "SELECT COUNT(password_hash) FROM sys.sql_logins"), ["0"]);
}
