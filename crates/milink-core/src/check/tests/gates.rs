//! The gates before a failover, the readiness, and the reports.

use super::world::*;
use crate::check::*;
use crate::facts::policy::UpdatePolicy;
use crate::finding::Finding;
use crate::finding::Status::{self, Failed, Pass, Skipped, Unknown, Warning};
use crate::names::{Role, Side};
use crate::observe::*;

/// The secondary's own row, and what the primary says of it.
fn copies(w: &mut World, change: fn(&mut ReplicaDatabase)) {
    change(&mut w.managed().groups[0].databases[0]);
    change(&mut w.sql().groups[1].databases[1]);
}

fn behind(w: &mut World, seconds: u64) {
    copies(w.linked(), |d| d.hardened_lsn = Some("71000009408000001".parse().unwrap()));
    let earlier =
        crate::moment::Moment::from_unix_ms(now().unix_ms() - i64::try_from(seconds).unwrap() * 1_000);
    w.managed().groups[0].databases[0].commit_time = Some(earlier);
}

fn linked(w: &mut World) -> &mut World {
    w.linked()
}

/// Rows about a planned failover from SQL Server to the managed instance.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "failover.roles",
            |w| w.linked().end(),
            Pass,
            "SQL Server is PRIMARY, managed instance is SECONDARY",
        ),
        row("failover.roles", |w| w.failed_over().end(), Failed, "managed instance is PRIMARY already"),
        row(
            "failover.roles",
            |w| w.linked().managed().groups[0].role = Some(Role::Primary),
            Failed,
            "not exactly one primary",
        ),
        row("failover.roles", |w| w.linked().without_sql(), Unknown, "refused"),
        row("failover.roles", |w| w.linked().without_managed(), Warning, "by Azure's word only"),
        row("failover.possible", |w| w.linked().end(), Pass, "one statement"),
        row("failover.possible", |w| w.linked().without_sql(), Unknown, "refused"),
        row("failover.way-back", |w| w.linked().end(), Pass, "update policy SQL Server 2022"),
        row(
            "failover.way-back",
            |w| w.linked().azure().update_policy = Some(UpdatePolicy::AlwaysUpToDate),
            Warning,
            "always-up-to-date",
        ),
        row(
            "failover.way-back",
            |w| w.linked().sql().version = "15.0.4312.2".parse().unwrap(),
            Warning,
            "15.0",
        ),
        row("failover.way-back", |w| w.linked().azure().update_policy = None, Unknown, "unknown"),
        row("failover.connected", |w| w.linked().end(), Pass, "CONNECTED"),
        row(
            "failover.connected",
            |w| {
                let remote = &mut w.linked().sql().groups[1].replicas[1];
                remote.connected = Some(false);
                remote.last_connect_error =
                    Some(ConnectError { number: 35206, text: "A timeout".to_owned(), at: None });
            },
            Failed,
            "DISCONNECTED: A timeout",
        ),
        row("failover.connected", |w| w.linked().without_sql(), Unknown, "connection refused"),
        row("failover.operations", |w| w.linked().azure().state = "Updating".to_owned(), Failed, "Updating"),
        row("failover.operations", |w| w.linked().without_azure(), Unknown, "AuthorizationFailed"),
        row(
            "failover.rights",
            |w| {
                w.linked();
                let of = "microsoft.sql/managedinstances/distributedavailabilitygroups/failover/action";
                w.azure()
                    .actions
                    .iter_mut()
                    .filter(|(a, _)| a.eq_ignore_ascii_case(of))
                    .for_each(|(_, m)| *m = false);
            },
            Failed,
            "failover/action",
        ),
        row("failover.rights", |w| w.linked().blind().end(), Failed, "neither"),
        row("failover.rights", |w| w.linked().azure().actions.clear(), Unknown, "does not tell"),
        row(
            "failover.health",
            |w| copies(w.linked(), |d| d.health = Some(Health::NotHealthy)),
            Failed,
            "NOT_HEALTHY",
        ),
        row("failover.health", |w| copies(w.linked(), |d| d.health = None), Unknown, "how healthy"),
        row("failover.synchronization", |w| w.linked().end(), Pass, "SYNCHRONIZING"),
        row(
            "failover.synchronization",
            |w| copies(w.linked(), |d| d.suspended = Some("SUSPEND_FROM_USER".to_owned())),
            Failed,
            "SUSPEND_FROM_USER",
        ),
        row(
            "failover.synchronization",
            |w| copies(w.linked(), |d| d.state = Some(SyncState::Reverting)),
            Failed,
            "REVERTING",
        ),
        row(
            "failover.synchronization",
            |w| copies(w.linked(), |d| d.state = None),
            Unknown,
            "synchronization state",
        ),
        row("failover.lag", |w| w.linked().end(), Pass, "0 s"),
        row("failover.lag", |w| behind(w, 60), Pass, "60 s"),
        row("failover.lag", |w| behind(w, 61), Failed, "61 s"),
        row(
            "failover.lag",
            |w| {
                behind(w, 61);
                w.managed().groups[0].databases[0].commit_time = None;
                w.azure().links[0].databases[0].commit_time = None;
            },
            Unknown,
            "how far behind",
        ),
        row(
            "failover.queues",
            |w| {
                copies(w.linked(), |d| {
                    d.send_queue_kb = Some(100_000);
                    d.send_rate_kb = Some(1_000);
                });
            },
            Pass,
            "100000 KiB at 1000 KiB/s",
        ),
        row(
            "failover.queues",
            |w| {
                copies(w.linked(), |d| {
                    d.redo_queue_kb = Some(1_000_000);
                    d.redo_rate_kb = Some(1_000);
                });
            },
            Failed,
            "17 min",
        ),
        row(
            "failover.queues",
            |w| {
                copies(w.linked(), |d| {
                    d.redo_queue_kb = Some(1_000_000);
                    d.redo_rate_kb = Some(0);
                });
            },
            Unknown,
            "0 KiB/s",
        ),
        row("failover.sessions", |w| w.linked().end(), Pass, "0 sessions"),
        row(
            "failover.sessions",
            |w| w.linked().sql().sessions = Some(vec![("SALES".to_owned(), 3)]),
            Warning,
            "3 sessions",
        ),
        row("failover.sessions", |w| w.linked().sql().sessions = None, Unknown, "VIEW SERVER STATE"),
        row(
            "failover.database-accessible",
            |w| w.linked().azure().databases[0].status = "Inaccessible".to_owned(),
            Failed,
            "Inaccessible",
        ),
        row(
            "failover.database-accessible",
            |w| w.linked().azure().databases.clear(),
            Unknown,
            "does not list",
        ),
        row("failover.log-backup", |w| w.linked().end(), Pass, "at 2026-11-25T11:00"),
        row(
            "failover.log-backup",
            |w| w.linked().sql().databases[0].last_log_backup = None,
            Warning,
            "no log backup",
        ),
        row("failover.log-backup", |w| w.linked().without_sql(), Unknown, "refused"),
        row("failover.azure-backup", |w| w.linked().end(), Skipped, "before the link is dropped"),
    ]
}

