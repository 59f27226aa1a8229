//! INSERT, and SELECT INTO.

use std::sync::Arc;

use lab_tsql::ast::{Expr, Ident, Insert, InsertSource, ObjectName, Query, Target};
use rusqlite::types::Value;

use super::query::Plan;
use super::sinks::Capture;
use super::target::WriteTarget;
use super::{Frame, Stop};
use crate::bind::{Binder, Bound, Resolved};
use crate::catalog::{Column, Table};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::{Done, Sink};
use crate::store::{Changed, WriteKind};
use crate::types::SqlType;

/// How many rows one VALUES of INSERT may have.
const ROW_VALUES_MAX: usize = 1000;

/// Where the value of a column comes from.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// The n-th value that the source yields.
    Given(usize),
    /// A default whose value is the same for every row.
    Fixed(Value),
    Identity,
    RowVersion,
    /// Computed when read.
    Computed,
}

/// A source that yields, for each row, first the given values and then the defaults that are no constants.
pub(super) struct Source {
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) cells: Vec<Cell>,
}

impl Session {
    pub(super) fn run_insert(
        &mut self,
        frame: &mut Frame,
        insert: &Insert,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let executed = match &insert.source {
            InsertSource::Execute(execute) => {
                let mut capture = Capture::new(sink);
                self.run_execute(frame, execute, &mut capture)?;
                Some(capture.rows)
            }
            _ => None,
        };
        if matches!(&insert.source, InsertSource::Values(rows) if rows.len() > ROW_VALUES_MAX) {
            return Err(SqlError::new(10738, 15, 1, "The number of row value expressions in the INSERT statement exceeds the maximum allowed number of 1000 row values.").into());
        }
        let count = self.atomically(sink, |s, sink| {
            let (found, renamed) = s.insert_target(frame, insert)?;
            let insert = renamed.as_ref().unwrap_or(insert);
            s.may_change(frame, &found, "INSERT")?;
            let early = s.early_source(frame, &found, insert)?;
            let target = s.enter_target(frame, &found)?;
            let source = match (executed, early) {
                (Some(rows), _) => s.executed_source(frame, &target, insert, rows)?,
                // Nobody has changed the table meanwhile.
                (None, Some(source)) if Arc::ptr_eq(&found.object, &target.object) => source,
                (None, _) => s.insert_source(frame, &target, insert)?,
            };
            let changes = s.insert_rows(frame, &target, source, insert.output.is_some(), sink)?;
            let count = changes.0;
            if let Some(output) = &insert.output {
                let beside = (&[][..], Vec::new());
                s.run_output(frame, output, &target, (&changes.1, WriteKind::Insert), beside, sink)?;
            }
            Ok(count)
        })?;
        self.statement_over(frame, Done::INSERT, Some(count), sink);
        Ok(())
    }

    /// The values of an INSERT that read nothing, found before the write lock is taken: others work meanwhile.
    fn early_source(
        &mut self,
        frame: &Frame,
        found: &Resolved,
        insert: &Insert,
    ) -> Result<Option<Source>, Stop> {
        let (InsertSource::Values(rows), Some(table)) = (&insert.source, found.object.table()) else {
            return Ok(None);
        };
        let explicit_identity = self.settings.identity_insert == Some((found.database, found.object.id));
        let columns = listed_columns(table, &found.object.name, &insert.columns, explicit_identity)?;
        let name = self.full_name_of(found)?;
        let (mut out, mut cells) = (Vec::new(), Vec::new());
        for row in rows {
            let plan = self.bind_values(frame, table, &name, &columns, insert, row)?;
            if !plan.databases.is_empty() {
                return Ok(None);
            }
            out.push(self.bound_row(frame, &plan)?);
            cells = plan.bound.1;
        }
        Ok(Some(Source { rows: out, cells }))
    }

    /// The table that an INSERT fills; if that stands behind a view, the statement as it would be for the table.
    fn insert_target(&mut self, frame: &Frame, insert: &Insert) -> Result<(Resolved, Option<Insert>), Stop> {
        let plan = self.bind(frame, |b| {
            let view = match &insert.target {
                Target::Table(name) => b.behind_view(name)?,
                Target::Variable(..) => None,
            };
            match view {
                Some((found, pairs)) => Ok((found, Some(pairs))),
                None => Ok((b.target(&insert.target)?, None)),
            }
        })?;
        let (found, Some(pairs)) = plan.bound else { return Ok((plan.bound.0, None)) };
        let columns = if insert.columns.is_empty() {
            pairs.iter().map(|(_, column)| Ident::new(column.as_str())).collect()
        } else {
            let base = |ident: &Ident| {
                let pair = pairs.iter().find(|(shown, _)| crate::catalog::same_name(shown, &ident.value));
                pair.map(|(_, column)| Ident { value: column.clone(), pos: ident.pos })
                    .ok_or_else(|| SqlError::invalid_column(&ident.value).at(ident.pos.line))
            };
            insert.columns.iter().map(base).collect::<Result<Vec<_>, _>>()?
        };
        Ok((found, Some(Insert { columns, ..insert.clone() })))
    }

