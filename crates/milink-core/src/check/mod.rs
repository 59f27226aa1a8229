//! Checks: pure functions from a link and an observation to findings.
//!
//! [`requirements`] asks everything that the documents ask before a link is made; [`fleet`] does so for many links, where what is about an
//! instance is asked once. [`failover_gates`] and [`readiness`] ask what a role change needs. The requirement page, `milink check`, the gates
//! before a failover and a dry run are these same functions.
//!
//! ```text
//! Link, Observation ──► Scene ──► server, permissions, certificates, endpoint, managed, azure, network, seeding   (once)
//!                             ├─► link                                                                           (each link)
//!                             └─► database, contents                                                             (each database)
//! ```
//!
//! What cannot be seen is `Unknown`, with the reason and the right that is missing: never `Failed`, and never `Pass`. An object that is not
//! shown to a login which may not be shown everything counts as not seen.
//!
//! - [`CHECKS`]: the names and texts of all checks;
//! - [`fixes`]: a plan that mends what may be mended without asking twice;
//! - [`report`]: findings as JUnit XML and SARIF.

mod azure;
mod catalogue;
mod certificates;
mod contents;
mod database;
mod endpoint;
mod failover;
mod fix;
mod judge;
mod link;
mod managed;
mod network;
mod permissions;
mod readiness;
pub mod report;
mod scene;
mod seeding;
mod server;
#[cfg(test)]
mod tests;

pub use catalogue::{CHECKS, Check, Severity, check};
pub use failover::{GateOptions, failover_gates};
pub use fix::fixes;
pub use readiness::{Readiness, readiness};

use crate::finding::{Finding, Status};
use crate::observe::Observation;
use crate::spec::Link;
use database::Case;
use scene::Scene;

/// Everything that has to be before a link is made.
pub fn requirements(link: &Link, seen: &Observation) -> Vec<Finding> {
    fleet(std::slice::from_ref(link), seen)
}

/// Everything that has to be before these links are made. What is about an instance is asked once, limits are asked of the sum.
pub fn fleet(links: &[Link], seen: &Observation) -> Vec<Finding> {
    let scene = Scene::new(links, seen);
    let forecast = seeding::forecast(&scene);
    let mut out = server::checks(&scene);
    out.extend(permissions::checks(&scene));
    out.extend(certificates::checks(&scene));
    out.extend(endpoint::checks(&scene));
    out.extend(managed::checks(&scene));
    out.extend(azure::checks(&scene));
    out.extend(network::checks(&scene));
    out.extend(seeding::checks(&scene, &forecast));
    for link in links {
        out.extend(link::checks(&scene, link));
        for name in &link.databases {
            let case = Case::new(&scene, link, name);
            out.extend(database::checks(&case));
            out.extend(contents::checks(&case));
            out.push(seeding::log_space(&case, &forecast));
        }
    }
    out
}

/// Whether a finding stops what depends on it.
pub fn blocks(finding: &Finding) -> bool {
    match finding.status {
        Status::Pass | Status::Skipped | Status::Warning => false,
        Status::Failed => true,
        // A recommendation that nobody could look at is no obstacle, and neither is what no view shows.
        Status::Unknown => check(finding.check).is_none_or(|c| c.severity == Severity::Blocks),
    }
}

/// Whether a finding stops the creation of a link: what the plan that creates one mends by itself does not.
pub fn blocks_creation(finding: &Finding) -> bool {
    let mended = finding.status == Status::Failed && check(finding.check).is_some_and(|c| c.prepared);
    blocks(finding) && !mended
}
