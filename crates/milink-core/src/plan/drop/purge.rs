//! What is left over of links on both sides.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::draft::{OPERATION_MS, slug};
use super::super::{Condition, Phase, Plan, PlanError, Shared, Step, Verb};
use super::trust::{authorities, drop_certificate};
use crate::action::{Action, ArmCall, Statement};
use crate::facts::certificates::cloud_of;
use crate::names::{Role, Side};
use crate::observe::{AzureInstance, Group, Instance, Observation, same_name};
use crate::plan::create::KEEP_LOG_FOR_SEEDING;
use crate::spec::LinkSpec;

/// Something that no link needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "leftover")]
pub enum Leftover {
    /// A distributed availability group on SQL Server whose other half this managed instance does not have.
    HalfOnSqlServer {
        /// The link.
        name: String,
    },
    /// A link in Azure with this SQL Server, which does not have its half.
    HalfInAzure {
        /// The link.
        name: String,
    },
    /// An availability group of one replica without databases, on which nothing stands.
    EmptyGroup {
        /// The group.
        name: String,
    },
    /// A managed instance's certificate on SQL Server, with which there is no link.
    ManagedCertificate {
        /// The certificate.
        name: String,
    },
    /// The certificate of an authority of Azure, where SQL Server has no link.
    RootCertificate {
        /// The certificate.
        name: String,
    },
    /// A certificate in Azure that this SQL Server's endpoint does not show, where it is this SQL Server's, or no link needs any.
    TrustCertificate {
        /// Its name in Azure.
        name: String,
    },
    /// The trace flag that keeps log for a seeding, where nothing is seeded.
    TraceFlag {
        /// The flag.
        flag: u16,
    },
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leftover::HalfOnSqlServer { name } => {
                write!(f, "distributed availability group {name} on SQL Server, of which Azure has no link")
            }
            Leftover::HalfInAzure { name } => {
                write!(f, "link {name} in Azure, of which SQL Server has no distributed availability group")
            }
            Leftover::EmptyGroup { name } => {
                write!(f, "availability group {name} on SQL Server, which is empty")
            }
            Leftover::ManagedCertificate { name } => {
                write!(
                    f,
                    "certificate {name} on SQL Server, of a managed instance with which there is no link"
                )
            }
            Leftover::RootCertificate { name } => {
                write!(f, "certificate {name} on SQL Server, of an authority that no link needs")
            }
            Leftover::TrustCertificate { name } => {
                write!(f, "certificate {name} in Azure, which no link needs")
            }
            Leftover::TraceFlag { flag } => {
                write!(f, "trace flag {flag} on SQL Server, though nothing is seeded")
            }
        }
    }
}

/// What is left over, and the plan that removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purge {
    /// What is left over.
    pub leftovers: Vec<Leftover>,
    /// A step for each, in an order in which they can be removed.
    pub plan: Plan,
}

/// The name that the plan of a purge has where other plans have their link's. It is no link's.
const NAME: &str = "leftovers";

/// What is left over of links between this SQL Server and this managed instance.
///
/// Links of either with others are told apart by their addresses, and left alone; where that cannot be told, nothing is left over.
///
/// # Errors
/// A side was not seen.
pub fn purge(seen: &Observation) -> Result<Purge, PlanError> {
    let server = seen.sql_server.get().map_err(PlanError::side(Side::SqlServer))?;
    let azure = seen.azure.get().map_err(PlanError::azure)?;
    let link = LinkSpec::new(NAME, &[NAME]).links().map(|mut links| links.remove(0));
    let link = link.map_err(|e| PlanError::refused(e.to_string(), "this is an error of milink"))?;
    let mut leftovers: Vec<Leftover> = Vec::new();
    leftovers.extend(halves(server, azure));
    leftovers.extend(empty_groups(server));
    leftovers.extend(certificates(server, azure, &leftovers));
    leftovers.extend(trust(server, azure, &leftovers));
    let flags = server.trace_flags.as_deref().unwrap_or_default();
    let seeds =
        server.seedings.iter().any(|s| s.ended.is_none() && s.state != "COMPLETED" && s.state != "FAILED");
    if flags.contains(&KEEP_LOG_FOR_SEEDING) && !seeds {
        leftovers.push(Leftover::TraceFlag { flag: KEEP_LOG_FOR_SEEDING });
    }
    let steps = leftovers.iter().map(remove).collect();
    let mut notes = Vec::new();
    if leftovers.iter().any(|l| matches!(l, Leftover::HalfOnSqlServer { .. } | Leftover::HalfInAzure { .. }))
    {
        notes.push(
            "databases stay where they are: a copy that is wanted no longer has to be deleted by itself"
                .to_owned(),
        );
    }
    Ok(Purge { leftovers, plan: Plan { verb: Verb::Purge, link, steps, notes } })
}

fn is_with(group: &Group, azure: &AzureInstance) -> bool {
    let fqdn = azure.fqdn.to_lowercase();
    group.replicas.iter().any(|r| r.url.to_lowercase().contains(fqdn.trim_end_matches('.')))
}

fn halves(server: &Instance, azure: &AzureInstance) -> Vec<Leftover> {
    let alone = server
        .groups
        .iter()
        .filter(|g| g.distributed && is_with(g, azure) && azure.link(&g.name).is_none())
        .map(|g| Leftover::HalfOnSqlServer { name: g.name.clone() });
    // A link is with this server if it leads to an address that one of its groups has.
    let mine = |url: &str| {
        let urls = server.groups.iter().filter(|g| !g.distributed).flat_map(|g| &g.replicas).map(|r| &r.url);
        urls.into_iter().any(|u| u.eq_ignore_ascii_case(url))
    };
    let there = azure
        .links
        .iter()
        .filter(|l| server.distributed(&l.name).is_none() && l.partner_endpoint.as_deref().is_some_and(mine))
        // One that is primary is used by somebody.
        .filter(|l| l.instance_role != Some(Role::Primary))
        .map(|l| Leftover::HalfInAzure { name: l.name.clone() });
    alone.chain(there).collect()
}

