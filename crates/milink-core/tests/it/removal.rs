//! Plans that take links away: drop, undo, purge; and adopting what is there.

use milink_core::action::{Action, ArmCall, Statement};
use milink_core::facts::policy::UpdatePolicy;
use milink_core::names::{CommitMode, Role, Side};
use milink_core::observe::{Observation, Seen, TrustCertificate};
use milink_core::plan::{
    DropOptions, Leftover, Plan, PlanError, Truth, UndoOptions, adopt, adoptable, create, drop, purge, undo,
};
use milink_core::plan::{as_seen, benefit};
use milink_core::spec::Link;

use crate::create::{FAMILIES, carry_out, ids, link};
use crate::model::{FQDN, World, now, thumbprint};

fn world(primary: Side) -> World {
    World::new("16.0.4125.3", UpdatePolicy::SqlServer2022, primary, &["Sales"])
}

/// A world with a whole link.
pub(crate) fn linked(primary: Side) -> (World, Link) {
    let mut world = world(primary);
    let plan = create(&link(primary), &world.seen, now()).unwrap();
    for step in &plan.steps {
        carry_out(&mut world, step);
    }
    (world, plan.link)
}

/// What a user would call unchanged: everything but the copies, backups and master key that stay.
fn shape(seen: &Observation) -> String {
    let server = seen.sql_server.known().unwrap();
    let azure = seen.azure.known().unwrap();
    let certificates: Vec<_> = server.certificates.iter().flatten().map(|c| &c.name).collect();
    let databases: Vec<_> =
        server.databases.iter().map(|d| (&d.name, d.recovery_model, &d.group, &d.state)).collect();
    format!(
        "{certificates:?} {:?} {:?} {databases:?} {:?} {:?} {:?} {:?}",
        server.endpoint,
        server.groups,
        server.trace_flags,
        server.multi_database,
        azure.links,
        azure.trust_certificates
    )
}

fn run(world: &mut World, plan: &Plan) {
    for step in &plan.steps {
        carry_out(world, step);
    }
}

#[test]
fn what_was_cut_off_anywhere_can_be_taken_back() {
    for (family, build, policy) in FAMILIES {
        for primary in Side::BOTH {
            let start = World::new(build, policy, primary, &["Sales"]);
            let Ok(plan) = create(&link(primary), &start.seen, now()) else { continue };
            for cut in 0..=plan.steps.len() {
                let mut world = start.clone();
                plan.steps[..cut].iter().for_each(|s| carry_out(&mut world, s));
                let back = undo(&plan, &world.seen, UndoOptions { delete_copies: true }).unwrap();
                run(&mut world, &back);
                // The copy is gone where there was one.
                world.sql_server().seedings.clear();
                assert_eq!(shape(&world.seen), shape(&start.seen), "{family}, {primary}, cut after {cut}");
                let again = create(&link(primary), &world.seen, now()).unwrap();
                assert!(again.steps.len() + 2 >= plan.steps.len(), "{family}, {primary}, cut after {cut}");
                let nothing = undo(&plan, &world.seen, UndoOptions { delete_copies: true }).unwrap();
                assert!(nothing.steps.is_empty(), "{:?}", ids(&nothing));
            }
        }
    }
}

#[test]
fn undo_leaves_alone_what_another_link_uses() {
    let (mut world, first) = linked(Side::SqlServer);
    let plan = create(&link(Side::SqlServer), &world_before().seen, now()).unwrap();
    // Another link of the same pair.
    world.sql_server().databases.push({
        let mut d = crate::model::database("Other");
        d.recovery_model = milink_core::observe::RecoveryModel::Full;
        d.log_chain = Some(true);
        d
    });
    let mut other = link(Side::SqlServer);
    (other.name, other.databases) = ("other".to_owned(), vec!["Other".to_owned()]);
    (other.sql_group, other.managed_group) = ("AG_Other".to_owned(), "AG_Other_MI".to_owned());
    let second = create(&other, &world.seen, now()).unwrap();
    run(&mut world, &second);
    let back = undo(&plan, &world.seen, UndoOptions::default()).unwrap();
    run(&mut world, &back);
    let server = world.seen.sql_server.known().unwrap();
    assert!(server.endpoint.is_some() && server.certificate(FQDN).is_some());
    assert!(server.group(&first.sql_group).is_none() && server.group("AG_Other").is_some());
    assert_eq!(world.seen.azure.known().unwrap().trust_certificates.len(), 1);
    assert!(back.notes.iter().any(|n| n.contains("other")), "{:?}", back.notes);
}

