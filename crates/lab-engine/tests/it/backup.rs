//! BACKUP and RESTORE as a client sees them.

use std::path::PathBuf;

use lab_engine::{LoginRequest, Secret, Session};

use crate::{Lab, error, rows, run};

const CONTENT: &str = "SELECT COUNT(*), SUM(id), MAX(name) FROM dbo.t";

/// A lab with database `d`, in which there is a little of everything that a restored database must still know.
fn lab() -> (Lab, Session) {
    let lab = Lab::new();
    let mut s = lab.session();
    for text in [
        "CREATE DATABASE d",
        "USE d",
        "CREATE TABLE dbo.t(id int IDENTITY PRIMARY KEY, name nvarchar(100) NOT NULL, twice AS id * 2, CONSTRAINT ck CHECK(id > 0))",
        "CREATE TABLE dbo.child(id int PRIMARY KEY, t int CONSTRAINT fk REFERENCES dbo.t(id) ON DELETE CASCADE)",
        "CREATE VIEW dbo.v AS SELECT t.id, c.id AS child FROM dbo.t LEFT JOIN dbo.child c ON c.t = t.id",
        "CREATE PROCEDURE dbo.p @name nvarchar(100) AS INSERT INTO dbo.t(name) VALUES(@name)",
        "CREATE FUNCTION dbo.f(@n int) RETURNS int AS BEGIN RETURN @n + 1 END",
        "INSERT INTO dbo.t(name) VALUES(N'first'), (N'zweite'); INSERT INTO dbo.child VALUES(1, 1)",
        "USE master",
    ] {
        rows(&mut s, text);
    }
    (lab, s)
}

fn numbers(s: &mut Session, text: &str) -> Vec<i32> {
    run(s, text).errors.iter().map(|e| e.number).collect()
}

fn infos(s: &mut Session, text: &str) -> Vec<String> {
    let answers = run(s, text);
    assert!(answers.errors.is_empty(), "{text}\n{:#?}", answers.errors);
    answers.infos.iter().map(|i| format!("{}: {}", i.number, i.message)).collect()
}

fn state(s: &mut Session, name: &str) -> String {
    let sql = format!("SELECT state, state_desc FROM sys.databases WHERE name = '{name}'");
    rows(s, &sql).join(",")
}

fn device(lab: &Lab, name: &str) -> PathBuf {
    lab.folder.path().join("data/Backup").join(name)
}

#[test]
fn a_database_and_its_log_are_backed_up_and_restored_under_another_name() {
    let (lab, mut s) = lab();
    let said = infos(
        &mut s,
        "BACKUP DATABASE d TO DISK = N'd.bak' WITH INIT, NAME = N'the full one', COMPRESSION, CHECKSUM, STATS = 25",
    );
    assert!(said.iter().any(|m| m == "3211: 100 percent processed."), "{said:?}");
    assert!(
        said.iter().any(
            |m| m.starts_with("4035: Processed ") && m.ends_with("for database 'd', file 'd' on file 1.")
        ),
        "{said:?}"
    );
    assert!(said.last().unwrap().starts_with("3014: BACKUP DATABASE successfully processed "), "{said:?}");
    rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES(N'between')");
    infos(&mut s, "BACKUP LOG d TO DISK = 'd1.trn'");
    rows(&mut s, "EXEC d.dbo.p N'later'; DELETE FROM d.dbo.t WHERE id = 1");
    let said =
        infos(&mut s, "BACKUP LOG [d] TO DISK = 'd2.trn' WITH NOFORMAT, NOINIT, SKIP, NOREWIND, NOUNLOAD");
    assert!(said.last().unwrap().starts_with("3014: BACKUP LOG successfully processed "), "{said:?}");
    let there = rows(&mut s, &CONTENT.replace("dbo.t", "d.dbo.t"));

    infos(
        &mut s,
        "DECLARE @file nvarchar(50) = N'd.bak'; RESTORE DATABASE copy FROM DISK = @file WITH MOVE 'd' TO 'C:\\data\\copy.mdf', MOVE N'd_log' TO '/var/opt/copy.ldf', NORECOVERY",
    );
    assert_eq!(state(&mut s, "copy"), "1|RESTORING");
    assert_eq!(error(&mut s, "USE copy"), 927);
    infos(&mut s, "RESTORE LOG copy FROM DISK = 'd1.trn' WITH NORECOVERY");
    infos(&mut s, "RESTORE LOG copy FROM DISK = 'd2.trn'");
    assert_eq!(state(&mut s, "copy"), "0|ONLINE");
    assert_eq!(rows(&mut s, &CONTENT.replace("dbo.t", "copy.dbo.t")), there);
    rows(&mut s, "USE copy");
    rows(&mut s, "EXEC dbo.p N'in the copy'");
    assert_eq!(
        rows(&mut s, "SELECT id, twice, dbo.f(id) FROM dbo.t WHERE name = N'in the copy'"),
        ["5|10|6"]
    );
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM dbo.v"), ["4"]);
    assert_eq!(error(&mut s, "INSERT INTO dbo.child VALUES(9, 99)"), 547);
    assert_eq!(rows(&mut s, "SELECT recovery_model_desc FROM sys.databases WHERE name = 'copy'"), ["FULL"]);
    // A fork of its own in the same family.
    let family = "SELECT COUNT(DISTINCT family_guid), COUNT(DISTINCT recovery_fork_guid), COUNT(fork_point_lsn) FROM sys.database_recovery_status WHERE database_id > 4";
    assert_eq!(rows(&mut s, family), ["1|2|1"]);
    rows(&mut s, "USE master");
    drop(s);
    let lab = lab.restart();
    let mut s = lab.session();
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM copy.dbo.t"), ["4"]);
    infos(&mut s, "BACKUP LOG copy TO DISK = 'copy.trn'");
}

