//! What a batch would answer, without running it.

use std::sync::Arc;

use lab_tsql::ast::{Declaration, Execute, ModuleBody, Query, QueryBody, Statement, StatementKind};
use lab_tsql::{ParseOptions, parse_batch, parse_parameters};
use rusqlite::types::Value;

use super::args::text;
use crate::bind::{OutColumn, declared_type, parse_module};
use crate::catalog::ObjectKind;
use crate::error::SqlError;
use crate::exec::call::{Callee, Passed, Returned};
use crate::exec::frame::Variable;
use crate::exec::{Frame, Stop};
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, DoneKind, Sink};
use crate::types::{Len, SqlType};

/// The columns of a batch's first result set; `None` if it has none.
pub(super) fn columns_of(
    session: &mut Session,
    statement: &str,
    declared: &str,
) -> Result<Option<Vec<OutColumn>>, Stop> {
    let mut frame = Frame::inner();
    declare(&mut frame, &parse_parameters(declared).map_err(SqlError::from)?)?;
    let options = ParseOptions { quoted_identifier: session.settings.quoted_identifier };
    let batch = parse_batch(statement, &options).map_err(SqlError::from)?;
    first_columns(session, &mut frame, &batch.statements, 0)
}

fn declare(frame: &mut Frame, parameters: &[lab_tsql::ast::Parameter]) -> Result<(), SqlError> {
    for p in parameters {
        frame.declare(
            &p.name,
            Variable { ty: declared_type(&p.data_type)?, collation: None, value: Value::Null },
        )?;
    }
    Ok(())
}

