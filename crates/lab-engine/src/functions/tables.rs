//! What STRING_SPLIT, GENERATE_SERIES and OPENJSON are made of: functions that yield a JSON array for `json_each` to walk
//! over, so that they can stand at the right of APPLY, where SQLite has no other table that sees its left.

use rusqlite::functions::Context;
use rusqlite::types::Value;
use rusqlite::{Connection, Result};

use super::json;
use super::operators::PURE;
use crate::error::SqlError;
use crate::types::{self, SqlType};

/// A series is made in memory before it is read; more than this is refused rather than risked.
const SERIES_MAX: i128 = 10_000_000;

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_scalar_function("t_split", 2, PURE, |c| {
        let (Some(text), Some(separator)) = (c.get::<Option<String>>(0)?, c.get::<Option<String>>(1)?) else {
            return Ok(None);
        };
        if separator.encode_utf16().count() != 1 {
            let e = SqlError::new(
                214,
                16,
                11,
                "Procedure expects parameter 'separator' of type 'nchar(1)/nvarchar(1)'.",
            );
            return Err(e.to_carrier());
        }
        let parts: Vec<&str> = text.split(separator.as_str()).collect();
        Ok(Some(serde_json::Value::from(parts).to_string()))
    })?;
    conn.create_scalar_function("t_openjson", 2, PURE, |c| {
        let Some(text) = c.get::<Option<String>>(0)? else { return Ok(None) };
        let path: Option<String> = c.get(1)?;
        path.map(|path| json::open(&text, &path).map_err(|e| e.to_carrier())).transpose()
    })?;
    conn.create_scalar_function("t_series", 4, PURE, |c| series(c).map_err(|e| e.to_carrier()))
}

/// `t_series(start, stop, step or NULL, type)`: scaled integers.
fn series(c: &Context<'_>) -> std::result::Result<Option<String>, SqlError> {
    use std::fmt::Write as _;
    let internal = |e: rusqlite::Error| SqlError::internal(e);
    let number = |n: usize| c.get::<Value>(n).map(|v| types::exact(&v)).map_err(internal);
    let (Some(start), Some(stop)) = (number(0)?, number(1)?) else { return Ok(None) };
    let ty = SqlType::from_code(c.get(3).map_err(internal)?).unwrap_or(SqlType::Int);
    let unit = types::pow10(types::exact_scale(ty));
    let step = match number(2)? {
        Some(step) => step,
        None if start <= stop => unit,
        None => -unit,
    };
    if step == 0 {
        return Err(SqlError::new(
            4199,
            16,
            1,
            "Argument value 0 is invalid for argument 3 of generate_series function.",
        ));
    }
    let count = if (stop - start).signum() * step.signum() < 0 { 0 } else { (stop - start) / step + 1 };
    if count > SERIES_MAX {
        return Err(SqlError::new(701, 17, 123, "There is insufficient system memory to run this query."));
    }
    let mut out = "[".to_owned();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}{}", start + n * step).map_err(SqlError::internal)?;
    }
    out.push(']');
    Ok(Some(out))
}
