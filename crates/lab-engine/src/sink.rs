//! What a statement says to its client: result sets, counts, messages and changes of the environment, in order.
//!
//! The engine knows nothing of TDS; the instance turns these calls into tokens.

use rusqlite::types::Value;

use crate::error::SqlError;
use crate::types::{Collation, SqlType};

/// One column of a result set, known before its first row.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnMeta {
    /// The name shown to the client; empty for an expression without alias.
    pub name: String,
    /// The T-SQL type; rows carry its storage representation.
    pub ty: SqlType,
    /// Whether a NULL may occur.
    pub nullable: bool,
    /// The collation of a character column, the database's otherwise.
    pub collation: Collation,
    /// Whether the column is an identity column of a table.
    pub identity: bool,
    /// Whether the column is computed.
    pub computed: bool,
    /// Whether the column comes straight from a table, so that a client could update it.
    pub updatable: bool,
}

impl ColumnMeta {
    /// A plain nullable column of the default collation, as system procedures return them.
    pub fn new(name: &str, ty: SqlType) -> ColumnMeta {
        ColumnMeta {
            name: name.to_owned(),
            ty,
            nullable: true,
            collation: Collation::default(),
            identity: false,
            computed: false,
            updatable: false,
        }
    }
}

/// Which of TDS's three completion tokens a statement ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoneKind {
    /// A statement of a batch (DONE).
    Statement,
    /// A statement inside a procedure (DONEINPROC).
    InProc,
    /// A procedure (DONEPROC).
    Proc,
}

/// The completion of a statement or a procedure. "More follows" is the instance's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Which token.
    pub kind: DoneKind,
    /// Rows affected or returned, if the statement counts rows and NOCOUNT is off.
    pub rows: Option<u64>,
    /// The token of the statement (MS-TDS 2.2.7.6 CurCmd): SELECT 0xC1, INSERT 0xC3, DELETE 0xC4, UPDATE 0xC5.
    pub command: u16,
    /// The statement failed.
    pub error: bool,
}

impl Done {
    /// CurCmd of SELECT.
    pub const SELECT: u16 = 0xC1;
    /// CurCmd of INSERT.
    pub const INSERT: u16 = 0xC3;
    /// CurCmd of DELETE.
    pub const DELETE: u16 = 0xC4;
    /// CurCmd of UPDATE.
    pub const UPDATE: u16 = 0xC5;
    /// CurCmd of any statement that neither returns nor changes rows.
    pub const OTHER: u16 = 0xFD;
}

/// A change of the session's environment that clients keep track of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChange {
    /// The current database.
    Database {
        /// The database in use from now on.
        new: String,
        /// The one in use before.
        old: String,
    },
    /// The language of messages.
    Language {
        /// The language from now on.
        new: String,
        /// The language before.
        old: String,
    },
    /// The collation of the current database.
    Collation(Collation),
    /// A transaction began; its descriptor.
    BeginTransaction(u64),
    /// A transaction committed; its descriptor.
    CommitTransaction(u64),
    /// A transaction was rolled back; its descriptor.
    RollbackTransaction(u64),
    /// The answer to RESETCONNECTION.
    ResetConnection,
}

/// An output parameter on its way back to the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnValue {
    /// Position of the parameter in the call, from 0.
    pub ordinal: u16,
    /// The parameter's name with its `@`; empty if it was passed by position.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Its collation, if it is a character type.
    pub collation: Collation,
    /// Its value in storage representation.
    pub value: Value,
}

/// The client is gone: whatever runs for it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkClosed;

/// Where a statement's answer goes.
pub trait Sink {
    /// Starts a result set.
    fn columns(&mut self, columns: &[ColumnMeta]);
    /// One row of the result set started last, each value in its column's storage representation.
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed>;
    /// A statement is complete.
    fn done(&mut self, done: Done);
    /// A message of severity 10 or less.
    fn info(&mut self, message: &SqlError);
    /// An error.
    fn error(&mut self, error: &SqlError);
    /// The environment changed.
    fn env(&mut self, change: EnvChange);
    /// A procedure's return status.
    fn return_status(&mut self, status: i32);
    /// An output parameter.
    fn return_value(&mut self, value: &ReturnValue);
    /// Ends this session's wish to buffer: what was said so far should reach the client (RAISERROR WITH NOWAIT).
    fn flush(&mut self) -> Result<(), SinkClosed>;
}
