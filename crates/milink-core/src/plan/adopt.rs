//! Links that somebody else made: what they are, from what both sides show.

use super::PlanError;
use super::failover::primary;
use crate::facts::limits::MANAGED_PORT;
use crate::names::{CommitMode, FailoverMode, LinkMode, Role, SeedingMode, Side};
use crate::observe::{AzureInstance, AzureLink, Group, Instance, Observation, same_name};
use crate::spec::{Link, ManagedSpec, SqlServerSpec};

/// A link as it is, so that it can be watched, failed over and dropped as if `milink` had made it.
///
/// `initial_primary` is the side that is primary now, since nothing shows where the link began.
///
/// # Errors
/// A side was not seen, there is no such link, its halves do not fit each other, or nobody can tell who is primary.
pub fn adopt(name: &str, seen: &Observation) -> Result<Link, PlanError> {
    let link = described(name, seen)?;
    let initial_primary = match primary(&link, seen) {
        Ok(side) => side,
        // Over TDS the managed instance need not answer.
        Err(e @ PlanError::Unseen { .. }) => {
            let own = seen.role(Side::SqlServer, name).ok().flatten();
            let there = seen.azure_link(name).ok().flatten().and_then(|l| l.instance_role);
            match (own, there) {
                (Some(Role::Primary), Some(Role::Secondary)) => Side::SqlServer,
                (Some(Role::Secondary), Some(Role::Primary)) => Side::Managed,
                _ => return Err(e),
            }
        }
        Err(e) => return Err(e),
    };
    Ok(Link { initial_primary, ..link })
}

/// A link that the journal knows, with the databases and groups that it has now, and what has changed since, in words. Where it cannot be
/// told from what is seen, it is as the journal knows it.
pub fn as_seen(known: &Link, seen: &Observation) -> (Link, Option<String>) {
    let Ok(now) = described(&known.name, seen) else { return (known.clone(), None) };
    let same = |one: &[String], other: &[String]| {
        one.len() == other.len() && one.iter().all(|a| other.iter().any(|b| same_name(a, b)))
    };
    let mut changed = Vec::new();
    if !same(&known.databases, &now.databases) {
        changed.push(format!("databases {}, not {}", now.databases.join(", "), known.databases.join(", ")));
    }
    for (was, is) in [(&known.sql_group, &now.sql_group), (&known.managed_group, &now.managed_group)] {
        if !same_name(was, is) {
            changed.push(format!("availability group {is}, not {was}"));
        }
    }
    if changed.is_empty() {
        return (known.clone(), None);
    }
    let said = format!(
        "Link {} is not as the journal knows it: it has {}. What is there now is taken.",
        known.name,
        changed.join(", and ")
    );
    let link = Link {
        databases: now.databases,
        sql_group: now.sql_group,
        managed_group: now.managed_group,
        ..known.clone()
    };
    (link, Some(said))
}

/// A link as both sides describe it, whoever is primary.
fn described(name: &str, seen: &Observation) -> Result<Link, PlanError> {
    let server = seen.sql_server.get().map_err(PlanError::side(Side::SqlServer))?;
    let azure = seen.azure.get().map_err(PlanError::azure)?;
    let half = server.distributed(name);
    let there = azure.link(name);
    let (half, there) = match (half, there) {
        (Some(half), Some(there)) => (half, there),
        (None, None) => {
            return Err(PlanError::refused(
                format!("neither SQL Server nor Azure has a link {name}"),
                "`milink list` shows the links of both",
            ));
        }
        (Some(_), None) => return Err(one_half(name, "SQL Server", "Azure")),
        (None, Some(_)) => return Err(one_half(name, "Azure", "SQL Server")),
    };
    let (local, remote) = members(half, server)?;
    let told = |what: &'static str| move || PlanError::unseen(what, "Azure does not describe the link yet");
    let sql_group = there.partner_group.clone().ok_or_else(told("the link's availability groups"))?;
    let managed_group = there.instance_group.clone().ok_or_else(told("the link's availability groups"))?;
    if !same_name(&sql_group, &local.0) || !same_name(&managed_group, &remote.0) {
        return Err(PlanError::refused(
            format!(
                "the halves of {name} do not fit: SQL Server's stands on {} and {}, Azure's on {sql_group} and {managed_group}",
                local.0, remote.0
            ),
            "the managed instance's link may be with another SQL Server: connect to that one",
        ));
    }
    let link_mode = there.link_mode.unwrap_or(LinkMode::SingleDatabase);
    let link = Link {
        name: half.name.clone(),
        databases: there.databases.iter().map(|d| d.name.clone()).collect(),
        initial_primary: Side::SqlServer,
        failover_mode: failover_mode(there, link_mode),
        commit_mode: commit_mode(half, there),
        seeding_mode: there.seeding_mode.unwrap_or(SeedingMode::Automatic),
        link_mode,
        sql_group,
        managed_group,
        sql_server: sql_server_spec(server, there, &local.1),
        managed: managed_spec(azure, &remote.1),
    };
    if link.databases.is_empty() {
        return Err(told("the link's databases")());
    }
    Ok(link)
}

