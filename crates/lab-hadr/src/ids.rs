//! Names of things that outlive names: groups, replicas, databases in a group.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The id that follows from names: both sides of a group come to the same one without asking each other.
            pub fn of(names: &[&str]) -> $name {
                let mut hash = Sha256::new();
                hash.update(stringify!($name).as_bytes());
                for name in names {
                    // SQL Server's names are the same in any case.
                    let name = name.to_uppercase();
                    hash.update((name.len() as u64).to_le_bytes());
                    hash.update(name.as_bytes());
                }
                let mut id = [0; 16];
                id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
                $name(id)
            }
        }

        impl std::fmt::Display for $name {
            /// As `uniqueidentifier` prints: the first three fields are little-endian.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
                write!(f, "{d:02X}{c:02X}{b:02X}{a:02X}-{g:02X}{e:02X}-{i:02X}{h:02X}-")?;
                for (n, byte) in rest.iter().enumerate() {
                    write!(f, "{}{byte:02X}", if n == 2 { "-" } else { "" })?;
                }
                Ok(())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

guid!(
    /// `sys.availability_groups.group_id`.
    GroupId
);
guid!(
    /// `sys.availability_replicas.replica_id`.
    ReplicaId
);
guid!(
    /// `sys.databases.group_database_id`.
    DatabaseId
);

/// A database's name as both sides of a group know it: it is the same in any case.
#[derive(Clone)]
pub struct DbName {
    name: std::sync::Arc<str>,
    upper: std::sync::Arc<str>,
}

impl DbName {
    /// The name as somebody wrote it.
    pub fn new(name: &str) -> DbName {
        DbName { name: name.into(), upper: name.to_uppercase().into() }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl PartialEq for DbName {
    fn eq(&self, other: &DbName) -> bool {
        self.upper == other.upper
    }
}

impl Eq for DbName {}

impl PartialOrd for DbName {
    fn partial_cmp(&self, other: &DbName) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DbName {
    fn cmp(&self, other: &DbName) -> std::cmp::Ordering {
        self.upper.cmp(&other.upper)
    }
}

impl std::fmt::Debug for DbName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::fmt::Display for DbName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
