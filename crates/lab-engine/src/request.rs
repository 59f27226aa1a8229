//! What a client asks of a session, beside plain batches.

use rusqlite::types::Value;

use crate::types::{Collation, SqlType};

/// How a session goes on after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Ready for the next request.
    Continue,
    /// The request was cancelled by an Attention, which is to be acknowledged.
    Cancelled,
    /// The session ends: a fatal error was sent, or the client is gone.
    Disconnect,
}

/// The procedure that a remote procedure call names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcName {
    /// One of the well-known procedures (MS-TDS 2.2.6.6, ProcID): 1 sp_cursor ... 10 sp_executesql, 15 sp_unprepare.
    Id(u16),
    /// A procedure by its name, possibly of several parts.
    Name(String),
}

/// One parameter of a remote procedure call.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcParam {
    /// With its `@`; empty when passed by position.
    pub name: String,
    /// The caller wants the value back.
    pub output: bool,
    /// The caller asks for the parameter's default.
    pub default: bool,
    /// The type on the wire.
    pub ty: SqlType,
    /// The collation on the wire.
    pub collation: Collation,
    /// The value in storage representation.
    pub value: Value,
}

/// A remote procedure call.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcCall {
    /// What to call.
    pub procedure: ProcName,
    /// With what.
    pub params: Vec<RpcParam>,
    /// The client has the result's metadata already (fNoMetaData).
    pub no_metadata: bool,
}

/// An isolation level, as T-SQL names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// READ UNCOMMITTED: here the same as READ COMMITTED, since readers never wait.
    ReadUncommitted,
    /// READ COMMITTED, with row versions (as under READ_COMMITTED_SNAPSHOT).
    #[default]
    ReadCommitted,
    /// REPEATABLE READ: takes the write lock at its first read.
    RepeatableRead,
    /// SERIALIZABLE: takes the write lock at its first read.
    Serializable,
    /// SNAPSHOT: one read transaction, 3960 on a conflicting write.
    Snapshot,
}

/// A transaction-manager request (MS-TDS 2.2.6.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionRequest {
    /// TM_BEGIN_XACT.
    Begin {
        /// The level asked for; `None` keeps the session's.
        isolation: Option<Isolation>,
        /// The transaction's name, possibly empty.
        name: String,
    },
    /// TM_COMMIT_XACT.
    Commit {
        /// The transaction's name, possibly empty.
        name: String,
        /// Begin another one at once, with that level.
        then_begin: Option<(Option<Isolation>, String)>,
    },
    /// TM_ROLLBACK_XACT.
    Rollback {
        /// The transaction's or savepoint's name, possibly empty.
        name: String,
        /// Begin another one at once, with that level.
        then_begin: Option<(Option<Isolation>, String)>,
    },
    /// TM_SAVE_XACT.
    Save {
        /// The savepoint's name.
        name: String,
    },
}

/// One column that a bulk load sends, as the client's COLMETADATA declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkColumn {
    /// The column's name.
    pub name: String,
    /// The type on the wire.
    pub ty: SqlType,
    /// The collation on the wire.
    pub collation: Collation,
}