/// All links that either side shows, each as it is or with the reason why that cannot be told.
///
/// # Errors
/// A side was not seen.
pub fn adoptable(seen: &Observation) -> Result<Vec<(String, Result<Link, PlanError>)>, PlanError> {
    let server = seen.sql_server.get().map_err(PlanError::side(Side::SqlServer))?;
    let azure = seen.azure.get().map_err(PlanError::azure)?;
    let distributed = server.groups.iter().filter(|g| g.distributed).map(|g| g.name.clone());
    let mut names: Vec<String> = distributed.collect();
    for link in &azure.links {
        if !names.iter().any(|n| same_name(n, &link.name)) {
            names.push(link.name.clone());
        }
    }
    Ok(names.into_iter().map(|name| (name.clone(), adopt(&name, seen))).collect())
}

fn one_half(name: &str, has: &str, lacks: &str) -> PlanError {
    PlanError::refused(
        format!("{has} has its half of {name}, and {lacks} has none"),
        "it may be with another instance; if it is not, `milink purge` removes what is left over",
    )
}

/// Name and URL of SQL Server's member and of the other one.
type Named = (String, String);

fn members(half: &Group, server: &Instance) -> Result<(Named, Named), PlanError> {
    let named = |r: &crate::observe::Replica| (r.name.clone(), r.url.clone());
    // A member is SQL Server's if its group is there; `is_local` is not shown by every build.
    let (local, remote): (Vec<_>, Vec<_>) =
        half.replicas.iter().partition(|r| server.group(&r.name).is_some());
    match (local.as_slice(), remote.as_slice()) {
        ([local], [remote]) => Ok((named(local), named(remote))),
        _ => {
            let all: Vec<&str> = half.replicas.iter().map(|r| r.name.as_str()).collect();
            Err(PlanError::refused(
                format!(
                    "{} stands on {}, of which exactly one should be on this server",
                    half.name,
                    all.join(" and ")
                ),
                "connect to the server that has one of the groups",
            ))
        }
    }
}

/// A link of several databases that was asked for as one-way answers without `failoverMode`.
fn failover_mode(there: &AzureLink, link_mode: LinkMode) -> FailoverMode {
    there.failover_mode.unwrap_or(match link_mode {
        LinkMode::SingleDatabase | LinkMode::MultiDatabase => FailoverMode::OneWay,
    })
}

/// A pair is synchronous only if both halves are.
fn commit_mode(half: &Group, there: &AzureLink) -> CommitMode {
    let synchronous = |mode| mode == CommitMode::Synchronous;
    let both =
        half.replicas.iter().all(|r| synchronous(r.commit_mode)) && there.commit_mode.is_none_or(synchronous);
    if both { CommitMode::Synchronous } else { CommitMode::Asynchronous }
}

fn sql_server_spec(server: &Instance, there: &AzureLink, url: &str) -> SqlServerSpec {
    let shown = server.endpoint.as_ref();
    let endpoint = there.partner_endpoint.clone().unwrap_or_else(|| url.to_owned());
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    SqlServerSpec {
        availability_group: there.partner_group.clone(),
        listener_port: shown.map(|e| e.port).filter(|p| Some(*p) != port),
        endpoint: Some(endpoint),
        certificate: shown.and_then(|e| e.certificate.clone()),
        ..SqlServerSpec::default()
    }
}

fn managed_spec(azure: &AzureInstance, url: &str) -> ManagedSpec {
    let address = url.split(';').next().unwrap_or(url).trim_end_matches('/');
    let usual = format!("tcp://{}:{MANAGED_PORT}", azure.fqdn.trim_end_matches('.'));
    ManagedSpec {
        availability_group: None,
        endpoint: (!address.eq_ignore_ascii_case(&usual)).then(|| address.to_owned()),
    }
}
