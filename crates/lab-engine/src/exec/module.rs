//! CREATE and ALTER of views, procedures and functions.

use lab_tsql::ast::{CreateMode, CreateModule, ModuleBody, Parameter, Statement};

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
            let now = now_datetime();
            let (id, created, ids) = match (&existing, create.mode) {
                (Some(old), CreateMode::Alter | CreateMode::CreateOrAlter) => {
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
            ModuleBody::ScalarFunction { parameters, returns, .. } => {
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

fn kind_word(body: &ModuleBody) -> &'static str {
    match body {
        ModuleBody::View { .. } => "VIEW",
        ModuleBody::Procedure { .. } => "PROCEDURE",
        _ => "FUNCTION",
    }
}