#[test]
fn msdb_and_the_headers_say_what_was_done() {
    let (lab, mut s) = lab();
    infos(
        &mut s,
        "BACKUP DATABASE d TO DISK = 'set.bak' WITH NAME = 'it''s full', DESCRIPTION = 'of Monday'",
    );
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'set.bak' WITH COPY_ONLY, CHECKSUM");
    rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES('x')");
    infos(&mut s, "BACKUP LOG d TO DISK = 'set.bak'");
    infos(&mut s, "RESTORE DATABASE e FROM DISK = 'set.bak' WITH FILE = 2");
    let kept = rows(
        &mut s,
        "SELECT type, position, name, is_copy_only, has_backup_checksums, database_name, server_name, user_name, recovery_model FROM msdb.dbo.backupset ORDER BY backup_set_id",
    );
    assert_eq!(
        kept,
        ["D|1|it's full|0|0|d|LAB|sa|FULL", "D|2|NULL|1|1|d|LAB|sa|FULL", "L|3|NULL|0|0|d|LAB|sa|FULL"]
    );
    assert_eq!(rows(&mut s, "SELECT COUNT(DISTINCT media_set_id) FROM msdb.dbo.backupset"), ["1"]);
    assert_eq!(
        rows(
            &mut s,
            "SELECT f.physical_device_name FROM msdb.dbo.backupmediafamily f JOIN msdb.dbo.backupmediaset s ON s.media_set_id = f.media_set_id"
        ),
        [device(&lab, "set.bak").canonicalize().unwrap().to_string_lossy()]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT r.destination_database_name, r.restore_type, r.recovery, b.position FROM msdb.dbo.restorehistory r JOIN msdb.dbo.backupset b ON b.backup_set_id = r.backup_set_id"
        ),
        ["e|D|1|2"]
    );
    // The full backup that the log follows, and where each begins.
    assert_eq!(
        rows(
            &mut s,
            "SELECT COUNT(*) FROM msdb.dbo.backupset l JOIN msdb.dbo.backupset f ON f.backup_set_id = 1 WHERE l.type = 'L' AND l.first_lsn = f.last_lsn AND l.database_backup_lsn = f.checkpoint_lsn AND l.last_lsn > l.first_lsn AND l.backup_start_date <= l.backup_finish_date"
        ),
        ["1"]
    );
    let answers = run(&mut s, "RESTORE HEADERONLY FROM DISK = 'set.bak'");
    let (columns, sets) = answers.sets.first().unwrap();
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        &names[..6],
        ["BackupName", "BackupDescription", "BackupType", "ExpirationDate", "Compressed", "Position"]
    );
    assert!(
        ["FirstLSN", "FamilyGUID", "RecoveryForkID", "HasBackupChecksums", "IsCopyOnly"]
            .iter()
            .all(|n| names.contains(n))
    );
    assert_eq!(sets.len(), 3);
    assert_eq!(answers.dones.last().unwrap().rows, Some(3));
    let files = rows(&mut s, "RESTORE FILELISTONLY FROM DISK = 'set.bak' WITH FILE = 1");
    assert!(files[0].starts_with("d|") && files[1].starts_with("d_log|"), "{files:?}");
    assert_eq!(rows(&mut s, "RESTORE LABELONLY FROM DISK = 'set.bak'").len(), 1);
    assert_eq!(
        infos(&mut s, "RESTORE VERIFYONLY FROM DISK = 'set.bak' WITH FILE = 3"),
        ["3262: The backup set on file 3 is valid."]
    );
    rows(&mut s, "CREATE TABLE #h(BackupName nvarchar(128), Position smallint)");
    assert_eq!(
        rows(&mut s, "SELECT SERVERPROPERTY('InstanceDefaultBackupPath')"),
        [lab.folder.path().join("data/Backup").to_string_lossy()]
    );
}

