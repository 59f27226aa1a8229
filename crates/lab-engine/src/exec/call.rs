//! EXEC: procedures, dynamic text.

use std::sync::Arc;

use lab_tsql::ast::{Argument, CreateModule, Execute, Expr, ModuleBody, ObjectName, Parameter, Statement};
use rusqlite::types::Value;

use super::frame::Variable;
use super::procedures::SystemProcedure;
use super::{Flow, Frame, Stop};
use crate::bind::{Bound, Resolved, declared_type, parse_module};
use crate::catalog::ObjectKind;
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::{Done, DoneKind, Sink};
use crate::types::SqlType;

/// An argument on its way into a procedure.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    /// With its `@`; empty when passed by position.
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    /// `None` asks for the parameter's default.
    pub(crate) value: Option<Value>,
    /// The caller wants the value back.
    pub(crate) output: bool,
}

/// What a procedure gives back.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    pub(crate) status: i32,
    /// For arguments passed for output: their place in the call, and the parameter as it ended.
    pub(crate) outputs: Vec<(usize, Variable)>,
}

/// What runs under a name.
pub(super) enum Callee {
    User(Resolved),
    System(SystemProcedure),
}

impl Session {
    pub(crate) fn run_execute(
        &mut self,
        frame: &mut Frame,
        execute: &Execute,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        let (return_variable, name, args) = match execute {
            Execute::Text(text) => {
                let Value::Text(text) = self.evaluate(frame, text, SqlType::NVARCHAR_MAX)? else {
                    return Ok(Flow::Next);
                };
                self.run_dynamic(Frame::inner(), &text, sink)?;
                return Ok(Flow::Next);
            }
            Execute::Procedure { return_variable, name, args } => (return_variable, name.clone(), args),
            Execute::ProcedureVariable { return_variable, variable, args } => {
                let Value::Text(text) = frame.value(&variable.to_lowercase()) else {
                    return Err(SqlError::procedure_not_found("").into());
                };
                (return_variable, name_from_text(&text), args)
            }
        };
        let passed = self.evaluate_arguments(frame, args)?;
        let returned = self.call(frame, &name, passed, sink)?;
        for (at, variable) in returned.outputs {
            if let Some(Expr::Variable { name, .. }) = args.get(at).map(|a| &a.value) {
                self.assign_variable(frame, name, &variable)?;
            }
        }
        if let Some(name) = return_variable {
            let status =
                Variable { ty: SqlType::Int, collation: None, value: Value::Integer(returned.status.into()) };
            self.assign_variable(frame, name, &status)?;
        }
        if frame.done_kind == DoneKind::Statement {
            sink.return_status(returned.status);
            sink.done(Done { kind: DoneKind::Proc, rows: None, command: Done::OTHER, error: false });
        }
        Ok(Flow::Next)
    }

    fn evaluate_arguments(&mut self, frame: &Frame, args: &[Argument]) -> Result<Vec<Passed>, Stop> {
        let mut passed = Vec::new();
        for arg in args {
            let name = arg.name.clone().unwrap_or_default();
            if arg.output && !matches!(arg.value, Expr::Variable { .. }) {
                return Err(SqlError::new(
                    179,
                    15,
                    1,
                    "Cannot use the OUTPUT option when passing a constant to a stored procedure.",
                )
                .into());
            }
            passed.push(match &arg.value {
                Expr::Default => Passed { name, ty: SqlType::Int, value: None, output: arg.output },
                value => {
                    let (value, ty) = self.evaluate_any(frame, value)?;
                    Passed { name, ty, value: Some(value), output: arg.output }
                }
            });
        }
        Ok(passed)
    }

    fn assign_variable(&mut self, frame: &mut Frame, name: &str, from: &Variable) -> Result<(), Stop> {
        let Some(to) = frame.variables.get(&name.to_lowercase()).map(|v| v.ty) else {
            return Err(SqlError::undeclared_variable(name).into());
        };
        let value = self.convert_value(frame, &from.value, from.ty, to)?;
        frame.set(name, value);
        Ok(())
    }

    /// A value of one type as a variable of another would hold it.
    pub(crate) fn convert_value(
        &mut self,
        frame: &Frame,
        value: &Value,
        from: SqlType,
        to: SqlType,
    ) -> Result<Value, Stop> {
        if *value == Value::Null || from == to {
            return Ok(value.clone());
        }
        let plan = self.bind(frame, |b| b.to_variable(&Bound::literal(value.clone(), from), to))?;
        self.evaluate_bound(frame, &plan)
    }

