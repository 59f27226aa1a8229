//! Calls of the user's scalar functions, which become one expression.
//!
//! The body is carried out on SQL texts: a variable's value is the text that computes it, IF becomes CASE, and a
//! SELECT that assigns becomes a subquery, as SQL Server's own inlining of scalar functions does. So a function sees
//! what its statement sees, at the same moment and in the same transaction. A value with a long text is given a name
//! (`(SELECT ... FROM (SELECT text AS v) AS fn1)`), so that what reads it twice does not double it.

use std::collections::{BTreeMap, BTreeSet};

use lab_tsql::ast::{
    Call, Declaration, Expr, ModuleBody, Parameter, Pos, Query, QueryBody, Select, SelectItem, SetStatement,
    Statement, StatementKind,
};

use super::expr::arithmetic_op;
use super::from::parse_module;
use super::query::column_list;
use super::{Binder, Bound, Strength, declared_type};
use crate::catalog::ObjectKind;
use crate::error::SqlError;
use crate::types::{ConvertKind, SqlType};

/// A value whose text is longer gets a name instead of being repeated.
const REPEATED_MAX: usize = 200;
/// What a body may become, in bytes of SQL.
const EXPANSION_MAX: usize = 64 * 1024;
/// How many RETURNs may be reached, one in several ways counted for each.
const PATHS_MAX: usize = 64;
/// How many named values may be in sight of each other; each is a level of nesting for SQLite.
const NAMED_MAX: u32 = 64;

/// What is known about the functions being expanded around a place.
#[derive(Debug, Default)]
pub(super) struct Expansion {
    /// How many named values are in sight.
    named: u32,
    /// Values may not be moved into a subquery: an aggregate of the caller's query stands in one, which would become
    /// the subquery's own.
    stay: bool,
    /// The variables that were read.
    pub(super) reads: BTreeSet<String>,
    /// For each assignment of the select list bound last, the variables that it read.
    pub(super) item_reads: Vec<BTreeSet<String>>,
}

/// A body on its way to an expression.
struct Body {
    returns: SqlType,
    paths: usize,
}

/// Texts of named values, outermost first.
type Named = Vec<String>;