#[test]
fn the_chain_of_log_backups_begins_with_a_full_one_and_ends_with_simple() {
    let (_lab, mut s) = lab();
    let wait = "SELECT log_reuse_wait_desc FROM sys.databases WHERE name = 'd'";
    assert_eq!(numbers(&mut s, "BACKUP LOG d TO DISK = 'l'"), [4214, 3013]);
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f' WITH COPY_ONLY");
    assert_eq!(numbers(&mut s, "BACKUP LOG d TO DISK = 'l'"), [4214, 3013]);
    assert_eq!(rows(&mut s, wait), ["NOTHING"]);
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f'");
    rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES('x')");
    assert_eq!(rows(&mut s, wait), ["LOG_BACKUP"]);
    infos(&mut s, "BACKUP LOG d TO DISK = 'l'");
    assert_eq!(rows(&mut s, wait), ["NOTHING"]);
    rows(&mut s, "ALTER DATABASE d SET RECOVERY BULK_LOGGED");
    infos(&mut s, "BACKUP LOG d TO DISK = 'l'");
    rows(&mut s, "ALTER DATABASE d SET RECOVERY SIMPLE");
    assert_eq!(numbers(&mut s, "BACKUP LOG d TO DISK = 'l'"), [4208, 3013]);
    rows(&mut s, "ALTER DATABASE d SET RECOVERY FULL");
    assert_eq!(numbers(&mut s, "BACKUP LOG d TO DISK = 'l'"), [4214, 3013]);
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f'");
    infos(&mut s, "BACKUP LOG d TO DISK = 'l'");
}

