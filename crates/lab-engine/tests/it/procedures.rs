//! System procedures and DBCC.

use crate::{Lab, error, rows, run};

#[test]
fn help_describes_and_refuses_what_is_not_there() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE TABLE p (id int NOT NULL CONSTRAINT pk PRIMARY KEY, n varchar(10) NULL)");
    rows(
        &mut s,
        "CREATE TABLE c (id int IDENTITY(3, 2) CONSTRAINT pkc PRIMARY KEY, p int CONSTRAINT fk REFERENCES p ON DELETE CASCADE, q int CONSTRAINT df DEFAULT 1 CONSTRAINT ck CHECK (q > 0))",
    );
    let a = run(&mut s, "EXEC sp_help 'c'");
    assert!(a.errors.is_empty(), "{:?}", a.errors);
    let names: Vec<&str> = a.sets.iter().filter_map(|(c, _)| c.first().map(|c| c.name.as_str())).collect();
    assert_eq!(
        names,
        [
            "Name",
            "Column_name",
            "Identity",
            "RowGuidCol",
            "Data_located_on_filegroup",
            "index_name",
            "constraint_type"
        ]
    );
    assert_eq!(
        rows(&mut s, "EXEC sp_helpconstraint 'c', 'nomsg'"),
        [
            "PRIMARY KEY (clustered)|pkc|(n/a)|(n/a)|(n/a)|(n/a)|id",
            "FOREIGN KEY|fk|Cascade|No Action|Enabled|Is_For_Replication|p",
            " | | | | | |REFERENCES d.dbo.p (id)",
            "CHECK on column q|ck|(n/a)|(n/a)|Enabled|Is_For_Replication|([q]>(0))",
            "DEFAULT on column q|df|(n/a)|(n/a)|(n/a)|(n/a)|((1))",
        ]
    );
    assert_eq!(
        rows(&mut s, "EXEC sp_helpindex 'p'"),
        ["pk|clustered, unique, primary key located on PRIMARY|id"]
    );
    for (text, number) in [
        ("EXEC sp_help 'nope'", 15009),
        ("EXEC sp_helptext 'nope'", 15009),
        ("EXEC sp_helptext 'p'", 15197),
        ("EXEC sp_helpindex 'nope'", 15009),
        ("EXEC sp_helpdb 'nope'", 15010),
        ("EXEC sp_spaceused 'nope'", 15009),
        ("EXEC xp_cmdshell 'dir'", 40510),
        ("EXEC sp_addlinkedserver 'x'", 40510),
        ("EXEC sp_nosuch", 2812),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    for text in [
        "EXEC sp_help",
        "EXEC sp_helpdb",
        "EXEC sp_helpdb 'd'",
        "EXEC sp_who",
        "EXEC sp_who2",
        "EXEC sp_lock",
        "EXEC sp_spaceused",
        "EXEC sp_spaceused 'p'",
        "EXEC sp_helpfile",
        "EXEC sp_helpfilegroup",
        "EXEC sp_helprole",
        "EXEC sp_helprolemember",
        "EXEC sp_helpsrvrole",
        "EXEC sp_helpsrvrolemember",
        "EXEC sp_helplogins",
        "EXEC sp_helplanguage",
        "EXEC sp_helpsort",
        "EXEC sp_helpserver",
        "EXEC sp_helpuser",
        "EXEC sp_helptrigger 'p'",
        "EXEC sp_depends 'p'",
        "EXEC sp_linkedservers",
        "EXEC sp_table_privileges 'p'",
        "EXEC sp_column_privileges 'p'",
        "EXEC sp_recompile 'p'",
        "EXEC sp_updatestats",
        "EXEC xp_msver",
        "EXEC sp_databases",
    ] {
        let a = run(&mut s, text);
        assert!(a.errors.is_empty(), "{text}: {:?}", a.errors);
    }
    let a = run(&mut s, "EXEC sp_MSforeachtable 'SELECT ''?'', COUNT(*) FROM ?'");
    assert_eq!((a.errors.len(), a.sets.len()), (0, 2));
    assert_eq!(rows(&mut s, "EXEC sp_spaceused 'p'").len(), 1);
}

