//! The pure half, without sockets or instance: what is decided in each situation, and that nothing which can be sent makes it
//! panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::access::{Account, RoleKind};
use crate::arm;
use crate::config::{ManagedAddress, Names, Timing};
use crate::context::{Context, Estate, Outcome, Report};
use crate::error::ArmError;
use crate::instance::*;
use crate::links;
use crate::message::{Method, Request};
use crate::operations::{Next, Operation, Operations, Progress, Seen, Status, Work, next};
use crate::settings::InstanceSettings;
use crate::target::{self, Family};

fn request(link: &str) -> LinkRequest {
    LinkRequest {
        name: link.to_owned(),
        partner_group: "AG".to_owned(),
        partner_endpoint: "tcp://10.0.0.1:5022".to_owned(),
        instance_group: "AG_MI".to_owned(),
        databases: vec!["db".to_owned()],
        role: Role::Secondary,
        commit_mode: CommitMode::Asynchronous,
        seeding_mode: SeedingMode::Automatic,
        failover_mode: FailoverMode::Manual,
        link_mode: LinkMode::SingleDatabase,
    }
}

fn link(name: &str) -> Link {
    Link {
        settings: request(name),
        id: "1AB00000-0000-4000-8000-000000000009".to_owned(),
        partner_role: Some(Role::Primary),
        connected: true,
        changing_role: false,
        databases: vec![LinkDatabase {
            name: "db".to_owned(),
            instance_replica_id: "1".to_owned(),
            partner_replica_id: "2".to_owned(),
            synchronization: Some(SynchronizationState::Synchronizing),
            suspended: false,
            seeding: None,
            log: LogPositions::default(),
            lag_seconds: Some(0),
            redo_queue_kb: None,
        }],
        problem: None,
    }
}

fn problem() -> Problem {
    Problem { number: 41_973, text: "The certificate.".to_owned(), at_ms: Some(0) }
}

fn operation(work: Work) -> Operation {
    Operation {
        id: "op".to_owned(),
        family: Family::Links,
        name: "Op".to_owned(),
        subject: "L".to_owned(),
        work,
        started_ms: 0,
        ended_ms: None,
        status: Status::InProgress,
    }
}

fn estate() -> Estate {
    Estate {
        names: Names::default(),
        managed: ManagedAddress { fqdn: "mi.localhost".to_owned(), port: 1, endpoint_port: 2 },
        timing: Timing::default(),
        accounts: vec![Account {
            name: "contributor".to_owned(),
            client_id: "c".to_owned(),
            object_id: "o".to_owned(),
            client_secret: "s".to_owned(),
            kind: RoleKind::Contributor,
        }],
    }
}

/// An answer to a request that was let in, with a link `L` and whatever operations there are.
fn answer(
    method: Method,
    path: &str,
    body: &[u8],
    links: Vec<Link>,
    running: Operations,
) -> Result<Outcome, ArmError> {
    let estate = estate();
    let path = format!("{}{path}?api-version=2026-08-01-preview", estate.names.instance_id());
    let mut request = Request::new(method, &path, "https://localhost:1".to_owned());
    request.body = body.to_vec();
    let (_, target) = target::parse(&request.segments);
    let facts = InstanceFacts { collation: "c".to_owned(), database_format: "SQLServer2022".to_owned() };
    let report = Report {
        answers: vec![
            Ok(Answer::Links(links)),
            Ok(Answer::TrustedCertificates(Vec::new())),
            Ok(Answer::Databases(Vec::new())),
            Ok(Answer::Facts(facts)),
            Ok(Answer::EndpointCertificate(EndpointCertificate { der: vec![0x30], roots: vec![vec![0x30]] })),
        ],
    };
    let context = Context {
        estate: &estate,
        request: &request,
        account: &estate.accounts[0],
        version: "2026-08-01-preview",
        report: &report,
        operations: &running,
        settings: &InstanceSettings::default(),
    };
    arm::answer(&context, &target)
}

const LINK: &str = "/distributedAvailabilityGroups/L";

