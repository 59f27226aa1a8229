//! The way between the two sides: what probes have come to, and what a link that is there says of itself.
//!
//! Whose way was proved is said with it. A probe from this machine proves what the endpoint is, and not that its partner reaches it: what
//! stands between the two sides only they can see (`connected_state` and `last_connect_error_*` of `sys.dm_hadr_availability_replica_states`;
//! DMVs, availability replica states). An error that they kept is that of their last attempt.

use super::catalogue::{NETWORK_TO_MANAGED, NETWORK_TO_SQL_SERVER};
use super::judge::Judge;
use super::scene::Scene;
use crate::facts::errors::lookup;
use crate::finding::{Finding, Subject};
use crate::names::Side;
use crate::observe::{Group, Probe, Vantage};

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    Side::BOTH.into_iter().map(|from| way(scene, from)).collect()
}

const ADVICE_MANAGED: &str = "let SQL Server's host out to the managed instance's subnet on 5022 and 11000-11999, on every firewall, \
                              and those ports into the subnet (network security group)";
const ADVICE_SQL_SERVER: &str = "let the managed instance's whole subnet out to, and into, SQL Server's endpoint port, on every firewall, \
                                 the host's own included";

fn way(scene: &Scene<'_>, from: Side) -> Finding {
    let (check, advice) = match from {
        Side::SqlServer => (NETWORK_TO_MANAGED, ADVICE_MANAGED),
        Side::Managed => (NETWORK_TO_SQL_SERVER, ADVICE_SQL_SERVER),
    };
    let judge = check.of(Subject::Network { from }, "DNS, TCP, TLS, certificate and protocol");
    let newest = |vantage: Vantage| {
        let probes = scene.seen.probes.iter().filter(|p| p.to == from.other() && p.from == vantage);
        probes.max_by_key(|p| p.at)
    };
    let here = newest(Vantage::Here);
    // Who was on the way itself knows best, then the two servers, then who stood elsewhere.
    let finding = match (newest(from.into()), by_links(scene, from), here) {
        (Some(probe), ..) => by_probe(judge, probe, from),
        (None, Some(Ok(connected)), _) => judge.pass(connected),
        (None, _, Some(probe)) if probe.failed().is_some_and(|h| !h.hop.depends_on_place()) => {
            by_probe(judge, probe, from)
        }
        (None, Some(Err((number, said))), here) => {
            let here = here.map_or_else(String::new, |p| format!("; {}", p.summary()));
            let advice = lookup(number).map_or(advice, |fact| fact.explanation.fix);
            return judge.fail(format!("{said}{here}")).advise(advice);
        }
        (None, None, Some(probe)) => by_probe(judge, probe, from),
        (None, None, None) => {
            return judge
                .unknown("no probe was made, and no link is connected")
                .advise("a probe needs to know where the endpoint is: --partner-endpoint and --managed-endpoint, or Azure");
        }
    };
    finding.advise(advice)
}

fn by_probe(judge: Judge, probe: &Probe, from: Side) -> Finding {
    let place = format!("from {} to {}", probe.from, probe.address);
    let on_the_way = probe.from == Vantage::from(from);
    match probe.failed() {
        Some(hop) if on_the_way || !hop.hop.depends_on_place() => {
            judge.fail(format!("{place}: {} failed: {}", hop.hop, hop.text))
        }
        Some(hop) => judge.unknown(format!(
            "{place}: {} failed: {}; from the {from} itself nobody has tried, and it may have another way",
            hop.hop, hop.text
        )),
        None if !probe.is_whole() => {
            let (last, text) = probe.hops.last().map_or(("nothing".to_owned(), ""), |h| (h.hop.to_string(), &h.text));
            judge.unknown(format!("{place}: the probe ended after {last}, without a failure: {text}"))
        }
        None if on_the_way => judge.pass(format!("{place}: every hop is fine")),
        None => judge.unknown(format!(
            "{place}: every hop is fine; from the {from} itself nobody has tried, and there may be a firewall on that way"
        )),
    }
}

/// What the side itself says: a link that is connected needs the way, and one that is not says why, with the number of the error.
fn by_links(scene: &Scene<'_>, from: Side) -> Option<Result<String, (u32, String)>> {
    let groups: &[Group] = scene.side(from).map_or(&[], |i| &i.groups);
    let remotes = || {
        let linked = |g: &&Group| g.distributed && is_to_this_instance(scene, g);
        groups.iter().filter(linked).filter_map(|g| Some((g, g.remote()?)))
    };
    if let Some((group, _)) = remotes().find(|(_, r)| r.connected == Some(true)) {
        return Some(Ok(format!("the {from} says that link {} is connected", group.name)));
    }
    let failed = remotes().filter(|(_, r)| r.connected == Some(false)).find_map(|(group, r)| {
        let error = r.last_connect_error.as_ref()?;
        let said = format!(
            "the {from} says that link {} is disconnected: error {}, {}",
            group.name, error.number, error.text
        );
        Some(Err((error.number, said)))
    });
    failed.or_else(|| (from == Side::Managed).then(|| by_azure(scene)).flatten())
}

/// What Azure says for the managed instance, whose own views show only itself while it is secondary.
fn by_azure(scene: &Scene<'_>) -> Option<Result<String, (u32, String)>> {
    let databases = || scene.azure_links().flat_map(|l| l.databases.iter().map(move |d| (&l.name, d)));
    if let Some((link, _)) = databases().find(|(_, d)| d.connected == Some(true)) {
        return Some(Ok(format!("Azure says that link {link} is connected")));
    }
    databases().filter(|(_, d)| d.connected == Some(false)).find_map(|(link, d)| {
        let number = d.error?;
        Some(Err((number, format!("Azure says that link {link} is disconnected: error {number}"))))
    })
}

/// A half that Azure does not know has nobody to connect to yet: that says nothing of the way.
fn is_to_this_instance(scene: &Scene<'_>, group: &Group) -> bool {
    scene.azure_link(&group.name).is_some()
}