/// Groups as links have them by convention. An empty group of another name may wait for something else.
fn empty_groups(server: &Instance) -> Vec<Leftover> {
    let filled =
        |name: &str| server.databases.iter().any(|d| d.group.as_deref().is_some_and(|g| same_name(g, name)));
    let stands = |name: &str| server.groups.iter().any(|g| g.distributed && g.replica(name).is_some());
    server
        .groups
        .iter()
        .filter(|g| !g.distributed && g.replicas.len() <= 1 && g.name.to_uppercase().starts_with("AG_"))
        .filter(|g| !filled(&g.name) && !stands(&g.name))
        .map(|g| Leftover::EmptyGroup { name: g.name.clone() })
        .collect()
}

/// The distributed groups that stay.
fn staying<'a>(server: &'a Instance, leftovers: &'a [Leftover]) -> impl Iterator<Item = &'a Group> {
    server.groups.iter().filter(|g| g.distributed).filter(|g| {
        !leftovers.iter().any(|l| matches!(l, Leftover::HalfOnSqlServer { name } if *name == g.name))
    })
}

fn certificates(server: &Instance, azure: &AzureInstance, leftovers: &[Leftover]) -> Vec<Leftover> {
    let used = |fqdn: &str| {
        let fqdn = fqdn.to_lowercase();
        staying(server, leftovers).any(|g| g.replicas.iter().any(|r| r.url.to_lowercase().contains(&fqdn)))
    };
    let mut out: Vec<Leftover> = server
        .certificates
        .iter()
        .flatten()
        .filter(|c| !c.private_key && (cloud_of(&c.name).is_some() || same_name(&c.name, &azure.fqdn)))
        .filter(|c| !used(&c.name))
        .map(|c| Leftover::ManagedCertificate { name: c.name.clone() })
        .collect();
    if staying(server, leftovers).next().is_none() {
        let roots = authorities(server, Some(azure));
        out.extend(roots.into_iter().map(|c| Leftover::RootCertificate { name: c.name.clone() }));
    }
    out
}

fn trust(server: &Instance, azure: &AzureInstance, leftovers: &[Leftover]) -> Vec<Leftover> {
    let gone =
        |name: &str| leftovers.iter().any(|l| matches!(l, Leftover::HalfInAzure { name: n } if n == name));
    let linked = azure.links.iter().any(|l| !gone(&l.name));
    let shown = server.endpoint_certificate().map(|c| &c.thumbprint);
    azure
        .trust_certificates
        .iter()
        .filter(|t| {
            let mine = server.certificate_with(&t.thumbprint).is_some_and(|c| c.private_key);
            !linked || (mine && shown.is_some_and(|s| *s != t.thumbprint))
        })
        .map(|t| Leftover::TrustCertificate { name: t.name.clone() })
        .collect()
}

fn remove(leftover: &Leftover) -> Step {
    let unused = |what| Condition::UnusedByOthers { link: NAME.to_owned(), what };
    let id = |id: &str, name: &str| format!("{id}-{}", slug(name));
    let title = format!("Remove {leftover}");
    match leftover {
        Leftover::HalfOnSqlServer { name } => Step::new(
            id("drop-distributed", name),
            title,
            Phase::Cleanup,
            Action::sql(Statement::DropGroup { name: name.clone() }),
            Condition::GroupAbsent { name: name.clone() },
        )
        .requires(Condition::NoAzureLink { name: name.clone() })
        .once(),
        Leftover::HalfInAzure { name } => Step::new(
            id("delete-link", name),
            title,
            Phase::Cleanup,
            Action::arm(ArmCall::DeleteLink { name: name.clone() }),
            Condition::NoAzureLink { name: name.clone() },
        )
        .requires(Condition::GroupAbsent { name: name.clone() })
        .within(OPERATION_MS)
        .once(),
        Leftover::EmptyGroup { name } => Step::new(
            id("drop-group", name),
            title,
            Phase::Cleanup,
            Action::sql(Statement::DropGroup { name: name.clone() }),
            Condition::GroupAbsent { name: name.clone() },
        )
        .requires(Condition::All {
            of: vec![
                Condition::NothingOnGroup { name: name.clone() },
                Condition::Group { name: name.clone(), databases: Vec::new() },
            ],
        })
        .once(),
        Leftover::ManagedCertificate { name } => {
            Step { title, ..drop_certificate(name, unused(Shared::Managed { fqdn: name.clone() })) }
        }
        Leftover::RootCertificate { name } => Step { title, ..drop_certificate(name, unused(Shared::Roots)) },
        Leftover::TrustCertificate { name } => Step::new(
            id("delete-trust-certificate", name),
            title,
            Phase::Cleanup,
            Action::arm(ArmCall::DeleteTrustCertificate { name: name.clone() }),
            Condition::TrustCertificateAbsent { name: name.clone() },
        )
        .within(OPERATION_MS),
        Leftover::TraceFlag { flag } => Step::new(
            format!("trace-off-{flag}"),
            title,
            Phase::Cleanup,
            Action::sql(Statement::TraceOff { flag: *flag }),
            Condition::TraceFlag { flag: *flag, on: false },
        ),
    }
}
