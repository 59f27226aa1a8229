//! What the checks look at: the links that are wanted, and what was seen, with everything found by name at once.

use std::collections::BTreeMap;

use super::catalogue::Check;
use super::judge::Judge;
use crate::facts::certificates::cloud_of;
use crate::finding::{Finding, Subject};
use crate::names::{FailoverMode, LinkMode, Side};
use crate::observe::{AzureDatabase, AzureInstance, AzureLink, Database, Group, Instance, Observation};
use crate::spec::Link;

/// The links that are wanted, and what was seen.
pub(super) struct Scene<'a> {
    pub(super) links: &'a [Link],
    pub(super) seen: &'a Observation,
    databases: [BTreeMap<String, &'a Database>; 2],
    azure_databases: BTreeMap<String, &'a AzureDatabase>,
    distributed: BTreeMap<String, &'a Group>,
    azure_links: BTreeMap<String, &'a AzureLink>,
    /// Databases of SQL Server by their availability group.
    members: BTreeMap<String, Vec<&'a str>>,
}

/// The form in which names are compared.
pub(super) fn key(name: &str) -> String {
    name.to_lowercase()
}

impl<'a> Scene<'a> {
    pub(super) fn new(links: &'a [Link], seen: &'a Observation) -> Scene<'a> {
        let databases = Side::BOTH.map(|side| {
            let all = seen.side(side).known().into_iter().flat_map(|i| &i.databases);
            all.map(|d| (key(&d.name), d)).collect()
        });
        let azure = seen.azure.known();
        let sql_server = seen.sql_server.known();
        let groups = sql_server.into_iter().flat_map(|i| &i.groups);
        let mut members: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for database in sql_server.into_iter().flat_map(|i| &i.databases) {
            if let Some(group) = &database.group {
                members.entry(key(group)).or_default().push(&database.name);
            }
        }
        Scene {
            links,
            seen,
            databases,
            azure_databases: azure
                .into_iter()
                .flat_map(|a| &a.databases)
                .map(|d| (key(&d.name), d))
                .collect(),
            distributed: groups.filter(|g| g.distributed).map(|g| (key(&g.name), g)).collect(),
            azure_links: azure.into_iter().flat_map(|a| &a.links).map(|l| (key(&l.name), l)).collect(),
            members,
        }
    }

    /// A side, or why nothing is known of it.
    pub(super) fn side(&self, side: Side) -> Result<&'a Instance, String> {
        self.seen.side(side).get().map_err(|why| format!("{side} does not answer: {why}"))
    }

    pub(super) fn sql_server(&self) -> Result<&'a Instance, String> {
        self.side(Side::SqlServer)
    }

    pub(super) fn managed(&self) -> Result<&'a Instance, String> {
        self.side(Side::Managed)
    }

    pub(super) fn azure(&self) -> Result<&'a AzureInstance, String> {
        self.seen.azure.get().map_err(|why| format!("Azure does not answer: {why}"))
    }

    /// A database as its side shows it over TDS.
    pub(super) fn database(&self, side: Side, name: &str) -> Result<Option<&'a Database>, String> {
        self.side(side)?;
        let of = match side {
            Side::SqlServer => &self.databases[0],
            Side::Managed => &self.databases[1],
        };
        Ok(of.get(&key(name)).copied())
    }

    pub(super) fn azure_database(&self, name: &str) -> Option<&'a AzureDatabase> {
        self.azure_databases.get(&key(name)).copied()
    }

    pub(super) fn distributed(&self, name: &str) -> Option<&'a Group> {
        self.distributed.get(&key(name)).copied()
    }

    /// The link as Azure describes it.
    pub(super) fn azure_link(&self, name: &str) -> Option<&'a AzureLink> {
        self.azure_links.get(&key(name)).copied()
    }

    pub(super) fn azure_links(&self) -> impl Iterator<Item = &'a AzureLink> + '_ {
        self.azure_links.values().copied()
    }

    /// The databases of an availability group on SQL Server.
    pub(super) fn members(&self, group: &str) -> &[&'a str] {
        self.members.get(&key(group)).map_or(&[], Vec::as_slice)
    }

    /// Whether SQL Server has this link's distributed group, on this link's groups. What is left of an attempt, or runs already, is no
    /// obstacle to itself.
    pub(super) fn is_on_sql_server(&self, link: &Link) -> bool {
        self.distributed(&link.name)
            .is_some_and(|g| g.replica(&link.sql_group).is_some() && g.replica(&link.managed_group).is_some())
    }

    /// Whether Azure has this link, on this link's groups as far as it describes them.
    pub(super) fn is_in_azure(&self, link: &Link) -> bool {
        let same =
            |there: &Option<String>, wanted: &str| there.as_ref().is_none_or(|t| key(t) == key(wanted));
        self.azure_link(&link.name).is_some_and(|l| {
            same(&l.partner_group, &link.sql_group) && same(&l.instance_group, &link.managed_group)
        })
    }

    /// Links whose first copy is still to be made.
    ///
    /// # Errors
    /// Azure does not answer, and SQL Server has a half of one: nobody can tell whether its copy is made.
    pub(super) fn to_seed(&self, from: Side) -> Result<Vec<&'a Link>, String> {
        let of_side = self.links.iter().filter(|l| l.initial_primary == from);
        match self.azure() {
            Ok(_) => Ok(of_side.filter(|l| !self.is_in_azure(l)).collect()),
            Err(why) => {
                self.sql_server()?;
                let links: Vec<&Link> = of_side.collect();
                if links.iter().any(|l| self.is_on_sql_server(l)) { Err(why) } else { Ok(links) }
            }
        }
    }

    pub(super) fn any_from(&self, side: Side) -> bool {
        self.links.iter().any(|l| l.initial_primary == side)
    }

    pub(super) fn any_two_way(&self) -> bool {
        self.links.iter().any(|l| l.failover_mode == FailoverMode::TwoWay)
    }

    pub(super) fn any_multi_database(&self) -> bool {
        self.links.iter().any(|l| l.link_mode == LinkMode::MultiDatabase)
    }

    /// The certificate that SQL Server's endpoint is to show: the one that is asked for, the one that it shows, or the one of the
    /// conventional name.
    pub(super) fn own_certificate(&self, instance: &Instance) -> String {
        let asked = self.links.first().and_then(|l| l.sql_server.certificate.clone());
        let shown = || instance.endpoint.as_ref().and_then(|e| e.certificate.clone());
        // A named instance's backslash must not be in the certificate's name.
        let convention = || format!("Cert_{}_endpoint", instance.server_name.replace('\\', "_"));
        asked.or_else(shown).unwrap_or_else(convention)
    }

    /// Makes a check of an instance.
    pub(super) fn on(
        &self,
        check: Check,
        side: Side,
        wanted: impl Into<String>,
        look: impl FnOnce(Judge, &'a Instance) -> Finding,
    ) -> Finding {
        check.of(Subject::Instance { side }, wanted).look(self.side(side), look)
    }

    /// Makes a check of what Azure says.
    pub(super) fn in_azure(
        &self,
        check: Check,
        wanted: impl Into<String>,
        look: impl FnOnce(Judge, &'a AzureInstance) -> Finding,
    ) -> Finding {
        check.of(Subject::Azure, wanted).look(self.azure(), look)
    }
}

/// Whether this login is shown every object's definition. If it is not, what it does not see may still be there.
pub(super) fn sees_definitions(instance: &Instance) -> Result<(), String> {
    let rights = ["CONTROL SERVER", "VIEW ANY DEFINITION"];
    if instance.is_sysadmin == Some(true) || rights.iter().any(|r| has_permission(instance, r)) {
        Ok(())
    } else {
        Err("this login is neither in sysadmin nor has VIEW ANY DEFINITION, so what is there may be hidden from it"
            .to_owned())
    }
}

pub(super) fn has_permission(instance: &Instance, permission: &str) -> bool {
    instance.permissions.iter().any(|p| p.eq_ignore_ascii_case(permission))
}

/// Something that was not shown: a no if this login would see it, and unknown otherwise.
pub(super) fn absent(judge: Judge, instance: &Instance, seen: String) -> Finding {
    match sees_definitions(instance) {
        Ok(()) => judge.fail(seen),
        Err(why) => judge.unknown(format!("{seen}, and {why}")),
    }
}

/// The full name, as certificates are called after it.
pub(super) fn fqdn(azure: &AzureInstance) -> &str {
    azure.fqdn.trim_end_matches('.')
}

/// Whether the instance is in a cloud whose authorities are documented.
pub(super) fn is_documented_cloud(azure: &AzureInstance) -> bool {
    cloud_of(&azure.fqdn).is_some()
}

/// A number of bytes, for people.
pub(super) fn size(bytes: u64) -> String {
    let in_units = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1_000_000 => format!("{:.0} kB", in_units(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", in_units(1_000_000)),
        1_000_000_000..1_000_000_000_000 => format!("{:.1} GB", in_units(1_000_000_000)),
        _ => format!("{:.2} TB", in_units(1_000_000_000_000)),
    }
}

/// A time, for people.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{:.1} h", seconds as f64 / 3_600.0),
        _ => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}
