//! The table functions that the engine has itself.

use lab_tsql::ast::{Expr, Ident, ObjectName};
use rusqlite::types::Value;

use super::from::derived_source;
use super::query::{OutColumn, named_columns};
use super::{Binder, Bound, ColumnFacts};
use crate::error::SqlError;
use crate::types::{self, SqlType};

/// The table functions that the engine has itself.
pub(super) fn is_builtin_table(name: &ObjectName) -> bool {
    let known = ["string_split", "generate_series", "openjson"];
    name.parts.len() == 1 && known.iter().any(|k| name.name().eq_ignore_ascii_case(k))
}

impl Binder<'_> {
    /// STRING_SPLIT, OPENJSON and GENERATE_SERIES: `json_each` over what their functions make of the arguments.
    pub(super) fn builtin_table(
        &mut self,
        name: &str,
        args: &[Expr],
        alias: Option<&Ident>,
        names: &[Ident],
    ) -> Result<(String, usize), SqlError> {
        let args: Vec<Bound> = args.iter().map(|a| self.expr(a)).collect::<Result<_, _>>()?;
        let sqlite = self.alias();
        let collation = Some(self.database_collation());
        let column = |name: &str, ty: SqlType| OutColumn {
            name: Some(name.to_owned()),
            ty,
            nullable: true,
            collation: collation.filter(|_| ty.is_character()),
            facts: ColumnFacts::default(),
        };
        let wrong_count = |wanted: &str| Err(SqlError::invalid_parameter(wanted, name));
        let (function, columns, places) = match (name, args.as_slice()) {
            ("string_split", [text, separator, rest @ ..]) if rest.len() < 2 => {
                let ty = if text.ty.is_character() { text.ty } else { crate::types::text_form(text.ty) };
                let (text, separator) =
                    (self.implicit(text, ty)?, self.implicit(separator, SqlType::nvarchar(4000))?);
                let ordinal = match rest.first().map(|b| &b.literal) {
                    None => false,
                    Some(Some(Value::Integer(n @ (0 | 1)))) => *n == 1,
                    Some(_) => {
                        return Err(SqlError::new(
                            8748,
                            16,
                            1,
                            "The enable_ordinal argument for STRING_SPLIT only supports constant values (not variables or columns).",
                        ));
                    }
                };
                let value_ty = match ty {
                    SqlType::Char { len } => SqlType::varchar(len),
                    SqlType::NChar { len } => SqlType::nvarchar(len),
                    other => other,
                };
                let mut columns = vec![column("value", value_ty)];
                let mut places = vec![format!("{sqlite}.value")];
                if ordinal {
                    columns.push(column("ordinal", SqlType::BigInt));
                    places.push(format!("({sqlite}.key+1)"));
                }
                (format!("t_split({},{})", text.sql, separator.sql), columns, places)
            }
            ("openjson", [text, rest @ ..]) if rest.len() < 2 => {
                let text = self.implicit(text, SqlType::NVARCHAR_MAX)?.sql;
                let path = rest.first().map_or_else(|| "'$'".to_owned(), |p| p.sql.clone());
                let columns = vec![
                    column("key", SqlType::nvarchar(4000)),
                    column("value", SqlType::NVARCHAR_MAX),
                    column("type", SqlType::Int),
                ];
                let places = (0..3).map(|n| format!("t_unpack({sqlite}.value,{n})")).collect();
                (format!("t_openjson({text},{path})"), columns, places)
            }
            ("generate_series", [start, stop, rest @ ..]) if rest.len() < 2 => {
                let mut ty = self.meet(start, stop)?;
                for step in rest {
                    ty = types::combine(ty, step.ty)?;
                }
                let exact = ty.is_integer() || (ty.is_decimal() && ty.precision() <= 18);
                if !exact {
                    return Err(SqlError::unsupported(&format!("GENERATE_SERIES of {ty}")));
                }
                let mut sqls = vec![self.implicit(start, ty)?.sql, self.implicit(stop, ty)?.sql];
                sqls.push(match rest.first() {
                    Some(step) => self.implicit(step, ty)?.sql,
                    None => "NULL".to_owned(),
                });
                let function = format!("t_series({},{})", sqls.join(","), ty.code());
                (function, vec![column("value", ty)], vec![format!("{sqlite}.value")])
            }
            ("openjson", _) => return wrong_count("1 to 2"),
            _ => return wrong_count("2 to 3"),
        };
        let exposed = alias.map_or(name, |a| a.value.as_str());
        let columns = named_columns(&columns, names, exposed)?;
        let mut source = derived_source(&sqlite, Some(exposed), &columns);
        for (column, place) in source.columns.iter_mut().zip(places) {
            column.sql = place;
        }
        self.push_source(source)?;
        Ok((format!("json_each({function}) AS {sqlite}"), 1))
    }
}
