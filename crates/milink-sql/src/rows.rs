//! What a request is answered with.

use std::ops::Deref;
use std::sync::Arc;

use crate::error::{ServerMessage, SqlError};
use crate::value::{FromValue, Value};

/// A column of a result set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name; empty if the query gives none.
    pub name: String,
    /// Whether its type is a number's, which is written to the right.
    pub numeric: bool,
}

/// A result set.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Its columns.
    pub columns: Arc<[ColumnInfo]>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row. It has a value for each of its set's columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[ColumnInfo]>,
    values: Vec<Value>,
}

/// All that a batch is answered with. It can be used as the list of its result sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The result sets.
    pub sets: Vec<Rows>,
    /// How many rows each statement changed that counts them.
    pub affected: Vec<u64>,
    /// PRINT, progress, warnings.
    pub messages: Vec<ServerMessage>,
}

/// What came of a statement with effects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executed {
    /// How many rows each statement changed that counts them.
    pub affected: Vec<u64>,
    /// PRINT, progress, warnings.
    pub messages: Vec<ServerMessage>,
}

impl Rows {
    /// A set of these columns; a row that is not as long as they are is filled up with NULL or cut.
    pub fn new(columns: Vec<ColumnInfo>, rows: Vec<Vec<Value>>) -> Rows {
        let columns: Arc<[ColumnInfo]> = columns.into();
        let rows = rows.into_iter().map(|values| Row::new(&columns, values)).collect();
        Rows { columns, rows }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.rows.iter()
    }

    /// The first row, if there is one.
    pub fn first(&self) -> Option<&Row> {
        self.rows.first()
    }

    /// The row that there must be exactly one of.
    ///
    /// # Errors
    /// There are none or more.
    pub fn one(&self) -> Result<&Row, SqlError> {
        match self.rows.as_slice() {
            [row] => Ok(row),
            rows => {
                Err(SqlError::Unexpected { what: format!("{} rows where there should be one", rows.len()) })
            }
        }
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = std::vec::IntoIter<Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl Row {
    pub(crate) fn new(columns: &Arc<[ColumnInfo]>, mut values: Vec<Value>) -> Row {
        values.resize(columns.len(), Value::Null);
        Row { columns: columns.clone(), values }
    }

    /// All values, in the columns' order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The value of a column by its name, in whatever case; of two of the same name the first.
    ///
    /// # Errors
    /// There is no such column, or its value is not a `T` without loss.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, SqlError> {
        let at = self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(column));
        let Some(value) = at.and_then(|at| self.values.get(at)) else {
            let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
            let what = format!("there is no column '{column}', only {}", names.join(", "));
            return Err(SqlError::Unexpected { what });
        };
        T::from_value(value).ok_or_else(|| unexpected::<T>(&format!("'{column}'"), value))
    }

    /// The value of a column by its place, from zero.
    ///
    /// # Errors
    /// There are not so many, or its value is not a `T` without loss.
    pub fn at<T: FromValue>(&self, column: usize) -> Result<T, SqlError> {
        let value = self.values.get(column).ok_or_else(|| SqlError::Unexpected {
            what: format!("there are {} columns, and number {} is wanted", self.values.len(), column + 1),
        })?;
        T::from_value(value).ok_or_else(|| unexpected::<T>(&format!("{}", column + 1), value))
    }
}

fn unexpected<T: FromValue>(column: &str, value: &Value) -> SqlError {
    SqlError::Unexpected { what: format!("column {column} is {} and not {}", value.kind(), T::WANTED) }
}

impl Deref for Batch {
    type Target = Vec<Rows>;

    fn deref(&self) -> &Vec<Rows> {
        &self.sets
    }
}

impl IntoIterator for Batch {
    type Item = Rows;
    type IntoIter = std::vec::IntoIter<Rows>;

    fn into_iter(self) -> Self::IntoIter {
        self.sets.into_iter()
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = &'a Rows;
    type IntoIter = std::slice::Iter<'a, Rows>;

    fn into_iter(self) -> Self::IntoIter {
        self.sets.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_by_name_and_place() {
        let columns = ["name", "Size"]
            .map(|name| ColumnInfo { name: name.to_owned(), numeric: name == "Size" })
            .to_vec();
        let rows = Rows::new(columns, vec![vec![Value::Text("a".into()), Value::Int(7)]]);
        let row = rows.one().unwrap();
        assert_eq!(row.get::<String>("NAME").unwrap(), "a");
        assert_eq!((row.get::<i64>("size").unwrap(), row.at::<u8>(1).unwrap()), (7, 7));
        for (e, said) in [
            (row.get::<i32>("nme").unwrap_err(), "there is no column 'nme', only name, Size"),
            (
                row.get::<i32>("name").unwrap_err(),
                "column 'name' is text and not a whole number in the range of i32",
            ),
            (row.get::<String>("size").unwrap_err(), "column 'size' is an integer and not text"),
            (row.at::<String>(2).unwrap_err(), "there are 2 columns, and number 3 is wanted"),
            (Rows::new(Vec::new(), Vec::new()).one().unwrap_err(), "0 rows where there should be one"),
        ] {
            assert!(e.to_string().contains(said), "{e}");
        }
    }
}
