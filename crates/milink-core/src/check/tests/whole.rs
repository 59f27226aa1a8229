//! What holds of all checks, whatever is seen.

use std::collections::{BTreeMap, BTreeSet};

use super::rows;
use super::world::*;
use crate::action::{Action, ArmCall, Statement};
use crate::check::*;
use crate::facts::sources::tests::check_source;
use crate::finding::{Finding, Status};
use crate::names::Side;
use crate::observe::Observation;
use crate::plan::{Condition, Truth, Verb};
use crate::spec::LinkSpec;

/// Every check that there is, about one world.
fn everything(world: &World) -> Vec<Finding> {
    let mut all = requirements(&world.link, &world.seen);
    for to in Side::BOTH {
        for options in [GateOptions::planned(to), GateOptions::forced(to)] {
            all.extend(failover_gates(&world.link, &world.seen, options));
        }
    }
    all
}

/// Every world that a row makes, and those in which somebody does not answer.
fn worlds() -> Vec<World> {
    let mut all: Vec<World> = rows().iter().chain(&super::gates::rows()).map(Row::world).collect();
    for lose in [World::without_sql as fn(&mut World), World::without_managed, World::without_azure] {
        for prepare in [
            (|_| {}) as fn(&mut World),
            |w| w.linked().end(),
            |w| w.from_managed().end(),
            |w| w.failed_over().end(),
        ] {
            let mut world = World::new();
            prepare(&mut world);
            lose(&mut world);
            all.push(world);
        }
    }
    // The way back is gated too.
    let mut world = World::new();
    world.failed_over();
    world.managed().databases[0].last_full_backup = None;
    all.push(world);
    all
}

