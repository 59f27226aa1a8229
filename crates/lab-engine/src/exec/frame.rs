//! What a batch, a procedure or a dynamic text has of its own: variables, and how it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::types::Value;

use crate::bind::VariableTypes;
use crate::error::SqlError;
use crate::sink::DoneKind;
use crate::types::{Collation, SqlType};

/// Where control goes after a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
    /// RETURN with its status, or with a function's value.
    Return(i32),
    Goto(String),
}

/// Why nothing more of a batch is run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stop {
    /// An error on its way to a CATCH, or to the client.
    Error(SqlError),
    /// An error that was reported and ended the batch.
    Aborted,
    /// The client sent an Attention.
    Cancelled,
    /// The client is gone.
    Closed,
}

impl From<SqlError> for Stop {
    fn from(e: SqlError) -> Stop {
        if e.is_cancelled() { Stop::Cancelled } else { Stop::Error(e) }
    }
}

/// A variable with its value in storage representation.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) ty: SqlType,
    pub(crate) collation: Option<Collation>,
    pub(crate) value: Value,
}

/// One batch, procedure, or dynamic text that is running.
#[derive(Debug)]
pub(crate) struct Frame {
    /// By folded name.
    pub(crate) variables: BTreeMap<String, Variable>,
    /// Table variables: folded name to the object id among the temporary objects.
    pub(crate) tables: BTreeMap<String, i32>,
    /// The procedure that runs: its name and object id.
    pub(crate) procedure: Option<(String, i32)>,
    pub(crate) done_kind: DoneKind,
    pub(crate) scope_identity: Option<i64>,
    /// Errors of the CATCH blocks that run, innermost last.
    pub(crate) caught: Vec<SqlError>,
    /// The text that the statements' offsets point into.
    pub(crate) text: Arc<str>,
    /// The database of the module that runs, where its names resolve.
    pub(crate) database: Option<i32>,
    /// Temporary tables made here, dropped when a procedure ends.
    pub(crate) temporary: Vec<i32>,
}

impl Frame {
    fn new(done_kind: DoneKind) -> Frame {
        Frame {
            variables: BTreeMap::new(),
            tables: BTreeMap::new(),
            procedure: None,
            done_kind,
            scope_identity: None,
            caught: Vec::new(),
            text: Arc::from(""),
            database: None,
            temporary: Vec::new(),
        }
    }

    /// A batch as the client sent it.
    pub(crate) fn batch() -> Frame {
        Frame::new(DoneKind::Statement)
    }

    /// A procedure, or text run by EXEC or sp_executesql.
    pub(crate) fn inner() -> Frame {
        Frame::new(DoneKind::InProc)
    }

    pub(crate) fn declare(&mut self, name: &str, variable: Variable) -> Result<(), SqlError> {
        let folded = name.to_lowercase();
        if self.variables.contains_key(&folded) || self.tables.contains_key(&folded) {
            return Err(SqlError::duplicate_variable(name));
        }
        self.variables.insert(folded, variable);
        Ok(())
    }

    pub(crate) fn value(&self, folded: &str) -> Value {
        self.variables.get(folded).map_or(Value::Null, |v| v.value.clone())
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        if let Some(variable) = self.variables.get_mut(&name.to_lowercase()) {
            variable.value = value;
        }
    }
}

impl VariableTypes for Frame {
    fn variable(&self, name: &str) -> Option<(SqlType, Option<Collation>)> {
        self.variables.get(name).map(|v| (v.ty, v.collation))
    }

    fn table_variable(&self, name: &str) -> Option<i32> {
        self.tables.get(name).copied()
    }
}
