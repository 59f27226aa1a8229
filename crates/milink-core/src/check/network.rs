//! The way between the two sides: what probes have come to, and what a link that is there says of itself.

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
    let probes = || scene.seen.probes.iter().filter(move |p| p.to == from.other());
    let made_there = |p: &&Probe| p.from == Vantage::from(from);
    // The newest one counts, and one that was made on the way itself before one that was made here.
    let probe = probes().filter(made_there).max_by_key(|p| p.at).or_else(|| probes().max_by_key(|p| p.at));
    match probe {
        Some(probe) => by_probe(judge, probe, from).advise(advice),
        None => by_links(scene, judge, from, advice),
    }
}

fn by_probe(judge: Judge, probe: &Probe, from: Side) -> Finding {
    let place = format!("from {} to {}", probe.from, probe.address);
    let on_the_way = probe.from == Vantage::from(from);
    match probe.failed() {
        Some(hop) if on_the_way || !hop.hop.depends_on_place() => {
            judge.fail(format!("{place}: {} failed: {}", hop.hop, hop.text))
        }
        Some(hop) => judge.unknown(format!(
            "{place}: {} failed: {}; from {from} itself nobody has tried, and it may have another way",
            hop.hop, hop.text
        )),
        None if !probe.is_whole() => {
            let last = probe.hops.last().map_or_else(|| "none".to_owned(), |h| h.hop.to_string());
            judge.unknown(format!("{place}: the probe ended after {last}, without a failure"))
        }
        None if on_the_way => judge.pass(format!("{place}: every hop is fine")),
        None => judge.unknown(format!(
            "{place}: every hop is fine; from {from} itself nobody has tried, and there may be a firewall on that way"
        )),
    }
}

/// Without a probe a link tells: one that is connected needs the way, and one that is not says why.
fn by_links(scene: &Scene<'_>, judge: Judge, from: Side, advice: &'static str) -> Finding {
    let groups: &[Group] = scene.side(from).map_or(&[], |i| &i.groups);
    let remotes = || {
        let linked = |g: &&Group| g.distributed && is_to_this_instance(scene, g);
        groups.iter().filter(linked).filter_map(|g| Some((g, g.remote()?)))
    };
    if let Some((group, _)) = remotes().find(|(_, r)| r.connected == Some(true)) {
        return judge.pass(format!("link {} is connected", group.name));
    }
    let failed = remotes()
        .filter(|(_, r)| r.connected == Some(false))
        .find_map(|(g, r)| Some((g, r.last_connect_error.as_ref()?)));
    match failed {
        Some((group, error)) => {
            let advice = lookup(error.number).map_or(advice, |fact| fact.explanation.fix);
            judge
                .fail(format!("link {} is disconnected: error {}, {}", group.name, error.number, error.text))
                .advise(advice)
        }
        None => judge
            .unknown("no probe was made, and no link is connected")
            .advise("`milink check` with a probe of the endpoints tells which hop fails"),
    }
}

/// A half that Azure does not know has nobody to connect to yet: that says nothing of the way.
fn is_to_this_instance(scene: &Scene<'_>, group: &Group) -> bool {
    scene.azure_link(&group.name).is_some()
}
