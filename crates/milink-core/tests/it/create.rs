//! Plans that make links.

use milink_core::action::{Action, ArmCall, Statement};
use milink_core::facts::policy::UpdatePolicy;
use milink_core::names::{CommitMode, FailoverMode, Hex, LinkMode, Role, Side};
use milink_core::observe::{Certificate, Endpoint, RecoveryModel, Seen};
use milink_core::plan::{Condition, Plan, PlanError, Step, Truth, create};
use milink_core::spec::{Link, LinkSpec};

use crate::model::{FQDN, World, database, now, thumbprint};

/// A build of each family, with a policy that lets data flow both ways where it can.
pub(crate) const FAMILIES: [(&str, &str, UpdatePolicy); 6] = [
    ("2016", "13.0.7000.253", UpdatePolicy::SqlServer2022),
    ("2017", "14.0.3490.10", UpdatePolicy::SqlServer2022),
    ("2019", "15.0.4312.2", UpdatePolicy::SqlServer2022),
    ("2022-rtm", "16.0.1000.6", UpdatePolicy::SqlServer2022),
    ("2022-cu13", "16.0.4125.3", UpdatePolicy::SqlServer2022),
    ("2025", "17.0.1000.7", UpdatePolicy::SqlServer2025),
];

pub(crate) fn link(primary: Side) -> Link {
    let mut spec = LinkSpec::new("sales-link", &["Sales"]);
    spec.initial_primary = primary;
    spec.sql_server.endpoint = Some("TCP://10.0.0.5:5022".to_owned());
    spec.links().unwrap().remove(0)
}

pub(crate) fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.id.as_str()).collect()
}

/// Carries a step out: what must hold before does, and what proves it does afterwards.
pub(crate) fn carry_out(world: &mut World, step: &Step) {
    let before = step.requires.judge(&world.seen);
    assert_eq!(before, Truth::Holds, "before {}", step.id);
    if let Some(action) = &step.action {
        world.apply(action);
    }
    for _ in 0..3 {
        match step.proved_by.judge(&world.seen) {
            Truth::Holds => return,
            Truth::Unknown { .. } if step.proved_by == Condition::Confirmed => return,
            Truth::Not { .. } | Truth::Unknown { .. } => world.pass(),
        }
    }
    panic!("{} is not proved: {:?}", step.id, step.proved_by.judge(&world.seen));
}

/// Cuts the plan after every step and plans again: the rest must be the same plan's tail, but for what nothing shows.
fn cut_everywhere(mut world: World, link: &Link) -> Plan {
    let plan = create(link, &world.seen, now()).unwrap();
    for cut in 0..=plan.steps.len() {
        let rest = create(link, &world.seen, now()).unwrap();
        let hidden = |s: &&Step| s.proved_by == Condition::Confirmed;
        let tail: Vec<&Step> = plan.steps[cut..].iter().collect();
        let shown: Vec<&Step> = rest.steps.iter().filter(|s| !hidden(s) || tail.contains(s)).collect();
        assert_eq!(shown, tail, "cut after {cut} of {:?}", ids(&plan));
        assert_eq!(rest.link, plan.link, "cut after {cut}");
        if let Some(step) = plan.steps.get(cut) {
            carry_out(&mut world, step);
        }
    }
    plan
}

#[test]
fn every_cut_goes_on_as_the_same_plan_from_sql_server() {
    for (family, build, policy) in FAMILIES {
        for shows_issuers in [true, false] {
            let mut world = World::new(build, policy, Side::SqlServer, &["Sales"]);
            world.shows_issuers = shows_issuers;
            let plan = cut_everywhere(world, &link(Side::SqlServer));
            assert!(plan.steps.len() > 20, "{family}: {:?}", ids(&plan));
        }
    }
}

#[test]
fn every_cut_goes_on_as_the_same_plan_from_the_managed_instance() {
    for (family, build, policy) in &FAMILIES[4..] {
        let world = World::new(build, *policy, Side::Managed, &["Sales"]);
        let plan = cut_everywhere(world, &link(Side::Managed));
        let ids = ids(&plan);
        assert!(ids.contains(&"grant-create-any-database"), "{family}: {ids:?}");
        assert!(!ids.contains(&"full-backup") && !ids.contains(&"first-log-backup"), "{family}: {ids:?}");
    }
}

