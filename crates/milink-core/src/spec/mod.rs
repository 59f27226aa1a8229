//! What the user wants: a [`LinkSpec`], from a file or from flags, and the links that it means.

pub mod read;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{CommitMode, FailoverMode, LinkMode, SeedingMode, Side};

/// Links that are wanted, as a user writes them down.
///
/// Only the name and the databases have to be given; everything else has the documentation's defaults. In single-database mode several
/// databases mean several links, each named by [`LinkSpec::name_rule`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkSpec {
    /// The link's name, which is the distributed availability group's on both sides.
    pub name: String,
    /// The databases, by their names on the initial primary.
    pub databases: Vec<String>,
    /// How links are named when there are several: `{link}` and `{database}` are put in.
    #[serde(default = "default_rule")]
    pub name_rule: String,
    /// Which side has the data now.
    #[serde(default)]
    pub initial_primary: Side,
    /// Whether roles are to be changed there and back.
    #[serde(default)]
    pub failover_mode: FailoverMode,
    /// When commits are acknowledged while the link is at rest.
    #[serde(default)]
    pub commit_mode: CommitMode,
    /// How the first copy is made.
    #[serde(default)]
    pub seeding_mode: SeedingMode,
    /// One database for each link, or all of an availability group.
    #[serde(default)]
    pub link_mode: LinkMode,
    /// What is particular on SQL Server.
    #[serde(default)]
    pub sql_server: SqlServerSpec,
    /// What is particular on the managed instance.
    #[serde(default)]
    pub managed: ManagedSpec,
}

/// What is particular on SQL Server. What is not given is taken from what is there, or from the documentation's conventions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlServerSpec {
    /// The availability group; `AG_<database>` by convention. `{database}` is put in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_group: Option<String>,
    /// Where the managed instance reaches the endpoint: `TCP://host:port`. The listener's address for a group of several replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The port that a new endpoint listens on, if it is not the one of `endpoint` (a forwarded port).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_port: Option<u16>,
    /// The endpoint's certificate; `Cert_<server>_endpoint` by convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// How long a certificate that is made now is valid, in days.
    #[serde(default = "default_certificate_days")]
    pub certificate_days: u32,
    /// Where backups that a plan makes go to: a folder of the server, as it sees it. The server's default folder if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_folder: Option<String>,
}

impl Default for SqlServerSpec {
    fn default() -> SqlServerSpec {
        SqlServerSpec {
            availability_group: None,
            endpoint: None,
            listener_port: None,
            certificate: None,
            certificate_days: default_certificate_days(),
            backup_folder: None,
        }
    }
}

/// What is particular on the managed instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedSpec {
    /// The availability group there; `AG_<database>_MI` by convention. `{database}` is put in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_group: Option<String>,
    /// Where SQL Server reaches the endpoint: `tcp://<fqdn>:5022` unless something is in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// One link of a [`LinkSpec`], with every name decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The link's and the distributed availability group's name.
    pub name: String,
    /// Its databases: one, unless in multiple-database mode.
    pub databases: Vec<String>,
    /// Which side has the data before the link is made.
    pub initial_primary: Side,
    /// Whether roles can be changed back.
    pub failover_mode: FailoverMode,
    /// At rest.
    pub commit_mode: CommitMode,
    /// How the first copy is made.
    pub seeding_mode: SeedingMode,
    /// How many databases it carries.
    pub link_mode: LinkMode,
    /// The availability group on SQL Server.
    pub sql_group: String,
    /// The availability group on the managed instance.
    pub managed_group: String,
    /// What else is particular on SQL Server.
    pub sql_server: SqlServerSpec,
    /// What else is particular on the managed instance.
    pub managed: ManagedSpec,
}

impl Link {
    /// The availability group of a side.
    pub fn group(&self, side: Side) -> &str {
        match side {
            Side::SqlServer => &self.sql_group,
            Side::Managed => &self.managed_group,
        }
    }

    /// The one database of a link in single-database mode, and the first in the other.
    pub fn database(&self) -> &str {
        self.databases.first().map_or("", String::as_str)
    }
}

fn default_rule() -> String {
    "{link}-{database}".to_owned()
}

fn default_certificate_days() -> u32 {
    365 * 3
}

/// What a spec cannot mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecError {
    /// The name is empty.
    NoName,
    /// No database is named.
    NoDatabase,
    /// A database is named twice.
    Twice(String),
    /// Several databases would make links, or groups, of one name.
    SameName {
        /// What has the name.
        what: &'static str,
        /// The name.
        name: String,
        /// The setting that decides it.
        setting: &'static str,
    },
    /// The two groups of a link have one name, which Azure refuses (`InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch`).
    SameGroups(String),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::NoName => f.write_str("the link has no name (--name, or `name` in the file)"),
            SpecError::NoDatabase => {
                f.write_str("no database is named (--database, or `databases` in the file)")
            }
            SpecError::Twice(database) => write!(f, "database {database} is named twice"),
            SpecError::SameName { what, name, setting } => {
                write!(f, "several databases would share the {what} {name}: put {{database}} into {setting}")
            }
            SpecError::SameGroups(name) => write!(
                f,
                "the two availability groups are both called {name}, which Azure refuses: they must differ"
            ),
        }
    }
}

