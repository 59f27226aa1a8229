//! What a batch, a procedure or a dynamic text has of its own: variables, and how it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_tsql::ast::{Declaration, Statement, StatementKind};
use rusqlite::types::Value;

use crate::bind::{VariableTypes, declared_type};
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
    /// An error that was reported and ended the procedure or dynamic text it happened in; its caller goes on.
    Scope,
    /// The client sent an Attention.
    Cancelled,
    /// The client is gone.
    Closed,
}

impl Stop {
    /// The same with its error, if it is one, changed.
    pub(crate) fn map(self, change: impl FnOnce(SqlError) -> SqlError) -> Stop {
        match self {
            Stop::Error(e) => Stop::Error(change(e)),
            other => other,
        }
    }
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
    /// TRY blocks of its own that are open.
    pub(crate) tries: u32,
    /// An error of names in its own text is on its way out, which only a CATCH further out may take.
    pub(crate) uncatchable: bool,
    /// The schema of the module that runs, where names without one are looked for first.
    pub(crate) schema: Option<i32>,
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
            tries: 0,
            uncatchable: false,
            schema: None,
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

    /// Declares the variables of statements before they run: a declaration holds for the whole text behind it, whether control
    /// comes by or not.
    ///
    /// # Errors
    /// 134 if a name is declared twice.
    pub(crate) fn hoist(&mut self, statements: &[Statement]) -> Result<(), SqlError> {
        for statement in statements {
            match &statement.kind {
                StatementKind::Declare(declarations) => {
                    for declaration in declarations {
                        self.hoist_one(declaration).map_err(|e| e.at(statement.pos.line))?;
                    }
                }
                StatementKind::Block(body) => self.hoist(body)?,
                StatementKind::If { then, otherwise, .. } => {
                    self.hoist(std::slice::from_ref(then))?;
                    if let Some(otherwise) = otherwise {
                        self.hoist(std::slice::from_ref(otherwise))?;
                    }
                }
                StatementKind::While { body, .. } => self.hoist(std::slice::from_ref(body))?,
                StatementKind::TryCatch { body, handler } => {
                    self.hoist(body)?;
                    self.hoist(handler)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn hoist_one(&mut self, declaration: &Declaration) -> Result<(), SqlError> {
        let Declaration::Variable { name, data_type, .. } = declaration else { return Ok(()) };
        // A type that is unknown is an error of the declaration, when that runs.
        let Ok(ty) = declared_type(data_type) else { return Ok(()) };
        self.declare(name, Variable { ty, collation: None, value: Value::Null })
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
