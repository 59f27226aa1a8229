//! What differs, and how it is mended, for made-up instances.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::finding::Status;
use crate::names::{Hex, Side};

fn instance(managed: bool) -> Objects {
    Objects {
        server: if managed { "MI" } else { "BOX" }.to_owned(),
        managed,
        major: if managed { 0 } else { 16 },
        logins: Part::Known(Vec::new()),
        roles: Part::Known(vec![role("public", &[], &[])]),
        credentials: Part::Known(Vec::new()),
        linked_servers: Part::Known(Vec::new()),
        jobs: Part::Known(Vec::new()),
        settings: Part::Known(Vec::new()),
        databases: Part::Known(vec![owned("db", &[1])]),
        users: BTreeMap::from([("db".to_owned(), Part::Known(Vec::new()))]),
    }
}

fn owned(name: &str, sid: &[u8]) -> DatabaseOwner {
    DatabaseOwner {
        name: name.to_owned(),
        owner_sid: Some(Hex::new(sid.to_vec())),
        owner: Some("sa".to_owned()),
    }
}

fn granted(name: &str) -> Permission {
    Permission { state: PermissionState::Grant, name: name.to_owned(), on: None }
}

fn role(name: &str, roles: &[&str], permissions: &[&str]) -> ServerRole {
    ServerRole {
        name: name.to_owned(),
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        permissions: permissions.iter().map(|p| granted(p)).collect(),
    }
}

fn login(name: &str, sid: u8) -> Login {
    Login {
        name: name.to_owned(),
        sid: Hex::new(vec![sid; 16]),
        kind: LoginKind::Sql,
        disabled: false,
        default_database: Some("master".to_owned()),
        default_language: Some("us_english".to_owned()),
        check_policy: Some(true),
        check_expiration: Some(false),
        credential: None,
        password: Some(PasswordHash::new(vec![2, 0, sid])),
        roles: BTreeSet::new(),
        permissions: BTreeSet::from([granted("CONNECT SQL")]),
    }
}

fn user(name: &str, sid: u8, kind: UserKind) -> User {
    User { name: name.to_owned(), sid: Hex::new(vec![sid; 16]), kind }
}

/// Each difference as a line, with its statements below it.
fn lines(source: &Objects, target: &Objects) -> Vec<String> {
    let mut out = Vec::new();
    for d in diff(source, target, &["db".to_owned()]) {
        let state = match &d.state {
            State::Missing => "missing".to_owned(),
            State::Different { what } => what.join("; "),
            State::OnlyThere => "only there".to_owned(),
            State::Unknown { why } => format!("unknown: {why}"),
        };
        out.push(format!("{} {} {}: {state}", d.severity, d.kind, d.name));
        match &d.mend {
            Mend::Now { statements } => out.extend(statements.iter().map(|s| format!("  {}", s.shown()))),
            Mend::AfterFailover { statements } => {
                out.extend(statements.iter().map(|s| format!("  later: {}", s.shown())));
            }
            Mend::Along { with } => out.push(format!("  along: {with}")),
            Mend::ByHand { why } => out.push(format!("  by hand: {}", why.split(':').next().unwrap())),
        }
    }
    out
}

#[test]
fn the_same_differs_in_nothing() {
    let mut one = instance(false);
    one.logins = Part::Known(vec![login("app", 7)]);
    let mut two = one.clone();
    two.managed = true;
    assert_eq!(lines(&one, &two), Vec::<String>::new());
    assert!(gate(Side::Managed, &[]).iter().all(|f| f.status == Status::Pass && f.fix.is_none()));
}