    /// Binds the source against the columns it fills, and runs it.
    fn insert_source(
        &mut self,
        frame: &Frame,
        target: &WriteTarget,
        insert: &Insert,
    ) -> Result<Source, Stop> {
        let table = target.table()?;
        let explicit_identity = self.settings.identity_insert == Some((target.database, target.object.id));
        let columns = if matches!(insert.source, InsertSource::DefaultValues) {
            Vec::new()
        } else {
            listed_columns(table, &target.object.name, &insert.columns, explicit_identity)?
        };
        let name = target.full_name();
        match &insert.source {
            InsertSource::Values(rows) => self.values_source(frame, table, &name, &columns, insert, rows),
            InsertSource::DefaultValues => {
                self.values_source(frame, table, &name, &columns, insert, &[Vec::new()])
            }
            InsertSource::Query(query) => self.query_source(frame, table, &name, &columns, insert, query),
            InsertSource::Execute(_) => Err(SqlError::internal("EXEC is run before").into()),
        }
    }

    fn values_source(
        &mut self,
        frame: &Frame,
        table: &Table,
        name: &str,
        columns: &[usize],
        insert: &Insert,
        rows: &[Vec<Expr>],
    ) -> Result<Source, Stop> {
        let (mut out, mut cells) = (Vec::new(), Vec::new());
        for row in rows {
            let plan = self.bind_values(frame, table, name, columns, insert, row)?;
            out.push(self.bound_row(frame, &plan)?);
            cells = plan.bound.1;
        }
        Ok(Source { rows: out, cells })
    }

    fn bind_values(
        &mut self,
        frame: &Frame,
        table: &Table,
        name: &str,
        columns: &[usize],
        insert: &Insert,
        row: &[Expr],
    ) -> Result<Plan<(Vec<Bound>, Vec<Cell>)>, SqlError> {
        if row.len() != columns.len() {
            return Err(count_error(insert, row.len(), columns.len()));
        }
        self.bind(frame, |b| {
            let mut bound = Vec::new();
            for (expr, at) in row.iter().zip(columns) {
                let column =
                    table.columns.get(*at).ok_or_else(|| SqlError::internal("a column that is gone"))?;
                let value = match expr {
                    Expr::Default => b.default_of(column)?,
                    other => b.expr(other)?,
                };
                bound.push(b.assign_column(&value, name, column)?);
            }
            let cells = place_cells(b, table, name, columns, &mut bound)?;
            Ok((bound, cells))
        })
    }