#[test]
fn what_cannot_be_backed_up_is_refused_as_sql_server_does() {
    let (lab, mut s) = lab();
    for (text, expected) in [
        ("BACKUP DATABASE nobody TO DISK = 'x'", vec![911, 3013]),
        ("BACKUP DATABASE tempdb TO DISK = 'x'", vec![3147, 3013]),
        ("BACKUP LOG master TO DISK = 'x'", vec![4212, 3013]),
        ("BACKUP LOG msdb TO DISK = 'x'", vec![4208, 3013]),
        ("BACKUP DATABASE d TO DISK = '/nowhere/at/all/x.bak'", vec![3201, 3013]),
        ("BACKUP DATABASE d TO DISK = '/dev/null'", vec![3201, 3013]),
        ("RESTORE DATABASE x FROM DISK = 'nothing.bak'", vec![3201, 3013]),
        ("RESTORE HEADERONLY FROM DISK = 'nothing.bak'", vec![3201, 3013]),
        ("RESTORE VERIFYONLY FROM DISK = 'nothing.bak'", vec![3201, 3013]),
        ("RESTORE LOG nobody WITH RECOVERY", vec![3118, 3013]),
        ("RESTORE DATABASE d WITH RECOVERY", vec![3153, 3013]),
        ("BEGIN TRANSACTION; BACKUP DATABASE d TO DISK = 'x'; ROLLBACK", vec![3021, 3013]),
        ("BACKUP DATABASE d TO DISK = 'x' WITH DIFFERENTIAL", vec![40510]),
        ("BACKUP DATABASE d TO DISK = 'x', DISK = 'y'", vec![40510]),
        ("BACKUP DATABASE d TO tape1", vec![3206, 3013]),
        ("BACKUP DATABASE d", vec![102]),
        ("BACKUP DATABASE d TO DISK = 'x' MIRROR TO DISK = 'y' WITH FORMAT", vec![40510]),
        ("BACKUP DATABASE d TO URL = 'https://x/y'", vec![40510]),
        ("BACKUP DATABASE d FILEGROUP = 'PRIMARY' TO DISK = 'x'", vec![40510]),
        ("BACKUP DATABASE d TO DISK = 'x' WITH WHATEVER", vec![155]),
        ("BACKUP DATABASE d TO DISK = 'x' WITH REPLACE", vec![155]),
    ] {
        let found = numbers(&mut s, text);
        assert_eq!(found, expected, "{text}");
    }
    // The locks of a transaction outlive a BACKUP that it must not have.
    run(&mut s, "BEGIN TRANSACTION; INSERT INTO d.dbo.t(name) VALUES('x'); BACKUP DATABASE d TO DISK = 'x'");
    let mut other = lab.session();
    assert_eq!(error(&mut other, "SET LOCK_TIMEOUT 10; INSERT INTO d.dbo.t(name) VALUES('y')"), 1222);
    rows(&mut s, "ROLLBACK");
    let data = lab.folder.path().join("data/d.bak");
    assert_eq!(numbers(&mut s, &format!("BACKUP DATABASE d TO DISK = '{}'", data.display())), [3201, 3013]);
    let letter = lab.folder.path().join("letter");
    std::fs::write(&letter, "Dear Sir or Madam, this is no backup but a letter").unwrap();
    let letter = letter.display();
    assert_eq!(numbers(&mut s, &format!("RESTORE HEADERONLY FROM DISK = '{letter}'")), [3241, 3013]);
    assert_eq!(numbers(&mut s, &format!("BACKUP DATABASE d TO DISK = '{letter}' WITH INIT")), [3241, 3013]);
    infos(&mut s, &format!("BACKUP DATABASE d TO DISK = '{letter}' WITH FORMAT"));
    assert_eq!(
        numbers(&mut s, &format!("RESTORE VERIFYONLY FROM DISK = '{letter}' WITH FILE = 2")),
        [4038, 3013]
    );
    // In a TRY the last error is caught, and the client is told nothing.
    let caught = run(
        &mut s,
        "BEGIN TRY BACKUP LOG nobody TO DISK = 'x' END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH",
    );
    assert!(caught.errors.is_empty());
    assert_eq!(caught.last_rows(), ["3013"]);
    for system in ["master", "msdb", "model"] {
        infos(&mut s, &format!("BACKUP DATABASE {system} TO DISK = 'system.bak'"));
    }
}

#[test]
fn who_may_is_sysadmin_owner_and_backup_operator() {
    let (lab, mut s) = lab();
    for text in [
        "CREATE LOGIN anna WITH PASSWORD = 'Lab#Pass123'; CREATE LOGIN otto WITH PASSWORD = 'Lab#Pass123'",
        "USE d",
        "CREATE USER anna FOR LOGIN anna; CREATE USER otto FOR LOGIN otto",
        "ALTER ROLE db_backupoperator ADD MEMBER otto",
        "USE master",
    ] {
        rows(&mut s, text);
    }
    let login = |name: &str| {
        lab.server
            .login(&LoginRequest {
                user: name.into(),
                password: Some(Secret::new("Lab#Pass123".into())),
                ..LoginRequest::default()
            })
            .unwrap()
    };
    let (mut anna, mut otto) = (login("anna"), login("otto"));
    assert_eq!(numbers(&mut anna, "BACKUP DATABASE d TO DISK = 'x'"), [262, 3013]);
    infos(&mut otto, "BACKUP DATABASE d TO DISK = 'x'");
    assert_eq!(numbers(&mut otto, "RESTORE DATABASE d FROM DISK = 'x'"), [3110, 3013]);
    assert_eq!(numbers(&mut otto, "RESTORE DATABASE e FROM DISK = 'x'"), [262, 3013]);
    assert_eq!(numbers(&mut otto, "RESTORE HEADERONLY FROM DISK = 'x'"), [262, 3013]);
    rows(&mut s, "ALTER SERVER ROLE dbcreator ADD MEMBER otto");
    infos(&mut otto, "RESTORE DATABASE e FROM DISK = 'x'");
}