#[test]
fn a_missing_login_blocks_if_a_user_stands_on_it() {
    let (mut source, target) = (instance(false), instance(true));
    let mut app = login("a]pp", 7);
    app.disabled = true;
    app.default_database = Some("db".to_owned());
    app.roles = BTreeSet::from(["dbcreator".to_owned()]);
    app.permissions.insert(granted("VIEW SERVER STATE"));
    let windows = Login { kind: LoginKind::Windows, password: None, check_policy: None, ..login("D\\w", 8) };
    source.logins = Part::Known(vec![app, windows]);
    let users =
        vec![user("app", 7, UserKind::Sql), user("w", 8, UserKind::Windows), user("x", 9, UserKind::Sql)];
    source.users.insert("db".to_owned(), Part::Known(users));
    let sid = "07".repeat(16);
    assert_eq!(
        lines(&source, &target),
        [
            "blocking login a]pp: missing",
            &format!(
                "  IF NOT EXISTS (SELECT 1 FROM sys.server_principals WHERE name = N'a]pp') CREATE LOGIN [a]]pp] \
                 WITH PASSWORD = *** HASHED, SID = 0x{sid}, DEFAULT_DATABASE = [db], DEFAULT_LANGUAGE = [us_english], \
                 CHECK_POLICY = ON, CHECK_EXPIRATION = OFF"
            ),
            "  ALTER LOGIN [a]]pp] DISABLE",
            "  ALTER SERVER ROLE [dbcreator] ADD MEMBER [a]]pp]",
            "blocking login D\\w: missing",
            "  by hand: a managed instance takes no Windows logins",
            "important permission a]pp: not GRANT VIEW SERVER STATE",
            "  GRANT VIEW SERVER STATE TO [a]]pp]",
            "blocking user db: app: no login on the target has its SID, which is that of a]pp",
            "  along: the login a]pp",
            "blocking user db: w: no login on the target has its SID, which is that of D\\w",
            "  by hand: a managed instance takes no Windows logins",
            "note user db: x: no login has its SID, on neither side",
            "  by hand: it cannot log in today either. Where a login is meant for it, on the primary, in db",
        ]
    );
    let found = diff(&source, &target, &["db".to_owned()]);
    let status =
        |check: &str| gate(Side::Managed, &found).into_iter().find(|f| f.check == check).unwrap().status;
    assert_eq!(status("objects.logins"), Status::Failed);
    assert_eq!(status("objects.permissions"), Status::Warning);
    assert_eq!(status("objects.jobs"), Status::Pass);
    // Where objects are required, what keeps users out refuses, and the rest goes on being said.
    let refuses: Vec<&str> =
        gate(Side::Managed, &found).iter().filter(|f| keeps_users_out(f)).map(|f| f.check).collect();
    assert_eq!(refuses, ["objects.logins", "objects.users"]);
    // To a SQL Server the Windows login goes.
    let to_box = lines(&source, &instance(false));
    assert!(to_box.iter().any(|l| l.contains("CREATE LOGIN [D\\w] FROM WINDOWS")), "{to_box:#?}");
}

#[test]
fn a_login_that_is_otherwise_is_altered() {
    let (mut source, mut target) = (instance(false), instance(true));
    source.logins = Part::Known(vec![login("app", 7), login("other", 8)]);
    let mut app = login("app", 7);
    app.disabled = true;
    app.check_policy = Some(false);
    app.password = Some(PasswordHash::new(vec![2, 0, 99]));
    app.roles = BTreeSet::from(["sysadmin".to_owned()]);
    target.logins = Part::Known(vec![app, login("other", 9), login("theirs", 10)]);
    assert_eq!(
        lines(&source, &target),
        [
            "important login app: it is disabled, not enabled; CHECK_POLICY is OFF, not ON; the hash of its password is \
             another one (whether the password is cannot be seen); it is a member of sysadmin, which it is not on the source",
            "  ALTER LOGIN [app] ENABLE",
            "  ALTER LOGIN [app] WITH CHECK_POLICY = ON",
            "  ALTER LOGIN [app] WITH PASSWORD = *** HASHED",
            &format!("important login other: SID is 0x{}, not 0x{}", "09".repeat(16), "08".repeat(16)),
            "  by hand: a login's SID cannot be changed. If no other database on the target needs it",
            "note login theirs: only there",
            "  by hand: milink takes nothing away from the target",
        ]
    );
}