fn back() -> GateOptions {
    GateOptions::planned(Side::SqlServer)
}

#[track_caller]
fn found<'f>(all: &'f [Finding], id: &str) -> &'f Finding {
    all.iter().find(|f| f.check == id).unwrap()
}

#[test]
fn each_gate_holds() {
    let rows = rows();
    let proved = rows.iter().map(|row| {
        let world = row.world();
        row.prove(&failover_gates(&world.link, &world.seen, GateOptions::planned(Side::Managed)))
    });
    let wrong: Vec<String> = proved.filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_link_in_order_may_be_failed_over_there_and_back() {
    let mut world = World::new();
    world.linked();
    let all = failover_gates(&world.link, &world.seen, GateOptions::planned(Side::Managed));
    assert!(all.iter().all(|f| matches!(f.status, Pass | Skipped)), "{all:#?}");
    let mut world = World::new();
    world.failed_over();
    let all = failover_gates(&world.link, &world.seen, back());
    assert!(all.iter().all(|f| matches!(f.status, Pass | Skipped)), "{all:#?}");
    assert_eq!(found(&all, "failover.possible").seen, "16.0.4125.3: one call of Azure");
}

#[test]
fn data_that_cannot_come_back_is_not_asked_to() {
    let mut world = World::new();
    world.failed_over();
    world.azure().update_policy = Some(UpdatePolicy::SqlServer2025);
    let all = failover_gates(&world.link, &world.seen, back());
    assert_eq!(found(&all, "failover.possible").status, Failed);
    world.managed().databases[0].last_full_backup = None;
    let all = failover_gates(&world.link, &world.seen, back());
    assert_eq!(found(&all, "failover.azure-backup").status, Warning);
    world.without_managed();
    let all = failover_gates(&world.link, &world.seen, back());
    assert_eq!(found(&all, "failover.azure-backup").status, Unknown);
}

#[test]
fn a_forced_failover_needs_only_the_side_that_is_left() {
    // SQL Server is lost, the managed instance takes over.
    let mut world = World::new();
    world.linked().without_sql();
    let all = failover_gates(&world.link, &world.seen, GateOptions::forced(Side::Managed));
    let stop: Vec<&Finding> = all.iter().filter(|f| blocks(f)).collect();
    assert!(stop.is_empty(), "{stop:#?}");
    assert_eq!(found(&all, "failover.lag").status, Warning, "what is lost cannot be known");
    // Azure is lost, SQL Server takes over.
    let mut world = World::new();
    world.failed_over().without_managed();
    world.without_azure();
    let all = failover_gates(&world.link, &world.seen, GateOptions::forced(Side::SqlServer));
    let stop: Vec<&Finding> = all.iter().filter(|f| blocks(f)).collect();
    assert!(stop.is_empty(), "{stop:#?}");
}

#[test]
fn a_copy_that_is_not_whole_is_not_forced() {
    let mut world = World::new();
    copies(linked(&mut world), |d| d.state = Some(SyncState::Initializing));
    let all = failover_gates(&world.link, &world.seen, GateOptions::forced(Side::Managed));
    assert_eq!(found(&all, "failover.synchronization").status, Failed);
    let mut world = World::new();
    world.linked().sql().version = "15.0.4312.2".parse().unwrap();
    let all = failover_gates(&world.link, &world.seen, GateOptions::forced(Side::Managed));
    assert!(found(&all, "failover.possible").seen.contains("41985"));
}

#[test]
fn readiness_is_one_number() {
    let mut world = World::new();
    world.linked();
    let ready = readiness(&world.link, &world.seen);
    assert!(ready.ready && ready.score == 100, "{}: {:#?}", ready.score, ready.findings);
    world.sql().sessions = Some(vec![("Sales".to_owned(), 1)]);
    let warned = readiness(&world.link, &world.seen);
    assert!(warned.ready && (50..100).contains(&warned.score), "{}", warned.score);
    behind(&mut world, 3_600);
    let lagging = readiness(&world.link, &world.seen);
    assert!(!lagging.ready && lagging.score < 50, "{}", lagging.score);
    world.without_sql();
    let unseen = readiness(&world.link, &world.seen);
    assert!(!unseen.ready && unseen.score < lagging.score, "{}", unseen.score);
}

/// A finding that gets better never lowers the score, and one that gets worse never raises it.
#[test]
fn the_score_only_rises_with_what_is_found() {
    let mut world = World::new();
    world.linked();
    let all = readiness(&world.link, &world.seen).findings;
    let order = [Unknown, Failed, Warning, Pass];
    for at in 0..all.len() {
        let scores: Vec<u32> = order
            .into_iter()
            .map(|status: Status| {
                let mut changed = all.clone();
                changed[at].status = status;
                crate::check::readiness::score(&changed).0
            })
            .collect();
        // An unknown may stop less than a no does, where no view can show it.
        assert!(
            scores[1] <= scores[2] && scores[2] <= scores[3] && scores[0] <= scores[3],
            "{}: {scores:?}",
            all[at].check
        );
    }
}

#[test]
fn junit_is_what_build_servers_read() {
    let mut world = World::new();
    world.database().recovery_model = RecoveryModel::Simple;
    world.sql().trace_flags = None;
    world.sql().edition = "<\"Enterprise\"> & \u{1}".to_owned();
    world.database().broker_enabled = false;
    let all = requirements(&world.link, &world.seen);
    let text = report::junit(&all);
    assert!(text.starts_with(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"milink check\" tests=\""
    ));
    let count = |needle: &str| text.matches(needle).count();
    let of = |status: Status| all.iter().filter(|f| f.status == status).count();
    assert_eq!(count("<testcase "), all.len());
    assert_eq!(count("<failure "), of(Failed));
    assert_eq!(count("<error "), of(Unknown));
    assert_eq!(count("<skipped "), of(Skipped));
    assert_eq!(count("<system-out>warning"), of(Warning));
    assert_eq!(count("<testsuite "), count("</testsuite>"));
    assert!(text.contains("<failure type=\"failed\" message=\"SIMPLE\">"));
    assert!(!text.contains('\u{1}') && !text.contains("<\"Enterprise"), "nothing is written raw");
    let suite = text.lines().find(|l| l.contains("<testsuite name=\"Sales on SQL Server\"")).unwrap();
    assert!(suite.contains("failures=\"1\""), "{suite}");
}

#[test]
fn sarif_has_the_shape_of_2_1_0() {
    let mut world = World::new();
    world.database().recovery_model = RecoveryModel::Simple;
    world.sql().trace_flags = None;
    world.database().broker_enabled = false;
    let all = requirements(&world.link, &world.seen);
    let log = report::sarif(&all);
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let [run] = log["runs"].as_array().unwrap().as_slice() else { panic!("one run is wanted") };
    assert_eq!(run["tool"]["driver"]["name"], "milink");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), CHECKS.len());
    for rule in rules {
        for field in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[field]["text"].as_str().unwrap().is_empty(), "{rule}");
        }
        assert!(["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()));
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), all.len());
    for (result, finding) in results.iter().zip(&all) {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], finding.check);
        assert_eq!(rules[index]["id"], finding.check);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let (kind, level) = (result["kind"].as_str().unwrap(), result["level"].as_str().unwrap());
        // What did not fail has no level.
        assert_eq!(kind == "fail", level != "none", "{result}");
        let wanted = match finding.status {
            Pass => ("pass", "none"),
            Skipped => ("notApplicable", "none"),
            Unknown => ("open", "none"),
            Warning => ("fail", "warning"),
            Failed => ("fail", "error"),
        };
        assert_eq!((kind, level), wanted);
        let location = &result["locations"][0]["logicalLocations"][0];
        assert_eq!(location["fullyQualifiedName"], finding.subject.to_string());
    }
    let prints: std::collections::BTreeSet<String> =
        results.iter().map(|r| r["partialFingerprints"]["checkAndSubject/v1"].to_string()).collect();
    assert_eq!(prints.len(), results.len(), "a finding is told from every other");
}
