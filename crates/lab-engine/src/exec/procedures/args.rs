//! Reading the arguments of system procedures.

use rusqlite::types::Value;

use crate::exec::Stop;
use crate::exec::call::{Passed, Returned};
use crate::exec::frame::Variable;
use crate::types::SqlType;

/// The argument with that name, or at that place.
pub(super) fn argument<'a>(passed: &'a [Passed], at: usize, name: &str) -> Option<&'a Passed> {
    passed
        .iter()
        .find(|p| p.name.eq_ignore_ascii_case(name))
        .or_else(|| passed.get(at).filter(|p| p.name.is_empty()))
}

pub(super) fn text(passed: &[Passed], at: usize, name: &str) -> Option<String> {
    match argument(passed, at, name)?.value.as_ref()? {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn int(passed: &[Passed], at: usize, name: &str) -> Option<i64> {
    match argument(passed, at, name)?.value.as_ref()? {
        Value::Integer(n) => Some(*n),
        _ => None,
    }
}

/// An integer that goes back to the caller.
pub(super) fn int_output(at: usize, value: i64) -> (usize, Variable) {
    (at, Variable { ty: SqlType::Int, collation: None, value: Value::Integer(value) })
}

/// Nothing but success.
pub(super) fn done() -> Result<Returned, Stop> {
    Ok(Returned::default())
}
