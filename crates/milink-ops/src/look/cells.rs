//! Cells of an answer as the values that an observation has.

use std::future::Future;

use milink_core::lsn::Lsn;
use milink_core::moment::Moment;
use milink_sql::{Row, Rows, SqlError};

/// An answer that a release may not have, or a login may not ask: `None` then. A connection that is lost is an error all the same.
pub(super) async fn optional(
    asked: impl Future<Output = Result<Rows, SqlError>>,
) -> Result<Option<Rows>, SqlError> {
    match asked.await {
        Ok(rows) => Ok(Some(rows)),
        // 208: no such object; 207: no such column; 229, 297, 300, 916, 15562, 22981: no permission; 2812: no such procedure.
        Err(e) if matches!(e.number(), Some(207 | 208 | 229 | 297 | 300 | 371 | 916 | 2571 | 2812)) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

/// A number that is not negative; `None` for NULL, and for a number that does not fit, such as the -1 of an unknown queue.
pub(super) fn cell<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<Option<T>, SqlError> {
    Ok(row.get::<Option<i64>>(column)?.and_then(|n| T::try_from(n).ok()))
}

/// A bit.
pub(super) fn flag(row: &Row, column: &str) -> Result<Option<bool>, SqlError> {
    Ok(row.get::<Option<i64>>(column)?.map(|n| n != 0))
}

/// A time.
pub(super) fn moment(row: &Row, column: &str) -> Result<Option<Moment>, SqlError> {
    let text: Option<String> = row.get(column)?;
    text.map(|t| t.parse().map_err(|e| unexpected(format!("{column}: {e}")))).transpose()
}

/// An LSN.
pub(super) fn lsn(row: &Row, column: &str) -> Result<Option<Lsn>, SqlError> {
    let text: Option<String> = row.get(column)?;
    text.map(|t| t.parse().map_err(|e| unexpected(format!("{column}: {e}")))).transpose()
}

/// A word of a closed list; one that this release of the tool does not know is `None`.
pub(super) fn word<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, SqlError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|t| {
        let word = t.trim().replace(' ', "_");
        serde_json::from_value(serde_json::Value::String(word)).ok()
    }))
}

/// An answer that is not what was asked for.
pub(super) fn unexpected(what: String) -> SqlError {
    SqlError::Unexpected { what }
}
