//! What Resource Manager answers, as types.
//!
//! Two rules for all of them: a property that is not known here is kept in `rest`, and a word that is not known here is kept
//! as it came (`Other`). Azure adds properties and states without a new version, and an observation must survive that. Absent
//! and `null` are the same.

pub mod certificates;
pub mod failover_groups;
pub mod instances;
pub mod links;
pub mod operations;
pub mod permissions;
pub mod tenants;
mod words;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The properties of an answer that have no field here.
pub type Rest = Map<String, Value>;

/// A list that may be `null`.
fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A text that some version may send as a number. A position in the log stays the digits that came.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        // A number that has lost digits must not pass for an LSN.
        Value::Number(number) if !number.is_f64() => Ok(Some(number.to_string())),
        other => Err(serde::de::Error::custom(format!("{other} is neither a text nor a whole number"))),
    }
}
