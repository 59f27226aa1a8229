//! Comparisons and the predicates made of them.

use super::{Binder, Bound};
use crate::error::SqlError;
use crate::types::{Collation, SqlType};

impl Binder<'_> {
    /// `left op right`, where `op` is SQLite's spelling (`=`, `<>`, `<`, `<=`, `>`, `>=`, `IS`).
    pub(crate) fn compare(&mut self, op: &str, left: &Bound, right: &Bound) -> Result<String, SqlError> {
        // With ANSI_NULLS OFF, NULL equals NULL where one side is NULL or a variable.
        let bare = |b: &Bound| b.is_null_literal || b.sql.starts_with('?');
        let op = match op {
            "=" if !self.env.settings.ansi_nulls && (bare(left) || bare(right)) => "IS",
            "<>" if !self.env.settings.ansi_nulls && (bare(left) || bare(right)) => "IS NOT",
            other => other,
        };
        let (left, right, collation) = self.comparable(&[left.clone(), right.clone()], op).map(two)?;
        Ok(format!("({}{} {op} {})", left, collate(collation), right))
    }

    /// Brings expressions to one type to be compared; their SQL and the collation to compare by.
    pub(crate) fn comparable(
        &mut self,
        parts: &[Bound],
        op: &str,
    ) -> Result<(Vec<String>, Option<Collation>), SqlError> {
        let Some(first) = parts.first() else { return Ok((Vec::new(), None)) };
        let mut meeting = first.clone();
        for part in parts.iter().skip(1) {
            let ty = self.meet(&meeting, part)?;
            if ty.is_character() && meeting.ty.is_character() && part.ty.is_character() {
                let (collation, strength) = self.meet_collation(&meeting, part, operation(op))?;
                meeting.collation = collation;
                meeting.collation_strength = strength;
            } else if part.ty.is_character() {
                meeting.collation = part.collation;
                meeting.collation_strength = part.collation_strength;
            }
            meeting.is_null_literal &= part.is_null_literal;
            meeting.ty = ty;
        }
        for part in parts {
            if !part.is_null_literal && !part.ty.is_comparable() {
                let other = parts.iter().find(|p| p.ty != part.ty).unwrap_or(part);
                let (a, b) = if first.ty == part.ty { (part, other) } else { (first, part) };
                return Err(SqlError::incompatible_types(a.ty.name(), b.ty.name(), operation(op)));
            }
        }
        let ty = meeting.ty;
        // Lengths and scales do not change how two values compare, so columns stay bare and indexes usable.
        let ty_for = |part: &Bound| if types_agree(part.ty, ty) { part.ty } else { ty };
        let mut sqls = Vec::new();
        for part in parts {
            let to = ty_for(part);
            let converted = self.implicit(part, to)?;
            sqls.push(comparison_key(&converted.sql, to));
        }
        let collation =
            ty.is_character().then(|| meeting.collation.unwrap_or_else(|| self.database_collation()));
        Ok((sqls, collation))
    }

    /// The SQL that rows are sorted or grouped by.
    pub(crate) fn sort_key(&mut self, bound: &Bound) -> String {
        let key = comparison_key(&bound.sql, bound.ty);
        if bound.ty.is_character() {
            let collation = bound.collation.unwrap_or_else(|| self.database_collation());
            format!("{key}{}", collate(Some(collation)))
        } else {
            key
        }
    }
}

/// The part of a value that comparisons look at: of a datetimeoffset only the instant, of a variant not its type.
fn comparison_key(sql: &str, ty: SqlType) -> String {
    match ty {
        SqlType::DateTimeOffset { .. } => format!("substr({sql}, 1, 8)"),
        SqlType::Variant => format!("t_vkey({sql})"),
        _ => sql.to_owned(),
    }
}

/// Whether two types have the same representation and the same order in it.
fn types_agree(a: SqlType, b: SqlType) -> bool {
    if a == b || (a.is_character() && b.is_character()) || (a.is_integer() && b.is_integer()) {
        return true;
    }
    crate::types::same_representation(a, b)
}

pub(crate) fn collate(collation: Option<Collation>) -> String {
    collation.map_or_else(String::new, |c| format!(" COLLATE \"{}\"", c.name()))
}

fn two((sqls, collation): (Vec<String>, Option<Collation>)) -> (String, String, Option<Collation>) {
    let mut sqls = sqls.into_iter();
    (sqls.next().unwrap_or_default(), sqls.next().unwrap_or_default(), collation)
}

/// An operator as error texts name it.
fn operation(op: &str) -> &str {
    match op {
        "=" | "IS" => "equal to",
        "<>" | "IS NOT" => "not equal to",
        "<" => "less than",
        "<=" => "less than or equal to",
        ">" => "greater than",
        ">=" => "greater than or equal to",
        other => other,
    }
}