    /// The values of one row; SQLite is only asked for what is no constant and no parameter.
    fn bound_row(&mut self, frame: &Frame, plan: &Plan<(Vec<Bound>, Vec<Cell>)>) -> Result<Vec<Value>, Stop> {
        let bound = &plan.bound.0;
        let values = self.values(frame, &plan.params)?;
        let direct: Option<Vec<Value>> = bound
            .iter()
            .map(|b| match (&b.literal, b.sql.strip_prefix('?').and_then(|n| n.parse::<usize>().ok())) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(n)) => values.get(n - 1).cloned(),
                (None, None) => None,
            })
            .collect();
        if let Some(row) = direct {
            return Ok(row);
        }
        let list: Vec<&str> = bound.iter().map(|b| b.sql.as_str()).collect();
        let sql = format!("SELECT {}", list.join(","));
        Ok(self.collect(frame, plan, &sql)?.into_iter().next().unwrap_or_default())
    }

    fn query_source(
        &mut self,
        frame: &Frame,
        table: &Table,
        name: &str,
        columns: &[usize],
        insert: &Insert,
        query: &Query,
    ) -> Result<Source, Stop> {
        let plan = self.bind(frame, |b| {
            let with = b.with_clause(&insert.with, crate::bind::max_recursion(&query.options))?;
            let bound = b.query(query)?;
            if bound.columns.len() != columns.len() {
                return Err(count_error(insert, bound.columns.len(), columns.len()));
            }
            let mut list = Vec::new();
            for (n, (from, at)) in bound.columns.iter().zip(columns).enumerate() {
                let column =
                    table.columns.get(*at).ok_or_else(|| SqlError::internal("a column that is gone"))?;
                let source = Bound {
                    collation: from.collation,
                    ..Bound::new(format!("s.c{}", n + 1), from.ty, from.nullable)
                };
                list.push(b.assign_column(&source, name, column)?);
            }
            let cells = place_cells(b, table, name, columns, &mut list)?;
            let list: Vec<String> = list.into_iter().map(|b| b.sql).collect();
            let limit = match &insert.top {
                Some(top) => format!(" LIMIT {}", b.top_count(top)?),
                None => String::new(),
            };
            let sql = format!(
                "{with}SELECT {} FROM ({}) AS s{limit}",
                if list.is_empty() { "1".to_owned() } else { list.join(",") },
                bound.sql
            );
            Ok((sql, cells))
        })?;
        let sql = plan.bound.0.clone();
        let limit = if self.settings.rowcount == 0 { u64::MAX } else { self.settings.rowcount };
        let mut rows = Vec::new();
        self.rows(frame, &plan, &sql, |row| {
            rows.push(row.to_vec());
            Ok((rows.len() as u64) < limit)
        })?;
        Ok(Source { rows, cells: plan.bound.1 })
    }

    fn executed_source(
        &mut self,
        frame: &Frame,
        target: &WriteTarget,
        insert: &Insert,
        rows: Vec<Vec<(Value, crate::sink::ColumnMeta)>>,
    ) -> Result<Source, Stop> {
        let types: Vec<SqlType> =
            rows.first().map(|r| r.iter().map(|(_, m)| m.ty).collect()).unwrap_or_default();
        let plain = rows.into_iter().map(|r| r.into_iter().map(|(v, _)| v).collect()).collect();
        self.plain_source(frame, target, &insert.columns, plain, &types)
    }

    /// Rows that are there already, in types of their own.
    fn plain_source(
        &mut self,
        frame: &Frame,
        target: &WriteTarget,
        names: &[Ident],
        rows: Vec<Vec<Value>>,
        types: &[SqlType],
    ) -> Result<Source, Stop> {
        let table = target.table()?;
        let explicit_identity = self.settings.identity_insert == Some((target.database, target.object.id));
        let columns = listed_columns(table, &target.object.name, names, explicit_identity)?;
        let name = target.full_name();
        let mut out = Vec::new();
        let mut cells = Vec::new();
        if rows.is_empty() {
            return Ok(Source { rows: out, cells });
        }
        if types.len() != columns.len() {
            return Err(SqlError { state: 7, ..SqlError::insert_count_mismatch() }.into());
        }
        for row in rows {
            let plan = self.bind(frame, |b| {
                let mut bound = Vec::new();
                for ((value, ty), at) in row.iter().zip(types).zip(&columns) {
                    let column =
                        table.columns.get(*at).ok_or_else(|| SqlError::internal("a column that is gone"))?;
                    bound.push(b.assign_column(&Bound::literal(value.clone(), *ty), &name, column)?);
                }
                let cells = place_cells(b, table, &name, &columns, &mut bound)?;
                Ok((bound, cells))
            })?;
            cells.clone_from(&plan.bound.1);
            out.push(self.bound_row(frame, &plan)?);
        }
        Ok(Source { rows: out, cells })
    }

    /// Inserts rows that another part of the engine has made; how many.
    pub(crate) fn insert_values(
        &mut self,
        frame: &mut Frame,
        target: &Target,
        columns: &[Ident],
        rows: Vec<Vec<Value>>,
        types: &[SqlType],
        sink: &mut dyn Sink,
    ) -> Result<u64, Stop> {
        let found: Resolved = self.bind(frame, |b| b.target(target))?.bound;
        self.may_change(frame, &found, "INSERT")?;
        let target = self.enter_target(frame, &found)?;
        let source = self.plain_source(frame, &target, columns, rows, types)?;
        Ok(self.insert_rows(frame, &target, source, false, sink)?.0)
    }

    pub(super) fn insert_rows(
        &mut self,
        frame: &mut Frame,
        target: &WriteTarget,
        source: Source,
        keep: bool,
        sink: &mut dyn Sink,
    ) -> Result<(u64, Vec<Changed>), Stop> {
        let table = target.table()?;
        let has_identity = source.cells.iter().any(|c| matches!(c, Cell::Identity));
        let mut identity = if has_identity && !source.rows.is_empty() {
            let step = table.identity_column().and_then(|c| c.identity).map_or(1, |i| i.increment);
            Some((self.draw_identity(target, source.rows.len())?, step))
        } else {
            None
        };
        let ignores = table.indexes.iter().any(|i| i.ignore_dup_key);
        let keep = keep || target.is_referenced();
        let mut changes = Vec::new();
        let mut count = 0;
        let mut last_identity = None;
        let writer = target.writer(&self.conn, WriteKind::Insert)?;
        for given in source.rows {
            // A change of the database's role waits for this, and SQLite does not ask on so short a way.
            if self.is_killed() {
                return Err(Stop::Cancelled);
            }
            let row = self.assemble(target, &source.cells, &given, &mut identity)?;
            match writer.insert(&row) {
                Ok(_) => {}
                Err(e) if ignores && matches!(e.number, 2601 | 2627) => {
                    sink.info(&SqlError::new(3604, 0, 1, "Duplicate key was ignored."));
                    continue;
                }
                Err(e) => return Err(e.into()),
            }
            last_identity = identity_value(table, &row).or(last_identity);
            count += 1;
            if keep {
                changes.push(Changed { old: None, new: Some(row) });
            }
        }
        drop(writer);
        self.written(target, &changes, WriteKind::Insert, count)?;
        if let Some(last) = last_identity {
            self.identity = Some(last);
            frame.scope_identity = Some(last);
            if !has_identity {
                self.push_identity(target, last)?;
            }
        }
        Ok((count, changes))
    }

    fn assemble(
        &self,
        target: &WriteTarget,
        cells: &[Cell],
        given: &[Value],
        identity: &mut Option<(i64, i64)>,
    ) -> Result<Vec<Value>, SqlError> {
        cells
            .iter()
            .map(|cell| match cell {
                Cell::Given(n) => Ok(given.get(*n).cloned().unwrap_or(Value::Null)),
                Cell::Fixed(value) => Ok(value.clone()),
                Cell::Computed => Ok(Value::Null),
                Cell::RowVersion => self.next_rowversion(target),
                Cell::Identity => {
                    let Some((next, step)) = identity else {
                        return Err(SqlError::internal("no identity was drawn"));
                    };
                    let value = *next;
                    *next = next.saturating_add(*step);
                    let ty = target.table()?.identity_column().map_or(SqlType::BigInt, |c| c.ty);
                    if ty.is_decimal() {
                        crate::types::decimal_value(i128::from(value), ty.precision())
                    } else {
                        Ok(Value::Integer(value))
                    }
                }
            })
            .collect()
    }

    /// An explicit identity value beyond the counter moves the counter.
    fn push_identity(&mut self, target: &WriteTarget, value: i64) -> Result<(), SqlError> {
        let Some(identity) = target.table()?.identity_column().and_then(|c| c.identity) else {
            return Ok(());
        };
        let known = self.identity_known(target)?;
        let beyond = known.is_none_or(|k| if identity.increment > 0 { value > k } else { value < k });
        if beyond {
            self.server.set_identity((target.database, target.object.id), Some(value));
            self.keep_identity(target, value)?;
        }
        Ok(())
    }

    /// SELECT ... INTO: makes a table like the query's result and fills it.
    pub(super) fn run_select_into(
        &mut self,
        frame: &mut Frame,
        query: &Query,
        name: &ObjectName,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let count = self.atomically(sink, |s, sink| {
            let (database, schema) = s.place_for(name)?;
            s.may_create(database, name, "CREATE TABLE")?;
            s.enter_write(database)?;
            let plan = s.bind(frame, |b| b.query(query))?;
            let sql = plan.bound.sql.clone();
            let rows = s.collect(frame, &plan, &sql)?;
            let mut table = Table::default();
            for (n, column) in plan.bound.columns.iter().enumerate() {
                let name = column.name.clone().ok_or_else(SqlError::missing_name)?;
                table.columns.push(Column {
                    id: n as i32 + 1,
                    name,
                    ty: if column.ty == SqlType::RowVersion { SqlType::Binary { len: 8 } } else { column.ty },
                    nullable: column.nullable,
                    collation: column.collation.unwrap_or_else(|| s.database_collation()),
                    identity: column.facts.identity.then_some(crate::catalog::Identity {
                        seed: 1,
                        increment: 1,
                        not_for_replication: false,
                    }),
                    default: None,
                    computed: None,
                    rowguidcol: false,
                    said_null: false,
                });
            }
            table.next_column_id = table.columns.len() as i32 + 1;
            let object = s.put_new_table(frame, database, schema, name.name(), table)?;
            let found = Resolved { database, object };
            let target = s.enter_target(frame, &found)?;
            let before = s.settings.identity_insert.replace((database, found.object.id));
            // The table was made for these values: there is nothing to convert.
            let cells = (0..plan.bound.columns.len()).map(Cell::Given).collect();
            let done = s.insert_rows(frame, &target, Source { rows, cells }, false, sink);
            s.settings.identity_insert = before;
            Ok(done?.0)
        })?;
        self.statement_over(frame, Done::SELECT, Some(count), sink);
        Ok(())
    }
}