fn world_before() -> World {
    world(Side::SqlServer)
}

#[test]
fn what_cannot_be_taken_back_is_said() {
    let (mut world, link) = linked(Side::SqlServer);
    let plan = drop(&link, &world.seen, DropOptions::default()).unwrap();
    carry_out(&mut world, &plan.steps[0]);
    let refused = undo(&plan, &world.seen, UndoOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("the link is gone"), "{refused}");
}

#[test]
fn a_link_goes_with_all_that_it_brought() {
    for primary in Side::BOTH {
        let (mut world, link) = linked(primary);
        let plan =
            drop(&link, &world.seen, DropOptions { delete_copy: true, ..DropOptions::default() }).unwrap();
        assert_eq!(plan.steps[0].id, "delete-link");
        assert_eq!(plan.point_of_no_return(), Some(0));
        // Cut before its point of no return or after it, the rest is planned again as it was.
        for cut in 0..2 {
            carry_out(&mut world, &plan.steps[cut]);
            if cut == 0 && primary == Side::SqlServer {
                let rest = drop(&link, &world.seen, DropOptions::default()).unwrap();
                let tail = ids(&plan).into_iter().skip(1).filter(|id| *id != "delete-copy");
                assert_eq!(ids(&rest), tail.collect::<Vec<_>>());
            }
        }
        plan.steps[2..].iter().for_each(|s| carry_out(&mut world, s));
        let server = world.seen.sql_server.known().unwrap();
        assert_eq!(server.certificates.as_deref(), Some(&[][..]), "{primary}");
        assert!(server.endpoint.is_none() && server.groups.is_empty(), "{primary}");
        let azure = world.seen.azure.known().unwrap();
        assert!(azure.links.is_empty() && azure.trust_certificates.is_empty(), "{primary}");
        assert!(purge(&world.seen).unwrap().leftovers.is_empty());
        let copies = [server.database("Sales").is_some(), azure.database("Sales").is_some()];
        assert_eq!(copies, if primary == Side::SqlServer { [true, false] } else { [false, true] });
    }
}

#[test]
fn a_drop_waits_for_equality_for_users_and_for_azure_s_backup() {
    let (world, link) = linked(Side::SqlServer);
    let plan = drop(&link, &world.seen, DropOptions::default()).unwrap();
    let judge = |world: &World, plan: &Plan| plan.steps[0].requires.judge(&world.seen);
    assert_eq!(judge(&world, &plan), Truth::Holds);

    let mut behind = world.clone();
    let half = behind.side(Side::Managed).groups.iter_mut().find(|g| g.distributed).unwrap();
    half.databases.iter_mut().for_each(|d| d.hardened_lsn = Some("71000009408000001".parse().unwrap()));
    assert!(matches!(judge(&behind, &plan), Truth::Not { .. }));
    let forced = drop(&link, &behind.seen, DropOptions { force: true, ..DropOptions::default() }).unwrap();
    assert_eq!(judge(&behind, &forced), Truth::Holds);
    assert!(forced.notes.iter().any(|n| n.contains("71000009408000001")), "{:?}", forced.notes);

    let mut busy = world.clone();
    busy.sql_server().sessions = Some(vec![("Sales".to_owned(), 2)]);
    assert!(matches!(judge(&busy, &plan), Truth::Not { seen } if seen.contains("2 sessions")));

    // The managed instance has become primary, and has no backup of its own yet: that is never forced.
    let (mut failed_over, link) = linked(Side::Managed);
    let d = failed_over.database(Side::Managed, "Sales");
    // A log chain came with the copy.
    (d.last_full_backup, d.log_chain) = (None, Some(true));
    for force in [false, true] {
        let plan = drop(&link, &failed_over.seen, DropOptions { force, ..DropOptions::default() }).unwrap();
        assert!(matches!(judge(&failed_over, &plan), Truth::Not { seen } if seen.contains("full backup")));
    }
}

