//! A failover as it is asked for.

use super::world::*;
use crate::names::{Role, Side};
use crate::plan::parted::{ForkReport, fork_report};
use crate::role_change::{NotNow, Wish, forcible, prepare};

#[test]
fn a_planned_failover_goes_to_the_side_that_is_not_primary() {
    let mut w = World::new();
    w.linked();
    w.sql().sessions = Some(Vec::new());
    let ready = prepare(&w.link, &Wish::planned(), None, &w.seen).unwrap();
    assert_eq!(ready.to, Side::Managed);
    assert!(ready.plan.point_of_no_return().is_some());
    let back = Wish { to: Some(Side::SqlServer), ..Wish::planned() };
    assert!(matches!(prepare(&w.link, &back, None, &w.seen), Err(NotNow::Plan(_))));
}

#[test]
fn a_planned_failover_stops_at_the_gates_that_it_was_told() {
    let mut w = World::new();
    w.linked();
    w.azure().state = "Updating".to_owned();
    let Err(NotNow::Gates(shut)) = prepare(&w.link, &Wish::planned(), None, &w.seen) else { panic!() };
    assert_eq!(shut.iter().map(|f| f.check).collect::<Vec<_>>(), ["failover.operations"]);
    let wish = Wish { lag_seconds_max: Some(5), drain_timeout_ms: 7_000, ..Wish::planned() };
    let gates = wish.gates(Side::Managed);
    assert_eq!((gates.lag_seconds_max, gates.drain_timeout_ms), (5, 7_000));
}

#[test]
fn a_forced_failover_wants_its_side_and_the_links_name_to_the_letter() {
    let mut w = World::new();
    w.linked();
    let undirected = Wish { to: None, ..Wish::forced(Side::Managed) };
    assert_eq!(prepare(&w.link, &undirected, Some(&w.link.name), &w.seen), Err(NotNow::NoTarget));
    let wish = Wish::forced(Side::Managed);
    let name = w.link.name.clone();
    for typed in [None, Some(""), Some(name.to_uppercase().as_str()), Some(format!("{name} ").as_str())] {
        assert_eq!(prepare(&w.link, &wish, typed, &w.seen), Err(NotNow::NotConfirmed), "{typed:?}");
    }
    assert!(prepare(&w.link, &wish, Some(&name), &w.seen).is_ok());
    assert_eq!(forcible(&w.link, &w.seen), Some(Side::Managed));
    w.managed().groups[0].role = Some(Role::Primary);
    assert_eq!(forcible(&w.link, &w.seen), None);
}

#[test]
fn a_fork_report_tells_by_times_and_never_by_lsns() {
    let mut w = World::new();
    w.linked();
    w.managed().groups[0].role = Some(Role::Primary);
    let report = fork_report(&w.link, &w.seen);
    assert_eq!(report.roles, [Some(Role::Primary), Some(Role::Primary)]);
    let earlier = crate::moment::Moment::from_unix_ms(now().unix_ms() - 2_500);
    w.managed().groups[0].databases[0].commit_time = Some(earlier);
    w.sql().groups[1].databases[0].commit_time = Some(now());
    let report = fork_report(&w.link, &w.seen);
    let said = ForkReport::summary(&report.databases[0]);
    assert!(said.contains("the SQL Server has committed later, by 2.5 s"), "{said}");
    w.without_managed();
    let report = fork_report(&w.link, &w.seen);
    assert!(report.databases[0].copies[1].unknown.is_some());
    assert!(ForkReport::summary(&report.databases[0]).contains("cannot be seen"));
}
