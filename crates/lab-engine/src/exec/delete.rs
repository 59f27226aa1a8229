//! DELETE and TRUNCATE TABLE.

use lab_tsql::ast::{Delete, ObjectName};

use super::update::split_beside;
use super::{Frame, Stop};
use crate::bind::{ChangeClauses, alias_of};
use crate::catalog::ObjectKind;
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::{Done, Sink};
use crate::store::{Changed, WriteKind, table_name};

impl Session {
    pub(super) fn run_delete(
        &mut self,
        frame: &mut Frame,
        delete: &Delete,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let count = self.atomically(sink, |s, sink| {
            let clauses = ChangeClauses {
                with: &delete.with,
                top: delete.top.as_ref(),
                target: &delete.target,
                from: &delete.from,
                filter: delete.filter.as_ref(),
                set: &[],
                output: delete.output.is_some(),
            };
            let found = s.bind(frame, |b| b.change(&clauses))?.bound.target;
            s.may_change(frame, &found, "DELETE")?;
            let target = s.enter_target(frame, &found)?;
            let plan = s.bind(frame, |b| b.change(&clauses))?;
            let sql = plan.bound.sql.clone();
            let width = target.table()?.columns.len();
            let mut rows = s.changing_rows(frame, &plan, &sql, width)?;
            let beside = split_beside(&plan.bound.beside, &mut rows);
            let writer = target.writer(&s.conn, WriteKind::Delete)?;
            rows.iter()
                .try_for_each(|(rowid, _, _)| s.unless_killed().and_then(|()| writer.delete(*rowid)))?;
            drop(writer);
            let changes: Vec<Changed> =
                rows.into_iter().map(|(_, old, _)| Changed { old: Some(old), new: None }).collect();
            s.written(&target, &changes, WriteKind::Delete, changes.len() as u64)?;
            if let Some(output) = &delete.output {
                let beside = (plan.bound.beside.as_slice(), beside);
                s.run_output(frame, output, &target, (&changes, WriteKind::Delete), beside, sink)?;
            }
            Ok(changes.len() as u64)
        })?;
        self.statement_over(frame, Done::DELETE, Some(count), sink);
        Ok(())
    }

    pub(super) fn run_truncate(
        &mut self,
        frame: &Frame,
        name: &ObjectName,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        self.atomically(sink, |s, _| {
            let found = s.bind(frame, |b| b.find(name))?.bound;
            let found = found
                .filter(|f| matches!(f.object.kind, ObjectKind::Table(_)))
                .ok_or_else(|| SqlError::table_not_found(name.name()))?;
            s.enter_write(found.database)?;
            let catalog = s.catalog_of(found.database)?;
            if catalog.references_to(found.object.id).iter().any(|(owner, _)| owner.id != found.object.id) {
                return Err(SqlError::truncate_referenced(name.name()).into());
            }
            let alias = alias_of(found.database);
            let run = |sql: String| s.conn.execute(&sql, []).map_err(|e| SqlError::sqlite(&e));
            let rows = run(format!("DELETE FROM {}", table_name(&alias, found.object.id)))?;
            if found.database != 0 {
                run(format!("DELETE FROM {alias}._identity WHERE object_id={}", found.object.id))?;
            }
            s.tran.touched.add(found.database, found.object.id, WriteKind::Delete, rows as u64);
            s.server.set_identity((found.database, found.object.id), None);
            Ok(())
        })
    }
}
