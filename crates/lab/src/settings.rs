//! What a lab is made of, as its user chose it at the first start.

use serde::{Deserialize, Serialize};

use crate::ports::Ports;

/// An enum of words that users write, kept and shown as they are written.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// As users write it.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<$name, String> {
                let found = $name::ALL.iter().copied().find(|v| v.word().eq_ignore_ascii_case(text));
                found.ok_or_else(|| {
                    let all: Vec<&str> = $name::ALL.iter().map(|v| v.word()).collect();
                    format!("'{text}' is no {}: {}", $what, all.join(", "))
                })
            }
        }
    };
}
pub(crate) use words;

words! {
    /// One of the two instances.
    Side, "instance" {
        /// SQL Server.
        SqlServer = "sqlserver",
        /// The managed instance.
        Managed = "managed",
    }
}

impl Side {
    /// The instance at the other end of the wire.
    pub fn other(self) -> Side {
        match self {
            Side::SqlServer => Side::Managed,
            Side::Managed => Side::SqlServer,
        }
    }

    /// What it is called in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Side::SqlServer => "SQL Server",
            Side::Managed => "the managed instance",
        }
    }

    /// Its `@@SERVERNAME`. A managed instance's name is a resource name too: lower case.
    pub(crate) fn server_name(self) -> &'static str {
        match self {
            Side::SqlServer => "LABSQL",
            Side::Managed => "lab-mi",
        }
    }
}

words! {
    /// The release of the lab's SQL Server.
    Version, "version of SQL Server" {
        /// 13.0
        Sql2016 = "2016",
        /// 14.0
        Sql2017 = "2017",
        /// 15.0
        Sql2019 = "2019",
        /// 16.0
        Sql2022 = "2022",
        /// 17.0
        Sql2025 = "2025",
    }
}

words! {
    /// The update policy of the lab's managed instance.
    Policy, "update policy" {
        /// The database format of SQL Server 2022.
        Sql2022 = "sql2022",
        /// The database format of SQL Server 2025.
        Sql2025 = "sql2025",
        /// The newest format.
        AlwaysUpToDate = "always-up-to-date",
    }
}

words! {
    /// The database that SQL Server has from the start.
    Sample, "sample" {
        /// A shop for music.
        Chinook = "chinook",
        /// Traders in food.
        Northwind = "northwind",
        /// None.
        None = "none",
    }
}

impl Sample {
    /// The database's name, if there is one.
    pub fn database(self) -> Option<&'static str> {
        match self {
            Sample::Chinook => Some("Chinook"),
            Sample::Northwind => Some("Northwind"),
            Sample::None => None,
        }
    }
}

/// What a lab keeps of how it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The release of SQL Server.
    pub version: Version,
    /// The update policy of the managed instance.
    pub policy: Policy,
    /// The sample database.
    pub sample: Sample,
    /// Whether the sample is there: a start that was broken off loads it anew.
    pub sample_loaded: bool,
    /// Where everything answers. Users write these into statements, so they stay.
    pub ports: Ports,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_refused_with_those_that_there_are() {
        assert_eq!("SQL2025".parse(), Ok(Policy::Sql2025));
        assert_eq!("2022".parse(), Ok(Version::Sql2022));
        assert_eq!("pubs".parse::<Sample>(), Err("'pubs' is no sample: chinook, northwind, none".to_owned()));
        assert_eq!(
            serde_json::to_string(&Policy::AlwaysUpToDate).ok(),
            Some("\"always-up-to-date\"".to_owned())
        );
    }
}