fn identity_value(table: &Table, row: &[Value]) -> Option<i64> {
    let at = table.columns.iter().position(|c| c.identity.is_some())?;
    row.get(at).and_then(crate::types::exact).and_then(|n| i64::try_from(n).ok())
}

fn count_error(insert: &Insert, given: usize, wanted: usize) -> SqlError {
    match (&insert.source, insert.columns.is_empty()) {
        (_, true) => SqlError::insert_count_mismatch(),
        (InsertSource::Values(_), false) if given < wanted => SqlError::more_columns_than_values(),
        (InsertSource::Values(_), false) => SqlError::fewer_columns_than_values(),
        (_, false) if given < wanted => SqlError::select_list_shorter(),
        (_, false) => SqlError::select_list_longer(),
    }
}

/// The places of the columns that an INSERT fills.
pub(super) fn listed_columns(
    table: &Table,
    name: &str,
    columns: &[Ident],
    explicit_identity: bool,
) -> Result<Vec<usize>, SqlError> {
    if columns.is_empty() {
        if explicit_identity && table.identity_column().is_some() {
            return Err(SqlError::identity_column_list(name));
        }
        let plain = |c: &Column| c.computed.is_none() && c.identity.is_none();
        return Ok(table.columns.iter().enumerate().filter(|(_, c)| plain(c)).map(|(at, _)| at).collect());
    }
    let mut out = Vec::new();
    for ident in columns {
        let at = table.columns.iter().position(|c| crate::catalog::same_name(&c.name, &ident.value));
        let Some(at) = at else { return Err(SqlError::invalid_column(&ident.value).at(ident.pos.line)) };
        if out.contains(&at) {
            return Err(SqlError::new(
                264,
                16,
                1,
                format!(
                    "The column name '{}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once.",
                    ident.value
                ),
            ));
        }
        let Some(column) = table.columns.get(at) else { continue };
        if column.computed.is_some() {
            return Err(SqlError::cannot_modify_column(&column.name));
        }
        if column.identity.is_some() && !explicit_identity {
            return Err(SqlError::identity_insert_off(name));
        }
        out.push(at);
    }
    if explicit_identity
        && table.columns.iter().enumerate().any(|(at, c)| c.identity.is_some() && !out.contains(&at))
    {
        return Err(SqlError::identity_insert_needs_value(name));
    }
    Ok(out)
}

