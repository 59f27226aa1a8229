//! Bulk load: INSERT BULK announces it, the client's rows follow as a stream of their own.
//!
//! Unlike SQL Server without CHECK_CONSTRAINTS, constraints are always judged: a rehearsal should not load what the real
//! table would later refuse to trust.

use lab_tsql::ast::{Ident, InsertBulk, Target};
use rusqlite::types::Value;

use super::insert::{Cell, Source, listed_columns, place_cells};
use super::target::WriteTarget;
use super::{Frame, Stop};
use crate::bind::{Bound, declared_type};
use crate::catalog::Column;
use crate::error::SqlError;
use crate::request::{BulkColumn, Outcome};
use crate::session::Session;
use crate::sink::{Done, DoneKind, Sink};
use crate::types::{ConvertContext, ConvertKind, SqlType, convert};

/// What INSERT BULK has announced.
#[derive(Debug, Clone)]
pub(crate) struct BulkTarget {
    insert: InsertBulk,
}

/// How many rows are written at a time.
const CHUNK: usize = 1000;

/// Why a client's rows end before their end.
#[derive(Debug)]
pub enum RowsEnd {
    /// What came is no row.
    Wrong(SqlError),
    /// The client has cancelled the load: nothing of it stays, and that is no error.
    Cancelled,
    /// The client is gone.
    Closed,
}

impl From<SqlError> for RowsEnd {
    fn from(e: SqlError) -> RowsEnd {
        RowsEnd::Wrong(e)
    }
}

impl From<RowsEnd> for Stop {
    fn from(end: RowsEnd) -> Stop {
        match end {
            RowsEnd::Wrong(e) => Stop::Error(e),
            RowsEnd::Cancelled => Stop::Cancelled,
            RowsEnd::Closed => Stop::Closed,
        }
    }
}

/// Yields the rows that a client sends, in the types it declared.
pub type NextRow<'a> = dyn FnMut() -> Result<Option<Vec<Value>>, RowsEnd> + 'a;

impl Session {
    /// INSERT BULK: what comes next are rows.
    pub(super) fn announce_bulk(&mut self, frame: &Frame, insert: &InsertBulk) -> Result<(), SqlError> {
        let target = Target::Table(insert.table.clone());
        self.bind(frame, |b| b.target(&target))?;
        for (_, ty) in &insert.columns {
            declared_type(ty)?;
        }
        self.bulk = Some(BulkTarget { insert: insert.clone() });
        Ok(())
    }

    /// Whether the next thing to come are the rows of a bulk load.
    pub fn awaits_bulk(&self) -> bool {
        self.bulk.is_some()
    }

    /// Loads the rows that `next` yields into the table that INSERT BULK announced, as one statement.
    pub fn run_bulk(
        &mut self,
        columns: &[BulkColumn],
        next: &mut NextRow<'_>,
        sink: &mut dyn Sink,
    ) -> Outcome {
        let announced = self.bulk.take();
        self.request("BULK INSERT", "", sink, |s, sink| {
            let bulk = announced.ok_or_else(|| SqlError::new(4002, 16, 1, "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly."))?;
            let mut frame = Frame::batch();
            let count = s.atomically(sink, |s, sink| s.load(&mut frame, &bulk.insert, columns, next, sink))?;
            sink.done(Done { kind: DoneKind::Statement, rows: Some(count), command: Done::INSERT, error: false });
            s.row_count = count as i64;
            Ok(())
        })
    }

    /// Another request comes in the place of the announced rows: they will not come any more.
    pub fn forget_bulk(&mut self) {
        self.bulk = None;
    }

    /// Ends a bulk load whose rows never came to be.
    pub fn give_up_bulk(&mut self, why: RowsEnd, sink: &mut dyn Sink) -> Outcome {
        self.bulk = None;
        self.request("BULK INSERT", "", sink, |_, _| Err(why.into()))
    }