impl std::error::Error for SpecError {}

impl LinkSpec {
    /// A spec with the documentation's defaults.
    pub fn new(name: &str, databases: &[&str]) -> LinkSpec {
        LinkSpec {
            name: name.to_owned(),
            databases: databases.iter().map(|d| (*d).to_owned()).collect(),
            name_rule: default_rule(),
            initial_primary: Side::default(),
            failover_mode: FailoverMode::default(),
            commit_mode: CommitMode::default(),
            seeding_mode: SeedingMode::default(),
            link_mode: LinkMode::default(),
            sql_server: SqlServerSpec::default(),
            managed: ManagedSpec::default(),
        }
    }

    /// The links that are meant, in the order of the databases.
    ///
    /// # Errors
    /// The spec cannot mean anything.
    pub fn links(&self) -> Result<Vec<Link>, SpecError> {
        if self.name.trim().is_empty() {
            return Err(SpecError::NoName);
        }
        if self.databases.is_empty() {
            return Err(SpecError::NoDatabase);
        }
        distinct(self.databases.iter()).map_err(SpecError::Twice)?;
        let links: Vec<Link> = match self.link_mode {
            LinkMode::MultiDatabase => vec![self.link(self.name.clone(), &self.name, self.databases.clone())],
            LinkMode::SingleDatabase => {
                let several = self.databases.len() > 1;
                let link = |database: &String| {
                    let name = if several {
                        self.name_rule.replace("{link}", &self.name).replace("{database}", database)
                    } else {
                        self.name.clone()
                    };
                    self.link(name, database, vec![database.clone()])
                };
                self.databases.iter().map(link).collect()
            }
        };
        let same = |what, setting| move |name| SpecError::SameName { what, name, setting };
        distinct(links.iter().map(|l| &l.name)).map_err(same("link name", "nameRule"))?;
        distinct(links.iter().map(|l| &l.sql_group))
            .map_err(same("availability group", "sqlServer.availabilityGroup"))?;
        distinct(links.iter().map(|l| &l.managed_group))
            .map_err(same("availability group", "managed.availabilityGroup"))?;
        let clash = links.iter().find(|l| l.sql_group.eq_ignore_ascii_case(&l.managed_group));
        clash.map_or(Ok(()), |l| Err(SpecError::SameGroups(l.sql_group.clone())))?;
        Ok(links)
    }

    fn link(&self, name: String, base: &str, databases: Vec<String>) -> Link {
        let named = |rule: &Option<String>, convention: String| {
            rule.as_ref().map_or(convention, |r| r.replace("{database}", base).replace("{link}", &name))
        };
        Link {
            sql_group: named(&self.sql_server.availability_group, format!("AG_{base}")),
            managed_group: named(&self.managed.availability_group, format!("AG_{base}_MI")),
            name,
            databases,
            initial_primary: self.initial_primary,
            failover_mode: self.failover_mode,
            commit_mode: self.commit_mode,
            seeding_mode: self.seeding_mode,
            link_mode: self.link_mode,
            sql_server: self.sql_server.clone(),
            managed: self.managed.clone(),
        }
    }
}

/// Names are compared as SQL Server does by default: without case. The first that comes twice is the error.
fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.to_lowercase()) {
            return Err(name.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_database_keeps_the_name() {
        let links = LinkSpec::new("sales", &["Sales"]).links().unwrap();
        let [link] = links.as_slice() else { panic!("{links:?}") };
        assert_eq!((link.name.as_str(), link.sql_group.as_str()), ("sales", "AG_Sales"));
        assert_eq!(link.managed_group, "AG_Sales_MI");
    }

    #[test]
    fn several_databases_are_several_links_or_one() {
        let mut spec = LinkSpec::new("erp", &["Sales", "Stock"]);
        let names: Vec<String> = spec.links().unwrap().into_iter().map(|l| l.name).collect();
        assert_eq!(names, ["erp-Sales", "erp-Stock"]);
        spec.link_mode = LinkMode::MultiDatabase;
        let links = spec.links().unwrap();
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].databases, ["Sales", "Stock"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(LinkSpec::new("", &["a"]).links(), Err(SpecError::NoName));
        assert_eq!(LinkSpec::new("l", &[]).links(), Err(SpecError::NoDatabase));
        assert_eq!(LinkSpec::new("l", &["a", "A"]).links(), Err(SpecError::Twice("A".to_owned())));
        let mut spec = LinkSpec::new("l", &["a", "b"]);
        spec.name_rule = "{link}".to_owned();
        assert!(matches!(spec.links(), Err(SpecError::SameName { what: "link name", .. })));
        let mut spec = LinkSpec::new("l", &["a"]);
        spec.managed.availability_group = Some("ag_A".to_owned());
        assert_eq!(spec.links(), Err(SpecError::SameGroups("AG_a".to_owned())));
    }
}
