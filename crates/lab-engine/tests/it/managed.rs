//! A managed instance: what it refuses, and the backups that it takes itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab_engine::{
    Flavor, LoginRequest, ReplicaIds, ReplicaRole, Secret, Server, ServerConfig, Session, UpdatePolicy,
};

use crate::{error, rows, run};

fn managed() -> (tempfile::TempDir, Arc<Server>, Session) {
    let folder = tempfile::tempdir().unwrap();
    let password = || Some(Secret::new("Lab#Pass123".into()));
    let server = Server::open(ServerConfig {
        sa_password: password(),
        flavor: Flavor::Managed(UpdatePolicy::Sql2022),
        ..ServerConfig::new(folder.path().join("data"))
    })
    .unwrap();
    let request = LoginRequest { user: "sa".into(), password: password(), ..LoginRequest::default() };
    let session = server.login(&request).unwrap();
    (folder, server, session)
}

#[test]
fn a_managed_instance_refuses_what_is_its_own_business() {
    let (_folder, _server, mut s) = managed();
    assert_eq!(rows(&mut s, "SELECT SERVERPROPERTY('EngineEdition')"), ["8"]);
    rows(&mut s, "CREATE DATABASE d");
    for (text, number) in [
        ("CREATE DATABASE e ON (NAME = e, FILENAME = '/e.mdf')", 41918),
        ("ALTER DATABASE d SET RECOVERY SIMPLE", 5008),
        ("ALTER DATABASE d SET RECOVERY BULK_LOGGED", 5008),
        ("ALTER DATABASE d SET RECOVERY FULL", 0),
        ("ALTER DATABASE d SET OFFLINE", 5008),
        ("ALTER DATABASE d SET READ_ONLY", 5008),
        ("ALTER DATABASE d SET READ_COMMITTED_SNAPSHOT ON", 0),
        ("BACKUP DATABASE d TO DISK = 'd.bak'", 41901),
        ("BACKUP DATABASE d TO DISK = 'd.bak' WITH COPY_ONLY", 41901),
        ("BACKUP DATABASE d TO URL = 'https://a.blob.core.windows.net/b/d.bak'", 41904),
        ("BACKUP LOG d TO DISK = 'd.trn'", 41906),
        ("RESTORE DATABASE e FROM DISK = 'd.bak'", 41902),
        ("RESTORE DATABASE d WITH RECOVERY", 41902),
        ("RESTORE HEADERONLY FROM DISK = 'd.bak'", 41902),
        ("RESTORE LOG d FROM DISK = 'd.trn'", 41906),
        ("SHUTDOWN", 41906),
        ("ALTER DATABASE d SET HADR OFF", 5008),
        ("DROP AVAILABILITY GROUP g", 41906),
        ("ALTER AVAILABILITY GROUP g JOIN", 41906),
        ("ALTER AVAILABILITY GROUP g GRANT CREATE ANY DATABASE", 41906),
        // Nobody holds groups in this test.
        ("ALTER AVAILABILITY GROUP g FAILOVER", 35221),
        ("ALTER AVAILABILITY GROUP g SET (ROLE = SECONDARY)", 35221),
        ("DROP ENDPOINT e", 41906),
        ("EXEC sp_configure 'xp_cmdshell', 1", 41920),
    ] {
        assert_eq!(error(&mut s, text), number, "{text}");
    }
    let both = run(&mut s, "ALTER DATABASE d SET RECOVERY SIMPLE");
    assert_eq!(both.errors.iter().map(|e| e.number).collect::<Vec<_>>(), [5008, 5069]);
    let both = run(&mut s, "BACKUP LOG d TO DISK = 'd.trn'");
    assert_eq!(both.errors.iter().map(|e| e.number).collect::<Vec<_>>(), [41906, 3013]);
}

#[test]
fn a_managed_instance_backs_up_its_databases() {
    let (folder, server, mut s) = managed();
    rows(&mut s, "CREATE DATABASE d");
    let backups = "SELECT type, is_copy_only FROM msdb.dbo.backupset WHERE database_name = 'd'";
    assert_eq!(rows(&mut s, backups), ["D|0"]);
    let facts = server.database_facts("d").unwrap();
    assert!(facts.log_chain && facts.recovery_model == lab_store::RecoveryModel::Full);
    let files = || std::fs::read_dir(folder.path().join("data/Backup/automatic")).unwrap().count();
    assert_eq!(files(), 1);

    // One that comes through a link and becomes primary has a full backup of its own.
    let ids = ReplicaIds { replica_id: [1; 16], group_database_id: [2; 16] };
    server.set_replica_role("d", ReplicaRole::Resolving, Some(ids)).unwrap();
    server.set_replica_role("d", ReplicaRole::Primary { read_write_only: false }, None).unwrap();
    let limit = Instant::now() + Duration::from_secs(30);
    while rows(&mut s, backups).len() < 2 && Instant::now() < limit {
        std::thread::yield_now();
    }
    assert_eq!(rows(&mut s, backups), ["D|0", "D|0"]);
    assert_eq!(files(), 1, "the last one is kept");
    server.set_replica_role("d", ReplicaRole::Standalone, None).unwrap();
    rows(&mut s, "DROP DATABASE d");
    assert_eq!(files(), 0);
    assert_eq!(server.take_notices(), Vec::<String>::new());
}

/// Nobody renews it here: it is good for as long as the root that vouches for it.
#[test]
fn the_endpoints_certificate_outlives_a_lab() {
    let (_folder, _server, mut s) = managed();
    let years = "SELECT DATEDIFF(day, GETDATE(), expiry_date) / 365 FROM sys.certificates";
    assert_eq!(rows(&mut s, years), ["10"]);
}
