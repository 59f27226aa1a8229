//! Which SQL Server an instance is: what it says about itself depends on that, and so does what it refuses.

/// A release of SQL Server, at the build that supports links and that the lab imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Release {
    /// 2016 with the Azure Connect pack.
    Sql2016,
    /// 2017 with the Azure Connect pack.
    Sql2017,
    /// 2019 CU20.
    Sql2019,
    /// 2022 CU13.
    #[default]
    Sql2022,
    /// 2025.
    Sql2025,
}

/// The update policy of a managed instance, which decides about its database format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatePolicy {
    /// The format of SQL Server 2022.
    Sql2022,
    /// The format of SQL Server 2025.
    Sql2025,
    /// The newest there is, ahead of any SQL Server.
    AlwaysUpToDate,
}

/// SQL Server, or a managed instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// SQL Server of a release.
    SqlServer(Release),
    /// An Azure SQL Managed Instance.
    Managed(UpdatePolicy),
}

impl Default for Flavor {
    fn default() -> Flavor {
        Flavor::SqlServer(Release::default())
    }
}

/// What a release is called and counted as.
struct Facts {
    year: &'static str,
    build: [u16; 4],
    /// `ProductUpdateLevel`.
    update: Option<&'static str>,
    /// `ProductUpdateReference`.
    reference: Option<&'static str>,
    database_version: i64,
    compatibility_level: i64,
}

/// Sources: the builds that the link's version table names; "Internal version of a database" of the documentation.
const FACTS: [Facts; 5] = [
    Facts {
        year: "2016",
        build: [13, 0, 7000, 253],
        update: Some("SP3"),
        reference: Some("KB5014242"),
        database_version: 852,
        compatibility_level: 130,
    },
    Facts {
        year: "2017",
        build: [14, 0, 3490, 10],
        update: Some("CU31"),
        reference: Some("KB5050533"),
        database_version: 869,
        compatibility_level: 140,
    },
    Facts {
        year: "2019",
        build: [15, 0, 4312, 2],
        update: Some("CU20"),
        reference: Some("KB5024276"),
        database_version: 904,
        compatibility_level: 150,
    },
    Facts {
        year: "2022",
        build: [16, 0, 4125, 3],
        update: Some("CU13"),
        reference: Some("KB5036432"),
        database_version: 957,
        compatibility_level: 160,
    },
    Facts {
        year: "2025",
        build: [17, 0, 1000, 7],
        update: None,
        reference: None,
        database_version: 998,
        compatibility_level: 170,
    },
];

/// What every managed instance gives as its build, whatever it runs.
const MANAGED_BUILD: [u16; 4] = [12, 0, 2000, 8];

impl Release {
    fn facts(self) -> &'static Facts {
        let [f2016, f2017, f2019, f2022, f2025] = &FACTS;
        match self {
            Release::Sql2016 => f2016,
            Release::Sql2017 => f2017,
            Release::Sql2019 => f2019,
            Release::Sql2022 => f2022,
            Release::Sql2025 => f2025,
        }
    }
}

impl Flavor {
    /// Whether this is a managed instance.
    pub fn is_managed(self) -> bool {
        matches!(self, Flavor::Managed(_))
    }

    /// The release whose database format it has.
    pub fn format(self) -> Release {
        match self {
            Flavor::SqlServer(release) => release,
            Flavor::Managed(UpdatePolicy::Sql2022) => Release::Sql2022,
            Flavor::Managed(UpdatePolicy::Sql2025 | UpdatePolicy::AlwaysUpToDate) => Release::Sql2025,
        }
    }

    /// The four numbers of `ProductVersion`.
    pub fn build(self) -> [u16; 4] {
        match self {
            Flavor::SqlServer(release) => release.facts().build,
            Flavor::Managed(_) => MANAGED_BUILD,
        }
    }

    /// `SERVERPROPERTY('ProductVersion')`.
    pub(crate) fn product_version(self) -> String {
        self.build().map(|part| part.to_string()).join(".")
    }

