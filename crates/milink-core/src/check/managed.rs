//! The managed instance, over TDS.

use super::catalogue::{MANAGED_PRODUCT, MANAGED_REACHABLE};
use super::scene::Scene;
use crate::finding::Finding;
use crate::names::Side;

const HERE: Side = Side::Managed;

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    vec![reachable(scene), product(scene)]
}

fn reachable(scene: &Scene<'_>) -> Finding {
    let found = scene.on(MANAGED_REACHABLE, HERE, "an answer over TDS", |judge, i| {
        judge.pass(format!("{}, {}", i.server_name, i.edition))
    });
    let advice = if found.seen.contains("18452") {
        "a Windows login of a domain that the managed instance does not trust is refused: use an Entra or a SQL login"
    } else {
        "check the address, the port (1433, or 3342 for a public endpoint), the login and the network"
    };
    found.advise(advice)
}

fn product(scene: &Scene<'_>) -> Finding {
    scene
        .on(MANAGED_PRODUCT, HERE, "EngineEdition 8", |judge, i| {
            judge.judge(i.is_managed(), format!("EngineEdition {}", i.engine_edition))
        })
        .advise("connect to the managed instance; SQL Server is the other side")
}
