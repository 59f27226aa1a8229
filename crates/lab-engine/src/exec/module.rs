//! CREATE and ALTER of views, procedures and functions.

use lab_tsql::ast::{
    CreateMode, CreateModule, Execute, ModuleBody, Parameter, QueryBody, SelectItem, Statement,
    StatementKind, TableRef, Target,
};

use super::{Frame, Stop};
use crate::bind::{declared_type, named_columns};
use crate::catalog::{Module, ModuleColumn, Object, ObjectKind, same_name};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;
use crate::types::now_datetime;

impl Session {
    pub(super) fn run_create_module(
        &mut self,
        frame: &mut Frame,
        create: &CreateModule,
        statement: &Statement,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        if let ModuleBody::Unsupported(what) = &create.body {
            return Err(SqlError::unsupported(what).into());
        }
        if create.name.database().is_some() {
            let what = kind_word(&create.body);
            return Err(SqlError::new(166, 15, 1, format!("'CREATE/ALTER {what}' does not allow specifying the database name as a prefix to the object name.")).at(create.name.line()).into());
        }
        if create.name.name().starts_with('#') {
            return Err(SqlError::unsupported("temporary procedure").into());
        }
        let text = frame.text.get(statement.pos.offset as usize..).unwrap_or_default().trim_end().to_owned();
        self.atomically(sink, |s, _| {
            let (database, schema) = s.place_for(&create.name)?;
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            let existing = catalog.object_named(schema, create.name.name()).cloned();
            let kind = s.define_module(frame, create, text)?;
            must_bind_schema(create, &kind)?;
            let now = now_datetime();
            let (id, created, ids) = match (&existing, create.mode) {
                (Some(old), CreateMode::Alter | CreateMode::CreateOrAlter) => {
                    if let Some(by) = catalog.bound_to(old).first() {
                        let verb = format!("ALTER {}", kind_word(&create.body));
                        return Err(SqlError::schema_bound(&verb, &create.name.to_string(), &by.name).into());
                    }
                    if old.kind.code() != kind.code() {
                        return Err(SqlError::new(
                            2010,
                            16,
                            1,
                            format!(
                                "Cannot perform alter on '{}' because it is an incompatible object type.",
                                create.name
                            ),
                        )
                        .at(create.name.line())
                        .into());
                    }
                    (old.id, old.created, None)
                }
                (Some(_), CreateMode::Create) => {
                    return Err(SqlError::object_exists(create.name.name()).at(create.name.line()).into());
                }
                (None, CreateMode::Alter) => {
                    return Err(SqlError::no_alter_missing(&create.name.to_string())
                        .at(create.name.line())
                        .into());
                }
                (None, _) => {
                    s.must_be_new(database, schema, &create.name)?;
                    let mut ids = catalog.ids();
                    (ids.take(), now, Some(ids))
                }
            };
            let object =
                Object { id, schema, name: create.name.name().to_owned(), created, modified: now, kind };
            s.put_object(database, object, ids)?;
            Ok(())
        })
    }

