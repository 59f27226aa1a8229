//! Databases in availability groups: who may open them, who may write, what a change of role cuts off.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab_engine::{
    HadrViews, LoginRequest, Outcome, ReplicaIds, ReplicaRole, SecondaryConnections, Secret, Session,
    ViewRow, ViewValue,
};

use crate::answers::Answers;
use crate::{Lab, error, rows, run};

const IDS: ReplicaIds = ReplicaIds { replica_id: [1; 16], group_database_id: [2; 16] };
const PRIMARY: ReplicaRole = ReplicaRole::Primary { read_write_only: false };

fn secondary(allow: SecondaryConnections) -> ReplicaRole {
    ReplicaRole::Secondary { allow, readable: true }
}

/// A lab with a database `d` that has a table with two rows.
fn with_database() -> (Lab, Session) {
    let lab = Lab::new();
    let mut s = lab.session();
    rows(&mut s, "CREATE DATABASE d");
    rows(
        &mut s,
        "USE d; CREATE TABLE t (id int IDENTITY PRIMARY KEY, v int); INSERT t VALUES (1), (2); USE master",
    );
    (lab, s)
}

fn request(database: &str, read_only_intent: bool) -> LoginRequest {
    LoginRequest {
        user: "sa".into(),
        password: Some(Secret::new("Lab#Pass123".into())),
        database: database.into(),
        read_only_intent,
        ..LoginRequest::default()
    }
}

fn login(lab: &Lab, database: &str, read_only_intent: bool) -> i32 {
    lab.server.login(&request(database, read_only_intent)).map_or_else(|e| e.number, |_| 0)
}

#[test]
fn a_role_says_who_may_open_a_database() {
    let (lab, mut s) = with_database();
    let roles = [
        (PRIMARY, 0, 0),
        (ReplicaRole::Primary { read_write_only: true }, 0, 979),
        (secondary(SecondaryConnections::No), 976, 976),
        (secondary(SecondaryConnections::ReadOnly), 978, 0),
        (secondary(SecondaryConnections::All), 0, 0),
        (ReplicaRole::Secondary { allow: SecondaryConnections::All, readable: false }, 976, 976),
        (ReplicaRole::Resolving, 983, 983),
        (ReplicaRole::Standalone, 0, 0),
    ];
    for (role, plain, reading) in roles {
        lab.server.set_replica_role("D", role, Some(IDS)).unwrap();
        assert_eq!(lab.server.replica_role("d"), Some(role));
        assert_eq!((login(&lab, "d", false), login(&lab, "d", true)), (plain, reading), "{role:?}");
        assert_eq!(error(&mut s, "SELECT * FROM d.dbo.t"), plain, "{role:?}");
        assert_eq!(error(&mut s, "USE d"), plain, "{role:?}");
        assert_eq!(error(&mut s, "USE master"), 0);
        let ids = rows(&mut s, "SELECT replica_id, group_database_id FROM sys.databases WHERE name = 'd'");
        let there = ids[0] != "NULL|NULL";
        assert_eq!(there, role != ReplicaRole::Standalone, "{role:?} {ids:?}");
    }
    let unknown = lab.server.set_replica_role("nowhere", PRIMARY, None);
    assert_eq!(unknown.map_err(|e| e.number), Err(911));
}