#[test]
fn older_procedures_stand_for_statements() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    for text in [
        "EXEC sp_addlogin 'l1', 'Strong#Pass1', 'd'",
        "EXEC sp_grantdbaccess 'l1', 'u1'",
        "EXEC sp_addrole 'r1'",
        "EXEC sp_addrolemember 'r1', 'u1'",
        "EXEC sp_addsrvrolemember 'l1', 'dbcreator'",
    ] {
        assert_eq!(error(&mut s, text), 0, "{text}");
    }
    assert_eq!(
        rows(&mut s, "SELECT IS_SRVROLEMEMBER('dbcreator', 'l1'), IS_ROLEMEMBER('r1', 'u1')"),
        ["1|1"]
    );
    assert_eq!(error(&mut s, "EXEC sp_droprole 'r1'"), 15144);
    for text in [
        "EXEC sp_droprolemember 'r1', 'u1'",
        "EXEC sp_droprole 'r1'",
        "EXEC sp_defaultdb 'l1', 'master'",
        "EXEC sp_password NULL, 'Other#Pass1', 'l1'",
        "EXEC sp_revokedbaccess 'u1'",
        "EXEC sp_changedbowner 'l1'",
        "EXEC sp_changedbowner 'sa'",
        "EXEC sp_droplogin 'l1'",
        "EXEC sp_renamedb 'd', 'e'",
        "EXEC sp_dbcmptlevel 'e', 150",
    ] {
        assert_eq!(error(&mut s, text), 0, "{text}");
    }
    assert_eq!(
        rows(&mut s, "SELECT DB_NAME(), compatibility_level FROM sys.databases WHERE name = 'e'"),
        ["e|150"]
    );
}

#[test]
fn dbcc_reports() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE TABLE t (a int IDENTITY, b int) INSERT t VALUES (1), (2)");
    assert!(run(&mut s, "DBCC CHECKDB WITH NO_INFOMSGS, ALL_ERRORMSGS").infos.is_empty());
    let a = run(&mut s, "DBCC CHECKIDENT ('t', RESEED, 10)");
    assert!(
        a.infos[0].message.contains("current identity value '2', current column value '2'"),
        "{:?}",
        a.infos
    );
    rows(&mut s, "INSERT t VALUES (3)");
    assert_eq!(rows(&mut s, "SELECT MAX(a) FROM t"), ["11"]);
    let options = rows(&mut s, "DBCC USEROPTIONS");
    assert!(options.contains(&"isolation level|read committed".to_owned()), "{options:?}");
    rows(&mut s, "DBCC TRACEON (1222, 3604)");
    assert_eq!(rows(&mut s, "DBCC TRACESTATUS"), ["1222|1|0|1", "3604|1|0|1"]);
    rows(&mut s, "DBCC TRACEOFF (3604)");
    assert_eq!(rows(&mut s, "DBCC TRACESTATUS"), ["1222|1|0|1"]);
    assert!(rows(&mut s, "DBCC TRACESTATUS (-1)").is_empty(), "those of all sessions alone");
    assert_eq!(rows(&mut s, "DBCC INPUTBUFFER (51)").len(), 1);
    assert_eq!(error(&mut s, "DBCC INPUTBUFFER (999)"), 7955);
    assert_eq!(run(&mut s, "DBCC OPENTRAN").infos[0].message, "No active open transactions.");
    let a = run(&mut s, "BEGIN TRAN INSERT t VALUES (4) DBCC OPENTRAN ROLLBACK");
    assert!(a.infos[0].message.starts_with("Transaction information for database 'd'"), "{:?}", a.infos);
    assert_eq!(rows(&mut s, "DBCC SQLPERF (LOGSPACE)").len(), 5);
    assert_eq!(error(&mut s, "DBCC SHRINKFILE (1)"), 40510);
    assert_eq!(error(&mut s, "DBCC NOSUCH"), 40510);
}
