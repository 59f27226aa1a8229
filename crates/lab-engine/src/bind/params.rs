//! What the parameters of lowered SQL stand for: variables, and values that are fixed while a statement runs.

use rusqlite::types::Value;

use super::{Binder, Bound};
use crate::types::{Collation, SqlType};

/// Where the value of a `?n` comes from when the statement starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ParamSource {
    /// A variable, by its folded name.
    Variable(String),
    /// A fact of the session.
    System(SystemValue),
    /// A value known when binding, too large or too odd for SQL text.
    Constant(Value),
    /// The n-th column that a select list which reads its own variables needs of each row.
    Captured(usize),
}

/// Values that stay the same while one statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemValue {
    /// The clock, local time = UTC here, in 100 ns ticks since 0001-01-01 (`datetime2(7)`).
    Now,
    /// `@@ROWCOUNT`.
    RowCount,
    /// `@@ERROR`.
    Error,
    /// `@@TRANCOUNT`.
    TranCount,
    /// `@@IDENTITY`.
    Identity,
    /// `SCOPE_IDENTITY()`.
    ScopeIdentity,
    /// `@@NESTLEVEL`.
    NestLevel,
    /// `@@PROCID`.
    ProcId,
    /// `@@FETCH_STATUS`.
    FetchStatus,
    /// `@@OPTIONS`.
    Options,
    /// `@@TEXTSIZE`.
    TextSize,
    /// `XACT_STATE()`.
    XactState,
    /// `ERROR_NUMBER()` and its kin, of the CATCH block that runs.
    ErrorNumber,
    /// See [`SystemValue::ErrorNumber`].
    ErrorSeverity,
    /// See [`SystemValue::ErrorNumber`].
    ErrorState,
    /// See [`SystemValue::ErrorNumber`].
    ErrorLine,
    /// See [`SystemValue::ErrorNumber`].
    ErrorProcedure,
    /// See [`SystemValue::ErrorNumber`].
    ErrorMessage,
    /// `@@DBTS`.
    DbTs,
    /// `CURRENT_TRANSACTION_ID()`.
    TransactionId,
    /// `RAND()` without a seed.
    Random,
}

/// The variables in scope, by folded name.
pub(crate) trait VariableTypes {
    /// The type of a variable; `None` if it was not declared (137).
    fn variable(&self, name: &str) -> Option<(SqlType, Option<Collation>)>;
    /// The object id in the session's temporary catalog of a table variable.
    fn table_variable(&self, name: &str) -> Option<i32>;
}

impl Binder<'_> {
    /// The SQL text that stands for a parameter; the same source gets the same number.
    pub(crate) fn param(&mut self, source: ParamSource) -> String {
        let at = self.params.iter().position(|p| *p == source).unwrap_or_else(|| {
            self.params.push(source);
            self.params.len() - 1
        });
        format!("?{}", at + 1)
    }

    pub(crate) fn system(&mut self, value: SystemValue, ty: SqlType, nullable: bool) -> Bound {
        let sql = self.param(ParamSource::System(value));
        Bound::new(sql, ty, nullable)
    }
}