    /// Calls a procedure by its name.
    pub(crate) fn call(
        &mut self,
        frame: &Frame,
        name: &ObjectName,
        passed: Vec<Passed>,
        sink: &mut dyn Sink,
    ) -> Result<Returned, Stop> {
        match self.callee(frame, name)? {
            Callee::System(procedure) => self.call_system(frame, &procedure, passed, sink),
            Callee::User(found) => self.call_user(&found, passed, sink),
        }
    }

    pub(super) fn callee(&mut self, frame: &Frame, name: &ObjectName) -> Result<Callee, Stop> {
        if let Some(system) = super::procedures::find(name) {
            return Ok(Callee::System(system));
        }
        let missing = || SqlError::procedure_not_found(&name.to_string()).at(name.line());
        let found = self.bind(frame, |b| b.find(name))?.bound.ok_or_else(missing)?;
        match found.object.kind {
            ObjectKind::Procedure(_) => {
                self.may_execute(frame, &found)?;
                Ok(Callee::User(found))
            }
            _ => Err(SqlError::new(
                2809,
                16,
                1,
                format!(
                    "The request for procedure '{}' failed because '{}' is a {} object.",
                    name.name(),
                    name.name(),
                    found.object.kind.description().to_lowercase().replace('_', " ")
                ),
            )
            .into()),
        }
    }

    fn call_user(
        &mut self,
        found: &Resolved,
        passed: Vec<Passed>,
        sink: &mut dyn Sink,
    ) -> Result<Returned, Stop> {
        let ObjectKind::Procedure(module) = &found.object.kind else {
            return Err(SqlError::internal("a procedure that is none").into());
        };
        let create = self.parsed_module((found.database, found.object.id), found.object.modified, module)?;
        let mut inner = Frame::inner();
        inner.procedure = Some((found.object.name.clone(), found.object.id));
        inner.database = Some(found.database);
        inner.schema = Some(found.object.schema);
        inner.text = Arc::from(module.definition.as_str());
        let ModuleBody::Procedure { parameters, body } = &create.body else {
            return Err(SqlError::internal("a procedure without a body").into());
        };
        let outer = (self.settings.quoted_identifier, self.settings.ansi_nulls);
        (self.settings.quoted_identifier, self.settings.ansi_nulls) =
            (module.quoted_identifier, module.ansi_nulls);
        let returned = self.call_body(inner, parameters, passed, body, sink);
        (self.settings.quoted_identifier, self.settings.ansi_nulls) = outer;
        returned
    }

    /// The tree of a module; the last ones used are kept.
    fn parsed_module(
        &mut self,
        id: (i32, i32),
        modified: i64,
        module: &crate::catalog::Module,
    ) -> Result<Arc<CreateModule>, SqlError> {
        const KEPT: usize = 64;
        if let Some((when, text_len, known)) = self.modules.get(&id)
            && (*when, *text_len) == (modified, module.definition.len())
        {
            return Ok(Arc::clone(known));
        }
        let create = Arc::new(parse_module(module)?);
        if self.modules.len() >= KEPT {
            self.modules.clear();
        }
        self.modules.insert(id, (modified, module.definition.len(), Arc::clone(&create)));
        Ok(create)
    }

    /// Runs a body with its parameters; what it does to SET options ends with it.
    pub(super) fn call_body(
        &mut self,
        mut inner: Frame,
        parameters: &[Parameter],
        passed: Vec<Passed>,
        body: &[Statement],
        sink: &mut dyn Sink,
    ) -> Result<Returned, Stop> {
        let places = self.bind_parameters(&mut inner, parameters, passed).map_err(|stop| match stop {
            Stop::Error(mut e) if inner.procedure.is_some() => {
                e.procedure = inner.procedure.as_ref().map(|(name, _)| name.clone());
                Stop::Error(e)
            }
            other => other,
        })?;
        inner.hoist(body)?;
        let flow = self.in_frame(&mut inner, sink, |s, inner, sink| s.run_statements(inner, body, sink))?;
        let outputs = places
            .into_iter()
            .filter_map(|(at, name)| inner.variables.get(&name).map(|v| (at, v.clone())))
            .collect();
        Ok(Returned { status: if let Flow::Return(status) = flow { status } else { 0 }, outputs })
    }

