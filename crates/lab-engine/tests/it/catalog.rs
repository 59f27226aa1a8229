//! The catalog as drivers, object mappers and administration tools read it.

use lab_engine::Session;

use crate::{Lab, error, rows, run};

fn session() -> (Lab, Session) {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE SCHEMA app");
    rows(
        &mut s,
        "CREATE TABLE app.parent (id int NOT NULL CONSTRAINT pk_parent PRIMARY KEY, name nvarchar(50), d decimal(10,2) CONSTRAINT df DEFAULT 1.5, ts rowversion)",
    );
    rows(
        &mut s,
        "CREATE TABLE app.child (id int IDENTITY(5,2) NOT FOR REPLICATION CONSTRAINT pk_child PRIMARY KEY, pid int CONSTRAINT fk REFERENCES app.parent (id) ON DELETE CASCADE, amount money CONSTRAINT ck CHECK (amount > 0), calc AS (amount * 2), INDEX ix (pid))",
    );
    rows(&mut s, "CREATE VIEW app.v AS SELECT id, name FROM app.parent");
    rows(&mut s, "CREATE PROCEDURE app.pr @a int = 5, @b nvarchar(20) OUTPUT AS SELECT @a FROM app.v");
    rows(&mut s, "CREATE FUNCTION app.fn (@x int) RETURNS decimal(10,2) AS BEGIN RETURN @x END");
    rows(
        &mut s,
        "CREATE FUNCTION app.tf (@x int) RETURNS TABLE AS RETURN SELECT id FROM app.parent WHERE id = @x",
    );
    (lab, s)
}

#[test]
fn every_view_of_the_catalog_can_be_read() {
    let (_lab, mut s) = session();
    let views = rows(
        &mut s,
        "SELECT SCHEMA_NAME(schema_id) + '.' + name FROM sys.system_objects WHERE type = 'V' ORDER BY 1",
    );
    assert!(views.len() > 200, "only {} views", views.len());
    for view in &views {
        let answers = run(&mut s, &format!("SELECT * FROM {view}"));
        assert!(answers.errors.is_empty(), "{view}: {:?}", answers.errors);
        let (columns, found) = answers.sets.first().expect("a result set");
        assert!(found.iter().all(|r| r.len() == columns.len()), "{view}");
        // NULL in a column that cannot be NULL would break clients that trust the metadata.
        for row in found {
            for (column, value) in columns.iter().zip(row) {
                let fine = column.nullable || *value != rusqlite::types::Value::Null;
                assert!(fine, "{view}.{} is NULL", column.name);
            }
        }
    }
    for call in [
        "sys.dm_exec_sql_text(0x00)",
        "sys.dm_exec_input_buffer(@@SPID, NULL)",
        "sys.dm_db_index_physical_stats(DB_ID(), NULL, NULL, NULL, 'LIMITED')",
        "sys.dm_io_virtual_file_stats(NULL, NULL)",
        "sys.dm_os_volume_stats(1, 1)",
        "sys.dm_db_stats_properties(OBJECT_ID('app.child'), 1)",
        "sys.fn_helpcollations()",
        "fn_my_permissions(NULL, 'DATABASE')",
        "master.dbo.spt_values",
        "master..sysprocesses",
        "sysobjects",
        "dbo.syscolumns",
        "sysindexes",
    ] {
        let answers = run(&mut s, &format!("SELECT * FROM {call}"));
        assert!(answers.errors.is_empty(), "{call}: {:?}", answers.errors);
    }
    assert_eq!(error(&mut s, "SELECT * FROM sys.nosuch"), 208);
    assert_eq!(
        rows(&mut s, "SELECT COUNT(*) FROM master..spt_values WHERE type = 'P' AND number < 100"),
        ["100"]
    );
}

