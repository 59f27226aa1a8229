//! From a bound statement to rows: parameters, SQLite's statements, result sets.

use std::collections::BTreeSet;
use std::sync::Arc;

use lab_store::Database as Store;
use lab_tsql::ast::{Expr, Query, QueryBody};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{Frame, Stop};
use crate::bind::{BindEnv, Binder, Bound, BoundQuery, OutColumn, ParamSource, SystemValue};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, Sink};
use crate::types::{SqlType, now_ticks};

/// What a bound statement needs to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan<T> {
    pub(crate) bound: T,
    pub(crate) params: Vec<ParamSource>,
    pub(crate) databases: BTreeSet<i32>,
    /// Databases whose lock the statement takes to read, because a hint asks for it.
    pub(crate) locks: BTreeSet<i32>,
}

impl Session {
    /// Binds with the names that are in scope in a frame.
    pub(crate) fn bind<T>(
        &self,
        frame: &Frame,
        work: impl FnOnce(&mut Binder<'_>) -> Result<T, SqlError>,
    ) -> Result<Plan<T>, SqlError> {
        let database = frame.database.unwrap_or_else(|| self.current_database());
        let env = BindEnv {
            shared: &self.shared,
            settings: &self.settings,
            database,
            schema: frame.schema.unwrap_or_else(|| self.default_schema(database)),
            variables: frame,
            in_module: frame.procedure.is_some(),
        };
        let mut binder = Binder::new(env);
        let bound = work(&mut binder)?;
        Ok(Plan { bound, params: binder.params, databases: binder.databases, locks: binder.locks })
    }

    /// The schema that the session's user has for names without one.
    pub(super) fn default_schema(&self, database: i32) -> i32 {
        use crate::catalog::DBO;
        if database == 0 || self.shared.state().sysadmin {
            return DBO;
        }
        let named = || {
            let catalog = self.shared.catalog(database).ok()?;
            let user = catalog.principals.get(&self.shared.principal_in(database).ok()?)?;
            catalog.schema_named(user.default_schema.as_deref()?).map(|s| s.id)
        };
        named().unwrap_or(DBO)
    }

    /// The values of a statement's parameters as it starts.
    pub(crate) fn values(&mut self, frame: &Frame, params: &[ParamSource]) -> Result<Vec<Value>, SqlError> {
        params
            .iter()
            .map(|p| match p {
                ParamSource::Variable(name) => Ok(frame.value(name)),
                ParamSource::Constant(value) => Ok(value.clone()),
                ParamSource::System(value) => self.system_value(frame, *value),
                // Each row brings its own.
                ParamSource::Captured(_) => Ok(Value::Null),
            })
            .collect()
    }

    fn system_value(&mut self, frame: &Frame, value: SystemValue) -> Result<Value, SqlError> {
        let int = |n: i64| Ok(Value::Integer(n));
        let decimal =
            |n: Option<i64>| n.map_or(Ok(Value::Null), |n| crate::types::decimal_value(i128::from(n), 38));
        let text = |t: Option<String>| Ok(t.map_or(Value::Null, Value::Text));
        let caught = frame.caught.last().or(self.catching.last());
        let number = |n: Option<i64>| Ok(n.map_or(Value::Null, Value::Integer));
        match value {
            SystemValue::Now => int(now_ticks()),
            SystemValue::RowCount => int(self.row_count),
            SystemValue::Error => int(i64::from(self.last_error)),
            SystemValue::TranCount => int(i64::from(self.tran.count)),
            SystemValue::Identity => decimal(self.identity),
            SystemValue::ScopeIdentity => decimal(frame.scope_identity),
            SystemValue::NestLevel => int(i64::from(self.nest_level)),
            SystemValue::ProcId => int(frame.procedure.as_ref().map_or(0, |(_, id)| i64::from(*id))),
            SystemValue::FetchStatus => int(-1),
            SystemValue::Options => int(self.settings.options_word()),
            SystemValue::TextSize => int(self.settings.textsize),
            SystemValue::XactState => int(match (self.tran.count, self.tran.doomed) {
                (0, _) => 0,
                (_, true) => -1,
                (_, false) => 1,
            }),
            SystemValue::ErrorNumber => number(caught.map(|e| i64::from(e.number))),
            SystemValue::ErrorSeverity => number(caught.map(|e| i64::from(e.class))),
            SystemValue::ErrorState => number(caught.map(|e| i64::from(e.state))),
            SystemValue::ErrorLine => number(caught.map(|e| i64::from(e.line))),
            SystemValue::ErrorProcedure => text(caught.and_then(|e| e.procedure.clone())),
            SystemValue::ErrorMessage => text(caught.map(|e| e.message.clone())),
            SystemValue::TransactionId => int(self.tran.descriptor as i64),
            SystemValue::Random => {
                let mut bytes = [0; 8];
                getrandom::fill(&mut bytes).map_err(SqlError::internal)?;
                Ok(Value::Real((u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64))
            }
            SystemValue::DbTs => {
                let id = self.current_database();
                let alias = self.database(id)?.alias.clone();
                let last: i64 = self
                    .conn
                    .query_row(&format!("SELECT last FROM {alias}._rowversion"), [], |r| r.get(0))
                    .map_err(|e| SqlError::sqlite(&e))?;
                Ok(Value::Blob(last.to_be_bytes().to_vec()))
            }
        }
    }

    /// What comes before any reading: databases attached, the isolation level's rules.
    pub(crate) fn ready_to_read(&mut self, databases: &BTreeSet<i32>) -> Result<(), SqlError> {
        for database in databases.iter().filter(|d| **d != 0) {
            self.database(*database)?;
        }
        self.enter_read(databases)
    }

    /// What the answer depends on: the stores that a statement reads.
    fn stores_read(&mut self, databases: &BTreeSet<i32>) -> Result<Vec<(i32, Arc<Store>)>, SqlError> {
        databases.iter().filter(|d| **d != 0).map(|id| Ok((*id, self.database(*id)?.store()?))).collect()
    }

    /// Runs a plan, giving each row to `each` until that says to stop.
    pub(crate) fn rows<T>(
        &mut self,
        frame: &Frame,
        plan: &Plan<T>,
        sql: &str,
        mut each: impl FnMut(&[Value]) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        self.ready_to_read(&plan.databases)?;
        self.lock_to_read(&plan.locks)?;
        let values = self.values(frame, &plan.params)?;
        let stores = self.stores_read(&plan.databases)?;
        let barrier = self.barrier.clone();
        // SQLite's snapshot begins with the first step: everything it can show has committed by then, and the answer must
        // not leave before that is hardened.
        let mut noted = false;
        let mut note = || {
            if !std::mem::replace(&mut noted, true) {
                stores.iter().for_each(|(id, store)| barrier.note(*id, store, store.observe_lsn()));
            }
        };
        let read = scan(&self.conn, sql, &values, &mut |row| {
            note();
            each(row)
        });
        note();
        read
    }

    /// All rows of a plan.
    pub(crate) fn collect<T>(
        &mut self,
        frame: &Frame,
        plan: &Plan<T>,
        sql: &str,
    ) -> Result<Vec<Vec<Value>>, Stop> {
        let mut out = Vec::new();
        self.rows(frame, plan, sql, |row| {
            out.push(row.to_vec());
            Ok(true)
        })?;
        Ok(out)
    }

    /// The value of an expression, assigned to a type.
    pub(crate) fn evaluate(&mut self, frame: &Frame, expr: &Expr, ty: SqlType) -> Result<Value, Stop> {
        let plan = self.bind(frame, |b| {
            let bound = b.expr(expr)?;
            b.to_variable(&bound, ty)
        })?;
        self.evaluate_bound(frame, &plan)
    }

    /// The value of an expression in its own type.
    pub(crate) fn evaluate_any(&mut self, frame: &Frame, expr: &Expr) -> Result<(Value, SqlType), Stop> {
        let plan = self.bind(frame, |b| b.expr(expr))?;
        let ty = plan.bound.ty;
        Ok((self.evaluate_bound(frame, &plan)?, ty))
    }

    pub(crate) fn evaluate_bound(&mut self, frame: &Frame, plan: &Plan<Bound>) -> Result<Value, Stop> {
        if let Some(value) = &plan.bound.literal {
            return Ok(value.clone());
        }
        let mut out = Value::Null;
        let sql = format!("SELECT {}", plan.bound.sql);
        self.rows(frame, plan, &sql, |row| {
            out = row.first().cloned().unwrap_or(Value::Null);
            Ok(false)
        })?;
        Ok(out)
    }

    /// Whether a condition is true; unknown is not.
    pub(crate) fn test(&mut self, frame: &Frame, condition: &Expr) -> Result<bool, Stop> {
        let plan = self.bind(frame, |b| b.condition(condition))?;
        let sql = format!("SELECT {}", plan.bound);
        let mut yes = false;
        self.rows(frame, &plan, &sql, |row| {
            yes = matches!(row.first(), Some(Value::Integer(n)) if *n != 0);
            Ok(false)
        })?;
        self.last_error = 0;
        self.row_count = 0;
        Ok(yes)
    }

    /// SELECT: to the client, into variables, or into a new table.
    pub(crate) fn run_query(
        &mut self,
        frame: &mut Frame,
        query: &Query,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        if let Some(name) = into_table(query) {
            return self.run_select_into(frame, query, &name, sink);
        }
        if self.settings.implicit_transactions && self.tran.count == 0 && reads_tables(query) {
            self.begin("", sink)?;
        }
        let plan = self.bind(frame, |b| b.query(query))?;
        if !plan.bound.assigns.is_empty() {
            return self.assign_from(frame, &plan, sink);
        }
        let columns = metadata(&plan.bound.columns, self.database_collation());
        sink.columns(&columns);
        let mut count = 0;
        if !self.settings.fmtonly {
            let limit = if self.settings.rowcount == 0 { u64::MAX } else { self.settings.rowcount };
            let sql = plan.bound.sql.clone();
            let read = self.rows(frame, &plan, &sql, |row| {
                sink.row(row).map_err(|_| Stop::Closed)?;
                count += 1;
                Ok(count < limit)
            });
            if let Err(Stop::Error(_)) = &read
                && self.try_depth > 0
            {
                // The error goes to a CATCH, and the client must see that these were all the rows.
                let kind = frame.done_kind;
                sink.done(Done { kind, rows: Some(count), command: Done::SELECT, error: false });
            }
            read?;
        }
        self.statement_over(frame, Done::SELECT, Some(count), sink);
        Ok(())
    }

    fn assign_from(
        &mut self,
        frame: &mut Frame,
        plan: &Plan<BoundQuery>,
        _sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let mut last: Option<Vec<Value>> = None;
        let mut count = 0;
        let sql = plan.bound.sql.clone();
        let limit = if self.settings.rowcount == 0 { u64::MAX } else { self.settings.rowcount };
        if let Some(expressions) = &plan.bound.row_expressions {
            count = self.assign_row_by_row(frame, plan, &expressions.values, limit)?;
        } else {
            self.rows(frame, plan, &sql, |row| {
                last = Some(row.to_vec());
                count += 1;
                Ok(count < limit)
            })?;
        }
        for (name, value) in plan.bound.assigns.iter().zip(last.unwrap_or_default()) {
            frame.set(name, value);
        }
        self.last_error = 0;
        self.row_count = count as i64;
        Ok(())
    }

    /// `SELECT @x = @x + c FROM t`: each row sees what the one before has assigned.
    fn assign_row_by_row(
        &mut self,
        frame: &mut Frame,
        plan: &Plan<BoundQuery>,
        expressions: &[String],
        limit: u64,
    ) -> Result<u64, Stop> {
        let sql = plan.bound.sql.clone();
        let mut rows = Vec::new();
        self.rows(frame, plan, &sql, |row| {
            rows.push(row.to_vec());
            Ok((rows.len() as u64) < limit)
        })?;
        let mut evaluator = self.row_evaluator(frame, &plan.params)?;
        for row in &rows {
            for (name, expression) in plan.bound.assigns.iter().zip(expressions) {
                let value = evaluator.value(&self.conn, expression, row)?;
                evaluator.assign(name, &value);
                frame.set(name, value);
            }
        }
        Ok(rows.len() as u64)
    }

    /// What evaluates expressions over captured columns and variables.
    pub(crate) fn row_evaluator(
        &mut self,
        frame: &Frame,
        params: &[ParamSource],
    ) -> Result<RowEvaluator, SqlError> {
        Ok(RowEvaluator { values: self.values(frame, params)?, params: params.to_vec() })
    }

    fn lock_to_read(&mut self, locks: &BTreeSet<i32>) -> Result<(), SqlError> {
        // Outside of a transaction a lock would be gone before the client could act on what it read.
        if self.tran.count == 0 {
            return Ok(());
        }
        locks.iter().filter(|d| **d > 0).try_for_each(|database| self.lock_for_update(*database))
    }

    pub(crate) fn database_collation(&self) -> crate::types::Collation {
        self.shared.catalog(self.current_database()).map_or(self.server.collation, |c| c.collation)
    }
}

/// Evaluates the expressions of assignments that read what they assign.
pub(crate) struct RowEvaluator {
    params: Vec<ParamSource>,
    values: Vec<Value>,
}

impl RowEvaluator {
    /// The value of an expression for a row of captured columns.
    pub(crate) fn value(&mut self, conn: &Connection, sql: &str, row: &[Value]) -> Result<Value, SqlError> {
        for (param, value) in self.params.iter().zip(&mut self.values) {
            if let ParamSource::Captured(at) = param {
                *value = row.get(*at).cloned().unwrap_or(Value::Null);
            }
        }
        let sqlite = |e: rusqlite::Error| SqlError::sqlite(&e);
        let mut statement = conn.prepare_cached(&format!("SELECT {sql}")).map_err(sqlite)?;
        let wanted = statement.parameter_count();
        let mut rows = statement.query(params_from_iter(self.values.iter().take(wanted))).map_err(sqlite)?;
        let row = rows.next().map_err(sqlite)?;
        row.map_or(Ok(Value::Null), |r| r.get(0).map_err(sqlite))
    }

    /// A variable has a new value.
    pub(crate) fn assign(&mut self, name: &str, new: &Value) {
        let folded = name.to_lowercase();
        for (param, value) in self.params.iter().zip(&mut self.values) {
            if matches!(param, ParamSource::Variable(v) if *v == folded) {
                value.clone_from(new);
            }
        }
    }
}

/// Steps through a statement of SQLite.
fn scan(
    conn: &Connection,
    sql: &str,
    values: &[Value],
    each: &mut dyn FnMut(&[Value]) -> Result<bool, Stop>,
) -> Result<(), Stop> {
    let sqlite = |e: rusqlite::Error| Stop::from(SqlError::sqlite(&e));
    let mut statement = conn.prepare_cached(sql).map_err(sqlite)?;
    let width = statement.column_count();
    // What only the expressions of an assignment use has no place in the query itself.
    let wanted = statement.parameter_count();
    let mut rows = statement.query(params_from_iter(values.iter().take(wanted))).map_err(sqlite)?;
    let mut cells = Vec::with_capacity(width);
    while let Some(row) = rows.next().map_err(sqlite)? {
        cells.clear();
        for n in 0..width {
            cells.push(row.get::<_, Value>(n).map_err(sqlite)?);
        }
        if !each(&cells)? {
            break;
        }
    }
    Ok(())
}

/// What the client is told of a query's columns.
pub(crate) fn metadata(columns: &[OutColumn], default: crate::types::Collation) -> Vec<ColumnMeta> {
    columns
        .iter()
        .map(|c| ColumnMeta {
            name: c.name.clone().unwrap_or_default(),
            ty: c.ty,
            nullable: c.nullable,
            collation: c.collation.unwrap_or(default),
            identity: c.facts.identity,
            computed: c.facts.computed,
            updatable: c.facts.table_column && !c.facts.computed && !c.facts.identity,
        })
        .collect()
}

fn into_table(query: &Query) -> Option<lab_tsql::ast::ObjectName> {
    fn of(body: &QueryBody) -> Option<lab_tsql::ast::ObjectName> {
        match body {
            QueryBody::Select(select) => select.into.clone(),
            QueryBody::Set { left, .. } => of(left),
            QueryBody::Nested(query) => of(&query.body),
        }
    }
    of(&query.body)
}

fn reads_tables(query: &Query) -> bool {
    match &query.body {
        QueryBody::Select(select) => !select.from.is_empty(),
        _ => true,
    }
}