    /// Runs text in a frame of its own, as EXEC of a string and sp_executesql do; the frame as it ended.
    pub(super) fn run_dynamic(
        &mut self,
        mut inner: Frame,
        text: &str,
        sink: &mut dyn Sink,
    ) -> Result<Frame, Stop> {
        let database = self.current_database();
        self.in_frame(&mut inner, sink, |s, inner, sink| s.run_text(inner, text, sink))?;
        if self.current_database() != database {
            self.enter_database(database)?;
        }
        Ok(inner)
    }

    /// Goes one level deeper, and takes back there what must not outlive it.
    fn in_frame(
        &mut self,
        inner: &mut Frame,
        sink: &mut dyn Sink,
        work: impl FnOnce(&mut Session, &mut Frame, &mut dyn Sink) -> Result<Flow, Stop>,
    ) -> Result<Flow, Stop> {
        let before = self.settings.clone();
        let count = self.tran.count;
        let done = self.nested_call(|s| work(s, inner, sink));
        self.settings = before;
        self.show_settings();
        if !self.tran.doomed {
            self.drop_temporary(inner)?;
        }
        let flow = match done {
            // Its error was reported; the caller goes on.
            Err(Stop::Scope) => Flow::Return(-6),
            other => other?,
        };
        if self.tran.count != count && inner.procedure.is_some() {
            let mut e = SqlError::transaction_count(&count.to_string(), &self.tran.count.to_string());
            e.procedure = inner.procedure.as_ref().map(|(name, _)| name.clone());
            if self.try_depth > 0 {
                return Err(Stop::Error(e));
            }
            sink.error(&e);
        }
        Ok(flow)
    }

    /// Declares a procedure's parameters with what was passed for them; which of them go back, and to where.
    pub(super) fn bind_parameters(
        &mut self,
        inner: &mut Frame,
        parameters: &[Parameter],
        passed: Vec<Passed>,
    ) -> Result<Vec<(usize, String)>, Stop> {
        let procedure = inner.procedure.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
        if parameters.is_empty() && !passed.is_empty() {
            return Err(SqlError::no_parameters(&procedure).into());
        }
        if passed.len() > parameters.len() {
            return Err(SqlError::too_many_arguments(&procedure).into());
        }
        let mut given: Vec<Option<(usize, Passed)>> = parameters.iter().map(|_| None).collect();
        for (at, argument) in passed.into_iter().enumerate() {
            let place = if argument.name.is_empty() {
                at
            } else {
                let named = |p: &Parameter| p.name.eq_ignore_ascii_case(&argument.name);
                parameters
                    .iter()
                    .position(named)
                    .ok_or_else(|| SqlError::no_such_parameter(&argument.name, &procedure))?
            };
            if let Some(slot) = given.get_mut(place) {
                if slot.is_some() {
                    let text = format!("Parameter '{}' was supplied multiple times.", argument.name);
                    return Err(SqlError::new(8143, 16, 1, text).into());
                }
                *slot = Some((at, argument));
            }
        }
        let mut back = Vec::new();
        for (parameter, given) in parameters.iter().zip(given) {
            let ty = declared_type(&parameter.data_type)?;
            let value = match &given {
                Some((_, Passed { value: Some(value), ty: from, .. })) => {
                    self.convert_value(inner, value, *from, ty).map_err(|stop| match stop {
                        Stop::Error(e)
                            if matches!(e.number, 235 | 241 | 242 | 244 | 245 | 248 | 295 | 8169) =>
                        {
                            SqlError::error_converting(from.error_name(), ty.error_name()).into()
                        }
                        other => other,
                    })?
                }
                _ => match &parameter.default {
                    Some(default) => self.evaluate(inner, default, ty)?,
                    None => return Err(SqlError::missing_parameter(&procedure, &parameter.name).into()),
                },
            };
            if let Some((at, argument)) = &given
                && argument.output
            {
                if !parameter.output {
                    return Err(SqlError::not_output(&parameter.name).into());
                }
                back.push((*at, parameter.name.to_lowercase()));
            }
            inner.declare(&parameter.name, Variable { ty, collation: None, value })?;
        }
        Ok(back)
    }
}

/// A name of several parts, as a variable or an RPC holds it.
pub(super) fn name_from_text(text: &str) -> ObjectName {
    ObjectName { parts: crate::system::split_name(text).into_iter().map(lab_tsql::ast::Ident::new).collect() }
}