#[test]
fn object_mappers_read_back_what_they_made() {
    let (_lab, mut s) = session();
    // The shape of queries that scaffolding tools send: columns by type, default and computed text, identity.
    assert_eq!(
        rows(
            &mut s,
            "SELECT c.name, t.name, c.max_length, c.is_nullable, c.is_identity, dc.definition, cc.definition, cc.is_persisted, ic.seed_value, ic.increment_value, ic.is_not_for_replication
             FROM sys.columns AS c JOIN sys.types AS t ON c.user_type_id = t.user_type_id
             LEFT JOIN sys.default_constraints AS dc ON dc.parent_object_id = c.object_id AND dc.parent_column_id = c.column_id
             LEFT JOIN sys.computed_columns AS cc ON cc.object_id = c.object_id AND cc.column_id = c.column_id
             LEFT JOIN sys.identity_columns AS ic ON ic.object_id = c.object_id AND ic.column_id = c.column_id
             WHERE c.object_id = OBJECT_ID('app.child') ORDER BY c.column_id"
        ),
        [
            "id|int|4|0|1|NULL|NULL|NULL|5|2|1",
            "pid|int|4|1|0|NULL|NULL|NULL|NULL|NULL|NULL",
            "amount|money|8|1|0|NULL|NULL|NULL|NULL|NULL|NULL",
            "calc|money|8|1|0|NULL|([amount]*(2))|0|NULL|NULL|NULL",
        ]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT t.name, t.temporal_type, t.history_table_id, t.is_memory_optimized, t.lock_escalation_desc, t.max_column_id_used FROM sys.tables AS t WHERE t.is_ms_shipped = 0 ORDER BY t.name"
        ),
        ["child|0|NULL|0|TABLE|4", "parent|0|NULL|0|TABLE|4"]
    );
    assert_eq!(
        rows(&mut s, "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM INFORMATION_SCHEMA.CHECK_CONSTRAINTS"),
        ["ck|([amount]>(0))"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT CONSTRAINT_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE ORDER BY 1"
        ),
        ["ck|amount", "fk|pid", "pk_child|id", "pk_parent|id"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT SPECIFIC_NAME, ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.PARAMETERS ORDER BY 1, 2"
        ),
        [
            "fn|0|OUT||decimal|NULL",
            "fn|1|IN|@x|int|NULL",
            "pr|1|IN|@a|int|NULL",
            "pr|2|INOUT|@b|nvarchar|20",
            "tf|1|IN|@x|int|NULL",
        ]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT ROUTINE_NAME, ROUTINE_TYPE, DATA_TYPE FROM INFORMATION_SCHEMA.ROUTINES ORDER BY 1"
        ),
        ["fn|FUNCTION|decimal", "pr|PROCEDURE|NULL", "tf|FUNCTION|TABLE"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT VIEW_NAME, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.VIEW_COLUMN_USAGE ORDER BY 3"
        ),
        ["v|parent|id", "v|parent|name"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT OBJECT_NAME(referencing_id), referenced_schema_name, referenced_entity_name FROM sys.sql_expression_dependencies ORDER BY 1"
        ),
        ["pr|app|v", "tf|app|parent", "v|app|parent"]
    );
    rows(&mut s, "INSERT app.parent (id) VALUES (1), (2), (3)");
    assert_eq!(
        rows(
            &mut s,
            "SELECT p.rows FROM sys.partitions AS p WHERE p.object_id = OBJECT_ID('app.parent') AND p.index_id IN (0, 1)"
        ),
        ["3"]
    );
}

#[test]
fn descriptions_are_kept_at_objects() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "DECLARE @d sql_variant SET @d = N'who' EXEC sp_addextendedproperty 'MS_Description', @d, 'SCHEMA', N'app', 'TABLE', N'parent', 'COLUMN', N'name'",
    );
    rows(
        &mut s,
        "EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = N'all', @level0type = N'SCHEMA', @level0name = N'app', @level1type = N'TABLE', @level1name = N'parent'",
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT objtype, objname, name, CAST(value AS nvarchar(20)) FROM fn_listextendedproperty('MS_Description', 'SCHEMA', 'app', 'TABLE', 'parent', 'COLUMN', NULL)"
        ),
        ["COLUMN|name|MS_Description|who"]
    );
    let add = "EXEC sp_addextendedproperty 'MS_Description', 'x', 'SCHEMA', 'app', 'TABLE', 'parent'";
    assert_eq!(error(&mut s, add), 15233);
    assert_eq!(error(&mut s, &add.replace("parent", "nosuch")), 15135);
    rows(&mut s, &add.replace("sp_add", "sp_update"));
    assert_eq!(
        rows(
            &mut s,
            "SELECT minor_id, CAST(value AS nvarchar(20)) FROM sys.extended_properties WHERE class = 1 ORDER BY minor_id"
        ),
        ["0|x", "2|who"]
    );
    rows(
        &mut s,
        "EXEC sp_dropextendedproperty 'MS_Description', 'SCHEMA', 'app', 'TABLE', 'parent', 'COLUMN', 'name'",
    );
    assert_eq!(
        error(
            &mut s,
            "EXEC sp_dropextendedproperty 'MS_Description', 'SCHEMA', 'app', 'TABLE', 'parent', 'COLUMN', 'name'"
        ),
        15217
    );
    rows(&mut s, "DROP TABLE app.child DROP VIEW app.v DROP FUNCTION app.tf DROP TABLE app.parent");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM sys.extended_properties"), ["0"]);
}