#[test]
fn restoring_over_a_database_keeps_nothing_of_it_and_asks_first() {
    let (lab, mut s) = lab();
    rows(&mut s, "CREATE DATABASE other");
    rows(&mut s, "CREATE TABLE other.dbo.o(a int)");
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'd.bak'");
    assert_eq!(numbers(&mut s, "RESTORE DATABASE other FROM DISK = 'd.bak'"), [3154, 3013]);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM other.dbo.o"), ["0"]);
    rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES('after the backup')");
    assert_eq!(numbers(&mut s, "RESTORE DATABASE d FROM DISK = 'd.bak'"), [3159, 3013]);
    assert_eq!(numbers(&mut s, "USE d; RESTORE DATABASE d FROM DISK = 'd.bak' WITH REPLACE"), [3102, 3013]);
    rows(&mut s, "USE master");
    let mut user = lab.session();
    rows(&mut user, "USE other");
    assert_eq!(numbers(&mut s, "RESTORE DATABASE other FROM DISK = 'd.bak' WITH REPLACE"), [3101, 3013]);
    rows(&mut user, "USE master");
    rows(&mut user, "BEGIN TRANSACTION; INSERT INTO other.dbo.o VALUES(1)");
    assert_eq!(numbers(&mut s, "RESTORE DATABASE other FROM DISK = 'd.bak' WITH REPLACE"), [3101, 3013]);
    rows(&mut user, "COMMIT");
    infos(&mut s, "RESTORE DATABASE other FROM DISK = 'd.bak' WITH REPLACE");
    assert_eq!(error(&mut user, "SELECT * FROM other.dbo.o"), 208);
    assert_eq!(rows(&mut user, "SELECT COUNT(*) FROM other.dbo.t"), ["2"]);
    rows(&mut user, "EXEC other.dbo.p N'new here'");
    assert_eq!(rows(&mut user, "SELECT MAX(id) FROM other.dbo.t"), ["3"]);
    infos(&mut s, "BACKUP LOG d TO DISK = 'd.trn'");
    infos(&mut s, "RESTORE DATABASE d FROM DISK = 'd.bak'");
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM d.dbo.t"), ["2"]);
    // Only what is referred to is left on disk.
    let folders = std::fs::read_dir(lab.folder.path().join("data"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("db"))
        .count();
    assert_eq!(folders, 2);
}

#[test]
fn gaps_and_wrong_backups_are_refused_and_a_restart_changes_nothing() {
    let (lab, mut s) = lab();
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f'");
    for n in 1..4 {
        rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES('x')");
        infos(&mut s, &format!("BACKUP LOG d TO DISK = 'l{n}'"));
    }
    assert_eq!(numbers(&mut s, "RESTORE LOG d FROM DISK = 'l1'"), [3117, 3013]);
    assert_eq!(numbers(&mut s, "RESTORE LOG r FROM DISK = 'l1'"), [3118, 3013]);
    assert_eq!(numbers(&mut s, "RESTORE DATABASE r FROM DISK = 'l1'"), [3135, 3013]);
    assert_eq!(numbers(&mut s, "RESTORE DATABASE r FROM DISK = 'f' WITH MOVE 'who' TO 'x'"), [3234, 3013]);
    infos(&mut s, "RESTORE DATABASE r FROM DISK = 'f' WITH NORECOVERY");
    assert_eq!(numbers(&mut s, "RESTORE LOG r FROM DISK = 'l2'"), [4305, 3013]);
    infos(&mut s, "RESTORE LOG r FROM DISK = 'l1' WITH NORECOVERY");
    drop(s);
    let lab = lab.restart();
    let mut s = lab.session();
    assert_eq!(state(&mut s, "r"), "1|RESTORING");
    assert_eq!(error(&mut s, "USE r"), 927);
    assert_eq!(numbers(&mut s, "BACKUP DATABASE r TO DISK = 'x'"), [927, 3013]);
    assert_eq!(numbers(&mut s, "RESTORE LOG r FROM DISK = 'l3'"), [4305, 3013]);
    infos(&mut s, "RESTORE LOG r FROM DISK = 'l2' WITH NORECOVERY");
    assert_eq!(numbers(&mut s, "RESTORE LOG r FROM DISK = 'l1'"), [4326, 3013]);
    let said = infos(&mut s, "RESTORE DATABASE r WITH RECOVERY");
    assert!(
        said.last().unwrap().starts_with("3014: RESTORE DATABASE successfully processed 0 pages"),
        "{said:?}"
    );
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM r.dbo.t"), ["4"]);
    assert_eq!(numbers(&mut s, "RESTORE LOG r FROM DISK = 'l3'"), [3117, 3013]);
}

#[test]
fn a_damaged_backup_restores_nothing_and_leaves_the_old_database() {
    let (lab, mut s) = lab();
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f'");
    let good = std::fs::read(device(&lab, "f")).unwrap();
    let mut flipped = good.clone();
    let middle = good.len() / 2;
    flipped[middle] ^= 4;
    std::fs::write(device(&lab, "flipped"), flipped).unwrap();
    std::fs::write(device(&lab, "cut"), &good[..middle]).unwrap();
    for (name, number) in [("flipped", 3189), ("cut", 3203)] {
        assert_eq!(numbers(&mut s, &format!("RESTORE VERIFYONLY FROM DISK = '{name}'")), [number, 3013]);
        let restore = format!("RESTORE DATABASE d FROM DISK = '{name}' WITH REPLACE");
        assert_eq!(numbers(&mut s, &restore), [number, 3013]);
        let restore = format!("RESTORE DATABASE new FROM DISK = '{name}'");
        assert_eq!(numbers(&mut s, &restore), [number, 3013]);
    }
    assert_eq!(numbers(&mut s, "BACKUP DATABASE d TO DISK = 'cut'"), [3266, 3013]);
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM d.dbo.t"), ["2"]);
    assert_eq!(rows(&mut s, "SELECT name FROM sys.databases WHERE database_id > 4"), ["d"]);
    let folders = std::fs::read_dir(lab.folder.path().join("data"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("db"))
        .count();
    assert_eq!(folders, 1, "nothing is left of the attempts");
}

#[test]
fn the_tail_of_the_log_hands_a_database_over_and_back() {
    let (lab, mut s) = lab();
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f'");
    infos(&mut s, "RESTORE DATABASE standby FROM DISK = 'f' WITH NORECOVERY");
    rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES('the last one')");
    let mut user = lab.session();
    rows(&mut user, "USE d");
    assert_eq!(numbers(&mut s, "BACKUP LOG d TO DISK = 'tail' WITH NORECOVERY"), [3101, 3013]);
    rows(&mut user, "USE master");
    infos(&mut s, "BACKUP LOG d TO DISK = 'tail' WITH NORECOVERY");
    assert_eq!(state(&mut s, "d"), "1|RESTORING");
    assert_eq!(error(&mut user, "INSERT INTO d.dbo.t(name) VALUES('too late')"), 927);
    infos(&mut s, "RESTORE LOG standby FROM DISK = 'tail' WITH RECOVERY");
    rows(&mut s, "INSERT INTO standby.dbo.t(name) VALUES('over there')");
    infos(&mut s, "BACKUP LOG standby TO DISK = 'back'");
    drop((s, user));
    let lab = lab.restart();
    let mut s = lab.session();
    assert_eq!(state(&mut s, "d"), "1|RESTORING");
    infos(&mut s, "RESTORE LOG d FROM DISK = 'back'");
    assert_eq!(
        rows(&mut s, "SELECT name FROM d.dbo.t WHERE id > 2 ORDER BY id"),
        ["the last one", "over there"]
    );
}

#[test]
fn a_restore_stops_at_a_point_in_time() {
    let (_lab, mut s) = lab();
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f'");
    rows(&mut s, "INSERT INTO d.dbo.t(name) VALUES('before')");
    let at = rows(&mut s, "WAITFOR DELAY '00:00:00.050'; SELECT CONVERT(varchar(30), SYSUTCDATETIME(), 126)")
        .remove(0);
    rows(&mut s, "WAITFOR DELAY '00:00:00.050'; INSERT INTO d.dbo.t(name) VALUES('the mistake')");
    infos(&mut s, "BACKUP LOG d TO DISK = 'l'");
    infos(&mut s, "RESTORE DATABASE r FROM DISK = 'f' WITH NORECOVERY");
    assert_eq!(numbers(&mut s, "RESTORE LOG r FROM DISK = 'l' WITH STOPAT = '2001-01-01'"), [4338, 3013]);
    infos(&mut s, &format!("RESTORE LOG r FROM DISK = 'l' WITH RECOVERY, STOPAT = '{at}'"));
    assert_eq!(rows(&mut s, "SELECT MAX(name) FROM r.dbo.t WHERE id > 2"), ["before"]);
    infos(&mut s, "RESTORE DATABASE q FROM DISK = 'f' WITH NORECOVERY");
    let said = infos(&mut s, "RESTORE LOG q FROM DISK = 'l' WITH RECOVERY, STOPAT = '2099-01-01'");
    assert!(said.iter().any(|m| m.starts_with("4322: ")), "{said:?}");
    assert_eq!(state(&mut s, "q"), "1|RESTORING");
}

#[test]
fn backups_are_taken_while_others_write() {
    let (lab, mut s) = lab();
    infos(&mut s, "BACKUP DATABASE d TO DISK = 'f' WITH INIT");
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let mut writer = lab.session();
                scope.spawn(move || {
                    for _ in 0..40 {
                        rows(&mut writer, "BEGIN TRANSACTION; INSERT INTO d.dbo.t(name) VALUES('a'); INSERT INTO d.dbo.t(name) VALUES('a'); COMMIT");
                    }
                })
            })
            .collect();
        for n in 0..4 {
            infos(&mut s, &format!("BACKUP DATABASE d TO DISK = 'f{n}' WITH INIT"));
            infos(&mut s, &format!("BACKUP LOG d TO DISK = 'l{n}' WITH INIT"));
        }
        for writer in writers {
            writer.join().unwrap();
        }
    });
    infos(&mut s, "BACKUP LOG d TO DISK = 'tail'");
    let there = rows(&mut s, &CONTENT.replace("dbo.t", "d.dbo.t"));
    for n in 0..4 {
        infos(&mut s, &format!("RESTORE DATABASE r FROM DISK = 'f{n}' WITH NORECOVERY, REPLACE"));
        for link in n..4 {
            infos(&mut s, &format!("RESTORE LOG r FROM DISK = 'l{link}' WITH NORECOVERY"));
        }
        infos(&mut s, "RESTORE LOG r FROM DISK = 'tail'");
        assert_eq!(rows(&mut s, &CONTENT.replace("dbo.t", "r.dbo.t")), there);
        assert_eq!(rows(&mut s, "SELECT COUNT(*) % 2 FROM r.dbo.t WHERE name = 'a'"), ["0"]);
    }
}

