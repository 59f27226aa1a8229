//! "Could I fail over now?", as one number and the findings behind it.

use serde::Serialize;

use super::catalogue::{Severity, check};
use super::failover::{GateOptions, failover_gates};
use super::scene::Scene;
use super::{blocks, certificates, endpoint, network};
use crate::finding::{Finding, Status};
use crate::observe::Observation;
use crate::plan::failover::primary;
use crate::spec::Link;

/// Whether a link could be failed over now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// From 0 to 100. Below 50 something stops a planned failover; above, what is missing to 100 are recommendations.
    pub score: u32,
    /// Whether nothing stops a planned failover.
    pub ready: bool,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

/// Asks for a planned failover to whichever side is not primary: its gates, and what would break the link soon.
pub fn readiness(link: &Link, seen: &Observation) -> Readiness {
    let to = primary(link, seen).unwrap_or(link.initial_primary).other();
    let mut findings = failover_gates(link, seen, GateOptions::planned(to));
    let scene = Scene::new(std::slice::from_ref(link), seen);
    findings.extend(certificates::checks(&scene));
    findings.extend(endpoint::checks(&scene));
    findings.extend(network::checks(&scene));
    let (score, ready) = score(&findings);
    Readiness { score, ready, findings }
}

/// The share of what is as it should be, where a requirement weighs three times a recommendation, and a warning counts half. What stops a
/// failover keeps the score below 50, whatever else is well.
pub(super) fn score(findings: &[Finding]) -> (u32, bool) {
    let weight = |f: &Finding| match check(f.check).map(|c| c.severity) {
        Some(Severity::Blocks) => 6,
        Some(Severity::BlocksIfSeen | Severity::Warns) | None => 2,
    };
    let earned = |f: &Finding| match f.status {
        Status::Pass => weight(f),
        Status::Warning => weight(f) / 2,
        Status::Skipped | Status::Unknown | Status::Failed => 0,
    };
    let counted = || findings.iter().filter(|f| f.status != Status::Skipped);
    let all: u32 = counted().map(weight).sum();
    let share = counted().map(earned).sum::<u32>() * 100 / all.max(1);
    let ready = all > 0 && !findings.iter().any(blocks);
    // Both halves of the scale keep the order of the shares.
    (if ready { 50 + share / 2 } else { share / 2 }.min(if ready { 100 } else { 49 }), ready)
}