#[test]
fn options_and_properties_tell_what_was_set() {
    let (_lab, mut s) = session();
    rows(
        &mut s,
        "ALTER DATABASE d SET AUTO_CLOSE ON, AUTO_CREATE_STATISTICS OFF, QUERY_STORE = ON, TARGET_RECOVERY_TIME = 2 MINUTES",
    );
    rows(&mut s, "ALTER DATABASE d SET ALLOW_SNAPSHOT_ISOLATION ON");
    assert_eq!(
        rows(
            &mut s,
            "SELECT is_auto_close_on, is_auto_create_stats_on, is_auto_update_stats_on, is_query_store_on, target_recovery_time_in_seconds, snapshot_isolation_state_desc FROM sys.databases WHERE name = 'd'"
        ),
        ["1|0|1|1|120|ON"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT DATABASEPROPERTYEX('d', 'IsAutoClose'), DATABASEPROPERTYEX('d', 'SnapshotIsolationState'), DATABASEPROPERTYEX('nope', 'Status'), FILE_NAME(1), FILE_ID('d_log')"
        ),
        ["1|1|NULL|d|2"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT OBJECTPROPERTY(OBJECT_ID('app.parent'), 'TableHasForeignRef'), OBJECTPROPERTY(OBJECT_ID('app.child'), 'TableHasCheckCnst'), OBJECTPROPERTY(OBJECT_ID('app.fk'), 'CnstIsDeleteCascade'), OBJECTPROPERTY(OBJECT_ID('app.v'), 'IsView'), OBJECTPROPERTYEX(OBJECT_ID('app.v'), 'BaseType'), OBJECTPROPERTY(OBJECT_ID('app.v'), 'NoSuch')"
        ),
        ["1|1|1|1|V|NULL"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT COLUMNPROPERTY(OBJECT_ID('app.child'), 'calc', 'IsComputed'), COLUMNPROPERTY(OBJECT_ID('app.child'), 'id', 'IsIdNotForRepl'), COLUMNPROPERTY(OBJECT_ID('app.pr'), '@b', 'IsOutParam'), COLUMNPROPERTY(OBJECT_ID('app.v'), 'name', 'Precision'), INDEXPROPERTY(OBJECT_ID('app.child'), 'ix', 'IsUnique'), INDEXKEY_PROPERTY(OBJECT_ID('app.child'), 2, 1, 'ColumnId'), INDEX_COL('app.child', 2, 1), TYPEPROPERTY('nvarchar', 'Precision')"
        ),
        ["1|1|1|50|0|2|pid|4000"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT CASE WHEN OBJECT_ID('sys.databases') < 0 THEN 1 END, OBJECT_NAME(OBJECT_ID('sys.sp_help')), OBJECT_ID('sys.nosuch'), HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE'), SUSER_SNAME(SUSER_SID('sa'))"
        ),
        ["1|sp_help|NULL|1|sa"]
    );
}

#[test]
fn sessions_show_what_they_run() {
    let (lab, mut s) = session();
    let mut other = lab.session();
    rows(&mut other, "USE d");
    assert_eq!(
        rows(
            &mut s,
            "SELECT t.text FROM sys.dm_exec_requests AS r CROSS APPLY sys.dm_exec_sql_text(r.sql_handle) AS t WHERE r.session_id = @@SPID"
        )[0]
        .get(..13),
        Some("SELECT t.text")
    );
    rows(&mut other, "BEGIN TRAN INSERT app.parent (id) VALUES (1)");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM sys.dm_tran_session_transactions"), ["1"]);
    assert_eq!(rows(&mut s, "SELECT request_mode, request_status FROM sys.dm_tran_locks"), ["X|GRANT"]);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM master..sysprocesses WHERE open_tran = 1"), ["1"]);
    rows(&mut other, "ROLLBACK");
    // Who has no role sees itself only.
    rows(&mut s, "CREATE LOGIN bob WITH PASSWORD = 'Lab#Pass123'");
    let password = Some(lab_engine::Secret::new("Lab#Pass123".into()));
    let request = lab_engine::LoginRequest { user: "bob".into(), password, ..Default::default() };
    let mut bob = lab.server.login(&request).unwrap();
    assert_eq!(rows(&mut bob, "SELECT COUNT(*) FROM sys.dm_exec_sessions"), ["1"]);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM sys.dm_exec_sessions"), ["3"]);
    assert_eq!(rows(&mut bob, "SELECT COUNT(*) FROM sys.sql_logins"), ["2"]);
}