fn first_columns(
    session: &mut Session,
    frame: &mut Frame,
    statements: &[Statement],
    depth: u32,
) -> Result<Option<Vec<OutColumn>>, Stop> {
    const DEPTH_MAX: u32 = 16;
    if depth > DEPTH_MAX {
        return Ok(None);
    }
    for statement in statements {
        let found = match &statement.kind {
            StatementKind::Query(query) if returns_rows(query) => {
                let plan = session.bind(frame, |b| b.query(query))?;
                if plan.bound.assigns.is_empty() { Some(plan.bound.columns) } else { None }
            }
            StatementKind::Declare(declarations) => {
                for declaration in declarations {
                    match declaration {
                        Declaration::Variable { name, data_type, .. } => {
                            frame.declare(
                                name,
                                Variable {
                                    ty: declared_type(data_type)?,
                                    collation: None,
                                    value: Value::Null,
                                },
                            )?;
                        }
                        Declaration::Table { .. } => {
                            return Err(
                                SqlError::unsupported("describing a batch with a table variable").into()
                            );
                        }
                    }
                }
                None
            }
            StatementKind::Block(body) | StatementKind::TryCatch { body, .. } => {
                first_columns(session, frame, body, depth + 1)?
            }
            StatementKind::If { then, otherwise, .. } => {
                match first_columns(session, frame, std::slice::from_ref(then), depth + 1)? {
                    None => match otherwise {
                        Some(otherwise) => {
                            first_columns(session, frame, std::slice::from_ref(otherwise), depth + 1)?
                        }
                        None => None,
                    },
                    some => some,
                }
            }
            StatementKind::While { body, .. } => {
                first_columns(session, frame, std::slice::from_ref(body), depth + 1)?
            }
            StatementKind::Execute(Execute::Procedure { name, .. }) => {
                procedure_columns(session, frame, name, depth)?
            }
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn procedure_columns(
    session: &mut Session,
    frame: &Frame,
    name: &lab_tsql::ast::ObjectName,
    depth: u32,
) -> Result<Option<Vec<OutColumn>>, Stop> {
    let Callee::User(found) = session.callee(frame, name)? else { return Ok(None) };
    let ObjectKind::Procedure(module) = &found.object.kind else { return Ok(None) };
    let create = Arc::new(parse_module(module)?);
    let ModuleBody::Procedure { parameters, body } = &create.body else { return Ok(None) };
    let mut inner = Frame::inner();
    inner.database = Some(found.database);
    declare(&mut inner, parameters)?;
    first_columns(session, &mut inner, body, depth + 1)
}

fn returns_rows(query: &Query) -> bool {
    fn into(body: &QueryBody) -> bool {
        match body {
            QueryBody::Select(select) => select.into.is_some(),
            QueryBody::Set { left, .. } => into(left),
            QueryBody::Nested(query) => into(&query.body),
        }
    }
    !into(&query.body)
}

/// sp_describe_first_result_set @tsql, @params, @browse_information_mode
pub(super) fn first_result_set(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let statement = text(passed, 0, "@tsql").unwrap_or_default();
    let declared = text(passed, 1, "@params").unwrap_or_default();
    let columns = columns_of(session, &statement, &declared)?.unwrap_or_default();
    let default = session.database_collation();
    sink.columns(&DESCRIPTION.iter().map(|(name, ty)| ColumnMeta::new(name, *ty)).collect::<Vec<_>>());
    for (n, column) in columns.iter().enumerate() {
        sink.row(&described(n, column, default.name())).map_err(|_| Stop::Closed)?;
    }
    sink.done(Done {
        kind: DoneKind::InProc,
        rows: Some(columns.len() as u64),
        command: Done::SELECT,
        error: false,
    });
    Ok(Returned::default())
}

const NAME: SqlType = SqlType::SYSNAME;
const LONG: SqlType = SqlType::NVarChar { len: Len::N(4000) };
const BIT: SqlType = SqlType::Bit;
const INT: SqlType = SqlType::Int;

/// The result's columns, as the procedure's reference page lists them.
const DESCRIPTION: &[(&str, SqlType)] = &[
    ("is_hidden", BIT),
    ("column_ordinal", INT),
    ("name", NAME),
    ("is_nullable", BIT),
    ("system_type_id", INT),
    ("system_type_name", SqlType::nvarchar(256)),
    ("max_length", SqlType::SmallInt),
    ("precision", SqlType::TinyInt),
    ("scale", SqlType::TinyInt),
    ("collation_name", NAME),
    ("user_type_id", INT),
    ("user_type_database", NAME),
    ("user_type_schema", NAME),
    ("user_type_name", NAME),
    ("assembly_qualified_type_name", LONG),
    ("xml_collection_id", INT),
    ("xml_collection_database", NAME),
    ("xml_collection_schema", NAME),
    ("xml_collection_name", NAME),
    ("is_xml_document", BIT),
    ("is_case_sensitive", BIT),
    ("is_fixed_length_clr_type", BIT),
    ("source_server", NAME),
    ("source_database", NAME),
    ("source_schema", NAME),
    ("source_table", NAME),
    ("source_column", NAME),
    ("is_identity_column", BIT),
    ("is_part_of_unique_key", BIT),
    ("is_updateable", BIT),
    ("is_computed_column", BIT),
    ("is_sparse_column_set", BIT),
    ("ordinal_in_order_by_list", SqlType::SmallInt),
    ("order_by_is_descending", SqlType::SmallInt),
    ("order_by_list_length", SqlType::SmallInt),
    ("tds_type_id", INT),
    ("tds_length", INT),
    ("tds_collation_id", INT),
    ("tds_collation_sort_id", SqlType::TinyInt),
];

fn described(n: usize, column: &OutColumn, default_collation: &str) -> Vec<Value> {
    let int = |n: i64| Value::Integer(n);
    let bit = |b: bool| Value::Integer(i64::from(b));
    let ty = column.ty;
    let collation = ty
        .is_character()
        .then(|| column.collation.map_or_else(|| default_collation.to_owned(), |c| c.name().to_owned()));
    let mut row = vec![
        bit(false),
        int(n as i64 + 1),
        column.name.clone().map_or(Value::Null, Value::Text),
        bit(column.nullable),
        int(ty.system_type_id().into()),
        Value::Text(ty.to_string()),
        int(ty.max_length().into()),
        int(ty.precision().into()),
        int(ty.scale().into()),
        collation.map_or(Value::Null, Value::Text),
    ];
    row.extend((0..9).map(|_| Value::Null));
    row.extend([bit(false), bit(false), bit(false)]);
    row.extend((0..5).map(|_| Value::Null));
    row.extend([
        bit(column.facts.identity),
        Value::Null,
        bit(column.facts.table_column && !column.facts.identity && !column.facts.computed),
        bit(column.facts.computed),
        bit(false),
        Value::Null,
        Value::Null,
        Value::Null,
        int(ty.system_type_id().into()),
        int(if ty.max_length() == -1 { 65535 } else { ty.max_length().into() }),
        Value::Null,
        Value::Null,
    ]);
    row
}

/// sp_describe_undeclared_parameters would need the types that an untyped statement implies.
pub(super) fn undeclared_parameters(
    _: &mut Session,
    _: &Frame,
    _: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    Err(SqlError::unsupported("sp_describe_undeclared_parameters").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::ColumnFacts;

    #[test]
    fn a_description_has_a_value_for_each_column() {
        let column = OutColumn {
            name: Some("n".into()),
            ty: SqlType::Int,
            nullable: true,
            collation: None,
            facts: ColumnFacts::default(),
        };
        assert_eq!(described(0, &column, "x").len(), DESCRIPTION.len());
    }
}
