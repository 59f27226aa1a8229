//! Extended properties: what tools write next to objects, above all their descriptions.

use serde::{Deserialize, Serialize};

use super::StoredValue;

/// What a property is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PropertyClass {
    Database,
    /// An object, or a column of it.
    Object,
    Parameter,
    Schema,
    Index,
}

impl PropertyClass {
    /// `sys.extended_properties.class`.
    pub(crate) fn number(self) -> i64 {
        match self {
            PropertyClass::Database => 0,
            PropertyClass::Object => 1,
            PropertyClass::Parameter => 2,
            PropertyClass::Schema => 3,
            PropertyClass::Index => 7,
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            PropertyClass::Database => "DATABASE",
            PropertyClass::Object => "OBJECT_OR_COLUMN",
            PropertyClass::Parameter => "PARAMETER",
            PropertyClass::Schema => "SCHEMA",
            PropertyClass::Index => "INDEX",
        }
    }
}

/// A name and a value at an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExtendedProperty {
    pub(crate) id: i32,
    pub(crate) class: PropertyClass,
    pub(crate) major: i32,
    pub(crate) minor: i32,
    pub(crate) name: String,
    /// A sql_variant.
    pub(crate) value: StoredValue,
}