/// Backups and restores are in the error log, with SQL Server's texts, unless trace flag 3226 keeps it short.
#[test]
fn the_error_log_tells_of_backups() {
    let lab = Lab::new();
    let mut s = lab.session();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (full, log) = (file("full.bak"), file("log.trn"));
    for sql in [
        "CREATE DATABASE d".to_owned(),
        format!("BACKUP DATABASE d TO DISK = '{full}'"),
        format!("BACKUP LOG d TO DISK = '{log}'"),
        format!("RESTORE DATABASE d FROM DISK = '{full}' WITH NORECOVERY, REPLACE"),
        format!("RESTORE LOG d FROM DISK = '{log}'"),
        "DBCC TRACEON(3226, -1)".to_owned(),
        format!("BACKUP DATABASE d TO DISK = '{}'", file("quiet.bak")),
    ] {
        run(&mut s, &sql);
    }
    assert_eq!(error(&mut s, "BACKUP LOG d TO DISK = '/nowhere/at/all.trn'"), 3201);
    let lines = rows(&mut s, "EXEC sp_readerrorlog 0, 1, N'd'").join("\n");
    let created = "Database: d, creation date(time): 20";
    for text in [
        format!("Database backed up. {created}"),
        format!(
            "device information: (FILE=1, TYPE=DISK: {{'{full}'}}). This is an informational message only. No user action is required."
        ),
        "BACKUP DATABASE successfully processed ".to_owned(),
        format!("Log was backed up. {created}"),
        format!("Database was restored: {created}"),
        format!("Log was restored. {created}"),
        "BACKUP failed to complete the command BACKUP LOG d. Check the backup application log".to_owned(),
    ] {
        assert!(lines.contains(&text), "{text} is not in\n{lines}");
    }
    assert!(lines.contains("first LSN: 32:"), "{lines}");
    assert!(!lines.contains("quiet.bak"), "{lines}");
}