    fn load(
        &mut self,
        frame: &mut Frame,
        insert: &InsertBulk,
        sent: &[BulkColumn],
        next: &mut NextRow<'_>,
        sink: &mut dyn Sink,
    ) -> Result<u64, Stop> {
        let option = |name: &str| insert.options.iter().any(|o| o == name);
        let found = self.bind(frame, |b| b.target(&Target::Table(insert.table.clone())))?.bound;
        self.may_change(frame, &found, "INSERT")?;
        let target = self.enter_target(frame, &found)?;
        let table = target.table()?;
        // A column that INSERT BULK names and the client's metadata names are the same ones, in the same order.
        let names: Vec<Ident> = if insert.columns.is_empty() {
            sent.iter().map(|c| Ident::new(&*c.name)).collect()
        } else {
            insert.columns.iter().map(|(n, _)| n.clone()).collect()
        };
        if names.len() != sent.len() {
            return Err(SqlError::new(4819, 16, 1, "Cannot bulk load. The bulk data stream was incorrectly specified as sorted or the data violates the declared columns.").into());
        }
        let explicit_identity = table
            .identity_column()
            .is_some_and(|i| names.iter().any(|n| crate::catalog::same_name(&n.value, &i.name)));
        let places = listed_columns(table, &target.object.name, &names, explicit_identity)?;
        let name = target.full_name();
        let plan = self.bind(frame, |b| {
            let mut extra: Vec<Bound> = places.iter().map(|_| Bound::null()).collect();
            let cells = place_cells(b, table, &name, &places, &mut extra)?;
            let defaults = extra.split_off(places.len());
            Ok((cells, defaults))
        })?;
        let keep_nulls = option("KEEP_NULLS");
        let defaults: Vec<Option<Value>> = places
            .iter()
            .map(|at| {
                table
                    .columns
                    .get(*at)
                    .filter(|_| !keep_nulls)
                    .and_then(|c| c.default.as_ref())
                    .and_then(|d| d.constant.as_ref())
                    .map(|v| v.0.clone())
            })
            .collect();
        let before = self.settings.identity_insert;
        if explicit_identity {
            self.settings.identity_insert = Some((target.database, target.object.id));
        }
        let context = ConvertContext { date_format: self.settings.date_format, ..ConvertContext::default() };
        let fields: Vec<Field<'_>> = sent
            .iter()
            .zip(&places)
            .zip(defaults)
            .filter_map(|((c, at), default)| {
                table.columns.get(*at).map(|column| Field { from: c.ty, column, default })
            })
            .collect();
        let done = self.load_chunks(frame, &target, &plan, &fields, (&name, &context), next, sink);
        self.settings.identity_insert = before;
        done
    }

    fn load_chunks(
        &mut self,
        frame: &mut Frame,
        target: &WriteTarget,
        plan: &super::query::Plan<(Vec<Cell>, Vec<Bound>)>,
        fields: &[Field<'_>],
        (name, context): (&str, &ConvertContext),
        next: &mut NextRow<'_>,
        sink: &mut dyn Sink,
    ) -> Result<u64, Stop> {
        let (cells, computed) = &plan.bound;
        let list: Vec<&str> = computed.iter().map(|b| b.sql.as_str()).collect();
        let computed_sql = (!list.is_empty()).then(|| format!("SELECT {}", list.join(",")));
        let mut total = 0;
        let mut at_end = false;
        while !at_end {
            let mut rows = Vec::with_capacity(CHUNK);
            while rows.len() < CHUNK {
                let Some(given) = next()? else {
                    at_end = true;
                    break;
                };
                let mut row = Vec::with_capacity(given.len() + list.len());
                for (value, field) in given.into_iter().zip(fields) {
                    row.push(field.accept(value, name, context)?);
                }
                if let Some(sql) = &computed_sql {
                    row.extend(self.collect(frame, plan, sql)?.into_iter().next().unwrap_or_default());
                }
                rows.push(row);
            }
            if self.interrupt.cancelled() {
                return Err(Stop::Cancelled);
            }
            total += self.insert_rows(frame, target, Source { rows, cells: cells.clone() }, false, sink)?.0;
        }
        Ok(total)
    }
}

/// A column that the client sends.
struct Field<'a> {
    from: SqlType,
    column: &'a Column,
    /// What stands for a NULL without KEEP_NULLS.
    default: Option<Value>,
}

impl Field<'_> {
    fn accept(&self, value: Value, table: &str, context: &ConvertContext) -> Result<Value, SqlError> {
        if value == Value::Null {
            return Ok(self.default.clone().unwrap_or(Value::Null));
        }
        // Clients send xml as nvarchar(max) here, with the mark of its byte order, which is no part of the document.
        let value = match value {
            Value::Text(t) if self.column.ty == SqlType::Xml => {
                Value::Text(t.trim_start_matches('\u{feff}').to_owned())
            }
            other => other,
        };
        if self.from == self.column.ty {
            return Ok(value);
        }
        convert(&value, self.from, self.column.ty, None, ConvertKind::Assign, context).map_err(|e| {
            match e.number {
                2628 => {
                    let shown = e
                        .message
                        .rsplit_once("Truncated value: '")
                        .map_or("", |(_, v)| v)
                        .trim_end_matches("'.")
                        .to_owned();
                    SqlError::truncated_in(table, &self.column.name, &shown)
                }
                _ => e,
            }
        })
    }
}