#[test]
fn what_a_managed_instance_does_not_take_is_said() {
    let (mut source, mut target) = (instance(false), instance(true));
    let setting = |name: &str, value: i64| Setting { name: name.to_owned(), value, advanced: true };
    source.settings = Part::Known(vec![
        setting("clr enabled", 1),
        setting("xp_cmdshell", 1),
        setting("max server memory (MB)", 4),
    ]);
    target.settings = Part::Known(vec![
        setting("clr enabled", 0),
        setting("xp_cmdshell", 0),
        setting("max server memory (MB)", 8),
    ]);
    let credential =
        |name: &str, identity: &str| Credential { name: name.to_owned(), identity: identity.to_owned() };
    source.credentials = Part::Known(vec![
        credential("https://s/c", "SHARED ACCESS SIGNATURE"),
        credential("https://s/m", "Managed Identity"),
        credential("w", "D\\w"),
    ]);
    let server = |name: &str, provider: &str| LinkedServer {
        name: name.to_owned(),
        product: String::new(),
        provider: provider.to_owned(),
        data_source: Some("h,1433".to_owned()),
        catalog: None,
        has_provider_string: false,
        options: BTreeMap::from([("rpc out".to_owned(), "true".to_owned())]),
        logins: vec![LinkedLogin { local: None, uses_self: false, remote: Some("r".to_owned()) }],
    };
    source.linked_servers = Part::Known(vec![server("far", "MSOLEDBSQL"), server("ora", "OraOLEDB.Oracle")]);
    assert_eq!(
        lines(&source, &target),
        [
            "important credential https://s/c: missing",
            "  IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = N'https://s/c') CREATE CREDENTIAL [https://s/c] WITH \
             IDENTITY = N'SHARED ACCESS SIGNATURE', SECRET = N'<secret of https://s/c>'",
            "important credential https://s/m: missing",
            "  IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = N'https://s/m') CREATE CREDENTIAL [https://s/m] WITH \
             IDENTITY = N'Managed Identity'",
            "important credential w: missing",
            "  by hand: a managed instance takes credentials of a SHARED ACCESS SIGNATURE or a Managed Identity only, and none of D\\w",
            "important linked server far: missing",
            "  IF NOT EXISTS (SELECT 1 FROM sys.servers WHERE name = N'far') EXEC master.dbo.sp_addlinkedserver @server = N'far', \
             @srvproduct = N'', @provider = N'MSOLEDBSQL', @datasrc = N'h,1433'",
            "  EXEC master.dbo.sp_serveroption @server = N'far', @optname = N'rpc out', @optvalue = N'true'",
            "  EXEC master.dbo.sp_addlinkedsrvlogin @rmtsrvname = N'far', @useself = N'False', @locallogin = NULL, \
             @rmtuser = N'r', @rmtpassword = N'<password of r on far>'",
            "important linked server ora: missing",
            "  by hand: a managed instance reaches SQL Server and its kin by linked servers, and nothing by the provider OraOLEDB.Oracle",
            "important setting clr enabled: it is 0, not 1",
            "  EXEC sys.sp_configure N'show advanced options', 1; RECONFIGURE; EXEC sys.sp_configure N'clr enabled', 1; RECONFIGURE; \
             EXEC sys.sp_configure N'show advanced options', 0; RECONFIGURE;",
            "important setting xp_cmdshell: it is 0, not 1",
            "  by hand: a managed instance does not take it",
        ]
    );
}

#[test]
fn rights_and_roles() {
    let (mut source, mut target) = (instance(false), instance(false));
    source.roles = Part::Known(vec![
        role("public", &[], &["VIEW ANY DATABASE"]),
        role("dev", &["processadmin"], &["ALTER TRACE"]),
    ]);
    let mut app = login("app", 7);
    app.permissions = BTreeSet::from([
        Permission { state: PermissionState::Deny, name: "CONNECT SQL".to_owned(), on: None },
        Permission {
            state: PermissionState::GrantWithGrantOption,
            name: "IMPERSONATE".to_owned(),
            on: Some("b".to_owned()),
        },
    ]);
    source.logins = Part::Known(vec![app]);
    let mut other = login("app", 7);
    other.permissions.insert(granted("SHUTDOWN"));
    target.logins = Part::Known(vec![other]);
    assert_eq!(
        lines(&source, &target),
        [
            "important server role dev: missing",
            "  IF NOT EXISTS (SELECT 1 FROM sys.server_principals WHERE name = N'dev') CREATE SERVER ROLE [dev]",
            "  ALTER SERVER ROLE [processadmin] ADD MEMBER [dev]",
            "important permission public: not GRANT VIEW ANY DATABASE",
            "  GRANT VIEW ANY DATABASE TO [public]",
            "important permission dev: not GRANT ALTER TRACE",
            "  GRANT ALTER TRACE TO [dev]",
            "important permission app: not GRANT (with GRANT OPTION) IMPERSONATE ON b; not DENY CONNECT SQL; also GRANT SHUTDOWN",
            "  GRANT IMPERSONATE ON LOGIN::[b] TO [app] WITH GRANT OPTION",
            "  DENY CONNECT SQL TO [app]",
        ]
    );
}