/// Replication is synchronous where both halves say so, whichever side the link begins on.
#[test]
fn synchronous_commit_is_set_on_both_halves_from_either_side() {
    for primary in Side::BOTH {
        let world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, primary, &["Sales"]);
        let wanted = Link { commit_mode: CommitMode::Synchronous, ..link(primary) };
        let plan = cut_everywhere(world, &wanted);
        let ids = ids(&plan);
        for id in ["synchronous-on-sql-server", "synchronous-in-azure", "wait-synchronized"] {
            assert!(ids.contains(&id), "{id} from {primary}: {ids:?}");
        }
    }
}

#[test]
fn every_cut_goes_on_with_synchronous_commit_and_several_databases() {
    let mut world = World::new("17.0.4000.1", UpdatePolicy::SqlServer2025, Side::SqlServer, &["A", "B"]);
    world.sql_server().multi_database = Some(false);
    let mut spec = LinkSpec::new("erp", &["A", "B"]);
    spec.link_mode = LinkMode::MultiDatabase;
    spec.failover_mode = FailoverMode::TwoWay;
    spec.commit_mode = CommitMode::Synchronous;
    let plan = cut_everywhere(world, &spec.links().unwrap()[0]);
    let ids = ids(&plan);
    for id in [
        "opt-into-multi-database",
        "full-backup-a",
        "full-backup-b",
        "synchronous-in-azure",
        "wait-synchronized",
    ] {
        assert!(ids.contains(&id), "{id}: {ids:?}");
    }
}

#[test]
fn a_managed_instance_is_no_initial_primary_of_old_releases() {
    for (family, build, policy) in &FAMILIES[..4] {
        let world = World::new(build, *policy, Side::Managed, &["Sales"]);
        let refused = create(&link(Side::Managed), &world.seen, now()).unwrap_err();
        assert!(matches!(refused, PlanError::Refused { .. }), "{family}: {refused}");
    }
}

fn action<'a>(plan: &'a Plan, id: &str) -> &'a Action {
    let step = plan.steps.iter().find(|s| s.id == id).unwrap_or_else(|| panic!("{id}: {:?}", ids(plan)));
    step.action.as_ref().unwrap()
}

#[test]
fn the_address_without_one_is_the_server_s_name_and_is_said() {
    let world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    let mut link = link(Side::SqlServer);
    link.sql_server.endpoint = None;
    link.sql_server.listener_port = Some(5044);
    let plan = create(&link, &world.seen, now()).unwrap();
    let Action::Sql { statement: Statement::CreateGroup { url, .. }, .. } = action(&plan, "create-group")
    else {
        panic!()
    };
    assert_eq!(url, "TCP://SQL01:5044");
    assert!(plan.notes.iter().any(|n| n.contains("TCP://SQL01:5044")), "{:?}", plan.notes);
    link.sql_server.endpoint = Some("10.0.0.5:5022".to_owned());
    assert!(create(&link, &world.seen, now()).unwrap_err().to_string().contains("35232"));
}

#[test]
fn a_forwarded_port_is_not_what_the_endpoint_listens_on() {
    let world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    let mut link = link(Side::SqlServer);
    link.sql_server.endpoint = Some("TCP://gate.example:15022".to_owned());
    link.sql_server.listener_port = Some(5023);
    link.managed.endpoint = Some("tcp://127.0.0.1:6022".to_owned());
    let plan = create(&link, &world.seen, now()).unwrap();
    let Action::Sql { statement: Statement::CreateEndpoint { port, .. }, .. } =
        action(&plan, "create-endpoint")
    else {
        panic!()
    };
    assert_eq!(*port, 5023);
    let Action::Sql { statement: Statement::CreateDistributed { members, .. }, .. } =
        action(&plan, "create-distributed")
    else {
        panic!()
    };
    assert_eq!(members[0].url, "TCP://gate.example:15022");
    assert_eq!(members[1].url, "tcp://127.0.0.1:6022;Server=[mi-one]");
    assert_eq!((members[0].options.session_timeout, members[1].options.session_timeout), (Some(20), None));
}

fn certificate(name: &str, der: &str, private_key: bool, days: i64) -> Certificate {
    let public = Hex::new(der.as_bytes().to_vec());
    Certificate {
        name: name.to_owned(),
        id: 257,
        subject: name.to_owned(),
        thumbprint: thumbprint(public.bytes()),
        start: None,
        expiry: Some(milink_core::moment::Moment::from_unix_ms(now().unix_ms() + days * 86_400_000)),
        private_key,
        public,
        issuer_for: None,
    }
}

