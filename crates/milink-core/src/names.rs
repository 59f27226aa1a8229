//! Names that more than one part of this crate speaks of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the two sides of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// SQL Server, wherever it runs. Azure calls it the partner.
    #[default]
    SqlServer,
    /// Azure SQL Managed Instance. Azure calls it the instance.
    Managed,
}

impl Side {
    /// Both.
    pub const BOTH: [Side; 2] = [Side::SqlServer, Side::Managed];

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::SqlServer => Side::Managed,
            Side::Managed => Side::SqlServer,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::SqlServer => "SQL Server",
            Side::Managed => "managed instance",
        })
    }
}

/// What a replica is: `role_desc` of `sys.dm_hadr_availability_replica_states`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Neither, at the moment.
    Resolving,
    /// It holds the copy that is written to.
    Primary,
    /// It receives.
    Secondary,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Resolving => "RESOLVING",
            Role::Primary => "PRIMARY",
            Role::Secondary => "SECONDARY",
        })
    }
}

/// When a commit is acknowledged: `availability_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum CommitMode {
    /// When the primary has hardened it. What the documentation advises for links.
    #[default]
    Asynchronous,
    /// When both have hardened it.
    Synchronous,
}

impl CommitMode {
    /// As T-SQL writes it.
    pub fn tsql(self) -> &'static str {
        match self {
            CommitMode::Asynchronous => "ASYNCHRONOUS_COMMIT",
            CommitMode::Synchronous => "SYNCHRONOUS_COMMIT",
        }
    }

    /// As Azure writes it (`replicationMode`).
    pub fn rest(self) -> &'static str {
        match self {
            CommitMode::Asynchronous => "Async",
            CommitMode::Synchronous => "Sync",
        }
    }
}

/// How the first copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum SeedingMode {
    /// The primary streams it. The only one that Azure takes today.
    #[default]
    Automatic,
    /// Somebody restores a backup.
    Manual,
}

impl SeedingMode {
    /// As T-SQL writes it.
    pub fn tsql(self) -> &'static str {
        match self {
            SeedingMode::Automatic => "AUTOMATIC",
            SeedingMode::Manual => "MANUAL",
        }
    }

    /// As Azure writes it.
    pub fn rest(self) -> &'static str {
        match self {
            SeedingMode::Automatic => "Automatic",
            SeedingMode::Manual => "Manual",
        }
    }
}

/// Whether roles can be changed back (`failoverMode` in Azure).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum FailoverMode {
    /// One way, to Azure: the failover breaks the link. All that SQL Server 2019 and earlier have.
    #[default]
    OneWay,
    /// There and back, from SQL Server 2022 on.
    TwoWay,
}

impl FailoverMode {
    /// As Azure writes it.
    pub fn rest(self) -> &'static str {
        match self {
            FailoverMode::OneWay => "None",
            FailoverMode::TwoWay => "Manual",
        }
    }
}

/// How many databases one link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMode {
    /// One.
    #[default]
    SingleDatabase,
    /// All of one availability group (a preview of 2026).
    MultiDatabase,
}

impl LinkMode {
    /// As Azure writes it.
    pub fn rest(self) -> &'static str {
        match self {
            LinkMode::SingleDatabase => "SingleDatabase",
            LinkMode::MultiDatabase => "MultiDatabase",
        }
    }
}

/// Bytes that are written as hexadecimal digits: a certificate's DER form, mostly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hex(Vec<u8>);

impl Hex {
    /// From bytes.
    pub fn new(bytes: Vec<u8>) -> Hex {
        Hex(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// `0x3082...`: a T-SQL binary literal.
    pub fn tsql(&self) -> String {
        format!("0x{self}")
    }
}

impl fmt::Display for Hex {
    /// Uppercase digits without `0x`, as Azure answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{self}")
    }
}

/// A text that is no bytes in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoHex;

impl fmt::Display for NoHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an even number of hexadecimal digits is wanted, with or without 0x")
    }
}

impl std::error::Error for NoHex {}

impl FromStr for Hex {
    type Err = NoHex;

    fn from_str(text: &str) -> Result<Hex, NoHex> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text).as_bytes();
        let pairs = digits.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(NoHex);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(NoHex);
        let byte = |pair: &[u8]| match pair {
            [high, low] => Ok((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => Err(NoHex),
        };
        pairs.map(byte).collect::<Result<Vec<u8>, NoHex>>().map(Hex)
    }
}

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hex, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A certificate's SHA-1, by which both sides name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Thumbprint(Hex);

impl Thumbprint {
    /// From the 20 bytes.
    pub fn new(bytes: Hex) -> Thumbprint {
        Thumbprint(bytes)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_with_and_without_its_prefix() {
        assert_eq!("0x30aB".parse(), Ok(Hex(vec![0x30, 0xab])));
        assert_eq!("30AB".parse::<Hex>().unwrap().tsql(), "0x30AB");
        for bad in ["0x3", "zz", "0x30 a"] {
            assert!(bad.parse::<Hex>().is_err(), "{bad}");
        }
    }
}