    /// Reads off a module what the catalog shows of it. A view's or inline function's query is bound, so that a name it
    /// gets wrong is found now; a procedure's statements are bound when they run, as in SQL Server.
    fn define_module(
        &mut self,
        frame: &Frame,
        create: &CreateModule,
        definition: String,
    ) -> Result<ObjectKind, Stop> {
        let mut module = Module {
            definition,
            quoted_identifier: self.settings.quoted_identifier,
            ansi_nulls: self.settings.ansi_nulls,
            parameters: Vec::new(),
            returns: None,
            columns: Vec::new(),
            schema_bound: create.options.iter().any(|o| o == "SCHEMABINDING"),
        };
        Ok(match &create.body {
            ModuleBody::View { columns, query, .. } => {
                let bound = self.bind(frame, |b| {
                    let bound = b.query(query)?;
                    if let Some(n) = bound.columns.iter().position(|c| c.name.is_none()).filter(|_| columns.is_empty()) {
                        return Err(SqlError::new(4511, 16, 1, format!("Create View or Function failed because no column name was specified for column {}.", n + 1)));
                    }
                    if !query.order_by.is_empty() && query.offset.is_none() && !has_top(&query.body) {
                        return Err(SqlError::order_without_top());
                    }
                    let mut seen: Vec<&str> = Vec::new();
                    let names = bound.columns.iter().filter_map(|c| c.name.as_deref()).filter(|_| columns.is_empty());
                    for name in names {
                        if seen.iter().any(|s| same_name(s, name)) {
                            return Err(SqlError::new(4506, 16, 1, format!("Column names in each view or function must be unique. Column name '{name}' in view or function '{}' is specified more than once.", create.name.name())));
                        }
                        seen.push(name);
                    }
                    named_columns(&bound.columns, columns, create.name.name())
                })?;
                let mut seen: Vec<&str> = Vec::new();
                for column in &bound.bound {
                    let name = column.name.as_deref().unwrap_or_default();
                    if seen.iter().any(|s| same_name(s, name)) {
                        return Err(SqlError::new(4506, 16, 1, format!("Column names in each view or function must be unique. Column name '{name}' in view or function '{}' is specified more than once.", create.name.name())).into());
                    }
                    seen.push(name);
                }
                module.columns = self.module_columns(&bound.bound);
                ObjectKind::View(module)
            }
            ModuleBody::Procedure { parameters, .. } => {
                module.parameters = parameters_of(parameters)?;
                ObjectKind::Procedure(module)
            }
            ModuleBody::ScalarFunction { parameters, returns, body } => {
                function_body(body)?;
                if !ends_with_return(body) {
                    return Err(SqlError::new(
                        455,
                        16,
                        2,
                        "The last statement included within a function must be a return statement.",
                    )
                    .into());
                }
                module.parameters = parameters_of(parameters)?;
                module.returns = Some(declared_type(returns)?);
                ObjectKind::ScalarFunction(module)
            }
            ModuleBody::InlineFunction { parameters, query } => {
                module.parameters = parameters_of(parameters)?;
                let mut inner = Frame::inner();
                inner.database = frame.database;
                for p in &module.parameters {
                    inner.declare(
                        &p.name,
                        super::frame::Variable {
                            ty: p.ty,
                            collation: None,
                            value: rusqlite::types::Value::Null,
                        },
                    )?;
                }
                let bound = self.bind(&inner, |b| b.query(query))?;
                module.columns = self.module_columns(&bound.bound.columns);
                ObjectKind::InlineFunction(module)
            }
            ModuleBody::Unsupported(what) => return Err(SqlError::unsupported(what).into()),
        })
    }

    fn module_columns(&self, columns: &[crate::bind::OutColumn]) -> Vec<ModuleColumn> {
        let default = self.database_collation();
        let column = |c: &crate::bind::OutColumn| ModuleColumn {
            name: c.name.clone().unwrap_or_default(),
            ty: c.ty,
            nullable: c.nullable,
            collation: c.collation.unwrap_or(default),
        };
        columns.iter().map(column).collect()
    }
}

/// A module WITH SCHEMABINDING names objects by two parts, so that it means the same ones for ever.
fn must_bind_schema(create: &CreateModule, kind: &ObjectKind) -> Result<(), SqlError> {
    let query = match (&create.body, kind.module()) {
        (ModuleBody::View { query, .. } | ModuleBody::InlineFunction { query, .. }, Some(m))
            if m.schema_bound =>
        {
            query
        }
        _ => return Ok(()),
    };
    let mut bodies = vec![&query.body];
    while let Some(body) = bodies.pop() {
        match body {
            QueryBody::Nested(query) => bodies.push(&query.body),
            QueryBody::Set { left, right, .. } => bodies.extend([&**left, &**right]),
            QueryBody::Select(select) => {
                if select.items.iter().any(|i| matches!(i, SelectItem::Star(_))) {
                    return Err(SqlError::new(
                        1054,
                        15,
                        6,
                        "Syntax '*' is not allowed in schema-bound objects.",
                    ));
                }
                for table in &select.from {
                    two_parts(table, create, query)?;
                }
            }
        }
    }
    Ok(())
}

