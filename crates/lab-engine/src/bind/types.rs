//! Data types as written.

use lab_tsql::ast::DataType;

use crate::error::SqlError;
use crate::types::{Len, SqlType};

/// The type of a column, variable or parameter. Lengths that are not written are 1.
pub(crate) fn declared_type(ty: &DataType) -> Result<SqlType, SqlError> {
    bind_type(ty, 1)
}

/// A type, with the length that CAST (30) or a declaration (1) assumes.
pub(crate) fn bind_type(ty: &DataType, default_len: u16) -> Result<SqlType, SqlError> {
    let name = ty.name.name().to_ascii_lowercase();
    let arg = |n: usize| ty.args.get(n).copied();
    let len = |max: u32| -> Result<u16, SqlError> {
        match arg(0) {
            None => Ok(default_len),
            Some(n) if (1..=max).contains(&n) => Ok(n as u16),
            Some(0) => Err(SqlError::new(1001, 15, 1, "Length or precision specification 0 is invalid.")),
            Some(n) => Err(SqlError::new(
                131,
                15,
                3,
                format!(
                    "The size ({n}) given to the type '{name}' exceeds the maximum allowed for any data type (8000)."
                ),
            )),
        }
    };
    let varying = |max: u32| if ty.max { Ok(Len::Max) } else { len(max).map(Len::N) };
    let scale = || -> Result<u8, SqlError> {
        match arg(0) {
            None => Ok(7),
            Some(n @ 0..=7) => Ok(n as u8),
            Some(n) => Err(SqlError::new(1002, 15, 1, format!("Specified scale {n} is invalid."))),
        }
    };
    let decimal = || -> Result<(u8, u8), SqlError> {
        let (p, s) = (arg(0).unwrap_or(18), arg(1).unwrap_or(0));
        if !(1..=38).contains(&p) {
            return Err(SqlError::new(
                2750,
                16,
                1,
                format!(
                    "Column or parameter #1: Specified column precision {p} is greater than the maximum precision of 38."
                ),
            ));
        }
        if s > p {
            return Err(SqlError::new(
                183,
                15,
                1,
                format!("The scale ({s}) for column '' must be within the range 0 to {p}."),
            ));
        }
        Ok((p as u8, s as u8))
    };
    let sized = matches!(
        name.as_str(),
        "char"
            | "character"
            | "varchar"
            | "nchar"
            | "nvarchar"
            | "binary"
            | "varbinary"
            | "decimal"
            | "dec"
            | "numeric"
            | "float"
            | "time"
            | "datetime2"
            | "datetimeoffset"
    );
    if !sized && !ty.args.is_empty() && ty.name.parts.len() == 1 && is_plain(&name) {
        let text =
            format!("Column, parameter, or variable #1: Cannot specify a column width on data type {name}.");
        return Err(SqlError::new(2716, 16, 1, text).at(ty.name.line()));
    }
    Ok(match name.as_str() {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "decimal" | "dec" => decimal().map(|(precision, scale)| SqlType::Decimal { precision, scale })?,
        "numeric" => decimal().map(|(precision, scale)| SqlType::Numeric { precision, scale })?,
        "money" => SqlType::Money,
        "smallmoney" => SqlType::SmallMoney,
        "real" => SqlType::Real,
        "float" => {
            if arg(0).is_some_and(|n| n <= 24) {
                SqlType::Real
            } else {
                SqlType::Float
            }
        }
        "date" => SqlType::Date,
        "time" => SqlType::Time { scale: scale()? },
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2 { scale: scale()? },
        "datetimeoffset" => SqlType::DateTimeOffset { scale: scale()? },
        "char" | "character" => SqlType::Char { len: len(8000)? },
        "varchar" => SqlType::VarChar { len: varying(8000)? },
        "text" => SqlType::Text,
        "nchar" => SqlType::NChar { len: len(4000)? },
        "nvarchar" => SqlType::NVarChar { len: varying(4000)? },
        "sysname" => SqlType::SYSNAME,
        "ntext" => SqlType::NText,
        "binary" => SqlType::Binary { len: len(8000)? },
        "varbinary" => SqlType::VarBinary { len: varying(8000)? },
        "image" => SqlType::Image,
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "xml" => SqlType::Xml,
        "sql_variant" => SqlType::Variant,
        "rowversion" | "timestamp" => SqlType::RowVersion,
        _ => return Err(SqlError::type_not_found(&ty.name.to_string()).at(ty.name.line())),
    })
}

/// Types that take no length.
fn is_plain(name: &str) -> bool {
    matches!(
        name,
        "bit"
            | "tinyint"
            | "smallint"
            | "int"
            | "integer"
            | "bigint"
            | "money"
            | "smallmoney"
            | "real"
            | "date"
            | "datetime"
            | "smalldatetime"
            | "text"
            | "ntext"
            | "image"
            | "uniqueidentifier"
            | "sql_variant"
            | "rowversion"
            | "timestamp"
            | "sysname"
    )
}
