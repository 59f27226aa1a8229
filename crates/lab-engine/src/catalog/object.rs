//! Schemas, principals and the objects that live in a schema.

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::types::{Collation, SqlType};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) id: i32,
    pub(crate) name: String,
    /// The principal that owns it.
    pub(crate) owner: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PrincipalKind {
    SqlUser,
    Role,
}

/// A user or role of one database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Principal {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) kind: PrincipalKind,
    pub(crate) default_schema: Option<String>,
    /// The security id of the login it stands for, in hexadecimal; `None` for roles and users without login.
    pub(crate) sid: Option<String>,
    pub(crate) fixed_role: bool,
    /// Ids of the roles this principal is a member of.
    pub(crate) member_of: Vec<i32>,
    pub(crate) created: i64,
}

/// A thing with an `object_id` that is no constraint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) id: i32,
    pub(crate) schema: i32,
    pub(crate) name: String,
    /// When it was created, in 1/300 s since 1900-01-01 (the engine's `datetime`).
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) kind: ObjectKind,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ObjectKind {
    Table(Table),
    View(Module),
    Procedure(Module),
    ScalarFunction(Module),
    InlineFunction(Module),
    Synonym(String),
}

impl ObjectKind {
    /// `sys.objects.type`, without its blank padding.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            ObjectKind::Table(_) => "U",
            ObjectKind::View(_) => "V",
            ObjectKind::Procedure(_) => "P",
            ObjectKind::ScalarFunction(_) => "FN",
            ObjectKind::InlineFunction(_) => "IF",
            ObjectKind::Synonym(_) => "SN",
        }
    }

    /// `sys.objects.type_desc`.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            ObjectKind::Table(_) => "USER_TABLE",
            ObjectKind::View(_) => "VIEW",
            ObjectKind::Procedure(_) => "SQL_STORED_PROCEDURE",
            ObjectKind::ScalarFunction(_) => "SQL_SCALAR_FUNCTION",
            ObjectKind::InlineFunction(_) => "SQL_INLINE_TABLE_VALUED_FUNCTION",
            ObjectKind::Synonym(_) => "SYNONYM",
        }
    }

    /// The source of a module.
    pub(crate) fn module(&self) -> Option<&Module> {
        match self {
            ObjectKind::View(m)
            | ObjectKind::Procedure(m)
            | ObjectKind::ScalarFunction(m)
            | ObjectKind::InlineFunction(m) => Some(m),
            ObjectKind::Table(_) | ObjectKind::Synonym(_) => None,
        }
    }
}

/// A view, procedure or function: its text is the truth, the rest was read off it when it was created.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Module {
    /// The CREATE statement as it was written.
    pub(crate) definition: String,
    pub(crate) quoted_identifier: bool,
    pub(crate) ansi_nulls: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// What a scalar function returns.
    pub(crate) returns: Option<SqlType>,
    /// The columns of a view or an inline function, as bound when it was created.
    pub(crate) columns: Vec<ModuleColumn>,
    pub(crate) schema_bound: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) output: bool,
    pub(crate) has_default: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ModuleColumn {
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Collation,
}

impl Object {
    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.kind {
            ObjectKind::Table(t) => Some(t),
            _ => None,
        }
    }
}