    /// `SERVERPROPERTY('ResourceVersion')`.
    pub(crate) fn resource_version(self) -> String {
        let [major, minor, build, _] = self.build();
        format!("{major}.{minor:02}.{build}")
    }

    /// `@@MICROSOFTVERSION`.
    pub(crate) fn microsoft_version(self) -> i64 {
        let [major, minor, build, _] = self.build().map(i64::from);
        (major << 24) | (minor << 16) | build
    }

    /// `@@VERSION`.
    pub(crate) fn version_text(self) -> String {
        let build = self.product_version();
        match self {
            Flavor::SqlServer(release) => {
                let facts = release.facts();
                let level = match facts.update {
                    Some(pack) if pack.starts_with("SP") => format!("({pack})"),
                    Some(update) => format!("(RTM-{update})"),
                    None => "(RTM)".to_owned(),
                };
                format!(
                    "Microsoft SQL Server {} {level} (milink lab) - {build} (X64) \n\tLab Instance (64-bit) on Linux",
                    facts.year
                )
            }
            Flavor::Managed(_) => format!("Microsoft SQL Azure (RTM) - {build} \n\tmilink lab"),
        }
    }

    /// `SERVERPROPERTY('ProductLevel')`.
    pub(crate) fn product_level(self) -> &'static str {
        match self {
            Flavor::SqlServer(Release::Sql2016) => "SP3",
            _ => "RTM",
        }
    }

    /// `SERVERPROPERTY('ProductUpdateLevel')`.
    pub(crate) fn update_level(self) -> Option<&'static str> {
        match self {
            Flavor::SqlServer(release) => release.facts().update.filter(|update| update.starts_with("CU")),
            Flavor::Managed(_) => None,
        }
    }

    /// `SERVERPROPERTY('ProductUpdateReference')`.
    pub(crate) fn update_reference(self) -> Option<&'static str> {
        match self {
            Flavor::SqlServer(release) => release.facts().reference,
            Flavor::Managed(_) => None,
        }
    }

    /// `SERVERPROPERTY('ProductUpdateType')`, of managed instances only.
    pub(crate) fn update_type(self) -> Option<&'static str> {
        match self {
            Flavor::SqlServer(_) => None,
            Flavor::Managed(UpdatePolicy::AlwaysUpToDate) => Some("Continuous"),
            Flavor::Managed(UpdatePolicy::Sql2022 | UpdatePolicy::Sql2025) => Some("CU"),
        }
    }

    /// `SERVERPROPERTY('Edition')` and its id.
    pub(crate) fn edition(self) -> (&'static str, i64) {
        match self {
            Flavor::SqlServer(_) => ("Developer Edition (64-bit)", -2_117_995_310),
            Flavor::Managed(_) => ("SQL Azure", 1_674_378_470),
        }
    }

    /// `SERVERPROPERTY('EngineEdition')`.
    pub(crate) fn engine_edition(self) -> i64 {
        match self {
            Flavor::SqlServer(_) => 3,
            Flavor::Managed(_) => 8,
        }
    }

    /// The version of its databases' format.
    pub fn database_version(self) -> i64 {
        self.format().facts().database_version
    }

    /// The compatibility level of new databases, the highest there is.
    pub(crate) fn compatibility_level(self) -> i64 {
        self.format().facts().compatibility_level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_says_who_it_is() {
        let default = Flavor::default();
        assert_eq!(default.product_version(), "16.0.4125.3");
        assert_eq!(default.microsoft_version(), 0x1000_101D);
        assert!(default.version_text().starts_with("Microsoft SQL Server 2022 (RTM-CU13)"));
        assert_eq!(Flavor::SqlServer(Release::Sql2016).product_level(), "SP3");
        let managed = Flavor::Managed(UpdatePolicy::AlwaysUpToDate);
        assert_eq!((managed.engine_edition(), managed.product_version().as_str()), (8, "12.0.2000.8"));
        assert_eq!(managed.update_type(), Some("Continuous"));
    }
}
