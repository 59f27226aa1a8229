//! Conditions.

use lab_tsql::ast::{CompareOp, Expr, Quantifier, Query};

use super::compare::collate;
use super::expr::compare_sql;
use super::{Binder, Bound};
use crate::error::SqlError;
use crate::types::SqlType;

impl Binder<'_> {
    /// Binds a condition to SQL that is 1, 0 or NULL.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Result<String, SqlError> {
        self.condition_with(expr).map(|(sql, _)| sql)
    }

    /// Also tells which column of a grouped query stands in it ungrouped.
    pub(crate) fn condition_with(&mut self, expr: &Expr) -> Result<(String, Option<String>), SqlError> {
        self.nested(|b| b.condition_inner(expr))
    }

    fn condition_inner(&mut self, expr: &Expr) -> Result<(String, Option<String>), SqlError> {
        match expr {
            Expr::Nested(inner) => self.condition_with(inner).map(|(sql, u)| (format!("({sql})"), u)),
            Expr::And(a, b) => self.connect("AND", a, b),
            Expr::Or(a, b) => self.connect("OR", a, b),
            Expr::Not(a) => self.condition_with(a).map(|(sql, u)| (format!("(NOT {sql})"), u)),
            Expr::Compare { op, left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                let sql = self.compare(compare_sql(*op), &left, &right)?;
                Ok((sql, left.ungrouped.or(right.ungrouped)))
            }
            Expr::IsNull { operand, negated } => {
                let operand = self.expr(operand)?;
                Ok((
                    format!("({} IS {}NULL)", operand.sql, if *negated { "NOT " } else { "" }),
                    operand.ungrouped,
                ))
            }
            Expr::DistinctFrom { left, right, negated } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                let sql = self.compare(if *negated { "IS" } else { "IS NOT" }, &left, &right)?;
                Ok((sql, left.ungrouped.or(right.ungrouped)))
            }
            Expr::Like { operand, pattern, escape, negated } => {
                self.like(operand, pattern, escape.as_deref(), *negated)
            }
            Expr::Between { operand, low, high, negated } => {
                let parts = [self.expr(operand)?, self.expr(low)?, self.expr(high)?];
                let ungrouped = parts.iter().find_map(|p| p.ungrouped.clone());
                let (sqls, collation) = self.comparable(&parts, "between")?;
                let [value, low, high] = sqls.as_slice() else {
                    return Err(SqlError::internal("BETWEEN without bounds"));
                };
                let not = if *negated { "NOT " } else { "" };
                Ok((format!("({value}{} {not}BETWEEN {low} AND {high})", collate(collation)), ungrouped))
            }
            Expr::InList { operand, list, negated } => {
                let mut parts = vec![self.expr(operand)?];
                for item in list {
                    parts.push(self.expr(item)?);
                }
                let ungrouped = parts.iter().find_map(|p| p.ungrouped.clone());
                let (sqls, collation) = self.comparable(&parts, "in")?;
                let (value, items) =
                    sqls.split_first().ok_or_else(|| SqlError::internal("IN without a value"))?;
                let not = if *negated { "NOT " } else { "" };
                Ok((format!("({value}{} {not}IN ({}))", collate(collation), items.join(",")), ungrouped))
            }
            Expr::InQuery { operand, query, negated } => self.in_query(operand, query, *negated),
            Expr::Exists(query) => {
                let bound = self.subquery(query)?;
                Ok((format!("EXISTS({})", bound.sql), None))
            }
            Expr::Quantified { op, operand, quantifier, query } => {
                self.quantified(*op, operand, *quantifier, query)
            }
            other => {
                let bound = self.expr(other)?;
                Err(SqlError::not_a_condition(&bound.ty.to_string()))
            }
        }
    }

    fn connect(&mut self, word: &str, a: &Expr, b: &Expr) -> Result<(String, Option<String>), SqlError> {
        let ((a, ua), (b, ub)) = (self.condition_with(a)?, self.condition_with(b)?);
        Ok((format!("({a} {word} {b})"), ua.or(ub)))
    }

    fn like(
        &mut self,
        operand: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
    ) -> Result<(String, Option<String>), SqlError> {
        let (value, pattern) = (self.expr(operand)?, self.expr(pattern)?);
        let escape = escape.map(|e| self.expr(e)).transpose()?;
        let (collation, _) = self.meet_collation(&value, &pattern, "like")?;
        let collation = collation.unwrap_or_else(|| self.database_collation());
        let text = |b: &mut Self, part: &Bound| {
            if part.ty.is_character() {
                Ok(part.clone())
            } else {
                b.implicit(part, crate::types::text_form(part.ty))
            }
        };
        let (v, p) = (text(self, &value)?, text(self, &pattern)?);
        let escape = escape.map_or("NULL".to_owned(), |e| e.sql);
        let exact = i64::from(v.ty.is_national() || p.ty.is_national());
        let sql = format!("t_like({},{},{escape},'{}',{exact})", v.sql, p.sql, collation.name());
        Ok((if negated { format!("(NOT {sql})") } else { sql }, value.ungrouped.or(pattern.ungrouped)))
    }

    fn in_query(
        &mut self,
        operand: &Expr,
        query: &Query,
        negated: bool,
    ) -> Result<(String, Option<String>), SqlError> {
        let value = self.expr(operand)?;
        let inner = self.subquery(query)?;
        let [column] = inner.columns.as_slice() else { return Err(SqlError::one_expression_only()) };
        let other = Bound {
            collation: column.collation,
            collation_strength: super::Strength::Implicit,
            ..Bound::new("z.c1", column.ty, column.nullable)
        };
        let (sqls, collation) = self.comparable(&[value.clone(), other], "in")?;
        let [left, right] = sqls.as_slice() else { return Err(SqlError::internal("IN without sides")) };
        let not = if negated { "NOT " } else { "" };
        let source =
            if right == "z.c1" { inner.sql } else { format!("SELECT {right} FROM ({}) AS z", inner.sql) };
        Ok((format!("({left}{} {not}IN ({source}))", collate(collation)), value.ungrouped))
    }

    fn quantified(
        &mut self,
        op: CompareOp,
        operand: &Expr,
        quantifier: Quantifier,
        query: &Query,
    ) -> Result<(String, Option<String>), SqlError> {
        let value = self.expr(operand)?;
        let inner = self.subquery(query)?;
        let [column] = inner.columns.as_slice() else { return Err(SqlError::one_expression_only()) };
        let other = Bound { collation: column.collation, ..Bound::new("z.c1", column.ty, true) };
        let test = self.compare(compare_sql(op), &value, &other)?;
        let sql = match quantifier {
            Quantifier::Any => format!("EXISTS(SELECT 1 FROM ({}) AS z WHERE {test})", inner.sql),
            Quantifier::All => {
                format!("(NOT EXISTS(SELECT 1 FROM ({}) AS z WHERE ({test}) IS NOT TRUE))", inner.sql)
            }
        };
        Ok((sql, value.ungrouped))
    }

    /// A subquery as a value: an error if it has two rows.
    pub(crate) fn scalar_subquery(&mut self, query: &Query) -> Result<Bound, SqlError> {
        let inner = self.subquery(query)?;
        let [column] = inner.columns.as_slice() else { return Err(SqlError::one_expression_only()) };
        let sql = if inner.single_row {
            format!("({})", inner.sql)
        } else {
            format!("(SELECT t_single(z.c1) FROM ({}) AS z)", inner.sql)
        };
        let ty: SqlType = column.ty;
        Ok(Bound {
            collation: column.collation,
            collation_strength: super::Strength::Implicit,
            ..Bound::new(sql, ty, true)
        })
    }
}