#[test]
fn the_catalogue_is_whole() {
    let mut ids = BTreeSet::new();
    for c in CHECKS {
        assert!(ids.insert(c.id), "{} stands twice", c.id);
        let (topic, name) = c.id.split_once('.').unwrap();
        assert!(
            !topic.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
        assert!(
            !c.title.is_empty() && !c.title.ends_with('.') && !c.why.is_empty() && !c.why.ends_with('.'),
            "{}",
            c.id
        );
        check_source(c.source, c.id);
        assert_eq!(check(c.id), Some(c));
    }
}

/// What cannot be unknown: it is about the wish alone.
const OF_THE_WISH: &[&str] = &[
    "database.system",
    "link.commit-mode",
    "link.databases",
    "link.group-names",
    "link.name",
    "link.seeding-mode",
];
/// What cannot be a no, and why.
const NEVER_NO: &[&str] = &[
    // Without an answer nothing else is known either.
    "azure.reachable",
    "managed.reachable",
    "server.reachable",
    // What would show that there is none shows nothing.
    "server.cluster",
    // The documents give no number.
    "database.files",
];

#[test]
fn each_check_has_a_yes_a_no_and_an_unknown() {
    let mut came_to: BTreeMap<&str, BTreeSet<Status>> = BTreeMap::new();
    for world in worlds() {
        for finding in everything(&world) {
            came_to.entry(finding.check).or_default().insert(finding.status);
        }
    }
    for id in came_to.keys() {
        assert!(check(id).is_some(), "{id} is not in the catalogue");
    }
    let mut wrong = Vec::new();
    for c in CHECKS {
        let all = came_to.get(c.id).cloned().unwrap_or_default();
        let no = all.contains(&Status::Failed) || all.contains(&Status::Warning);
        let good = all.contains(&Status::Pass)
            && no != NEVER_NO.contains(&c.id)
            && all.contains(&Status::Unknown) != OF_THE_WISH.contains(&c.id)
            // A recommendation never fails.
            && (c.severity != Severity::Warns || !all.contains(&Status::Failed));
        if !good {
            wrong.push(format!("{}: {all:?}", c.id));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What may be done without asking twice: it can be taken back, and restarts nothing.
fn is_harmless(action: &Action) -> bool {
    match action {
        Action::Sql { side: Side::SqlServer, statement } => matches!(
            statement,
            Statement::SetRecoveryFull { .. }
                | Statement::BackupDatabase { copy_only: false, .. }
                | Statement::StartEndpoint { .. }
                | Statement::ImportCertificate { .. }
                | Statement::AddIssuer { .. }
                | Statement::TraceOn { .. }
                | Statement::TraceOff { .. }
        ),
        Action::Arm { call } => matches!(call, ArmCall::PutTrustCertificate { .. }),
        Action::Sql { .. } => false,
    }
}

#[test]
fn every_finding_is_whole() {
    for world in worlds() {
        for options in
            [None, Some(GateOptions::planned(Side::Managed)), Some(GateOptions::forced(Side::SqlServer))]
        {
            let all = match options {
                None => requirements(&world.link, &world.seen),
                Some(options) => failover_gates(&world.link, &world.seen, options),
            };
            let mut seen = BTreeSet::new();
            for f in all {
                assert!(seen.insert((f.check, f.subject.clone())), "{} of {} twice", f.check, f.subject);
                assert!(!f.seen.is_empty() && !f.why.is_empty() && !f.source.is_empty(), "{f:#?}");
                assert!(
                    !f.wanted.is_empty() || matches!(f.status, Status::Unknown | Status::Skipped),
                    "{f:#?}"
                );
                match (&f.fix, f.status) {
                    (None, Status::Pass | Status::Skipped | Status::Unknown) => {}
                    (None, Status::Warning | Status::Failed) => {
                        assert!(
                            f.check.starts_with("failover."),
                            "nobody says how {} is mended: {f:#?}",
                            f.check
                        );
                    }
                    (Some(_), Status::Pass | Status::Skipped) => panic!("nothing is to be mended: {f:#?}"),
                    (Some(fix), Status::Unknown) => assert!(fix.actions.is_empty() && !fix.safe, "{f:#?}"),
                    (Some(fix), Status::Warning | Status::Failed) => {
                        assert!(!fix.advice.is_empty());
                        assert!(
                            !fix.safe || (!fix.actions.is_empty() && fix.actions.iter().all(is_harmless)),
                            "{f:#?}"
                        );
                    }
                }
            }
        }
    }
}

/// The heart of the rule: what nobody has looked at never passes.
#[test]
fn a_side_that_does_not_answer_passes_nothing_of_it() {
    let passes = |world: &World, topics: &[&str]| {
        for f in requirements(&world.link, &world.seen) {
            if topics.iter().any(|t| f.check.starts_with(t)) {
                assert!(matches!(f.status, Status::Unknown | Status::Skipped), "{f:#?}");
            }
        }
    };
    let mut world = World::new();
    world.without_sql();
    passes(
        &world,
        &[
            "server.",
            "permissions.sql",
            "trust.",
            "endpoint.exists",
            "endpoint.started",
            "database.recovery",
            "database.online",
        ],
    );
    let mut world = World::new();
    world.without_managed();
    passes(&world, &["managed.", "permissions.managed", "azure.storage"]);
    let mut world = World::new();
    world.without_azure();
    passes(
        &world,
        &[
            "azure.",
            "permissions.azure",
            "trust.managed",
            "trust.uploaded",
            "trust.azure",
            "database.name-free",
        ],
    );
}

/// Whatever is hidden from a login that is shown little is never called missing.
#[test]
fn a_blind_login_is_told_no_no_about_what_it_cannot_see() {
    let mut world = World::new();
    let sql = world.blind().sql();
    sql.certificates = Some(Vec::new());
    sql.endpoint = None;
    sql.master_key = Some(false);
    sql.databases.clear();
    sql.groups.clear();
    sql.trace_flags = None;
    sql.log_backup_jobs = None;
    for f in requirements(&world.link, &world.seen) {
        let told = f.check == "permissions.sql-server";
        assert!(told || f.status != Status::Failed, "{f:#?}");
    }
}

/// What passes after a side was lost and did not before. `witnesses` are the checks that two sides can tell: if the one that told of a
/// conflict is lost, the other one's word is all that is left.
fn helped_by_a_loss(ask: impl Fn(&World) -> Vec<Finding>, witnesses: &[&str]) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    for world in worlds() {
        let before = ask(&world);
        for lose in [World::without_sql as fn(&mut World), World::without_managed, World::without_azure] {
            let mut less = World { link: world.link.clone(), seen: world.seen.clone() };
            lose(&mut less);
            for f in ask(&less).iter().filter(|f| f.status == Status::Pass) {
                let same = before.iter().find(|b| b.check == f.check && b.subject == f.subject);
                let good = same.is_some_and(|b| matches!(b.status, Status::Pass | Status::Skipped));
                if !good && !witnesses.iter().any(|c| f.check.starts_with(c)) {
                    wrong.insert(format!("{} was {same:?}, and then {:?}", f.check, f.seen));
                }
            }
        }
    }
    wrong
}

/// Knowing less never makes a no or an unknown into a yes.
#[test]
fn knowing_less_never_helps() {
    let witnesses = ["database.name-free", "server.collation", "network."];
    let wrong = helped_by_a_loss(|w| requirements(&w.link, &w.seen), &witnesses);
    assert!(wrong.is_empty(), "{wrong:#?}");
    for to in Side::BOTH {
        for options in [GateOptions::planned(to), GateOptions::forced(to)] {
            let wrong = helped_by_a_loss(|w| failover_gates(&w.link, &w.seen, options), &[]);
            assert!(wrong.is_empty(), "{options:?}: {wrong:#?}");
        }
    }
}

#[test]
fn a_fresh_server_stops_no_creation() {
    // Nothing is prepared: no key, no certificates, no endpoint, no backup.
    let mut world = World::new();
    let sql = world.sql();
    sql.master_key = Some(false);
    sql.certificates = Some(Vec::new());
    sql.endpoint = None;
    sql.trace_flags = Some(Vec::new());
    let database = world.database();
    database.recovery_model = crate::observe::RecoveryModel::Simple;
    database.log_chain = Some(false);
    database.last_full_backup = None;
    world.azure().trust_certificates.clear();
    world.seen.probes.clear();
    let all = requirements(&world.link, &world.seen);
    let stop: Vec<&Finding> = all.iter().filter(|f| blocks_creation(f)).collect();
    assert!(stop.is_empty(), "{stop:#?}");
    assert!(all.iter().filter(|f| blocks(f)).count() >= 5, "what create mends is still a no to who asks");
    let mut world = World::new();
    world.database().filestream = true;
    assert!(requirements(&world.link, &world.seen).iter().any(blocks_creation));
}

fn many(count: usize) -> (Vec<crate::spec::Link>, Observation) {
    let names: Vec<String> = (0..count).map(|n| format!("Db{n}")).collect();
    let mut spec = LinkSpec::new("all", &names.iter().map(String::as_str).collect::<Vec<_>>());
    spec.sql_server.endpoint = Some("TCP://10.0.0.4:5022".to_owned());
    let mut world = World::new();
    world.sql().databases = names.iter().map(|n| database(n)).collect();
    (spec.links().unwrap(), world.seen)
}

#[test]
fn what_is_about_an_instance_is_asked_once_and_limits_of_the_sum() {
    let (links, seen) = many(60);
    let all = fleet(&links, &seen);
    assert_eq!(all.iter().filter(|f| f.check == "server.version").count(), 1);
    assert_eq!(all.iter().filter(|f| f.check == "database.full-backup").count(), 60);
    // One of these databases fits, all of them do not.
    let storage = all.iter().find(|f| f.check == "azure.storage").unwrap();
    assert_eq!(storage.status, Status::Failed, "{storage:?}");
    assert!(storage.seen.contains("644.2 GB to come"), "{}", storage.seen);
    let one = fleet(&links[..1], &seen);
    assert!(one.iter().any(|f| f.check == "azure.storage" && f.status == Status::Pass));
    let (links, seen) = many(101);
    let all = fleet(&links, &seen);
    let databases = all.iter().find(|f| f.check == "azure.databases").unwrap();
    assert!(
        databases.status == Status::Failed && databases.seen.contains("101 to come, of 100"),
        "{databases:?}"
    );
}

/// More links never make a limit pass that fewer of them break.
#[test]
fn more_links_never_free_room() {
    let (links, seen) = many(120);
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    for count in 1..=links.len() {
        for f in fleet(&links[..count], &seen).iter().filter(|f| f.check.starts_with("azure.")) {
            match f.status {
                Status::Failed => drop(broken.insert(f.check)),
                Status::Pass | Status::Warning | Status::Skipped | Status::Unknown => {
                    assert!(!broken.contains(f.check), "{count} links: {f:?}");
                }
            }
        }
    }
    assert_eq!(broken, BTreeSet::from(["azure.databases", "azure.links", "azure.storage"]));
}

#[test]
fn safe_fixes_are_a_plan_with_proofs() {
    let mut world = World::new();
    world.drop_certificate(FQDN);
    world.azure().trust_certificates.clear();
    world.endpoint().state = "STOPPED".to_owned();
    world.sql().trace_flags = Some(Vec::new());
    let database = world.database();
    database.recovery_model = crate::observe::RecoveryModel::Simple;
    database.log_chain = Some(false);
    database.filestream = true;
    let found = requirements(&world.link, &world.seen);
    let plan = fixes(&world.link, &found, &world.seen);
    assert_eq!(plan.verb, Verb::Fix);
    let ids: Vec<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "trace-on-1",
            "trace-on-2",
            "import-certificate-3",
            "upload-certificate-4",
            "start-endpoint-5",
            "recovery-full-6",
            "full-backup-7"
        ]
    );
    for step in &plan.steps {
        assert!(step.action.as_ref().is_some_and(is_harmless) && !step.irreversible, "{step:?}");
        let proof = step.proved_by.judge(&world.seen);
        assert!(matches!(proof, Truth::Not { .. }), "{}: {proof:?}", step.id);
    }
    assert!(plan.notes.iter().any(|n| n.starts_with("database.filestream")), "{:?}", plan.notes);
    // Once it is mended, every proof holds and nothing is left to do.
    let mut mended = World::new();
    mended.database().filestream = true;
    for step in &plan.steps {
        assert!(step.proved_by.judge(&mended.seen).holds(), "{}", step.id);
    }
    let found = requirements(&mended.link, &mended.seen);
    assert!(fixes(&mended.link, &found, &mended.seen).steps.is_empty());
}

#[test]
fn an_endpoint_that_needs_more_than_a_start_is_not_started_by_itself() {
    let mut world = World::new();
    world.endpoint().state = "STOPPED".to_owned();
    world.endpoint().role = "WITNESS".to_owned();
    let found = requirements(&world.link, &world.seen);
    assert!(fixes(&world.link, &found, &world.seen).steps.is_empty());
}

#[test]
fn registering_a_root_is_a_step_that_only_its_answer_proves() {
    let mut world = World::new();
    world.drop_certificate("Root One");
    let found = requirements(&world.link, &world.seen);
    let plan = fixes(&world.link, &found, &world.seen);
    let proofs: Vec<&Condition> = plan.steps.iter().map(|s| &s.proved_by).collect();
    assert_eq!(proofs.len(), 2);
    assert_eq!(*proofs[1], Condition::Confirmed);
}

#[test]
fn an_observation_without_probes_is_read() {
    let mut world = World::new();
    world.seen.probes.clear();
    let text = serde_json::to_string(&world.seen).unwrap();
    assert!(!text.contains("probes"));
    assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), world.seen);
    let full = serde_json::to_string(&World::new().seen).unwrap();
    assert_eq!(serde_json::from_str::<Observation>(&full).unwrap().probes.len(), 2);
}
