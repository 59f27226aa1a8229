//! What prepares an instance for a link: how it is started, and who carries out the statements of groups.

use std::sync::{Arc, Mutex};

use lab_engine::{
    AlwaysOn, AlwaysOnCaller, AlwaysOnStatement, Flavor, Release, Secret, Server, ServerConfig, SqlError,
    UpdatePolicy,
};

use crate::{Lab, error, rows, run};

fn start(folder: &tempfile::TempDir, change: impl FnOnce(&mut ServerConfig)) -> Lab {
    let mut config = ServerConfig {
        sa_password: Some(Secret::new("Lab#Pass123".into())),
        ..ServerConfig::new(folder.path().join("data"))
    };
    change(&mut config);
    Lab { server: Server::open(config).unwrap(), folder: tempfile::tempdir().unwrap() }
}

#[test]
fn always_on_is_off_at_first_and_stays_as_it_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |wanted: Option<bool>| {
        let lab = start(&folder, |c| c.hadr_enabled = wanted);
        let mut s = lab.session();
        let text = "SELECT SERVERPROPERTY('IsHadrEnabled'), SERVERPROPERTY('HadrManagerStatus')";
        assert_eq!(lab.server.hadr_enabled(), rows(&mut s, text) == ["1|1"]);
        rows(&mut s, text).remove(0)
    };
    assert_eq!(shown(None), "0|2");
    assert_eq!(shown(Some(true)), "1|1");
    assert_eq!(shown(None), "1|1");
    assert_eq!(shown(Some(false)), "0|2");
    assert_eq!(shown(None), "0|2");
}

#[test]
fn an_instance_says_which_release_it_is() {
    let query = "SELECT SERVERPROPERTY('ProductVersion'), SERVERPROPERTY('ProductMajorVersion'), SERVERPROPERTY('Edition'),
        SERVERPROPERTY('EngineEdition'), SERVERPROPERTY('ProductUpdateType'), SERVERPROPERTY('IsHadrEnabled')";
    for (flavor, wanted, level) in [
        (Flavor::default(), "16.0.4125.3|16|Developer Edition (64-bit)|3|NULL|0", "160"),
        (Flavor::SqlServer(Release::Sql2016), "13.0.7000.253|13|Developer Edition (64-bit)|3|NULL|0", "130"),
        (Flavor::Managed(UpdatePolicy::Sql2022), "12.0.2000.8|12|SQL Azure|8|CU|1", "160"),
        (Flavor::Managed(UpdatePolicy::AlwaysUpToDate), "12.0.2000.8|12|SQL Azure|8|Continuous|1", "170"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let lab = start(&folder, |c| c.flavor = flavor);
        let mut s = lab.session();
        assert_eq!(rows(&mut s, query), [wanted]);
        rows(&mut s, "CREATE DATABASE d");
        let text = "SELECT compatibility_level FROM sys.databases WHERE name = 'd'";
        assert_eq!(rows(&mut s, text), [level]);
        let version = rows(&mut s, "SELECT @@VERSION").remove(0);
        assert!(version.contains(wanted.split('|').next().unwrap()), "{version}");
    }
}

#[test]
fn trace_flags_of_the_start_are_on_for_all_and_those_of_a_session_for_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(&folder, |c| c.trace_flags = vec![1800, 9567]);
    let (mut a, mut b) = (lab.session(), lab.session());
    assert_eq!(rows(&mut a, "DBCC TRACESTATUS"), ["1800|1|1|0", "9567|1|1|0"]);
    rows(&mut a, "DBCC TRACEON(3604)");
    rows(&mut a, "DBCC TRACEON(12381, -1)");
    rows(&mut a, "DBCC TRACEOFF(1800, -1)");
    assert_eq!(rows(&mut a, "DBCC TRACESTATUS()"), ["3604|1|0|1", "9567|1|1|0", "12381|1|1|0"]);
    assert_eq!(rows(&mut b, "DBCC TRACESTATUS(-1)"), ["9567|1|1|0", "12381|1|1|0"]);
    assert_eq!(rows(&mut b, "DBCC TRACESTATUS(1800, 9567)"), ["1800|0|0|0", "9567|1|1|0"]);
    assert!(lab.server.trace_flag(12381) && !lab.server.trace_flag(3604));
    assert_eq!(error(&mut a, "DBCC TRACEON('x')"), 2560);
}

#[test]
fn links_of_several_databases_are_opted_in_and_it_lasts() {
    let mut lab = Lab::new();
    for (text, wanted) in
        [("EXEC sys.sp_multidb_milink", "0"), ("EXEC sp_multidb_milink 1 EXEC sp_multidb_milink", "1")]
    {
        assert_eq!(rows(&mut lab.session(), text), [wanted]);
    }
    lab = lab.restart();
    assert!(lab.server.multi_database_link());
    assert_eq!(error(&mut lab.session(), "EXEC sp_multidb_milink 2"), 15129);
    let folder = tempfile::tempdir().unwrap();
    let old = start(&folder, |c| c.flavor = Flavor::SqlServer(Release::Sql2019));
    assert_eq!(error(&mut old.session(), "EXEC sp_multidb_milink 1"), 2812);
}

