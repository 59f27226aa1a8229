//! What lives outside of a linked database: compared, scripted and copied between two real instances.

use std::path::Path;
use std::time::Duration;

use milink_core::finding::Status;
use milink_core::names::Side;
use milink_core::objects::{Difference, Kind, Mend, Severity, State, diff, gate, script};
use milink_ops::objects::{Outcome, copy, objects};
use milink_sql::{Authentication, Client, Secret, Server, Target};

use crate::{Instance, PASSWORD};

const APP_PASSWORD: &str = "App#Secret42";

fn client_as(lab: &Instance, user: &str, password: &str) -> Client {
    let mut target = Target::new(Server::parse(&format!("localhost,{}", lab.port)).unwrap());
    target.authentication =
        Authentication::SqlPassword { user: user.to_owned(), password: Secret::from(password) };
    target.trust = true;
    // Its own default database is a linked one in production, where its user comes along.
    target.database = Some("master".to_owned());
    target.query_timeout = Duration::from_secs(20);
    Client::new(target)
}

fn client(lab: &Instance) -> Client {
    client_as(lab, "sa", PASSWORD)
}

/// Something that an application has on its server: a database, logins, a job, a setting.
const APPLICATION: &str = "
    CREATE LOGIN [app's] WITH PASSWORD = 'App#Secret42', DEFAULT_DATABASE = [orders], CHECK_POLICY = OFF;
    CREATE LOGIN reporting WITH PASSWORD = 'Report#Secret42';
    CREATE LOGIN retired WITH PASSWORD = 'Retired#Secret42';
    ALTER LOGIN retired DISABLE;
    ALTER SERVER ROLE dbcreator ADD MEMBER reporting;
    USE orders;
    CREATE USER [app's] FOR LOGIN [app's];
    ALTER ROLE db_datareader ADD MEMBER [app's];
    CREATE USER nobody WITHOUT LOGIN;
    EXEC sys.sp_configure N'show advanced options', 1; RECONFIGURE;
    EXEC sys.sp_configure N'max degree of parallelism', 4; RECONFIGURE;
    EXEC sys.sp_configure N'show advanced options', 0; RECONFIGURE;
    EXEC msdb.dbo.sp_add_job @job_name = N'nightly', @description = N'it''s late', @owner_login_name = N'reporting';
    EXEC msdb.dbo.sp_add_jobstep @job_name = N'nightly', @step_name = N'count', @database_name = N'orders',
        @command = N'SELECT 1
GO
SELECT 2';
    EXEC msdb.dbo.sp_add_jobschedule @job_name = N'nightly', @name = N'at two', @freq_type = 4, @freq_interval = 1,
        @active_start_date = 20260101, @active_start_time = 20000;
    EXEC msdb.dbo.sp_add_jobserver @job_name = N'nightly', @server_name = N'(local)';
    -- A user whose login is gone.
    USE master;
    CREATE LOGIN gone WITH PASSWORD = 'Gone#Secret42';
    USE orders;
    CREATE USER gone FOR LOGIN gone;
    USE master;
    DROP LOGIN gone;";

fn start(folder: &Path, name: &str) -> Instance {
    let lab = Instance::start_with(&folder.join(name), &["--name", name]);
    lab.query("master", "SET NOCOUNT ON; CREATE DATABASE orders");
    lab
}

async fn differences(source: &Client, target: &Client) -> Vec<Difference> {
    let databases = ["orders".to_owned()];
    let ours = objects(source, &databases).await.unwrap();
    let theirs = objects(target, &[]).await.unwrap();
    let shown = format!("{ours:?}{theirs:?}");
    let all = diff(&ours, &theirs, &databases);
    for hash in hashes(source).await {
        for text in [&shown, &format!("{all:?}"), &serde_json::to_string(&all).unwrap()] {
            assert!(!text.to_ascii_uppercase().contains(&hash), "{text}");
        }
    }
    all
}

/// What must never be seen unasked: the middle of each hash.
async fn hashes(source: &Client) -> Vec<String> {
    let rows = source
        .query(
            "SELECT CONVERT(varchar(200), password_hash, 2) AS h FROM sys.sql_logins WHERE principal_id > 1",
        )
        .await
        .unwrap();
    let all: Vec<String> = rows.iter().map(|r| r.get::<String>("h").unwrap()).collect();
    assert!(!all.is_empty());
    all.iter().map(|h| h[20..52].to_owned()).collect()
}

/// What is left once everything is copied: one waits for the failover, one is nobody's.
fn only_notes(differences: &[Difference]) {
    let left: Vec<(Kind, &str)> = differences.iter().map(|d| (d.kind, d.name.as_str())).collect();
    assert_eq!(left, [(Kind::User, "orders: gone"), (Kind::Job, "nightly")], "{differences:#?}");
    assert!(differences.iter().all(|d| d.severity == Severity::Note));
    assert!(matches!(differences[1].mend, Mend::AfterFailover { .. }));
    assert!(gate(Side::Managed, differences).iter().all(|f| f.status == Status::Pass));
}

async fn logs_in(lab: &Instance, user: &str, password: &str) -> bool {
    client_as(lab, user, password).query("SELECT 1 AS one").await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_needs_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (start(folder.path(), "A"), start(folder.path(), "B"));
    let (source, target) = (client(&a), client(&b));
    source.execute("master", APPLICATION).await.unwrap();

    let found = differences(&source, &target).await;
    let names: Vec<(Kind, &str)> = found.iter().map(|d| (d.kind, d.name.as_str())).collect();
    assert_eq!(
        names,
        [
            (Kind::Login, "app's"),
            (Kind::Login, "reporting"),
            (Kind::Login, "retired"),
            (Kind::User, "orders: app's"),
            (Kind::User, "orders: gone"),
            (Kind::Setting, "max degree of parallelism"),
            (Kind::Job, "nightly"),
        ],
        "{found:#?}"
    );
    assert_eq!((found[0].severity, found[1].severity), (Severity::Blocking, Severity::Important));
    let failed: Vec<&str> =
        gate(Side::Managed, &found).iter().filter(|f| f.status == Status::Failed).map(|f| f.check).collect();
    assert_eq!(failed, ["objects.logins", "objects.users"]);

    let copied = copy(&target, &found).await;
    for one in &copied {
        let left = matches!(one.outcome, Outcome::Left { .. });
        assert!(one.outcome == Outcome::Done || left && one.kind == Kind::User, "{one:?}");
    }
    let shown = serde_json::to_string(&copied).unwrap() + &format!("{copied:?}");
    for hash in hashes(&source).await {
        assert!(!shown.to_ascii_uppercase().contains(&hash), "{shown}");
    }
    only_notes(&differences(&source, &target).await);
    // Nothing is left to run, and running it all again would do no harm.
    for one in copy(&target, &found).await {
        assert!(!matches!(one.outcome, Outcome::Failed { .. } | Outcome::Uncertain { .. }), "{one:?}");
    }
    assert!(logs_in(&b, "app's", APP_PASSWORD).await, "the old password");
    assert!(!logs_in(&b, "app's", "another").await && !logs_in(&b, "retired", "Retired#Secret42").await);
    let sid = "SELECT CONVERT(varchar(40), sid, 1) FROM sys.server_principals WHERE name = N'app''s'";
    assert_eq!(a.query("master", sid), b.query("master", sid));
    assert_eq!(
        b.query("msdb", "SELECT REPLACE(command, CHAR(10), '|') FROM msdb.dbo.sysjobsteps"),
        ["SELECT 1|GO|SELECT 2"]
    );

    // A password that was changed meanwhile, and a login of the same name that is another one.
    source.execute("master", "ALTER LOGIN reporting WITH PASSWORD = 'Changed#Secret43'").await.unwrap();
    target
        .execute("master", "DROP LOGIN retired; CREATE LOGIN retired WITH PASSWORD = 'Other#Secret42'")
        .await
        .unwrap();
    let found = differences(&source, &target).await;
    let changed = found.iter().find(|d| d.name == "reporting").unwrap();
    assert_eq!(changed.mend.now().len(), 1, "{changed:?}");
    let other = found.iter().find(|d| d.name == "retired").unwrap();
    assert!(matches!(&other.state, State::Different { what } if what[0].starts_with("SID")), "{other:?}");
    assert!(matches!(other.mend, Mend::ByHand { .. }));
    copy(&target, &found).await;
    assert!(logs_in(&b, "reporting", "Changed#Secret43").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_stops_where_a_secret_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (start(folder.path(), "A"), start(folder.path(), "B"));
    let (source, target) = (client(&a), client(&b));
    source.execute("master", APPLICATION).await.unwrap();
    let found = differences(&source, &target).await;
    let logins = "SELECT name FROM sys.sql_logins WHERE principal_id > 1 ORDER BY name";

    let without = script("B", &found, false);
    assert_eq!((without.stops, format!("{without:?}").contains("CREATE LOGIN")), (3, false));
    for hash in hashes(&source).await {
        assert!(!without.text.expose().to_ascii_uppercase().contains(&hash));
    }
    let file = folder.path().join("objects.sql");
    std::fs::write(&file, without.text.expose()).unwrap();
    let out = b.sql(&["-b", "-i", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(!out.status.success() && said.contains("Fill in the hash of a password"), "{said}");
    // Not even where a client goes on after errors.
    b.sql(&["-i", file.to_str().unwrap()]);
    assert_eq!(b.query("master", logins), Vec::<String>::new());

    let with = script("B", &found, true);
    std::fs::write(&file, with.text.expose()).unwrap();
    for _ in 0..2 {
        let out = b.sql(&["-b", "-i", file.to_str().unwrap()]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    only_notes(&differences(&source, &target).await);
    assert!(logs_in(&b, "app's", APP_PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_may_see_little_makes_parts_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(folder.path(), "A");
    client(&lab).execute("master", "CREATE LOGIN small WITH PASSWORD = 'Small#Secret42'").await.unwrap();
    let small = client_as(&lab, "small", "Small#Secret42");
    let seen = objects(&small, &["orders".to_owned(), "missing".to_owned()]).await.unwrap();
    assert!(seen.users["orders"].get().is_err_and(|why| why.contains("916")), "{:?}", seen.users);
    assert!(seen.users["missing"].get().is_err(), "{:?}", seen.users);
    let whole = objects(&client(&lab), &[]).await.unwrap();
    let found = diff(&seen, &whole, &["orders".to_owned()]);
    let unknown = found.iter().find(|d| d.kind == Kind::User).unwrap();
    assert!(matches!(unknown.state, State::Unknown { .. }), "{unknown:?}");
    let users = gate(Side::SqlServer, &found).into_iter().find(|f| f.check == "objects.users").unwrap();
    assert_eq!(users.status, Status::Unknown);
}