fn two_parts(table: &TableRef, create: &CreateModule, query: &lab_tsql::ast::Query) -> Result<(), SqlError> {
    match table {
        TableRef::Join { left, right, .. } => {
            two_parts(left, create, query)?;
            two_parts(right, create, query)
        }
        TableRef::Named { name, .. } => {
            let cte = query.with.iter().any(|c| same_name(&c.name.value, name.name()));
            if cte || name.parts.len() == 2 {
                return Ok(());
            }
            let kind = if matches!(create.body, ModuleBody::View { .. }) { "view" } else { "function" };
            Err(SqlError::new(4512, 16, 3, format!("Cannot schema bind {kind} '{}' because name '{name}' is invalid for schema binding. Names must be in two-part format and an object cannot reference itself.", create.name)).at(name.line()))
        }
        _ => Ok(()),
    }
}

fn parameters_of(parameters: &[Parameter]) -> Result<Vec<crate::catalog::Parameter>, SqlError> {
    let parameter = |p: &Parameter| {
        Ok(crate::catalog::Parameter {
            name: p.name.clone(),
            ty: declared_type(&p.data_type)?,
            output: p.output,
            has_default: p.default.is_some(),
        })
    };
    parameters.iter().map(parameter).collect()
}

/// Whether the outermost SELECT has a TOP, which gives an ORDER BY its meaning.
fn has_top(body: &QueryBody) -> bool {
    match body {
        QueryBody::Select(select) => select.top.is_some(),
        QueryBody::Nested(query) => has_top(&query.body),
        QueryBody::Set { .. } => false,
    }
}

/// What a function may not contain: statements that change something or answer the client.
///
/// # Errors
/// 443, 444.
fn function_body(body: &[Statement]) -> Result<(), SqlError> {
    use StatementKind as K;
    let side_effect = |what: &str, s: &Statement| {
        let text = format!("Invalid use of a side-effecting operator '{what}' within a function.");
        Err(SqlError::new(443, 16, 15, text).at(s.pos.line))
    };
    let own = |target: &Target| matches!(target, Target::Variable(..));
    for statement in body {
        match &statement.kind {
            K::Block(inner) => function_body(inner)?,
            K::If { then, otherwise, .. } => {
                function_body(std::slice::from_ref(then))?;
                if let Some(otherwise) = otherwise {
                    function_body(std::slice::from_ref(otherwise))?;
                }
            }
            K::While { body, .. } => function_body(std::slice::from_ref(body))?,
            K::Query(query) => {
                let assigns = matches!(&query.body, QueryBody::Select(s) if s.items.iter().any(|i| matches!(i, SelectItem::Assign { .. })));
                if !assigns {
                    return Err(SqlError::new(
                        444,
                        16,
                        2,
                        "Select statements included within a function cannot return data to a client.",
                    )
                    .at(statement.pos.line));
                }
            }
            K::Insert(i) if !own(&i.target) => side_effect("INSERT", statement)?,
            K::Update(u) if !own(&u.target) => side_effect("UPDATE", statement)?,
            K::Delete(d) if !own(&d.target) => side_effect("DELETE", statement)?,
            K::Print(_) => side_effect("PRINT", statement)?,
            K::RaisError { .. } => side_effect("RAISERROR", statement)?,
            K::Throw(_) => side_effect("THROW", statement)?,
            K::TryCatch { .. } => side_effect("BEGIN TRY", statement)?,
            K::BeginTransaction(_) => side_effect("BEGIN TRANSACTION", statement)?,
            K::Commit(_) => side_effect("COMMIT TRANSACTION", statement)?,
            K::Rollback(_) => side_effect("ROLLBACK TRANSACTION", statement)?,
            K::WaitFor { .. } => side_effect("WAITFOR", statement)?,
            K::Execute(Execute::Text(_)) => side_effect("EXECUTE STRING", statement)?,
            K::Truncate(_) => side_effect("TRUNCATE TABLE", statement)?,
            K::CreateTable(_) => side_effect("CREATE TABLE", statement)?,
            K::Drop { .. } => side_effect("DROP OBJECT", statement)?,
            _ => {}
        }
    }
    Ok(())
}

fn ends_with_return(body: &[Statement]) -> bool {
    match body.last().map(|s| &s.kind) {
        Some(StatementKind::Return(_)) => true,
        Some(StatementKind::Block(inner)) => ends_with_return(inner),
        _ => false,
    }
}

fn kind_word(body: &ModuleBody) -> &'static str {
    match body {
        ModuleBody::View { .. } => "VIEW",
        ModuleBody::Procedure { .. } => "PROCEDURE",
        _ => "FUNCTION",
    }
}