#[test]
fn a_secondary_is_read_and_not_written() {
    let (lab, mut s) = with_database();
    lab.server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    rows(&mut s, "USE d");
    assert_eq!(rows(&mut s, "BEGIN TRAN; SELECT count(*) FROM t WITH (UPDLOCK); COMMIT"), ["2"]);
    rows(&mut s, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRAN; SELECT * FROM t");
    rows(&mut s, "CREATE TABLE #t (a int); INSERT #t SELECT v FROM t; COMMIT");
    assert_eq!(rows(&mut s, "SELECT sum(a) FROM #t"), ["3"]);
    for text in [
        "INSERT t VALUES (3)",
        "UPDATE t SET v = 1",
        "DELETE t",
        "TRUNCATE TABLE t",
        "CREATE TABLE u (a int)",
        "DROP TABLE t",
        "EXEC('CREATE VIEW w AS SELECT 1 AS a')",
        "CREATE USER u WITHOUT LOGIN",
        "SELECT * INTO u FROM t",
        "ALTER DATABASE d SET READ_COMMITTED_SNAPSHOT ON",
        "ALTER DATABASE d MODIFY NAME = e",
    ] {
        assert_eq!(error(&mut s, text), 3906, "{text}");
    }
    assert_eq!(error(&mut s, "DBCC CHECKDB WITH NO_INFOMSGS"), 0);
    let facts =
        "SELECT DATABASEPROPERTYEX('d', 'Updateability'), is_read_only, sys.fn_hadr_is_primary_replica('d'),
        sys.fn_hadr_is_primary_replica('master'), sys.fn_hadr_backup_is_preferred_replica('d')
        FROM sys.databases WHERE name = 'd'";
    assert_eq!(rows(&mut s, facts), ["READ_ONLY|0|0|NULL|1"]);
    rows(&mut s, "USE master");
    lab.server.set_replica_role("d", PRIMARY, None).unwrap();
    assert_eq!(rows(&mut s, facts), ["READ_WRITE|0|1|NULL|1"]);
    rows(&mut s, "INSERT d.dbo.t VALUES (3)");
}

#[test]
fn a_group_keeps_its_databases() {
    let (lab, mut s) = with_database();
    rows(&mut s, "BACKUP DATABASE d TO DISK = 'd.bak'");
    lab.server.set_replica_role("d", PRIMARY, Some(IDS)).unwrap();
    for (text, number) in [
        ("DROP DATABASE d", 3752),
        ("RESTORE DATABASE d FROM DISK = 'd.bak' WITH REPLACE", 3104),
        ("RESTORE DATABASE d WITH RECOVERY", 3104),
        ("ALTER DATABASE d SET RECOVERY SIMPLE", 1468),
        ("ALTER DATABASE d SET OFFLINE", 1468),
        ("ALTER DATABASE d SET READ_ONLY", 1468),
        ("ALTER DATABASE d MODIFY NAME = e", 1468),
        ("ALTER DATABASE d SET RECOVERY FULL", 0),
        ("BACKUP LOG d TO DISK = 'd.trn' WITH NORECOVERY", 1468),
        ("BACKUP LOG d TO DISK = 'd.trn'", 0),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    let both = run(&mut s, "ALTER DATABASE d SET RECOVERY SIMPLE");
    assert_eq!(both.errors.iter().map(|e| e.number).collect::<Vec<_>>(), [1468, 5069]);
    lab.server.set_replica_role("d", secondary(SecondaryConnections::No), None).unwrap();
    for (text, number) in [
        ("BACKUP DATABASE d TO DISK = 's.bak'", 3059),
        ("BACKUP DATABASE d TO DISK = 's.bak' WITH COPY_ONLY", 0),
        ("BACKUP LOG d TO DISK = 's.trn' WITH COPY_ONLY", 3059),
        ("BACKUP LOG d TO DISK = 's.trn'", 0),
        ("DROP DATABASE d", 3752),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    lab.server.set_replica_role("d", ReplicaRole::Standalone, None).unwrap();
    rows(&mut s, "DROP DATABASE d");
}

#[test]
fn the_end_of_a_primary_cuts_its_sessions_and_no_others() {
    let (lab, other) = with_database();
    let (began, has_begun) = channel();
    let threads: Vec<_> = ["INSERT t VALUES (3); WAITFOR DELAY '00:01'", "WAITFOR DELAY '00:01'", ""]
        .into_iter()
        .map(|then| {
            let (mut s, began) = (lab.session(), began.clone());
            std::thread::spawn(move || {
                rows(&mut s, "USE d");
                if then.is_empty() {
                    // One that holds the lock while its client thinks.
                    let (hang_up, hung_up) = channel();
                    let hang_up = Mutex::new(hang_up);
                    s.set_hang_up(Box::new(move || hang_up.lock().unwrap().send(()).unwrap()));
                    rows(&mut s, "BEGIN TRAN; SELECT count(*) FROM t");
                    began.send(()).unwrap();
                    hung_up.recv_timeout(Duration::from_secs(20)).unwrap();
                    return Vec::new();
                }
                began.send(()).unwrap();
                let mut answers = Answers::default();
                let outcome = s.run_batch(&format!("BEGIN TRAN; {then}"), &mut answers);
                assert_eq!(outcome, Outcome::Disconnect);
                answers.errors.iter().map(|e| e.number).collect::<Vec<_>>()
            })
        })
        .collect();
    for _ in 0..3 {
        has_begun.recv().unwrap();
    }
    let mut s = other;
    let writes = "SELECT count(*) FROM sys.dm_tran_locks WHERE request_status = 'GRANT'";
    let limit = Instant::now() + Duration::from_secs(20);
    while rows(&mut s, writes) == ["0"] && Instant::now() < limit {
        std::thread::yield_now();
    }
    let start = Instant::now();
    lab.server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    let took = start.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let said: Vec<Vec<i32>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(said, [vec![596], vec![596], vec![]]);
    assert_eq!(rows(&mut s, "SELECT count(*) FROM d.dbo.t"), ["2"], "the open transaction was rolled back");
}

#[test]
fn a_writer_that_waits_for_its_turn_does_not_write_after_the_change() {
    let (lab, mut s) = with_database();
    rows(&mut s, "BEGIN TRAN; UPDATE d.dbo.t SET v = 10");
    let (mut waiting, began) = (lab.session(), channel());
    let begin = began.0;
    let thread = std::thread::spawn(move || {
        begin.send(()).unwrap();
        let mut answers = Answers::default();
        let outcome = waiting.run_batch("INSERT d.dbo.t VALUES (3)", &mut answers);
        (outcome, answers.errors.first().map(|e| e.number))
    });
    began.1.recv().unwrap();
    let server = Arc::clone(&lab.server);
    let change = std::thread::spawn(move || {
        server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS))
    });
    let limit = Instant::now() + Duration::from_secs(20);
    while !s.is_killed() && Instant::now() < limit {
        std::thread::yield_now();
    }
    // As its connection does when it is told to hang up.
    drop(s);
    change.join().unwrap().unwrap();
    let (outcome, number) = thread.join().unwrap();
    // Whether it was cut, or came too late to be, it has not written.
    assert!(
        matches!((outcome, number), (Outcome::Disconnect, Some(596)) | (_, Some(3906))),
        "{outcome:?} {number:?}"
    );
    let mut s = lab.session();
    assert_eq!(rows(&mut s, "SELECT count(*), sum(v) FROM d.dbo.t"), ["2|3"]);
}

#[test]
fn a_killed_session_runs_nothing_more() {
    let (lab, mut s) = with_database();
    rows(&mut s, "USE d");
    rows(&mut s, "BEGIN TRAN; UPDATE t SET v = 10");
    let server = Arc::clone(&lab.server);
    let change = std::thread::spawn(move || server.set_replica_role("d", ReplicaRole::Resolving, Some(IDS)));
    let limit = Instant::now() + Duration::from_secs(20);
    while !s.is_killed() && Instant::now() < limit {
        std::thread::yield_now();
    }
    let mut answers = Answers::default();
    assert_eq!(s.run_batch("COMMIT", &mut answers), Outcome::Disconnect);
    assert_eq!(answers.errors.first().map(|e| e.number), Some(596));
    change.join().unwrap().unwrap();
}

#[test]
fn until_somebody_knows_better_a_member_of_a_group_is_resolving() {
    let (lab, s) = with_database();
    lab.server.set_replica_role("d", PRIMARY, Some(IDS)).unwrap();
    drop(s);
    let lab = lab.restart();
    assert_eq!(lab.server.replica_role("d"), Some(ReplicaRole::Resolving));
    assert_eq!(lab.server.database_facts("d").unwrap().ids, Some(IDS));
    assert_eq!(login(&lab, "d", false), 983);
    lab.server.set_replica_role("d", ReplicaRole::Standalone, None).unwrap();
    let lab = lab.restart();
    assert_eq!(lab.server.replica_role("d"), Some(ReplicaRole::Standalone));
    rows(&mut lab.session(), "INSERT d.dbo.t VALUES (3)");
}

#[test]
fn identity_values_go_on_from_the_pages_when_a_copy_becomes_primary() {
    let (lab, mut s) = with_database();
    // Taken and rolled back: the counter in memory is ahead of the pages.
    rows(&mut s, "USE d; BEGIN TRAN; INSERT t VALUES (3), (4), (5); ROLLBACK; USE master");
    lab.server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    lab.server.set_replica_role("d", PRIMARY, None).unwrap();
    rows(&mut s, "INSERT d.dbo.t VALUES (6)");
    assert_eq!(rows(&mut s, "SELECT max(id) FROM d.dbo.t"), ["3"]);
}

/// Copies the files of a database that nobody writes to, as seeding would.
fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_files(&file.path(), &to);
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}