fn endpoint(certificate: Option<&str>, authentication: &str) -> Endpoint {
    Endpoint {
        name: "Hadr_endpoint".to_owned(),
        state: "STARTED".to_owned(),
        role: "ALL".to_owned(),
        port: 5022,
        authentication: authentication.to_owned(),
        certificate: certificate.map(str::to_owned),
        encrypted: true,
        algorithm: "AES".to_owned(),
    }
}

#[test]
fn a_valid_certificate_that_the_endpoint_shows_is_used_again() {
    let mut world = World::new("15.0.4312.2", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    world.sql_server().master_key = Some(true);
    world.sql_server().certificates = Some(vec![certificate("Mine", "mine", true, 90)]);
    world.sql_server().endpoint = Some(endpoint(Some("Mine"), "CERTIFICATE"));
    let plan = cut_everywhere(world.clone(), &link(Side::SqlServer));
    let gone = ["create-master-key", "create-certificate", "create-endpoint", "alter-endpoint"];
    assert!(!ids(&plan).iter().any(|id| gone.contains(id)), "{:?}", ids(&plan));
    assert_eq!(plan.link.sql_server.certificate.as_deref(), Some("Mine"));

    // One that has expired is not, and neither is its name.
    let old = vec![certificate("Mine", "mine", true, -1), certificate("Cert_SQL01_endpoint", "x", false, 9)];
    world.sql_server().certificates = Some(old);
    let plan = cut_everywhere(world, &link(Side::SqlServer));
    assert_eq!(plan.link.sql_server.certificate.as_deref(), Some("Cert_SQL01_endpoint_2"));
    assert!(ids(&plan).contains(&"alter-endpoint"), "{:?}", ids(&plan));
}

#[test]
fn windows_authentication_is_kept() {
    let mut world = World::new("13.0.7000.253", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    world.sql_server().endpoint = Some(endpoint(None, "NEGOTIATE"));
    let plan = cut_everywhere(world.clone(), &link(Side::SqlServer));
    let Action::Sql { statement, .. } = action(&plan, "alter-endpoint") else { panic!() };
    assert!(matches!(statement, Statement::AlterEndpoint { keep_windows: true, .. }), "{statement:?}");

    let mut stopped = endpoint(Some("Mine"), "CERTIFICATE");
    stopped.state = "STOPPED".to_owned();
    world.sql_server().master_key = Some(true);
    world.sql_server().certificates = Some(vec![certificate("Mine", "mine", true, 90)]);
    world.sql_server().endpoint = Some(stopped);
    assert!(ids(&cut_everywhere(world, &link(Side::SqlServer))).contains(&"start-endpoint"));
}

#[test]
fn a_stale_certificate_of_the_managed_instance_is_replaced_under_its_name() {
    let mut world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    world.sql_server().certificates = Some(vec![certificate(FQDN, "the one before", false, 90)]);
    let plan = cut_everywhere(world, &link(Side::SqlServer));
    let at = |id| ids(&plan).iter().position(|i| *i == id).unwrap();
    assert!(at("drop-stale-managed-certificate") < at("import-managed-certificate"));
}

#[test]
fn another_server_s_certificate_in_azure_keeps_its_name() {
    let mut world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    world.azure().trust_certificates.push(milink_core::observe::TrustCertificate {
        name: "Cert_SQL01_endpoint".to_owned(),
        thumbprint: thumbprint(b"of another server"),
    });
    let plan = cut_everywhere(world, &link(Side::SqlServer));
    let Action::Arm { call: ArmCall::PutTrustCertificate { name, .. } } = action(&plan, "upload-certificate")
    else {
        panic!()
    };
    assert_eq!(name, "Cert_SQL01_endpoint_2");
}

#[test]
fn the_roots_that_azure_names_are_the_ones_that_are_imported() {
    let mut world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    let plan = create(&link(Side::SqlServer), &world.seen, now()).unwrap();
    assert_eq!(ids(&plan).iter().filter(|id| id.starts_with("import-root-")).count(), 7);
    let root = ("CN=Lab Root, O=Lab".to_owned(), Hex::new(b"root".to_vec()));
    world.azure().endpoint_certificate.as_mut().unwrap().roots.push(root);
    let plan = cut_everywhere(world, &link(Side::SqlServer));
    let roots: Vec<&str> = ids(&plan).into_iter().filter(|id| id.contains("lab-root")).collect();
    assert_eq!(roots, ["import-root-lab-root", "add-issuer-lab-root"]);
    assert_eq!(ids(&plan).iter().filter(|id| id.starts_with("import-root-")).count(), 1);
}

#[test]
fn a_group_that_has_exactly_the_database_is_used_again() {
    let mut world =
        World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales", "Other"]);
    let first = create(&link(Side::SqlServer), &world.seen, now()).unwrap();
    for step in &first.steps {
        carry_out(&mut world, step);
    }
    // The same database with another link: the group is shared, the distributed group is its own.
    let mut second = link(Side::SqlServer);
    second.name = "second".to_owned();
    second.managed_group = "AG_Sales_MI_2".to_owned();
    let plan = create(&second, &world.seen, now()).unwrap();
    assert!(!ids(&plan).contains(&"create-group"), "{:?}", ids(&plan));
    assert_eq!(plan.link.sql_group, "AG_Sales");
    // Its own half of Azure has the name of the other one.
    second.managed_group = "AG_Sales_MI".to_owned();
    assert!(create(&second, &world.seen, now()).unwrap_err().to_string().contains("41987"));
    // Another database is not put into it.
    world.database(Side::SqlServer, "Other").group = Some("AG_Sales".to_owned());
    assert!(create(&link(Side::SqlServer), &world.seen, now()).unwrap_err().to_string().contains("Other"));
}

#[test]
fn what_is_ready_is_left_alone() {
    let mut world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &[]);
    let mut ready = database("Sales");
    ready.recovery_model = RecoveryModel::Full;
    ready.log_chain = Some(true);
    ready.last_full_backup = Some(milink_core::observe::Backup { finished: now(), checksums: false });
    world.sql_server().databases.push(ready);
    let plan = cut_everywhere(world, &link(Side::SqlServer));
    assert!(!ids(&plan).iter().any(|id| ["recovery-full", "full-backup"].contains(id)), "{:?}", ids(&plan));
}

#[test]
fn the_trace_flag_stays_on_while_another_link_seeds() {
    let mut world =
        World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales", "Other"]);
    let mut other = link(Side::SqlServer);
    (other.name, other.databases) = ("other".to_owned(), vec!["Other".to_owned()]);
    (other.sql_group, other.managed_group) = ("AG_Other".to_owned(), "AG_Other_MI".to_owned());
    let plan = create(&link(Side::SqlServer), &world.seen, now()).unwrap();
    for step in plan.steps.iter().take_while(|s| s.id != "let-log-go") {
        carry_out(&mut world, step);
    }
    let off = plan.steps.iter().find(|s| s.id == "let-log-go").unwrap();
    assert!(!off.proved_by.judge(&world.seen).holds());
    for step in create(&other, &world.seen, now()).unwrap().steps.iter().take_while(|s| s.id != "wait-seeded")
    {
        carry_out(&mut world, step);
    }
    let seeding = serde_json::from_value(serde_json::json!({ "name": "Other", "local": true })).unwrap();
    let other = world.sql_server().groups.iter_mut().find(|g| g.name == "other").unwrap();
    other.databases.push(seeding);
    assert!(off.proved_by.judge(&world.seen).holds(), "the other plan switches it off");
}

#[test]
fn what_was_not_seen_is_no_plan() {
    let world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    let mut blind = world.seen.clone();
    blind.sql_server = Seen::Unknown { at: now(), why: "refused".to_owned() };
    let error = create(&link(Side::SqlServer), &blind, now()).unwrap_err();
    assert!(matches!(error, PlanError::Unseen { .. }), "{error}");
    let mut hidden = world.clone();
    hidden.sql_server().certificates = None;
    assert!(matches!(create(&link(Side::SqlServer), &hidden.seen, now()), Err(PlanError::Unseen { .. })));
    // The managed instance itself need not answer: Azure does.
    let mut alone = world;
    alone.seen.managed = Seen::Unknown { at: now(), why: "no login".to_owned() };
    assert!(create(&link(Side::SqlServer), &alone.seen, now()).is_ok());
}

#[test]
fn a_link_that_was_failed_over_is_not_created_again() {
    let mut world = World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, Side::SqlServer, &["Sales"]);
    let plan = create(&link(Side::SqlServer), &world.seen, now()).unwrap();
    for step in &plan.steps {
        carry_out(&mut world, step);
    }
    world.azure().links[0].instance_role = Some(Role::Primary);
    assert!(matches!(create(&link(Side::SqlServer), &world.seen, now()), Err(PlanError::Refused { .. })));
}
