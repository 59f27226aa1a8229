//! UPDATE.

use std::collections::BTreeSet;

use lab_tsql::ast::Update;
use rusqlite::types::Value;

use super::target::WriteTarget;
use super::{Frame, Stop};
use crate::bind::{ChangeClauses, SetTarget};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::{Done, Sink};
use crate::store::{Changed, WriteKind};
use crate::types::SqlType;

/// A row that changes: where it is, what it was, what it becomes.
struct Changing {
    rowid: i64,
    old: Vec<Value>,
    new: Vec<Value>,
}

/// Takes the columns of the other sources off the rows.
pub(super) fn split_beside(
    beside: &[crate::bind::Source],
    rows: &mut [(i64, Vec<Value>, Vec<Value>)],
) -> Vec<Vec<Value>> {
    let width: usize = beside.iter().map(|s| s.columns.len()).sum();
    rows.iter_mut().map(|(_, _, more)| more.split_off(more.len().saturating_sub(width))).collect()
}

impl Session {
    pub(super) fn run_update(
        &mut self,
        frame: &mut Frame,
        update: &Update,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let count = self.atomically(sink, |s, sink| {
            let clauses = ChangeClauses {
                with: &update.with,
                top: update.top.as_ref(),
                target: &update.target,
                from: &update.from,
                filter: update.filter.as_ref(),
                set: &update.set,
                output: update.output.is_some(),
            };
            // Bound once to know the table, and again under its lock, when nobody can change it any more.
            let found = s.bind(frame, |b| b.change(&clauses))?.bound.target;
            s.may_change(frame, &found, "UPDATE")?;
            let target = s.enter_target(frame, &found)?;
            let plan = s.bind(frame, |b| b.change(&clauses))?;
            let sql = plan.bound.sql.clone();
            let width = target.table()?.columns.len();
            let mut rows = s.changing_rows(frame, &plan, &sql, width)?;
            let beside = split_beside(&plan.bound.beside, &mut rows);
            if let Some(expressions) = &plan.bound.row_expressions {
                let mut evaluator = s.row_evaluator(frame, &plan.params)?;
                for (_, _, row) in &mut rows {
                    let mut values = Vec::new();
                    for (set, expression) in plan.bound.sets.iter().zip(&expressions.values) {
                        let value = evaluator.value(&s.conn, expression, row)?;
                        if let Some(variable) = set.variable() {
                            evaluator.assign(variable, &value);
                        }
                        values.push(value);
                    }
                    *row = values;
                }
            }
            let mut rows = s.new_values(&target, rows, &plan.bound.sets)?;
            s.write_updates(&target, &mut rows.0, &plan.bound.sets)?;
            if let Some(last) = rows.1.last() {
                for (name, value) in last {
                    frame.set(name, value.clone());
                }
            }
            let changes: Vec<Changed> =
                rows.0.into_iter().map(|r| Changed { old: Some(r.old), new: Some(r.new) }).collect();
            s.written(&target, &changes, WriteKind::Update, changes.len() as u64)?;
            if let Some(output) = &update.output {
                let beside = (plan.bound.beside.as_slice(), beside);
                s.run_output(frame, output, &target, (&changes, WriteKind::Update), beside, sink)?;
            }
            Ok(changes.len() as u64)
        })?;
        self.statement_over(frame, Done::UPDATE, Some(count), sink);
        Ok(())
    }

    /// Rows of `SELECT rowid, columns, new values`, each table row once: of several matches the first one counts.
    pub(super) fn changing_rows<T>(
        &mut self,
        frame: &Frame,
        plan: &super::query::Plan<T>,
        sql: &str,
        width: usize,
    ) -> Result<Vec<(i64, Vec<Value>, Vec<Value>)>, Stop> {
        let limit = if self.settings.rowcount == 0 { u64::MAX } else { self.settings.rowcount };
        let mut seen = BTreeSet::new();
        let mut rows = Vec::new();
        self.rows(frame, plan, sql, |row| {
            // An outer join's missing row has no rowid.
            if let Some(Value::Integer(rowid)) = row.first()
                && seen.insert(*rowid)
            {
                let old = row.get(1..=width).unwrap_or_default().to_vec();
                rows.push((*rowid, old, row.get(width + 1..).unwrap_or_default().to_vec()));
            }
            Ok((rows.len() as u64) < limit)
        })?;
        Ok(rows)
    }

    #[expect(clippy::type_complexity, reason = "rows, and for each row the variables it assigns")]
    fn new_values(
        &self,
        target: &WriteTarget,
        rows: Vec<(i64, Vec<Value>, Vec<Value>)>,
        sets: &[SetTarget],
    ) -> Result<(Vec<Changing>, Vec<Vec<(String, Value)>>), SqlError> {
        let table = target.table()?;
        let version = table.columns.iter().position(|c| c.ty == SqlType::RowVersion);
        let mut out = Vec::new();
        let mut variables = Vec::new();
        for (rowid, old, values) in rows {
            let mut new = old.clone();
            let mut assigned = Vec::new();
            for (set, value) in sets.iter().zip(values) {
                match set {
                    SetTarget::Column(at, variable) => {
                        if let Some(variable) = variable {
                            assigned.push((variable.clone(), value.clone()));
                        }
                        if let Some(slot) = new.get_mut(*at) {
                            *slot = value;
                        }
                    }
                    SetTarget::Variable(name) => assigned.push((name.clone(), value)),
                }
            }
            if let Some(slot) = version.and_then(|at| new.get_mut(at)) {
                *slot = self.next_rowversion(target)?;
            }
            out.push(Changing { rowid, old, new });
            variables.push(assigned);
        }
        Ok((out, variables))
    }

    fn write_updates(
        &self,
        target: &WriteTarget,
        rows: &mut [Changing],
        sets: &[SetTarget],
    ) -> Result<(), SqlError> {
        let table = target.table()?;
        let mut columns: Vec<usize> = sets
            .iter()
            .filter_map(|s| match s {
                SetTarget::Column(at, _) => Some(*at),
                SetTarget::Variable(_) => None,
            })
            .collect();
        columns.extend(table.columns.iter().position(|c| c.ty == SqlType::RowVersion));
        if columns.is_empty() {
            return Ok(());
        }
        let writer = target.writer(&self.conn, WriteKind::Update)?;
        if rows.len() > 1 && writer.moves_keys(&columns) {
            // Two rows may trade keys: all of them go before any of them comes back.
            for row in rows.iter() {
                writer.delete(row.rowid)?;
            }
            for row in rows.iter() {
                writer.insert_at(row.rowid, &row.new)?;
            }
            return Ok(());
        }
        rows.iter().try_for_each(|row| {
            self.unless_killed()?;
            writer.update(row.rowid, &columns, &row.new)
        })
    }
}