/// Notes what it is handed.
#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl AlwaysOn for Noted {
    fn execute(
        &self,
        statement: &AlwaysOnStatement<'_>,
        caller: &AlwaysOnCaller,
    ) -> Result<Vec<String>, SqlError> {
        self.0.lock().unwrap().push(format!("{} in {}: {statement:?}", caller.login, caller.database));
        match statement {
            AlwaysOnStatement::AvailabilityGroup(_) => Ok(vec!["done".to_owned()]),
            AlwaysOnStatement::SetHadr { .. } => Err(SqlError::new(35281, 16, 1, "not joined")),
        }
    }
}

#[test]
fn statements_of_groups_reach_whoever_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(&folder, |c| c.hadr_enabled = Some(true));
    let noted = Arc::new(Noted::default());
    lab.server.install_always_on(Arc::clone(&noted) as Arc<dyn AlwaysOn>);
    let mut s = lab.session();
    let said = run(&mut s, "ALTER AVAILABILITY GROUP g FAILOVER");
    assert!(said.errors.is_empty());
    assert!(said.infos.iter().any(|i| i.message == "done"), "{:?}", said.infos);
    rows(&mut s, "CREATE DATABASE d");
    assert_eq!(error(&mut s, "USE d ALTER DATABASE CURRENT SET HADR OFF"), 35281);
    assert_eq!(error(&mut s, "ALTER AVAILABILITY GROUP g FAILOVER"), 35208);
    let noted = noted.0.lock().unwrap();
    assert!(noted[0].starts_with("sa in master: AvailabilityGroup(Alter("), "{}", noted[0]);
    assert!(noted[1].contains("SetHadr { database: \"d\", set: Off }"), "{}", noted[1]);
}

#[test]
fn the_error_log_tells_of_starts_and_is_moved_on() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(&folder, |c| c.trace_flags = vec![1800]);
    let mut s = lab.session();
    let log = rows(&mut s, "EXEC sp_readerrorlog").join("\n");
    for wanted in [
        "Server|Microsoft SQL Server 2022",
        "\t -T 1800",
        "Starting up database 'msdb'.",
        "Recovery is complete.",
    ] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
    rows(&mut s, "DBCC TRACEON(9567, -1)");
    let wrong = lab_engine::LoginRequest {
        user: "mallory\n2026-01-01 00:00:00.00 Server      forged".into(),
        password: Some(Secret::new("Canary#Login1".into())),
        client_address: "10.1.2.3".into(),
        ..lab_engine::LoginRequest::default()
    };
    assert_eq!(lab.server.login(&wrong).unwrap_err().number, 18456);
    rows(&mut s, "EXEC sp_cycle_errorlog");
    assert_eq!(rows(&mut s, "EXEC sp_readerrorlog 0, 1, N'reinitialized'").len(), 1);
    let old = "EXEC xp_readerrorlog 1, 1, N'login', N'FAILED', NULL, NULL, N'desc'";
    let failed = rows(&mut s, old);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("|Logon|Login failed for user 'mallory\n2026"), "{failed:?}");
    assert!(failed[0].ends_with("[CLIENT: 10.1.2.3]"), "{failed:?}");
    let flag = rows(&mut s, "EXEC sp_readerrorlog 1, 1, 'TRACEON 9567'");
    assert!(flag[0].contains(&format!("|spid{}|DBCC TRACEON 9567", s.id())), "{flag:?}");
    assert!(rows(&mut s, "EXEC xp_readerrorlog 1, 1, NULL, NULL, '2099-01-01'").is_empty());
    assert_eq!(error(&mut s, "EXEC sp_readerrorlog 6"), 22004);
    let written = std::fs::read_to_string(folder.path().join("data/log/ERRORLOG.1")).unwrap();
    assert!(written.contains("mallory") && !written.contains("Canary"), "{written}");
    rows(&mut s, "CREATE LOGIN low WITH PASSWORD = 'L0w-privilege'");
    let mut low = lab.login("low", "L0w-privilege");
    assert_eq!(error(&mut low, "EXEC sp_readerrorlog"), 15003);
    assert_eq!(error(&mut low, "EXEC sp_cycle_errorlog"), 15003);
    drop((s, low));
    // The next start begins a new one.
    drop(lab);
    start(&folder, |_| {});
    assert!(folder.path().join("data/log/ERRORLOG.2").exists());
}
