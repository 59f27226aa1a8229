//! The form in which the groups are kept. It has a number, and here is the one place that reads older ones.

use serde::{Deserialize, Serialize};

use super::{Group, Groups};

/// The form that is written. The first had no number; what it did not know has defaults in the model.
const FORMAT: u32 = 2;

/// What is in `master`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredGroups {
    /// The number of the form.
    #[serde(default)]
    pub format: u32,
    /// The groups.
    pub groups: Vec<Group>,
}

impl TryFrom<StoredGroups> for Groups {
    type Error = String;

    fn try_from(stored: StoredGroups) -> Result<Groups, String> {
        if stored.format > FORMAT {
            return Err(format!(
                "the availability groups were stored in format {}, this version reads up to {FORMAT}",
                stored.format
            ));
        }
        Ok(Groups { groups: stored.groups })
    }
}

impl From<Groups> for StoredGroups {
    fn from(groups: Groups) -> StoredGroups {
        StoredGroups { format: FORMAT, groups: groups.groups }
    }
}