#[test]
fn the_agents_tables_can_be_read_by_maintenance_tools() {
    let (_lab, mut s) = lab();
    assert_eq!(rows(&mut s, "SELECT COUNT(*) FROM msdb.dbo.sysjobs"), ["0"]);
    rows(
        &mut s,
        "DECLARE @id uniqueidentifier = NEWID();
         INSERT INTO msdb.dbo.sysjobs(job_id, name, enabled) VALUES(@id, N'log backups', 1);
         INSERT INTO msdb.dbo.sysjobsteps(job_id, step_id, step_name, subsystem, command)
             VALUES(@id, 1, N'step', N'TSQL', N'BACKUP LOG d TO DISK = N''d.trn''')",
    );
    let found = rows(
        &mut s,
        "SELECT j.name FROM msdb.dbo.sysjobs AS j JOIN msdb.dbo.sysjobsteps AS s ON s.job_id = j.job_id
         LEFT JOIN msdb.dbo.sysjobschedules AS h ON h.job_id = j.job_id WHERE s.command LIKE N'%BACKUP LOG%'",
    );
    assert_eq!(found, ["log backups"]);
}

#[test]
fn the_default_folder_is_there_by_its_full_name() {
    let (_lab, mut s) = lab();
    let folder =
        rows(&mut s, "SELECT CONVERT(nvarchar(4000), SERVERPROPERTY('InstanceDefaultBackupPath'))").remove(0);
    infos(&mut s, &format!("BACKUP DATABASE d TO DISK = N'{folder}/first.bak'"));
}