/// Says where each column's value comes from; defaults that are no constants join what the source yields.
pub(super) fn place_cells(
    b: &mut Binder<'_>,
    table: &Table,
    name: &str,
    given: &[usize],
    bound: &mut Vec<Bound>,
) -> Result<Vec<Cell>, SqlError> {
    let mut cells = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        cells.push(if let Some(n) = given.iter().position(|g| *g == at) {
            if column.ty == SqlType::RowVersion {
                let null = bound.get(n).is_some_and(|b| b.is_null_literal || b.literal == Some(Value::Null));
                if !null {
                    return Err(SqlError::cannot_insert_timestamp());
                }
                Cell::RowVersion
            } else {
                Cell::Given(n)
            }
        } else if column.computed.is_some() {
            Cell::Computed
        } else if column.identity.is_some() {
            Cell::Identity
        } else if column.ty == SqlType::RowVersion {
            Cell::RowVersion
        } else {
            let default = b.default_of(column)?;
            let default = b.assign_column(&default, name, column)?;
            match default.literal {
                Some(value) => Cell::Fixed(value),
                None if default.sql == "NULL" => Cell::Fixed(Value::Null),
                None => {
                    bound.push(default);
                    Cell::Given(bound.len() - 1)
                }
            }
        });
    }
    Ok(cells)
}