impl Binder<'_> {
    /// A call of a scalar function: its body as an expression, with the arguments put in.
    pub(crate) fn user_function(&mut self, call: &Call) -> Result<Bound, SqlError> {
        let Some(resolved) = self.find(&call.name)? else {
            return Err(SqlError::no_function(&call.name.to_string()));
        };
        let ObjectKind::ScalarFunction(module) = &resolved.object.kind else {
            return Err(SqlError::no_function(&call.name.to_string()));
        };
        self.permitted(&resolved, "EXECUTE")?;
        if self.expanding.contains(&(resolved.database, resolved.object.id)) {
            return Err(SqlError::unsupported("scalar function that calls itself"));
        }
        let create = parse_module(module)?;
        let ModuleBody::ScalarFunction { parameters, returns, body } = &create.body else {
            return Err(SqlError::internal("a function without a body"));
        };
        if call.args.len() != parameters.len() {
            return Err(if call.args.len() > parameters.len() {
                SqlError::too_many_arguments(&call.name.to_string())
            } else {
                SqlError::new(
                    313,
                    16,
                    2,
                    format!(
                        "An insufficient number of arguments were supplied for the procedure or function {}.",
                        call.name
                    ),
                )
            });
        }
        let scope = self.scope();
        let aggregate = std::mem::take(&mut scope.saw_aggregate);
        let window = std::mem::take(&mut scope.saw_window);
        let values = self.argument_values(parameters, &call.args);
        let scope = self.scope();
        let stay = scope.saw_aggregate || scope.saw_window;
        scope.saw_aggregate |= aggregate;
        scope.saw_window |= window;
        let (values, ungrouped) = values?;
        let ty = declared_type(returns)?;

        self.arguments.push(values);
        let reads = std::mem::take(&mut self.expansion.reads);
        let stayed = self.expansion.stay;
        self.expansion.stay |= stay;
        let sql = self.in_module(&resolved, |b| b.function_value(body, ty));
        self.expansion.stay = stayed;
        self.expansion.reads = reads;
        self.arguments.pop();
        let sql = sql?;
        if stay && sql.contains("SELECT ") {
            return Err(SqlError::unsupported("aggregate as an argument of a scalar function that queries"));
        }
        let collation = ty.is_character().then(|| self.database_collation());
        Ok(Bound {
            ungrouped,
            collation,
            collation_strength: Strength::Implicit,
            ..Bound::new(sql, ty, true)
        })
    }

    /// The arguments of a call as the values of its parameters, and a column among them that is not grouped.
    fn argument_values(
        &mut self,
        parameters: &[Parameter],
        args: &[Expr],
    ) -> Result<(BTreeMap<String, Bound>, Option<String>), SqlError> {
        let mut values = BTreeMap::new();
        let mut ungrouped = None;
        for (parameter, arg) in parameters.iter().zip(args) {
            let ty = declared_type(&parameter.data_type)?;
            let arg = match (arg, &parameter.default) {
                (Expr::Default, Some(default)) => self.expr(default)?,
                (arg, _) => self.expr(arg)?,
            };
            ungrouped = ungrouped.or_else(|| arg.ungrouped.clone());
            let value = self.convert(&arg, ty, ConvertKind::Explicit)?;
            values.insert(parameter.name.to_lowercase(), Bound::new(value.sql, ty, true));
        }
        Ok((values, ungrouped))
    }

    /// What a body returns, as SQL.
    fn function_value(&mut self, body: &[Statement], returns: SqlType) -> Result<String, SqlError> {
        self.hoist(body)?;
        let collation = self.database_collation();
        for value in self.variables().values_mut() {
            value.collation = value.ty.is_character().then_some(collation);
        }
        let long: Vec<(String, String)> = self
            .variables()
            .iter()
            .filter(|(_, v)| v.sql.len() > REPEATED_MAX)
            .map(|(name, v)| (name.clone(), v.sql.clone()))
            .collect();
        let (first, mut named) = (self.expansion.named, Named::new());
        for (name, sql) in long {
            self.store(&name, sql, Some(&mut named))?;
        }
        let mut whole = Body { returns, paths: 0 };
        let value = self.run_body(&mut whole, body.iter().rev().collect())?;
        self.wrap(value, named, first)
    }

    /// The variables of the function being expanded.
    fn variables(&mut self) -> &mut BTreeMap<String, Bound> {
        if self.arguments.is_empty() {
            self.arguments.push(BTreeMap::new());
        }
        let last = self.arguments.len() - 1;
        &mut self.arguments[last]
    }

    /// Declares the variables of a body: a declaration holds whether control comes by it or not.
    fn hoist(&mut self, statements: &[Statement]) -> Result<(), SqlError> {
        for statement in statements {
            match &statement.kind {
                StatementKind::Declare(declarations) => {
                    for declaration in declarations {
                        let Declaration::Variable { name, data_type, .. } = declaration else {
                            return Err(SqlError::unsupported("table variable in a scalar function"));
                        };
                        let ty = declared_type(data_type)?;
                        self.variables().insert(name.to_lowercase(), Bound::new("NULL", ty, true));
                    }
                }
                StatementKind::Block(inner) => self.hoist(inner)?,
                StatementKind::If { then, otherwise, .. } => {
                    self.hoist(std::slice::from_ref(then))?;
                    if let Some(otherwise) = otherwise {
                        self.hoist(std::slice::from_ref(otherwise))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Carries out statements, the next one last, up to a RETURN.
    fn run_body(&mut self, body: &mut Body, mut todo: Vec<&Statement>) -> Result<String, SqlError> {
        let (first, mut named) = (self.expansion.named, Named::new());
        // Only a body that ends without RETURN, which CREATE refuses, keeps this.
        let mut value = "NULL".to_owned();
        while let Some(statement) = todo.pop() {
            let line = statement.pos.line;
            match &statement.kind {
                StatementKind::Return(Some(expr)) => {
                    body.paths += 1;
                    if body.paths > PATHS_MAX {
                        return Err(SqlError::unsupported("scalar function with too many branches"));
                    }
                    let bound = self.expr(expr).map_err(|e| e.at(line))?;
                    value = self.to_variable(&bound, body.returns).map_err(|e| e.at(line))?.sql;
                    break;
                }
                StatementKind::Block(inner) if returns(statement) => todo.extend(inner.iter().rev()),
                StatementKind::If { condition, then, otherwise } if returns(statement) => {
                    let condition = self.condition(condition).map_err(|e| e.at(line))?;
                    let before = self.variables().clone();
                    let mut yes = todo.clone();
                    yes.push(then);
                    let yes = self.run_body(body, yes)?;
                    *self.variables() = before;
                    todo.extend(otherwise.as_deref());
                    let no = self.run_body(body, todo)?;
                    value = format!("CASE WHEN {condition} THEN {yes} ELSE {no} END");
                    break;
                }
                _ => self.step(statement, Some(&mut named)).map_err(|e| e.at(line))?,
            }
        }
        self.wrap(value, named, first)
    }

    /// Carries out a statement without RETURN. Values get names only if `named` takes them: in a branch they must not be
    /// computed before the condition is.
    fn step(&mut self, statement: &Statement, mut named: Option<&mut Named>) -> Result<(), SqlError> {
        let line = statement.pos.line;
        match &statement.kind {
            StatementKind::Block(inner) => {
                inner.iter().try_for_each(|s| self.step(s, named.as_deref_mut()).map_err(|e| e.at(line)))
            }
            StatementKind::Declare(declarations) => declarations.iter().try_for_each(|d| match d {
                Declaration::Variable { name, value: Some(value), .. } => {
                    self.set(name, None, value, named.as_deref_mut())
                }
                _ => Ok(()),
            }),
            StatementKind::Set(SetStatement::Variable { name, op, value, .. }) => {
                self.set(name, *op, value, named)
            }
            StatementKind::Query(query) => self.select_assignment(query, named),
            StatementKind::If { condition, then, otherwise } => {
                let mut condition = self.condition(condition)?;
                let before = self.variables().clone();
                self.step(then, None)?;
                let yes = std::mem::replace(self.variables(), before.clone());
                if let Some(otherwise) = otherwise {
                    self.step(otherwise, None)?;
                }
                let no = std::mem::replace(self.variables(), before);
                let changed: Vec<(&String, &String, &String)> = yes
                    .iter()
                    .zip(no.values())
                    .filter(|((_, a), b)| a.sql != b.sql)
                    .map(|((name, a), b)| (name, &a.sql, &b.sql))
                    .collect();
                if changed.len() > 1 {
                    condition = self.name(condition, named.as_deref_mut())?;
                }
                for (name, a, b) in changed {
                    let merged = format!("CASE WHEN {condition} THEN {a} ELSE {b} END");
                    self.store(name, merged, named.as_deref_mut())?;
                }
                Ok(())
            }
            other => Err(SqlError::unsupported(&format!("{} in a scalar function", word(other)))),
        }
    }

    /// `SET @name = value`
    fn set(
        &mut self,
        name: &str,
        op: Option<lab_tsql::ast::BinaryOp>,
        value: &Expr,
        named: Option<&mut Named>,
    ) -> Result<(), SqlError> {
        let folded = name.to_lowercase();
        let ty = self
            .variables()
            .get(&folded)
            .map(|v| v.ty)
            .ok_or_else(|| SqlError { state: 1, ..SqlError::undeclared_variable(name) })?;
        let mut bound = self.expr(value)?;
        if let Some(op) = op {
            let current = self.expr(&Expr::Variable { name: name.to_owned(), pos: Pos::default() })?;
            bound = self.arithmetic(arithmetic_op(op), current, bound)?;
        }
        let bound = self.to_variable(&bound, ty)?;
        self.store(&folded, bound.sql, named)
    }

    /// `SELECT @a = x, @b = y FROM ...`: the last row's values, and the old ones if there is no row.
    fn select_assignment(&mut self, query: &Query, mut named: Option<&mut Named>) -> Result<(), SqlError> {
        if let QueryBody::Select(select) = &query.body
            && is_plain(select)
            && query.order_by.is_empty()
        {
            return select.items.iter().try_for_each(|item| match item {
                SelectItem::Assign { variable, op, expr, .. } => {
                    self.set(variable, *op, expr, named.as_deref_mut())
                }
                _ => Err(SqlError::mixed_assignment()),
            });
        }
        let outer = std::mem::take(&mut self.expansion.item_reads);
        let bound = self.query(query);
        let reads = std::mem::replace(&mut self.expansion.item_reads, outer);
        let bound = bound?;
        for (n, reads) in reads.iter().enumerate() {
            // Of one row, an item sees what those before it assigned; of several, also what the last row did.
            let assigned = if bound.single_row { bound.assigns.get(..n) } else { Some(&bound.assigns[..]) };
            if assigned.unwrap_or_default().iter().any(|name| reads.contains(name)) {
                return Err(SqlError::unsupported(
                    "SELECT that reads the variables it assigns in a scalar function",
                ));
            }
        }
        let cells = column_list("z", bound.columns.len());
        // The row is packed, so that no row can be told from a row of NULLs.
        let row = if bound.single_row {
            format!("(SELECT t_pack({cells}) FROM ({}) AS z)", bound.sql)
        } else {
            format!(
                "(SELECT json_extract(json_group_array(t_pack({cells})),'$[#-1]') FROM ({}) AS z)",
                bound.sql
            )
        };
        let row = self.name(row, named.as_deref_mut())?;
        let mut values = Vec::new();
        for (n, name) in bound.assigns.iter().enumerate() {
            let old = self.variables().get(name).map_or("NULL", |v| v.sql.as_str());
            values.push((name, format!("CASE WHEN {row} IS NULL THEN {old} ELSE t_unpack({row},{n}) END")));
        }
        values.into_iter().try_for_each(|(name, sql)| self.store(name, sql, named.as_deref_mut()))
    }

    /// Gives a variable a value.
    fn store(&mut self, name: &str, sql: String, named: Option<&mut Named>) -> Result<(), SqlError> {
        let sql = self.name(sql, named)?;
        if let Some(variable) = self.variables().get_mut(name) {
            variable.sql = sql;
        }
        Ok(())
    }

    /// Gives a value a name, if that is shorter and allowed here, and checks the size of what is repeated otherwise.
    fn name(&mut self, sql: String, named: Option<&mut Named>) -> Result<String, SqlError> {
        match named {
            Some(named) if sql.len() > REPEATED_MAX && !self.expansion.stay => {
                if self.expansion.named >= NAMED_MAX {
                    return Err(too_large());
                }
                named.push(sql);
                self.expansion.named += 1;
                Ok(format!("fn{}.v", self.expansion.named))
            }
            _ if sql.len() > EXPANSION_MAX => Err(too_large()),
            _ => Ok(sql),
        }
    }

    /// Puts the named values around what reads them; `first` were in sight before them.
    fn wrap(&mut self, value: String, named: Named, first: u32) -> Result<String, SqlError> {
        let mut sql = value;
        for (at, text) in (first + 1..).zip(named).collect::<Vec<_>>().into_iter().rev() {
            sql = format!("(SELECT {sql} FROM (SELECT {text} AS v) AS fn{at})");
        }
        self.expansion.named = first;
        if sql.len() > EXPANSION_MAX {
            return Err(too_large());
        }
        Ok(sql)
    }
}

fn too_large() -> SqlError {
    SqlError::unsupported("scalar function that becomes too large an expression")
}

/// Whether a statement can end the function.
fn returns(statement: &Statement) -> bool {
    match &statement.kind {
        StatementKind::Return(_) => true,
        StatementKind::Block(inner) => inner.iter().any(returns),
        StatementKind::If { then, otherwise, .. } => {
            returns(then) || otherwise.as_deref().is_some_and(returns)
        }
        _ => false,
    }
}

/// Whether a SELECT is nothing but its list.
fn is_plain(select: &Select) -> bool {
    select.from.is_empty()
        && select.filter.is_none()
        && select.top.is_none()
        && select.group_by.is_empty()
        && select.having.is_none()
}

/// What a statement that is not carried out in functions is called.
fn word(statement: &StatementKind) -> &'static str {
    match statement {
        StatementKind::While { .. } => "WHILE",
        StatementKind::Execute(_) => "EXECUTE",
        StatementKind::Insert(_) => "INSERT",
        StatementKind::Update(_) => "UPDATE",
        StatementKind::Delete(_) => "DELETE",
        StatementKind::Goto(_) | StatementKind::Label(_) => "GOTO",
        StatementKind::Return(_) => "RETURN without a value",
        _ => "this statement",
    }
}
