//! Assignments that read what they assign: `SELECT @x = @x + c FROM t`, `UPDATE t SET @x = c = @x + 1`.
//!
//! Each row must see what the one before assigned, so the query yields the columns that the expressions need, and the
//! expressions are evaluated row by row with those columns and the variables as parameters.

use lab_tsql::ast::Select;

use super::query::OutColumn;
use super::{Binder, ColumnFacts, ParamSource};
use crate::error::SqlError;
use crate::types::SqlType;

/// What is evaluated for each row: one expression for each assignment, over captured columns and variables.
#[derive(Debug, Clone)]
pub(crate) struct RowExpressions {
    /// SQL of the columns that the rows must have.
    captured: Vec<String>,
    /// SQL of the values, in the order of the assignments.
    pub(crate) values: Vec<String>,
}

impl RowExpressions {
    pub(super) fn new(captured: Vec<String>, values: Vec<String>) -> RowExpressions {
        RowExpressions { captured, values }
    }

    /// The select list that yields what the expressions need.
    pub(super) fn list(&self) -> String {
        if self.captured.is_empty() {
            return "1 AS c1".to_owned();
        }
        let items: Vec<String> =
            self.captured.iter().enumerate().map(|(n, sql)| format!("{sql} AS c{}", n + 1)).collect();
        items.join(",")
    }

    /// The bare columns behind other ones of a list.
    pub(super) fn more(&self) -> &[String] {
        &self.captured
    }

    /// The columns of that list; nobody is shown them.
    pub(super) fn columns(&self) -> Vec<OutColumn> {
        let column = OutColumn {
            name: None,
            ty: SqlType::Int,
            nullable: true,
            collation: None,
            facts: ColumnFacts::default(),
        };
        vec![column; self.captured.len().max(1)]
    }
}

impl Binder<'_> {
    /// The type of a variable that is assigned: the function's being expanded, or the session's.
    pub(super) fn assigned_type(&self, folded: &str) -> Option<SqlType> {
        match self.arguments.last() {
            Some(own) => own.get(folded).map(|v| v.ty),
            None => self.env.variables.variable(folded).map(|(ty, _)| ty),
        }
    }

    /// Whether any of these variables is read by what was bound so far.
    pub(super) fn reads_any(&self, variables: &[String]) -> bool {
        self.params.iter().any(
            |p| matches!(p, ParamSource::Variable(name) if variables.iter().any(|v| v.to_lowercase() == *name)),
        )
    }

    /// Binds the select list of such an assignment. A grouped or distinct one is computed as a whole, as ever.
    pub(super) fn row_expressions(
        &mut self,
        select: &Select,
        assigns: &[String],
    ) -> Result<Option<RowExpressions>, SqlError> {
        // A function's variables are no parameters: see `scalar`.
        if assigns.is_empty()
            || !self.arguments.is_empty()
            || select.distinct
            || self.scope().grouping.is_some()
            || self.scope().saw_window
            || !self.reads_any(assigns)
        {
            return Ok(None);
        }
        self.scope().captured = Some(Vec::new());
        let items = self.items(&select.items, !select.from.is_empty());
        let captured = self.scope().captured.take().unwrap_or_default();
        let values = items?.into_iter().map(|i| i.bound.sql).collect();
        Ok(Some(RowExpressions::new(captured, values)))
    }
}