#[test]
fn a_shared_group_and_what_was_there_before_stay() {
    let (mut world, first) = linked(Side::SqlServer);
    let mut second = link(Side::SqlServer);
    (second.name, second.managed_group) = ("second".to_owned(), "AG_Sales_MI_2".to_owned());
    let plan = create(&second, &world.seen, now()).unwrap();
    for step in plan.steps.iter().filter(|s| s.id == "create-distributed") {
        carry_out(&mut world, step);
    }
    let plan = drop(&first, &world.seen, DropOptions::default()).unwrap();
    assert!(
        !ids(&plan).contains(&"drop-group") && !ids(&plan).contains(&"drop-endpoint"),
        "{:?}",
        ids(&plan)
    );
    assert!(plan.notes.iter().any(|n| n.contains("second")), "{:?}", plan.notes);

    let (mut world, link) = linked(Side::SqlServer);
    world.sql_server().endpoint.as_mut().unwrap().name = "Hadr_endpoint".to_owned();
    let plan = drop(&link, &world.seen, DropOptions::default()).unwrap();
    assert!(!ids(&plan).contains(&"drop-endpoint"), "{:?}", ids(&plan));
    let kept = drop(&link, &world.seen, DropOptions { keep_group: true, ..DropOptions::default() }).unwrap();
    assert_eq!(ids(&kept), ["delete-link", "drop-distributed", "wait-independent"]);
}

#[test]
fn a_dead_side_needs_force() {
    let (mut world, link) = linked(Side::SqlServer);
    world.seen.sql_server = Seen::Unknown { at: now(), why: "down".to_owned() };
    assert!(matches!(drop(&link, &world.seen, DropOptions::default()), Err(PlanError::Unseen { .. })));
    let forced = drop(&link, &world.seen, DropOptions { force: true, ..DropOptions::default() }).unwrap();
    assert_eq!(ids(&forced)[0], "delete-link");
    assert!(!ids(&forced).contains(&"drop-distributed"));
    assert!(forced.notes.iter().any(|n| n.contains("SQL Server does not answer")), "{:?}", forced.notes);
}

#[test]
fn leftovers_are_found_and_removed_and_links_are_none() {
    let (mut world, link) = linked(Side::SqlServer);
    assert!(purge(&world.seen).unwrap().leftovers.is_empty(), "{:?}", purge(&world.seen).unwrap().leftovers);
    // Azure's half is gone, as after a failed creation.
    world.apply(&Action::arm(ArmCall::DeleteLink { name: link.name.clone() }));
    world.apply(&Action::sql(Statement::TraceOn { flag: 12381 }));
    world.azure().trust_certificates.push(TrustCertificate {
        name: "Cert_OLD_endpoint".to_owned(),
        thumbprint: thumbprint(b"of nobody"),
    });
    let found = purge(&world.seen).unwrap();
    assert!(
        found.leftovers.contains(&Leftover::HalfOnSqlServer { name: link.name.clone() }),
        "{:?}",
        found.leftovers
    );
    assert!(found.leftovers.contains(&Leftover::TraceFlag { flag: 12381 }));
    assert!(found.leftovers.contains(&Leftover::ManagedCertificate { name: FQDN.to_owned() }));
    let trust = found.leftovers.iter().filter(|l| matches!(l, Leftover::TrustCertificate { .. })).count();
    assert_eq!(trust, 2);
    run(&mut world, &found.plan);
    // The group still has its database: that is no leftover.
    assert!(purge(&world.seen).unwrap().leftovers.is_empty(), "{:?}", purge(&world.seen).unwrap().leftovers);
    assert!(world.seen.sql_server.known().unwrap().group("AG_Sales").is_some());
}

#[test]
fn a_half_in_azure_is_ours_only_by_its_address() {
    let (mut world, link) = linked(Side::SqlServer);
    world.apply(&Action::sql(Statement::DropGroup { name: link.name.clone() }));
    let half = Leftover::HalfInAzure { name: link.name.clone() };
    assert!(purge(&world.seen).unwrap().leftovers.contains(&half));
    world.azure().links[0].partner_endpoint = Some("TCP://another.server:5022".to_owned());
    assert!(!purge(&world.seen).unwrap().leftovers.contains(&half));
}

