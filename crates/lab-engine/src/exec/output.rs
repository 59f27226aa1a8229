//! The OUTPUT clause.

use lab_tsql::ast::Output;
use rusqlite::types::Value;

use super::query::metadata;
use super::target::WriteTarget;
use super::{Frame, Stop};
use crate::bind::ParamSource;
use crate::functions::pack;
use crate::session::Session;
use crate::sink::Sink;
use crate::store::{Changed, WriteKind};

impl Session {
    /// Answers OUTPUT from the rows that a statement changed: to the client, or into another table.
    ///
    /// Returns whether the client got a result set.
    pub(crate) fn run_output(
        &mut self,
        frame: &mut Frame,
        output: &Output,
        target: &WriteTarget,
        changes: &[Changed],
        kind: WriteKind,
        sink: &mut dyn Sink,
    ) -> Result<bool, Stop> {
        let table = target.table()?;
        let rows = |pick: fn(&Changed) -> Option<&Vec<Value>>| {
            let packed: Vec<String> = changes.iter().filter_map(pick).map(|r| pack(r)).collect();
            Value::Text(serde_json::Value::from(packed).to_string())
        };
        let plan = self.bind(frame, |b| {
            let mut from = Vec::new();
            let mut sources = Vec::new();
            if kind != WriteKind::Delete {
                let param = b.param(ParamSource::Constant(rows(|c| c.new.as_ref())));
                let (sql, source) = b.packed_source(table, &param, "inserted")?;
                from.push((sql, source.alias.clone()));
                sources.push(source);
            }
            if kind != WriteKind::Insert {
                let param = b.param(ParamSource::Constant(rows(|c| c.old.as_ref())));
                let (sql, source) = b.packed_source(table, &param, "deleted")?;
                from.push((sql, source.alias.clone()));
                sources.push(source);
            }
            let text = match from.as_slice() {
                [(one, alias)] => format!("{one} ORDER BY {alias}.k"),
                [(a, x), (b, y)] => format!("{a} JOIN {b} ON {x}.k={y}.k ORDER BY {x}.k"),
                _ => String::new(),
            };
            b.output_query(&output.items, &text, sources)
        })?;
        let sql = plan.bound.sql.clone();
        if let Some((into, columns)) = &output.into {
            let rows = self.collect(frame, &plan, &sql)?;
            let types: Vec<_> = plan.bound.columns.iter().map(|c| c.ty).collect();
            self.insert_values(frame, into, columns, rows, &types, sink)?;
            return Ok(false);
        }
        sink.columns(&metadata(&plan.bound.columns, self.database_collation()));
        self.rows(frame, &plan, &sql, |row| {
            sink.row(row).map_err(|_| Stop::Closed)?;
            Ok(true)
        })?;
        Ok(true)
    }
}