fn job(name: &str, subsystem: &str) -> Job {
    Job {
        name: name.to_owned(),
        enabled: true,
        description: String::new(),
        category: Some("night".to_owned()),
        owner: Some("app".to_owned()),
        start_step: 1,
        steps: vec![JobStep {
            id: 1,
            name: "s".to_owned(),
            subsystem: subsystem.to_owned(),
            command: "SELECT 1\ngo 2\nSELECT 2".to_owned(),
            database: Some("db".to_owned()),
            on_success_action: 1,
            on_success_step: 0,
            on_fail_action: 2,
            on_fail_step: 0,
            retry_attempts: 0,
            retry_interval: 0,
            output_file: None,
            has_proxy: false,
        }],
        schedules: Part::Known(vec![JobSchedule {
            name: "x".to_owned(),
            enabled: true,
            numbers: vec![4, 1, 1, 0, 0, 0, 1, 2, 3, 4],
        }]),
    }
}

#[test]
fn jobs_are_copied_disabled_and_replaced_by_nobody() {
    let (mut source, mut target) = (instance(false), instance(true));
    source.jobs = Part::Known(vec![job("j", "TSQL"), job("os", "CmdExec")]);
    let shown = lines(&source, &target);
    assert_eq!(shown[0], "important job j: missing");
    for part in [
        "EXEC msdb.dbo.sp_add_job @job_name = N'j', @enabled = 0,",
        "DECLARE @command1 nvarchar(max) = N'SELECT 1' + NCHAR(10) + N'go 2' + NCHAR(10) + N'SELECT 2';",
        "@active_end_time = 4;",
    ] {
        assert!(shown[1].contains(part), "{}", shown[1]);
    }
    assert_eq!(
        shown[2..],
        [
            "important job os: missing",
            "  by hand: the Agent of a managed instance runs no CmdExec steps, as s is"
        ]
    );
    let copied = Job { enabled: false, ..job("j", "TSQL") };
    let other = Job { steps: Vec::new(), ..job("os", "CmdExec") };
    target.jobs = Part::Known(vec![copied, other]);
    assert_eq!(
        lines(&source, &target),
        [
            "note job j: it is disabled, until the failover",
            "  later: EXEC msdb.dbo.sp_update_job @job_name = N'j', @enabled = 1",
            "important job os: number of steps is 0, not 1",
            "  by hand: a job is not replaced, because its history would go with it",
        ]
    );
}

#[test]
fn the_unknown_is_told_and_owners_wait() {
    let (mut source, mut target) = (instance(false), instance(true));
    source.users.insert("db".to_owned(), Part::Unknown("916".to_owned()));
    target.jobs = Part::Unknown("229".to_owned());
    source.databases =
        Part::Known(vec![DatabaseOwner { owner: Some("app".to_owned()), ..owned("db", &[7]) }]);
    assert_eq!(
        lines(&source, &target),
        [
            "important user db: unknown: BOX: 916",
            "  by hand: give the login the right to see it, or compare it by hand",
            "important job all: unknown: MI: 229",
            "  by hand: give the login the right to see it, or compare it by hand",
            "important database owner db: owner is sa, not app",
            "  later: ALTER AUTHORIZATION ON DATABASE::[db] TO [app]",
        ]
    );
    let found = diff(&source, &target, &["db".to_owned()]);
    let status =
        |check: &str| gate(Side::Managed, &found).into_iter().find(|f| f.check == check).unwrap().status;
    // Unknown users stop a failover as unknown things do; unknown jobs are worth a warning.
    assert_eq!((status("objects.users"), status("objects.jobs")), (Status::Unknown, Status::Warning));
}

#[test]
fn a_script_cannot_be_broken_out_of() {
    let (mut source, target) = (instance(false), instance(true));
    source.logins =
        Part::Known(vec![login("x\nGO\nDROP DATABASE db\nGO\n", 7), login("a\nDROP DATABASE db", 8)]);
    let script = script("MI", &diff(&source, &target, &["db".to_owned()]), true);
    let text = script.text.expose();
    // One is run by its batch, which ends with it; the other is not in the script.
    assert_eq!((script.stops, script.statements, script.left), (0, 1, 1), "{text}");
    let batches: Vec<&str> = text.split("\nGO\n").filter(|b| b.contains("\nDROP")).collect();
    assert_eq!(batches.len(), 1, "{text}");
    assert!(batches[0].contains("CREATE LOGIN [a\nDROP DATABASE db]"), "{text}");
}
