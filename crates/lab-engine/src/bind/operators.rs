//! Conversions and arithmetic between bound expressions.

use rusqlite::types::Value;

use super::{Binder, Bound, Strength};
use crate::error::SqlError;
use crate::functions::{Arg, BindEnv as FunctionEnv, coerce_sql};
use crate::types::{self, ArithmeticOp, Collation, ConvertKind, SqlType};

impl Bound {
    /// The form in which the function library takes its arguments.
    pub(crate) fn as_arg(&self) -> Arg {
        Arg {
            sql: self.sql.clone(),
            ty: self.ty,
            nullable: self.nullable,
            collation: self.collation,
            literal: self.literal.clone(),
            is_null_literal: self.is_null_literal,
        }
    }

    /// A value known when binding.
    pub(crate) fn literal(value: Value, ty: SqlType) -> Bound {
        Bound {
            nullable: value == Value::Null,
            is_null_literal: false,
            literal: Some(value.clone()),
            ..Bound::new(literal_sql(&value), ty, false)
        }
    }

    /// The untyped NULL.
    pub(crate) fn null() -> Bound {
        Bound { is_null_literal: true, literal: Some(Value::Null), ..Bound::new("NULL", SqlType::Int, true) }
    }
}

/// A value as SQLite SQL text.
pub(crate) fn literal_sql(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(i64::MIN) => "(-9223372036854775807-1)".to_owned(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => format!("{r:e}"),
        // SQLite's text literal ends at a NUL, so such text goes as a cast blob.
        Value::Text(t) if t.contains('\0') => format!("CAST(x'{}' AS TEXT)", hex(t.as_bytes())),
        Value::Text(t) => format!("'{}'", t.replace('\'', "''")),
        Value::Blob(b) => format!("x'{}'", hex(b)),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

impl Binder<'_> {
    pub(crate) fn function_env(&mut self) -> FunctionEnv {
        FunctionEnv {
            date_format: self.env.settings.date_format,
            date_first: self.env.settings.date_first,
            collation: self.database_collation(),
        }
    }

    /// Converts an expression to a type, at once if its value is known.
    ///
    /// # Errors
    /// 206/257/529 if there is no such conversion, or the error of converting the literal.
    pub(crate) fn convert(
        &mut self,
        from: &Bound,
        to: SqlType,
        kind: ConvertKind,
    ) -> Result<Bound, SqlError> {
        let mut out = Bound { ty: to, column: None, ..from.clone() };
        if from.is_null_literal {
            return Ok(Bound { is_null_literal: false, ..out });
        }
        types::check_conversion(from.ty, to, kind)?;
        if !to.is_character() {
            out.collation = None;
        }
        if let Some(value) = &from.literal {
            let context = self.function_env().context();
            // What fails is left to fail when it is evaluated, which a CASE may never do.
            if let Ok(folded) = types::convert(value, from.ty, to, None, kind, &context) {
                out.sql = literal_sql(&folded);
                out.literal = Some(folded);
                return Ok(out);
            }
            out.literal = None;
        }
        out.sql = coerce_sql(&from.sql, from.ty, to, kind);
        Ok(out)
    }

    pub(crate) fn implicit(&mut self, from: &Bound, to: SqlType) -> Result<Bound, SqlError> {
        self.convert(from, to, ConvertKind::Implicit)
    }

    /// Converts for an assignment to a column or variable, where text that does not fit is an error.
    pub(crate) fn assign(&mut self, from: &Bound, to: SqlType) -> Result<Bound, SqlError> {
        self.convert(from, to, ConvertKind::Assign)
    }

    /// Converts for an assignment to a variable, which cuts text off where a column would refuse it.
    pub(crate) fn to_variable(&mut self, from: &Bound, to: SqlType) -> Result<Bound, SqlError> {
        let cuts = (from.ty.is_character() || from.ty.is_binary()) && (to.is_character() || to.is_binary());
        if cuts {
            types::check_conversion(from.ty, to, ConvertKind::Implicit)?;
        }
        self.convert(from, to, if cuts { ConvertKind::Explicit } else { ConvertKind::Implicit })
    }

    /// The type that two expressions meet in.
    pub(crate) fn meet(&self, left: &Bound, right: &Bound) -> Result<SqlType, SqlError> {
        match (left.is_null_literal, right.is_null_literal) {
            (true, _) => Ok(right.ty),
            (_, true) => Ok(left.ty),
            _ => types::combine(left.ty, right.ty),
        }
    }

    /// The collation that two strings are compared by.
    ///
    /// # Errors
    /// 468 if both have one and they differ.
    pub(crate) fn meet_collation(
        &mut self,
        left: &Bound,
        right: &Bound,
        operation: &str,
    ) -> Result<(Option<Collation>, Strength), SqlError> {
        let strength = left.collation_strength.max(right.collation_strength);
        let one = |side: &Bound| side.collation.filter(|_| side.collation_strength == strength);
        match (one(left), one(right)) {
            (Some(a), Some(b)) if a != b && strength != Strength::CoercibleDefault => {
                Err(SqlError::collation_conflict(a.name(), b.name(), operation))
            }
            (Some(a), _) | (None, Some(a)) => Ok((Some(a), strength)),
            (None, None) => Ok((None, strength)),
        }
    }

    /// `left op right` for `+ - * / % & | ^`.
    pub(crate) fn arithmetic(
        &mut self,
        op: ArithmeticOp,
        left: Bound,
        right: Bound,
    ) -> Result<Bound, SqlError> {
        let ungrouped = left.ungrouped.clone().or_else(|| right.ungrouped.clone());
        let (left, right) = typed_nulls(left, right);
        if op == ArithmeticOp::Add && (left.ty.is_character() || right.ty.is_character()) {
            let meeting = types::combine(left.ty, right.ty)?;
            if meeting.is_character() {
                return Ok(Bound { ungrouped, ..self.concatenate(&left, &right)? });
            }
        }
        if op == ArithmeticOp::Add && left.ty.is_binary() && right.ty.is_binary() {
            let ty = types::concat_type(left.ty, right.ty);
            let sql = format!("t_cat_bin({}, {})", left.sql, right.sql);
            return Ok(Bound { ungrouped, ..Bound::new(sql, ty, left.nullable || right.nullable) });
        }
        let rule = types::arithmetic(op, left.ty, right.ty)?;
        let left = self.implicit(&left, rule.left)?;
        let right = self.implicit(&right, rule.right)?;
        let sql = crate::functions::arithmetic_sql(
            op,
            (&left.sql, rule.left),
            (&right.sql, rule.right),
            rule.result,
        );
        let lenient = !self.env.settings.ansi_warnings && !self.env.settings.arithabort;
        let sql = if lenient { crate::functions::lenient_sql(&sql) } else { sql };
        Ok(Bound { ungrouped, ..Bound::new(sql, rule.result, left.nullable || right.nullable) })
    }

    fn concatenate(&mut self, left: &Bound, right: &Bound) -> Result<Bound, SqlError> {
        let (collation, strength) = self.meet_collation(left, right, "add")?;
        let ty = types::concat_type(left.ty, right.ty);
        let side = |binder: &mut Self, part: &Bound| -> Result<Bound, SqlError> {
            if part.ty.is_character() {
                Ok(part.clone())
            } else {
                binder.implicit(part, types::text_form(part.ty))
            }
        };
        let (mut l, mut r) = (side(self, left)?, side(self, right)?);
        if !self.env.settings.concat_null_yields_null {
            for part in [&mut l, &mut r] {
                part.sql = format!("ifnull({},'')", part.sql);
                part.literal = None;
            }
        }
        let sql = if types::may_exceed(left.ty, right.ty) {
            format!("t_clip({} || {}, {})", l.sql, r.sql, ty.code())
        } else {
            format!("({} || {})", l.sql, r.sql)
        };
        let literal = match (&l.literal, &r.literal) {
            (Some(Value::Text(a)), Some(Value::Text(b))) => Some(Value::Text(format!("{a}{b}"))),
            _ => None,
        };
        Ok(Bound {
            collation,
            collation_strength: strength,
            sql: literal.as_ref().map_or(sql, literal_sql),
            literal,
            ..Bound::new("", ty, left.nullable || right.nullable)
        })
    }

    /// `-x`.
    pub(crate) fn negate(&mut self, operand: &Bound) -> Result<Bound, SqlError> {
        if operand.ty.is_character() || operand.ty.is_binary() {
            return Err(SqlError::invalid_operand(&operand.ty.to_string(), "minus"));
        }
        let ty = if operand.ty == SqlType::Bit || operand.ty == SqlType::TinyInt {
            SqlType::SmallInt
        } else {
            operand.ty
        };
        // The least value of a type has no counterpart: that is for the run to find.
        if let Some(Value::Integer(i)) = operand.literal
            && i > i64::from(i32::MIN)
        {
            return Ok(Bound::literal(Value::Integer(-i), ty));
        }
        if let Some(Value::Real(r)) = operand.literal {
            return Ok(Bound::literal(Value::Real(-r), ty));
        }
        let sql = crate::functions::negate_sql(&operand.sql, ty);
        Ok(Bound { ungrouped: operand.ungrouped.clone(), ..Bound::new(sql, ty, operand.nullable) })
    }
}

/// A bare NULL takes the type of its partner.
fn typed_nulls(left: Bound, right: Bound) -> (Bound, Bound) {
    match (left.is_null_literal, right.is_null_literal) {
        (true, false) => (Bound { ty: right.ty, ..left }, right),
        (false, true) => {
            let ty = left.ty;
            (left, Bound { ty, ..right })
        }
        _ => (left, right),
    }
}