#[test]
fn agent_jobs_are_made_by_their_procedures() {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE LOGIN operator WITH PASSWORD = 'Lab#Pass123'");
    rows(
        &mut s,
        "BEGIN TRANSACTION
         EXEC msdb.dbo.sp_add_category @class = N'JOB', @type = N'LOCAL', @name = N'nightly'
         EXEC msdb.dbo.sp_add_job @job_name = N'j', @enabled = 0, @category_name = N'nightly', @owner_login_name = N'operator'
         EXEC msdb.dbo.sp_add_jobstep @job_name = N'j', @step_name = N'one', @command = N'SELECT 1', @on_success_action = 3
         EXEC msdb.dbo.sp_add_jobstep @job_name = N'j', @step_name = N'two', @command = N'SELECT 2', @database_name = N'tempdb'
         EXEC msdb.dbo.sp_add_jobschedule @job_name = N'j', @name = N'at night', @freq_type = 4, @freq_interval = 1
         EXEC msdb.dbo.sp_add_jobserver @job_name = N'j', @server_name = N'(local)'
         EXEC msdb.dbo.sp_update_job @job_name = N'j', @enabled = 1
         COMMIT TRANSACTION",
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT j.name, j.enabled, c.name, SUSER_SNAME(j.owner_sid), x.step_id, x.step_name, x.database_name
             FROM msdb.dbo.sysjobs AS j JOIN msdb.dbo.syscategories AS c ON c.category_id = j.category_id
             JOIN msdb.dbo.sysjobsteps AS x ON x.job_id = j.job_id ORDER BY x.step_id"
        ),
        ["j|1|nightly|operator|1|one|master", "j|1|nightly|operator|2|two|tempdb"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT s.name, s.freq_type, s.active_end_time FROM msdb.dbo.sysschedules AS s
             JOIN msdb.dbo.sysjobschedules AS x ON x.schedule_id = s.schedule_id"
        ),
        ["at night|4|235959"]
    );
    rows(&mut s, "EXEC msdb.dbo.sp_delete_job @job_name = N'j'");
    for table in ["sysjobs", "sysjobsteps", "sysjobschedules", "sysschedules", "sysjobservers"] {
        assert_eq!(rows(&mut s, &format!("SELECT COUNT(*) FROM msdb.dbo.{table}")), ["0"], "{table}");
    }
}
