//! A link that is well, as both sides and Azure show it, for tests of view models.

use milink_core::names::{Role, Side};
use milink_core::observe::{Observation, Seen};
use milink_core::spec::Link;
use serde::Deserialize;

#[derive(Deserialize)]
struct Linked {
    link: Link,
    seen: Observation,
}

/// The link, and what is seen of it: SQL Server is primary, and nobody is connected.
pub(crate) fn linked() -> (Link, Observation) {
    let Linked { link, seen } = serde_json::from_str(include_str!("fixture/linked.json")).unwrap();
    (link, seen)
}

/// Has a side say that it is primary in every distributed group.
pub(crate) fn become_primary(seen: &mut Observation, side: Side) {
    let one = match side {
        Side::SqlServer => &mut seen.sql_server,
        Side::Managed => &mut seen.managed,
    };
    let Seen::At { value, .. } = one else { panic!("the fixture knows both sides") };
    for group in value.groups.iter_mut().filter(|g| g.distributed) {
        group.role = Some(Role::Primary);
    }
}

/// Has Azure work on something else.
pub(crate) fn keep_azure_busy(seen: &mut Observation) {
    let Seen::At { value, .. } = &mut seen.azure else { panic!("the fixture knows Azure") };
    value.state = "Updating".to_owned();
}
