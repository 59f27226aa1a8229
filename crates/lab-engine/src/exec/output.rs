//! The OUTPUT clause.

use lab_tsql::ast::Output;
use rusqlite::types::Value;

use super::query::metadata;
use super::target::WriteTarget;
use super::{Frame, Stop};
use crate::bind::{ParamSource, Source};
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
        (changes, kind): (&[Changed], WriteKind),
        (others, beside): (&[Source], Vec<Vec<Value>>),
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
            if !others.is_empty() {
                let packed: Vec<String> = beside.iter().map(|r| pack(r)).collect();
                let packed = Value::Text(serde_json::Value::from(packed).to_string());
                let param = b.param(ParamSource::Constant(packed));
                let (sql, alias, mut more) = b.packed_beside(others, &param);
                from.push((sql, alias));
                sources.append(&mut more);
            }
            // The n-th row of each belongs to the n-th change.
            let mut text = String::new();
            let mut first = String::new();
            for (n, (sql, alias)) in from.iter().enumerate() {
                if n == 0 {
                    text.push_str(sql);
                    first.clone_from(alias);
                } else {
                    text.push_str(&format!(" JOIN {sql} ON {first}.k={alias}.k"));
                }
            }
            text.push_str(&format!(" ORDER BY {first}.k"));
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
