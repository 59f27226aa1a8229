//! What several links use together, and who else uses it: asked before anything shared is removed or switched off.

use super::condition::{Shared, Truth, holds_if, on, unknown};
use crate::names::{Role, Side};
use crate::observe::{Group, Health, Instance, Observation, same_name};

/// Distributed groups of SQL Server but for one link's.
fn others<'a>(instance: &'a Instance, link: &'a str) -> impl Iterator<Item = &'a Group> {
    instance.groups.iter().filter(move |g| g.distributed && !same_name(&g.name, link))
}

fn names<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    groups.map(|g| g.name.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn nothing_on_group(seen: &Observation, name: &str) -> Truth {
    on(seen, Side::SqlServer, |i| {
        let standing = names(i.groups.iter().filter(|g| g.distributed && g.replica(name).is_some()));
        holds_if(standing.is_empty(), || format!("{standing} stands on availability group {name}"))
    })
}

pub(super) fn unused_by_others(seen: &Observation, link: &str, what: &Shared) -> Truth {
    match what {
        // A group of several replicas that no link stands on uses the endpoint as well, to reach its other replicas.
        Shared::Endpoint => on(seen, Side::SqlServer, |i| {
            let several = i.groups.iter().filter(|g| !g.distributed && g.replicas.len() > 1);
            let using = names(others(i, link).chain(several));
            holds_if(using.is_empty(), || format!("{using} uses the endpoint"))
        }),
        Shared::Managed { fqdn } => on(seen, Side::SqlServer, |i| {
            let with = |g: &&Group| g.replicas.iter().any(|r| is_at(&r.url, fqdn));
            let using = names(others(i, link).filter(with));
            holds_if(using.is_empty(), || format!("{using} is with {fqdn}, too"))
        }),
        Shared::Roots => on(seen, Side::SqlServer, |i| {
            let using = names(others(i, link));
            holds_if(using.is_empty(), || format!("{using} needs Azure's roots, too"))
        }),
        // Azure does not say which certificate a link uses.
        Shared::TrustCertificate => match seen.azure.get() {
            Ok(azure) => {
                let other: Vec<&str> =
                    azure.links.iter().map(|l| l.name.as_str()).filter(|n| !same_name(n, link)).collect();
                holds_if(other.is_empty(), || {
                    format!("the managed instance has link {}, which may need it", other.join(", "))
                })
            }
            Err(why) => unknown(&format!("Azure does not answer: {why}")),
        },
    }
}

/// Whether a LISTENER_URL is of a managed instance.
fn is_at(url: &str, fqdn: &str) -> bool {
    url.to_lowercase().contains(&fqdn.to_lowercase())
}

pub(super) fn other_link_seeds(seen: &Observation, link: &str) -> Truth {
    on(seen, Side::SqlServer, |i| {
        let copied = |database: &str| {
            i.seedings.iter().any(|s| same_name(&s.database, database) && s.state == "COMPLETED")
        };
        let incomplete = |g: &&Group| {
            g.role == Some(Role::Primary)
                && g.databases.iter().filter(|d| d.local).any(|d| {
                    let health = g.remote_database(&d.name).and_then(|r| r.health);
                    health != Some(Health::Healthy) && !copied(&d.name)
                })
        };
        let seeding = names(others(i, link).filter(incomplete));
        holds_if(!seeding.is_empty(), || "no other link makes its first copy".to_owned())
    })
}

pub(super) fn nobody_connected(seen: &Observation, side: Side, database: &str) -> Truth {
    on(seen, side, |i| match &i.sessions {
        None => unknown("this login may not see sessions"),
        Some(sessions) => {
            let count: u32 = sessions.iter().filter(|(d, _)| same_name(d, database)).map(|(_, n)| n).sum();
            holds_if(count == 0, || format!("{count} sessions are connected to {database} on {side}"))
        }
    })
}