#[test]
fn a_link_that_somebody_made_is_told_from_what_is_there() {
    for primary in Side::BOTH {
        let (world, made) = linked(primary);
        let adopted = adopt("SALES-LINK", &world.seen).unwrap();
        let mut wanted = made.clone();
        wanted.sql_server.availability_group = Some("AG_Sales".to_owned());
        assert_eq!(adopted, wanted, "{primary}");
        let all = adoptable(&world.seen).unwrap();
        assert_eq!(all, [(made.name.clone(), Ok(adopted))]);
    }
}

#[test]
fn why_a_link_cannot_be_told_is_said() {
    let (world, link) = linked(Side::SqlServer);
    let says = |world: &World, what: &str| {
        let refused = adopt(&link.name, &world.seen).unwrap_err();
        assert!(refused.to_string().contains(what), "{refused}");
    };
    let mut half = world.clone();
    half.azure().links.clear();
    says(&half, "Azure has none");
    let mut half = world.clone();
    half.sql_server().groups.clear();
    says(&half, "SQL Server has none");
    let mut other = world.clone();
    other.azure().links[0].partner_group = Some("AG_Elsewhere".to_owned());
    says(&other, "do not fit");
    let mut split = world.clone();
    split.side(Side::Managed).groups[0].role = Some(Role::Primary);
    says(&split, "primary");
    let mut blind = world.clone();
    blind.seen.azure = Seen::Unknown { at: now(), why: "403".to_owned() };
    assert!(matches!(adopt(&link.name, &blind.seen), Err(PlanError::Unseen { .. })));

    // Without TDS to the managed instance, its half and Azure tell as much.
    let mut quiet = world;
    quiet.seen.managed = Seen::Unknown { at: now(), why: "no login".to_owned() };
    assert_eq!(adopt(&link.name, &quiet.seen).unwrap().commit_mode, CommitMode::Asynchronous);
}

/// The journal may be old: somebody has made the link again with other names.
#[test]
fn names_that_have_changed_since_the_journal_are_taken_from_what_is_seen() {
    let (world, made) = linked(Side::SqlServer);
    assert_eq!(as_seen(&made, &world.seen), (made.clone(), None));
    let old = Link {
        sql_group: "AG_Old".to_owned(),
        databases: vec!["Before".to_owned()],
        commit_mode: CommitMode::Synchronous,
        ..made.clone()
    };
    let (link, said) = as_seen(&old, &world.seen);
    // What nobody can see, such as the mode that is wanted at rest, is the journal's.
    assert_eq!(link, Link { commit_mode: CommitMode::Synchronous, ..made.clone() });
    let said = said.unwrap();
    assert!(said.contains("Sales, not Before") && said.contains("AG_Sales, not AG_Old"), "{said}");
    // With two primaries the names can be seen as well.
    let mut split = world.clone();
    split.side(Side::Managed).groups[0].role = Some(Role::Primary);
    assert_eq!(as_seen(&old, &split.seen).0.sql_group, "AG_Sales");
    let mut blind = world;
    blind.seen.azure = Seen::Unknown { at: now(), why: "403".to_owned() };
    assert_eq!(as_seen(&old, &blind.seen), (old.clone(), None));
}

#[test]
fn the_benefit_is_a_plan_of_one_step_that_can_be_taken_back() {
    use milink_core::action::HybridUsage;
    let mut world = world(Side::SqlServer);
    let plan = benefit(HybridUsage::Passive, &world.seen).unwrap();
    assert_eq!(ids(&plan), ["set-hybrid-usage"]);
    world.azure().hybrid_usage = Some("Passive".to_owned());
    assert!(plan.steps[0].proved_by.judge(&world.seen).holds());
    assert!(benefit(HybridUsage::Passive, &world.seen).unwrap().steps.is_empty());
    let back = undo(&plan, &world.seen, UndoOptions::default()).unwrap();
    assert_eq!(
        back.steps[0].action,
        Some(Action::arm(ArmCall::SetHybridUsage { usage: HybridUsage::Active }))
    );
    world.seen.azure = Seen::Unknown { at: now(), why: "403".to_owned() };
    assert!(matches!(benefit(HybridUsage::Active, &world.seen), Err(PlanError::Unseen { .. })));
}