#[test]
fn a_copy_is_attached_finished_and_read() {
    let (lab, mut s) = with_database();
    rows(&mut s, "ALTER DATABASE d SET COMPATIBILITY_LEVEL = 150");
    assert_eq!(lab.server.attach_seeding("D").map_err(|e| e.number), Err(1801));
    let id = lab.server.attach_seeding("copy").unwrap();
    assert_eq!(rows(&mut s, "SELECT DB_ID('copy')"), [id.to_string()]);
    let state = "SELECT state_desc, compatibility_level FROM sys.databases WHERE name = 'copy'";
    assert_eq!(rows(&mut s, state), ["RESTORING|160"]);
    assert_eq!(error(&mut s, "USE copy"), 927);
    assert_eq!(login(&lab, "copy", true), 4060);
    assert_eq!(error(&mut s, "DROP DATABASE copy"), 3702);
    assert_eq!(error(&mut s, "RESTORE DATABASE copy WITH RECOVERY"), 3101);
    assert_eq!(lab.server.finish_seeding("copy").map_err(|e| e.number), Err(3183), "nothing is there yet");

    // Nobody has the files open who could not be told to let go of them.
    drop(s);
    let from = lab.server.close_for_rewind("d").unwrap();
    let mut s = lab.session();
    assert_eq!(error(&mut s, "SELECT * FROM d.dbo.t"), 922);
    copy_files(&from, &lab.server.seeding_folder("COPY").unwrap());
    lab.server.reopen("d").unwrap();
    assert_eq!(rows(&mut s, "SELECT count(*) FROM d.dbo.t"), ["2"]);

    let traits = lab.server.database_traits("d").unwrap();
    lab.server.apply_traits("copy", &traits).unwrap();
    lab.server.finish_seeding("copy").unwrap();
    assert_eq!(lab.server.replica_role("copy"), Some(ReplicaRole::Resolving));
    assert_eq!(lab.server.database_traits("copy").unwrap(), traits);
    lab.server.set_replica_role("copy", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    assert_eq!(rows(&mut s, state), ["ONLINE|150"]);
    assert_eq!(rows(&mut s, "SELECT v FROM copy.dbo.t ORDER BY id"), ["1", "2"]);
    assert_eq!(error(&mut s, "DELETE copy.dbo.t"), 3906);
    assert_eq!(lab.server.database_names(), ["master", "tempdb", "model", "msdb", "d", "copy"]);
    assert!(lab.server.store("copy").is_some() && lab.server.store("nowhere").is_none());

    drop(s);
    lab.server.leave_restoring("copy").unwrap();
    let mut s = lab.session();
    assert_eq!(error(&mut s, "USE copy"), 927);
    rows(&mut s, "RESTORE DATABASE copy WITH RECOVERY; DELETE copy.dbo.t");
    drop(s);
    let lab = lab.restart();
    assert_eq!(rows(&mut lab.session(), "SELECT count(*) FROM copy.dbo.t"), ["0"]);
    assert!(lab.server.take_notices().is_empty());
}

#[test]
fn a_copy_that_is_not_finished_leaves_nothing_behind() {
    let (lab, s) = with_database();
    drop(s);
    for abandoned in [true, false] {
        lab.server.attach_seeding("copy").unwrap();
        let folder = lab.server.seeding_folder("copy").unwrap();
        std::fs::create_dir_all(folder.join("log")).unwrap();
        std::fs::write(folder.join("data.db"), "half of it").unwrap();
        if abandoned {
            lab.server.abandon_seeding("copy").unwrap();
            assert!(!folder.exists());
            assert_eq!(lab.server.abandon_seeding("copy").map_err(|e| e.number), Err(911));
        }
        assert_eq!(lab.server.database_facts("copy").is_none(), abandoned);
    }
    let folder = lab.server.seeding_folder("copy").unwrap();
    assert_eq!(lab.server.database_folder("copy").as_ref(), Some(&folder));
    let lab = lab.restart();
    assert!(!folder.exists());
    assert!(lab.server.database_facts("copy").is_none());
    let notices = lab.server.take_notices();
    assert!(notices.len() == 1 && notices[0].contains("'copy'"), "{notices:?}");
    let lab = lab.restart();
    assert!(lab.server.take_notices().is_empty());
}

#[test]
fn what_a_group_asks_of_a_database_is_known() {
    let (lab, mut s) = with_database();
    let facts = lab.server.database_facts("D").unwrap();
    assert_eq!(
        (facts.name.as_str(), facts.system, facts.state, facts.log_chain),
        ("d", false, "ONLINE", false)
    );
    assert_eq!(facts.recovery_model, lab_store::RecoveryModel::Full);
    assert!(facts.data_bytes > 0 && facts.log_bytes > 0);
    rows(&mut s, "BACKUP DATABASE d TO DISK = 'd.bak'; ALTER DATABASE d SET AUTO_CLOSE ON");
    let facts = lab.server.database_facts("d").unwrap();
    assert!(facts.log_chain && facts.auto_close && !facts.read_only && !facts.single_user);
    assert!(lab.server.database_facts("msdb").unwrap().system);
}

struct Rows;

impl HadrViews for Rows {
    fn rows(&self, view: &str) -> Vec<ViewRow> {
        match view {
            "sys.availability_groups" => vec![vec![
                ("name", ViewValue::Text("ag".into())),
                ("group_id", ViewValue::Guid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
                ("is_distributed", ViewValue::Bit(true)),
            ]],
            "lab.fork_transactions" => [("d", 245_575_913), ("d", 1)]
                .map(|(database, table)| {
                    vec![
                        ("database_name", ViewValue::Text(database.into())),
                        ("commit_lsn", ViewValue::Lsn(lab_store::Lsn(8))),
                        ("commit_time", ViewValue::Time(0)),
                        ("table_name", ViewValue::Table(database.into(), table)),
                        ("rows_inserted", ViewValue::Int(5)),
                    ]
                })
                .to_vec(),
            _ => Vec::new(),
        }
    }

    fn backup_is_preferred(&self, database: &str) -> bool {
        database != "d"
    }
}

#[test]
fn views_of_groups_have_the_rows_of_whoever_holds_the_groups() {
    let (lab, mut s) = with_database();
    let groups = "SELECT name, group_id, is_distributed, cluster_type FROM sys.availability_groups";
    assert!(rows(&mut s, groups).is_empty());
    lab.server.install_hadr_views(Arc::new(Rows));
    assert_eq!(rows(&mut s, groups), ["ag|03020100-0504-0706-0809-0A0B0C0D0E0F|1|NULL"]);
    assert_eq!(
        rows(&mut s, "SELECT table_name, commit_lsn, commit_time, rows_inserted FROM lab.fork_transactions"),
        [
            "dbo.t|32000000000000002|0001-01-01 00:00:00.0000000|5",
            "NULL|32000000000000002|0001-01-01 00:00:00.0000000|5"
        ]
    );
    assert!(rows(&mut s, "SELECT * FROM sys.dm_hadr_automatic_seeding").is_empty());
    lab.server.set_replica_role("d", PRIMARY, Some(IDS)).unwrap();
    assert_eq!(rows(&mut s, "SELECT sys.fn_hadr_backup_is_preferred_replica('d')"), ["0"]);
}

/// The notes of the commits in a database's log.
fn notes(lab: &Lab, database: &str) -> Vec<lab_store::CommitNote> {
    let store = lab.server.store(database).unwrap();
    store.wait_hardened(store.observe_lsn()).unwrap();
    let (mut log, _pin) = store.read_log(lab_store::Lsn(0)).unwrap();
    let mut notes = Vec::new();
    while let Some(raw) = log.next_record().unwrap() {
        notes.push(raw.record.note);
    }
    notes
}

#[test]
fn a_commit_says_who_made_it_and_what_it_touched() {
    let (lab, mut s) = with_database();
    rows(&mut s, "USE d");
    rows(&mut s, "CREATE TABLE p (id int PRIMARY KEY)");
    rows(&mut s, "CREATE TABLE c (p int REFERENCES p (id) ON DELETE CASCADE)");
    let id = |s: &mut Session, table: &str| {
        rows(s, &format!("SELECT OBJECT_ID('{table}')"))[0].parse::<i32>().unwrap()
    };
    let (t, p, c) = (id(&mut s, "t"), id(&mut s, "p"), id(&mut s, "c"));
    let table = |object_id, inserted, updated, deleted| lab_store::TableRows {
        object_id,
        inserted,
        updated,
        deleted,
    };
    let mut say = |text: &str| {
        let before = notes(&lab, "d").len();
        rows(&mut s, text);
        let found = notes(&lab, "d").split_off(before);
        assert!(found.iter().all(|n| n.session == s.id()), "{text}");
        found.into_iter().map(|n| (n.catalog_changed, n.rows)).collect::<Vec<_>>()
    };
    assert_eq!(say("INSERT t VALUES (3), (4)"), [(false, vec![table(t, 2, 0, 0)])]);
    assert_eq!(say("CREATE TABLE u (a int)"), [(true, vec![])]);
    assert!(say("SELECT v INTO w FROM t")[0].0);
    assert_eq!(say("UPDATE t SET v = v + 1 WHERE v > 2; SELECT 1"), [(false, vec![table(t, 0, 2, 0)])]);
    let several =
        "BEGIN TRAN; INSERT p VALUES (1), (2); INSERT c VALUES (1), (1), (2); SAVE TRAN s; DELETE t;
        ROLLBACK TRAN s; DELETE p WHERE id = 1; UPDATE t SET v = 0; UPDATE t SET v = 1; COMMIT";
    let expected = vec![table(p, 2, 0, 1), table(c, 3, 0, 2), table(t, 0, 8, 0)];
    assert_eq!(say(several), [(false, expected)]);
    assert_eq!(say("BEGIN TRAN; INSERT t VALUES (5); ROLLBACK"), []);
    assert_eq!(
        say(
            "DECLARE @i int = 0; BEGIN TRAN; WHILE @i < 50 BEGIN INSERT t VALUES (@i); SET @i += 1 END; COMMIT"
        ),
        [(false, vec![table(t, 50, 0, 0)])]
    );
    assert_eq!(say("TRUNCATE TABLE t"), [(false, vec![table(t, 0, 0, 54)])]);
}

/// Changes the pages of a database beneath the engine, as the primary's log does.
fn redo(lab: &Lab, database: &str, sql: &str) {
    let store = lab.server.store(database).unwrap();
    let conn = store.connect().unwrap();
    conn.execute_batch("BEGIN").unwrap();
    conn.execute_batch(sql).unwrap();
    let pending = store.begin_commit(&conn, "main").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    pending.finish(lab_store::CommitNote::default()).unwrap();
}

#[test]
fn what_the_log_changes_beneath_is_seen_once_the_catalog_is_loaded_anew() {
    let (lab, mut s) = with_database();
    lab.server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    rows(&mut s, "USE d");
    let id = &rows(&mut s, "SELECT OBJECT_ID('t')")[0];
    let prepared = "DECLARE @h int; EXEC sp_prepare @h OUTPUT, N'', N'SELECT count(*) FROM u'; SELECT @h";
    redo(
        &lab,
        "d",
        &format!("UPDATE _catalog SET body = replace(body, '\"t\"', '\"u\"') WHERE kind = 1 AND id = {id}"),
    );
    assert_eq!(rows(&mut s, "SELECT count(*) FROM t"), ["2"], "what is there is what the engine knows");
    assert_eq!(error(&mut s, "SELECT count(*) FROM u"), 208);
    lab.server.reload_catalog("D").unwrap();
    assert_eq!(error(&mut s, "SELECT count(*) FROM t"), 208);
    assert_eq!(rows(&mut s, "SELECT count(*) FROM u"), ["2"]);
    let handle = rows(&mut s, prepared);
    let execute = format!("EXEC sp_execute {}", handle[0]);
    assert_eq!(rows(&mut s, &execute), ["2"]);

    // A reader between the change of the pages and the new catalog is told what has happened to it.
    let table: String = lab
        .server
        .store("d")
        .unwrap()
        .connect()
        .unwrap()
        .query_row("SELECT name FROM sqlite_master WHERE name LIKE '%' || ?1", [id], |r| r.get(0))
        .unwrap();
    redo(&lab, "d", &format!("DROP TABLE {table}; DELETE FROM _catalog WHERE kind = 1 AND id = {id}"));
    assert_eq!(error(&mut s, "SELECT count(*) FROM u"), 3961);
    assert_eq!(error(&mut s, &execute), 3961);
    lab.server.reload_catalog("d").unwrap();
    assert_eq!(error(&mut s, &execute), 208);
    // Ids go on behind those of the primary.
    redo(&lab, "d", "UPDATE _catalog SET body = '999999' WHERE kind = 0 AND id = 3");
    rows(&mut s, "USE master");
    lab.server.set_replica_role("d", PRIMARY, None).unwrap();
    assert_eq!(rows(&mut s, "USE d; CREATE TABLE n (a int); SELECT OBJECT_ID('n')"), ["999999"]);
}

/// Seeds `d` from one instance to another, as the link does.
fn seed(from: &Lab, to: &Lab) {
    let source = from.server.store("d").unwrap();
    to.server.attach_seeding("d").unwrap();
    let folder = to.server.seeding_folder("d").unwrap();
    let (header, snapshot, _pin) = source.seed(None).unwrap();
    let mut writer = lab_store::SeedWriter::begin(to.server.disk(), &folder, &header).unwrap();
    snapshot.read(|number, page| writer.write_page(number, page)).unwrap();
    let mut at = header.log_from;
    while at < header.lsn {
        let block = source.read_block(at, usize::try_from(header.lsn.0 - at.0).unwrap()).unwrap();
        writer.append_log(&block.bytes).unwrap();
        at = block.to;
    }
    writer.finish().unwrap();
    to.server.apply_traits("d", &from.server.database_traits("d").unwrap()).unwrap();
    to.server.finish_seeding("d").unwrap();
}

/// Ships what one instance has hardened of `d` to another and redoes it there, as the link does.
fn ship(from: &Lab, to: &Lab) {
    let (primary, secondary) = (from.server.store("d").unwrap(), to.server.store("d").unwrap());
    primary.wait_hardened(primary.observe_lsn()).unwrap();
    loop {
        let block = primary.read_block(secondary.end_lsn(), 1 << 20).unwrap();
        if block.bytes.is_empty() {
            return;
        }
        let end = secondary.receive(&block.bytes).unwrap();
        secondary.wait_hardened(end).unwrap();
        loop {
            let redone = secondary.redo(1 << 20).unwrap();
            if redone.catalog_changed {
                to.server.reload_catalog("d").unwrap();
            }
            if redone.records == 0 {
                break;
            }
        }
    }
}

/// A planned change of roles.
fn change_roles(from: &Lab, to: &Lab) {
    from.server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    let end = from.server.store("d").unwrap().demote().unwrap();
    ship(from, to);
    let promoted = to.server.store("d").unwrap();
    assert_eq!(promoted.redone_lsn(), end);
    promoted.promote().unwrap();
    to.server.set_replica_role("d", PRIMARY, Some(IDS)).unwrap();
    let history = promoted.history();
    from.server.store("d").unwrap().enter_fork(&history).unwrap();
}

#[test]
fn roles_move_there_and_back_without_losing_a_row() {
    let (one, mut a) = with_database();
    rows(&mut a, "ALTER DATABASE d SET COMPATIBILITY_LEVEL = 140; BACKUP DATABASE d TO DISK = 'd.bak'");
    let two = Lab::new();
    seed(&one, &two);
    one.server.set_replica_role("d", PRIMARY, Some(IDS)).unwrap();
    two.server.set_replica_role("d", secondary(SecondaryConnections::All), Some(IDS)).unwrap();
    let pins = [&one, &two].map(|lab| lab.server.store("d").unwrap().pin_oldest().unwrap());

    let mut b = two.session();
    rows(&mut a, "USE d");
    rows(&mut b, "USE d; CREATE TABLE #mine (v int)");
    rows(&mut a, "INSERT t VALUES (3); CREATE TABLE u (id int IDENTITY(10, 10), v rowversion)");
    assert_eq!(error(&mut b, "SELECT * FROM u"), 208);
    ship(&one, &two);
    assert_eq!(rows(&mut b, "SELECT v FROM t ORDER BY id"), ["1", "2", "3"]);
    // A reader keeps what it began with, and a change of the primary's does not wait for it.
    rows(&mut b, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; BEGIN TRAN; SELECT count(*) FROM u");
    rows(
        &mut a,
        "INSERT u DEFAULT VALUES; INSERT u DEFAULT VALUES; EXEC('CREATE VIEW w AS SELECT id FROM u')",
    );
    ship(&one, &two);
    rows(&mut b, "COMMIT; SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
    assert_eq!(rows(&mut b, "SELECT id FROM w ORDER BY id"), ["10", "20"]);
    assert_eq!(error(&mut b, "INSERT u DEFAULT VALUES"), 3906);
    assert_eq!(error(&mut b, "DBCC CHECKDB WITH NO_INFOMSGS"), 0);

    rows(&mut a, "BEGIN TRAN; INSERT u DEFAULT VALUES");
    drop(a);
    change_roles(&one, &two);
    assert_eq!(rows(&mut b, "INSERT u DEFAULT VALUES; SELECT max(id), count(*) FROM u"), ["30|3"]);
    rows(&mut b, "CREATE TABLE x (a int); INSERT x VALUES (1)");
    let object = rows(&mut b, "SELECT OBJECT_ID('x')");
    ship(&two, &one);
    let mut a = one.session();
    assert_eq!(rows(&mut a, "USE d; SELECT a FROM x"), ["1"]);
    assert_eq!(rows(&mut a, "SELECT OBJECT_ID('x')"), object);
    assert_eq!(error(&mut a, "INSERT x VALUES (2)"), 3906);
    drop((a, b));
    change_roles(&two, &one);
    let mut a = one.session();
    assert_eq!(rows(&mut a, "USE d; INSERT u DEFAULT VALUES; SELECT max(id), count(*) FROM u"), ["40|4"]);
    assert_eq!(rows(&mut a, "SELECT compatibility_level FROM sys.databases WHERE name = 'd'"), ["140"]);
    let mut b = two.session();
    assert_eq!(rows(&mut b, "SELECT compatibility_level FROM sys.databases WHERE name = 'd'"), ["140"]);
    let forks = "SELECT recovery_fork_guid, first_recovery_fork_guid FROM sys.database_recovery_status WHERE database_id = DB_ID('d')";
    assert_eq!(rows(&mut a, forks).len(), 1);
    ship(&one, &two);
    assert_eq!(rows(&mut b, forks), rows(&mut a, forks), "both know the same history");

    // A restart changes nothing about who may write, even if nobody says what the role is.
    drop((a, b, pins));
    let two = two.restart();
    assert_eq!(two.server.replica_role("d"), Some(ReplicaRole::Resolving));
    two.server.set_replica_role("d", ReplicaRole::Standalone, None).unwrap();
    let mut b = two.session();
    assert_eq!(error(&mut b, "DELETE d.dbo.t"), 3906, "its store is a secondary still");
}