fn started(outcome: Result<Outcome, ArmError>) -> Work {
    match outcome {
        Ok(Outcome::Start(start)) => start.work,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Outcome, ArmError>) -> (u16, String) {
    match outcome {
        Err(error) => (error.status, error.code),
        Ok(other) => panic!("{other:?}"),
    }
}

fn post(path: &str, body: &Value, links: Vec<Link>) -> Result<Outcome, ArmError> {
    answer(Method::Post, path, body.to_string().as_bytes(), links, Operations::default())
}

#[test]
fn states_have_azures_words() {
    let seeding = |state| Some(Seeding { state, percent: 40 });
    let state = |change: &dyn Fn(&mut Link)| {
        let mut link = link("L");
        change(&mut link);
        links::replica_state(&link, &link.databases[0])
    };
    let nothing = |l: &mut Link| l.databases[0].synchronization = None;
    assert_eq!(state(&|_| ()), "LinkSynchronizing");
    assert_eq!(state(&nothing), "InitiatingLink");
    assert_eq!(
        state(&|l| {
            nothing(l);
            l.problem = Some(problem());
        }),
        "LinkInitError"
    );
    for (seeds, wanted) in [
        (SeedingState::Pending, "CreatingLink"),
        (SeedingState::Running, "CreatingLink"),
        (SeedingState::Failed, "LinkCreationError"),
        (SeedingState::Completed, "LinkSynchronizing"),
    ] {
        assert_eq!(state(&|l| l.databases[0].seeding = seeding(seeds)), wanted);
    }
    assert_eq!(state(&|l| l.changing_role = true), "LinkFailoverInProgress");
    for broken in [
        &(|l: &mut Link| l.connected = false) as &dyn Fn(&mut Link),
        &|l| l.problem = Some(problem()),
        &|l| l.databases[0].suspended = true,
        &|l| l.databases[0].synchronization = Some(SynchronizationState::NotSynchronizing),
        &|l| l.settings.role = Role::Primary,
    ] {
        assert_eq!(state(broken), "LinkSynchronizationError");
    }
}

#[test]
fn a_role_changes_only_where_it_can() {
    let planned = json!({"failoverType": "Planned"});
    let forced = json!({"failoverType": "ForcedAllowDataLoss"});
    let primary = || {
        let mut link = link("L");
        (link.settings.role, link.partner_role) = (Role::Primary, Some(Role::Secondary));
        link
    };
    let failover = format!("{LINK}/failover");
    assert_eq!(
        started(post(&failover, &planned, vec![primary()])),
        Work::FailOver { link: "L".to_owned(), forced: false }
    );
    assert_eq!(
        started(post(&failover, &forced, vec![link("L")])),
        Work::FailOver { link: "L".to_owned(), forced: true }
    );
    let code = |suffix: &str| format!("DistributedAvailabilityGroup{suffix}");
    let mut behind = primary();
    behind.connected = false;
    let mut one_way = link("L");
    one_way.settings.failover_mode = FailoverMode::None;
    let mut changing = primary();
    changing.changing_role = true;
    for (body, link, status, wanted) in [
        (&planned, behind, 409, code("FailoverSecondariesNotSynchronizing")),
        (&forced, primary(), 409, code("SetRoleInstanceAlreadyInRequestedRole")),
        (&forced, one_way, 400, "41985".to_owned()),
        (&planned, changing, 409, code("SetRoleChangeRoleAlreadyInProgress")),
    ] {
        assert_eq!(refused(post(&failover, body, vec![link])), (status, wanted));
    }
}

#[test]
fn one_operation_at_a_time_but_a_creation_can_be_ended() {
    let mut running = Operations::default();
    running.add(operation(Work::CreateLink(request("L"))));
    let delete = |running: Operations| answer(Method::Delete, LINK, b"", vec![link("L")], running);
    match delete(running.clone()).unwrap() {
        Outcome::Start(start) => assert_eq!(start.cancels.as_deref(), Some("op")),
        Outcome::Answer(response) => panic!("{response:?}"),
    }
    let body = json!({"properties": {"replicationMode": "Sync"}}).to_string();
    let patched =
        answer(Method::Patch, "/distributedAvailabilityGroups/l", body.as_bytes(), vec![link("L")], running);
    assert_eq!(refused(patched), (409, "ConflictingServerOperation".to_owned()));
    let mut dropping = Operations::default();
    dropping.add(operation(Work::DropLink { link: "L".to_owned() }));
    assert_eq!(refused(delete(dropping)), (409, "ConflictingServerOperation".to_owned()));
}

#[test]
fn an_operation_is_decided_by_what_the_instance_shows() {
    let timing = Timing::default();
    let at = |work: Work, progress: &Progress, links: Vec<Link>, now_ms: i64| {
        let seen = Seen { links, ..Seen::default() };
        next(&operation(work), progress, Some(&seen), now_ms, &timing)
    };
    let done = || Next::End(Status::Succeeded);
    let create = || Work::CreateLink(request("L"));
    let fresh = Progress::default();
    let acted = Progress { acted: true, ..Progress::default() };
    assert_eq!(at(create(), &fresh, Vec::new(), 0), Next::Act(Call::CreateLink(request("L"))));
    // After a restart nobody knows whether it was told; it shows.
    assert_eq!(at(create(), &fresh, vec![link("l")], 0), done());
    assert_eq!(at(create(), &acted, Vec::new(), 0), Next::End(Status::Canceled));
    let mut alone = link("L");
    (alone.connected, alone.databases[0].synchronization) = (false, None);
    assert_eq!(at(create(), &acted, vec![alone.clone()], 0), Next::Wait);
    let late = timing.link_create_limit.as_millis() as i64 + 1;
    let code = |next: Next| match next {
        Next::End(Status::Failed { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        code(at(create(), &acted, vec![alone.clone()], late)),
        "ManagedInstanceLinkConnectivityIsNotEstablished"
    );
    alone.problem = Some(problem());
    assert_eq!(
        code(at(create(), &acted, vec![alone], late)),
        "ManagedInstanceLinkCertificateNotFoundOnManagedInstance"
    );

    let refusing =
        Progress { acted: true, refusal: Some((41_987, "used".to_owned())), silent_since_ms: None };
    assert_eq!(code(at(create(), &refusing, Vec::new(), 0)), "CloudLifterChimeraMIAgNameIsAlreadyUsed");
    // What was reached was reached, though the second to ask was refused.
    let drop = Work::DropLink { link: "L".to_owned() };
    assert_eq!(at(drop.clone(), &refusing, Vec::new(), 0), done());
    let fail_over = Work::FailOver { link: "L".to_owned(), forced: false };
    assert_eq!(at(fail_over.clone(), &fresh, vec![link("L")], 0), done());
    let limit = timing.role_change_limit.as_millis() as i64;
    let mut primary = link("L");
    primary.settings.role = Role::Primary;
    assert_eq!(at(fail_over.clone(), &acted, vec![primary.clone()], limit), Next::Wait);
    assert_eq!(code(at(fail_over.clone(), &acted, vec![primary], limit + 1)), "OperationTimedOut");
    assert_eq!(code(at(fail_over, &fresh, Vec::new(), 0)), "ManagedInstanceLinkIsNotFound");

    // An instance that does not answer is waited for, and what it was told before is told again.
    let mut progress = acted;
    progress.seen(false, 1000);
    assert!(!progress.acted);
    let silence = timing.silence_limit.as_millis() as i64;
    let silent = |now_ms| next(&operation(drop.clone()), &progress, None, now_ms, &timing);
    assert_eq!(silent(1000 + silence), Next::Wait);
    assert_eq!(code(silent(1001 + silence)), "OperationTimedOut");
}

#[test]
fn ended_operations_are_forgotten_one_day_and_running_ones_never() {
    let mut all = Operations::default();
    for n in 0..2000 {
        all.add(Operation { id: n.to_string(), ..operation(Work::Nothing) });
        if n > 9 {
            all.end(&n.to_string(), Status::Succeeded, 1);
        }
    }
    assert_eq!(all.running().count(), 10);
    assert_eq!(all.all().len(), 510);
    all.end("1999", Status::Canceled, 2);
    assert_eq!(all.get("1999").unwrap().status, Status::Succeeded, "an end is an end");
}

/// JSON of any shape, with the names that mean something in it.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "",
        "Sync",
        "Primary",
        "Forced",
        "Planned",
        "MultiDatabase",
        "None",
        "tcp://h:1",
        "tcp://",
        "0x30",
        "0xé",
        "db",
        "ForcedAllowDataLoss",
        "\u{0}",
        "é\u{301}",
        "Passive",
        "2026-08-11",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,200}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "properties",
        "databases",
        "databaseName",
        "replicationMode",
        "instanceLinkRole",
        "partnerEndpoint",
        "linkMode",
        "instanceAvailabilityGroupName",
        "partnerAvailabilityGroupName",
        "failoverType",
        "instanceRole",
        "roleChangeType",
        "publicBlob",
        "tags",
        "vCores",
        "storageSizeInGB",
        "hybridSecondaryUsage",
        "seedingMode",
        "other",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn survives(body: &[u8]) {
    for (method, path) in [
        (Method::Put, LINK),
        (Method::Put, "/distributedAvailabilityGroups/New"),
        (Method::Patch, LINK),
        (Method::Post, "/distributedAvailabilityGroups/L/failover"),
        (Method::Post, "/distributedAvailabilityGroups/L/setRole"),
        (Method::Put, "/serverTrustCertificates/c"),
        (Method::Patch, ""),
    ] {
        match answer(method, path, body, vec![link("L")], Operations::default()) {
            Ok(_) => {}
            // Whatever is wrong with a body is the caller's fault, and said so.
            Err(error) => assert!((400..=501).contains(&error.status) && error.status != 500, "{error:?}"),
        }
    }
}

proptest! {
    #[test]
    fn no_body_does_harm(body in anything()) {
        survives(body.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_do_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&body);
    }

    #[test]
    fn no_path_does_harm(path in "(/([a-zA-Z.]{0,8}|subscriptions|providers|Microsoft.Sql|%[0-9a-z]{0,2}|é)){0,14}(\\?[a-z=&%+]{0,20})?") {
        let request = Request::new(Method::Get, &path, "https://h".to_owned());
        let (_, target) = target::parse(&request.segments);
        for method in [Method::Get, Method::Put, Method::Patch, Method::Post, Method::Delete] {
            let _ = target.action(method);
        }
    }
}
