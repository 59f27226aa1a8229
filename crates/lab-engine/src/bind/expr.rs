//! Expressions.

use lab_tsql::ast::{BinaryOp, Call, CastKind, CompareOp, Expr, Literal, ObjectName, UnaryOp};
use rusqlite::types::Value;

use super::scope::Found;
use super::{Binder, Bound, ParamSource, Strength, bind_type};
use crate::error::SqlError;
use crate::types::{self, ArithmeticOp, Collation, ConvertKind, SqlType};

/// SQLite's spelling of a comparison.
pub(crate) fn compare_sql(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "=",
        CompareOp::Ne => "<>",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
    }
}

pub(crate) fn arithmetic_op(op: BinaryOp) -> ArithmeticOp {
    match op {
        BinaryOp::Add => ArithmeticOp::Add,
        BinaryOp::Sub => ArithmeticOp::Sub,
        BinaryOp::Mul => ArithmeticOp::Mul,
        BinaryOp::Div => ArithmeticOp::Div,
        BinaryOp::Mod => ArithmeticOp::Mod,
        BinaryOp::BitAnd => ArithmeticOp::BitAnd,
        BinaryOp::BitOr => ArithmeticOp::BitOr,
        BinaryOp::BitXor => ArithmeticOp::BitXor,
    }
}

impl Binder<'_> {
    /// Binds a value.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Result<Bound, SqlError> {
        let mut bound = self.nested(|b| b.expr_inner(expr))?;
        // An expression that GROUP BY names is grouped, whatever it is made of.
        if bound.ungrouped.is_some()
            && let Some(grouping) = self.scopes.last().and_then(|s| s.grouping.as_ref())
            && grouping.keys.contains(&bound.sql)
        {
            bound.ungrouped = None;
        }
        Ok(bound)
    }

    fn expr_inner(&mut self, expr: &Expr) -> Result<Bound, SqlError> {
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Nested(inner) => self.expr(inner),
            Expr::Variable { name, pos } => self.variable(name).map_err(|e| e.at(pos.line)),
            Expr::Global { name, pos } => self.global(name).map_err(|e| e.at(pos.line)),
            Expr::Column(name) => self.column(name).map_err(|e| e.at(name.line())),
            Expr::Unary { op, operand } => {
                let operand = self.expr(operand)?;
                match op {
                    UnaryOp::Plus => Ok(operand),
                    UnaryOp::Minus => self.negate(&operand),
                    UnaryOp::BitNot => {
                        if !operand.ty.is_integer() {
                            return Err(SqlError::invalid_operand(operand.ty.name(), "'~'"));
                        }
                        let sql = match operand.ty {
                            SqlType::Bit => format!("(1-{})", operand.sql),
                            SqlType::TinyInt => format!("(255-{})", operand.sql),
                            _ => format!("(~{})", operand.sql),
                        };
                        Ok(Bound { sql, literal: None, column: None, ..operand })
                    }
                }
            }
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                let (left, right) = (narrowed(&left, &right), narrowed(&right, &left));
                self.arithmetic(arithmetic_op(*op), left, right)
            }
            Expr::Case { operand, whens, otherwise } => {
                self.case(operand.as_deref(), whens, otherwise.as_deref())
            }
            Expr::Cast { kind, operand, to, style, pos } => {
                let bound = self.expr(operand)?;
                let to = bind_type(to, 30).map_err(|e| e.at(pos.line))?;
                let style = style.as_deref().map(|s| self.expr(s)).transpose()?;
                self.cast(*kind, &bound, to, style).map_err(|e| e.at(pos.line))
            }
            Expr::Collate { operand, collation } => {
                let bound = self.expr(operand)?;
                let collation = if collation.value.eq_ignore_ascii_case("database_default") {
                    self.database_collation()
                } else {
                    Collation::by_name(&collation.value)
                        .ok_or_else(|| SqlError::invalid_collation(&collation.value).at(collation.pos.line))?
                };
                Ok(Bound {
                    collation: Some(collation),
                    collation_strength: Strength::Explicit,
                    column: None,
                    ..bound
                })
            }
            Expr::AtTimeZone { operand, zone } => self.at_time_zone(operand, zone),
            Expr::Call(call) => self.call(call).map_err(|e| e.at(call.name.line())),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::NextValue(_) => Err(SqlError::unsupported("NEXT VALUE FOR")),
            Expr::Default => Err(SqlError::new(156, 15, 1, "Incorrect syntax near the keyword 'DEFAULT'.")),
            Expr::Compare { .. }
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_)
            | Expr::IsNull { .. }
            | Expr::DistinctFrom { .. }
            | Expr::Like { .. }
            | Expr::Between { .. }
            | Expr::InList { .. }
            | Expr::InQuery { .. }
            | Expr::Exists(_)
            | Expr::Quantified { .. } => {
                let near = condition_word(expr);
                Err(if near.chars().all(char::is_alphabetic) {
                    SqlError::new(156, 15, 1, format!("Incorrect syntax near the keyword '{near}'."))
                } else {
                    SqlError::new(102, 15, 1, format!("Incorrect syntax near '{near}'."))
                })
            }
        }
    }

    fn literal(&mut self, literal: &Literal) -> Result<Bound, SqlError> {
        Ok(match literal {
            Literal::Null => Bound::null(),
            Literal::Int(digits) => match digits.parse::<i64>() {
                Ok(n) if i32::try_from(n).is_ok() => Bound::literal(Value::Integer(n), SqlType::Int),
                _ => decimal_literal(digits, 0)?,
            },
            Literal::Decimal(text) => {
                let scale = text.split_once('.').map_or(0, |(_, f)| f.len());
                decimal_literal(text, scale as u8)?
            }
            Literal::Float(text) => Bound::literal(Value::Real(text.parse().unwrap_or(0.0)), SqlType::Float),
            Literal::Money(text) => {
                let scaled = types::parse_exact(if text.is_empty() { "0" } else { text }, 4)
                    .ok_or_else(SqlError::text_to_money)?;
                Bound::literal(types::exact_value(scaled, SqlType::Money)?, SqlType::Money)
            }
            Literal::String { value, national } => {
                let collation = self.database_collation();
                let text =
                    if *national || collation.is_utf8() { value.clone() } else { types::to_code_page(value) };
                let n = text.encode_utf16().count();
                let ty = match (national, n) {
                    (true, n) if n > 4000 => SqlType::NVARCHAR_MAX,
                    (false, n) if n > 8000 => SqlType::VarChar { len: crate::types::Len::Max },
                    (true, n) => SqlType::nvarchar(n.max(1) as u16),
                    (false, n) => SqlType::varchar(n.max(1) as u16),
                };
                Bound { collation: Some(collation), ..Bound::literal(Value::Text(text), ty) }
            }
            Literal::Binary(bytes) => {
                let len = match u16::try_from(bytes.len()) {
                    Ok(n) if n <= 8000 => crate::types::Len::N(n.max(1)),
                    _ => crate::types::Len::Max,
                };
                Bound::literal(Value::Blob(bytes.clone()), SqlType::VarBinary { len })
            }
        })
    }

    fn variable(&mut self, name: &str) -> Result<Bound, SqlError> {
        let folded = name.to_lowercase();
        if let Some(own) = self.arguments.last() {
            let value = own.get(&folded).cloned().ok_or_else(|| SqlError::undeclared_variable(name))?;
            self.expansion.reads.insert(folded);
            return Ok(value);
        }
        let (ty, collation) =
            self.env.variables.variable(&folded).ok_or_else(|| SqlError::undeclared_variable(name))?;
        let sql = self.param(ParamSource::Variable(folded));
        let collation = if ty.is_character() { collation.or(Some(self.database_collation())) } else { None };
        Ok(Bound { collation, ..Bound::new(sql, ty, true) })
    }

    pub(crate) fn column(&mut self, name: &ObjectName) -> Result<Bound, SqlError> {
        let column = name.name().to_owned();
        let qualifiers: Vec<&str> = name.parts.iter().rev().skip(1).rev().map(|p| p.value.as_str()).collect();
        let inner = self.scopes.len().saturating_sub(1);
        for (level, scope) in self.scopes.iter().enumerate().rev() {
            match scope.find(&qualifiers, &column) {
                Found::One(source, found) => {
                    let needs_group = level == inner && scope.grouping.is_some() && !scope.in_aggregate;
                    let shown = match (&source.exposed, qualifiers.is_empty()) {
                        (_, false) => name.to_string(),
                        (Some(table), true) => format!("{table}.{}", found.name),
                        (None, true) => found.name.clone(),
                    };
                    let bound = Bound {
                        collation: found.collation,
                        collation_strength: Strength::Implicit,
                        ungrouped: needs_group.then_some(shown),
                        column: Some(found.facts),
                        ..Bound::new(found.sql.clone(), found.ty, found.nullable)
                    };
                    return Ok(self.capture(level, bound));
                }
                Found::Ambiguous => return Err(SqlError::ambiguous_column(&column)),
                Found::NoSuchColumn => return Err(SqlError::invalid_column(&column)),
                Found::Nothing => {}
            }
        }
        if qualifiers.is_empty() {
            Err(SqlError::invalid_column(&column))
        } else {
            Err(SqlError::unbound_identifier(&name.to_string()))
        }
    }

    /// A column of the innermost level, as [`Binder::column`] would give it.
    pub(super) fn captured_cell(&mut self, bound: Bound) -> Bound {
        let level = self.scopes.len().saturating_sub(1);
        self.capture(level, bound)
    }

    /// A column of a query whose select list is evaluated row by row: it becomes a parameter.
    fn capture(&mut self, level: usize, bound: Bound) -> Bound {
        let Some(captured) = self.scopes.get_mut(level).and_then(|s| s.captured.as_mut()) else {
            return bound;
        };
        let at = captured.iter().position(|sql| *sql == bound.sql).unwrap_or_else(|| {
            captured.push(bound.sql.clone());
            captured.len() - 1
        });
        let sql = self.param(ParamSource::Captured(at));
        Bound { sql, ..bound }
    }

    /// Binds expressions and brings them to their common type.
    pub(crate) fn common(&mut self, parts: &[Bound]) -> Result<(Vec<Bound>, SqlType), SqlError> {
        self.common_for(parts, "CASE")
    }

    /// Does so for an operation that a conflict of collations names.
    pub(crate) fn common_for(
        &mut self,
        parts: &[Bound],
        operation: &str,
    ) -> Result<(Vec<Bound>, SqlType), SqlError> {
        let mut meeting: Option<Bound> = None;
        for part in parts {
            meeting = Some(match meeting {
                None => part.clone(),
                Some(so_far) => {
                    let ty = self.meet(&so_far, part)?;
                    let (collation, collation_strength) = if ty.is_character() {
                        self.meet_collation(&so_far, part, operation)?
                    } else {
                        (None, Strength::Implicit)
                    };
                    Bound {
                        ty,
                        collation,
                        collation_strength,
                        is_null_literal: so_far.is_null_literal && part.is_null_literal,
                        ..so_far
                    }
                }
            });
        }
        let Some(meeting) = meeting else { return Ok((Vec::new(), SqlType::Int)) };
        let converted = parts
            .iter()
            .map(|p| {
                let mut c = self.implicit(p, meeting.ty)?;
                c.collation = meeting.collation;
                c.collation_strength = meeting.collation_strength;
                Ok(c)
            })
            .collect::<Result<Vec<_>, SqlError>>()?;
        Ok((converted, meeting.ty))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        whens: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Bound, SqlError> {
        let operand = operand.map(|o| self.expr(o)).transpose()?;
        let mut conditions = Vec::new();
        let mut results = Vec::new();
        let mut ungrouped = operand.as_ref().and_then(|o| o.ungrouped.clone());
        for (when, then) in whens {
            conditions.push(match &operand {
                Some(operand) => {
                    let when = self.expr(when)?;
                    ungrouped = ungrouped.or_else(|| when.ungrouped.clone());
                    self.compare("=", operand, &when)?
                }
                None => self.condition_checked(when, &mut ungrouped)?,
            });
            results.push(self.expr(then)?);
        }
        if let Some(otherwise) = otherwise {
            results.push(self.expr(otherwise)?);
        }
        ungrouped = ungrouped.or_else(|| results.iter().find_map(|r| r.ungrouped.clone()));
        if results.iter().all(|r| r.is_null_literal) {
            return Err(SqlError::new(
                8133,
                16,
                1,
                "At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.",
            ));
        }
        let (results, ty) = self.common(&results)?;
        let mut sql = "CASE".to_owned();
        for (condition, result) in conditions.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {condition} THEN {}", result.sql));
        }
        if otherwise.is_some()
            && let Some(last) = results.last()
        {
            sql.push_str(&format!(" ELSE {}", last.sql));
        }
        sql.push_str(" END");
        let nullable = otherwise.is_none() || results.iter().any(|r| r.nullable);
        let first = results.into_iter().next().unwrap_or_else(Bound::null);
        Ok(Bound {
            collation: first.collation,
            collation_strength: first.collation_strength,
            ungrouped,
            ..Bound::new(sql, ty, nullable)
        })
    }

    fn cast(
        &mut self,
        kind: CastKind,
        bound: &Bound,
        to: SqlType,
        style: Option<Bound>,
    ) -> Result<Bound, SqlError> {
        let tries = matches!(kind, CastKind::TryCast | CastKind::TryConvert | CastKind::TryParse);
        if bound.is_null_literal {
            return Ok(Bound { is_null_literal: false, ty: to, ..Bound::null() });
        }
        types::check_conversion(bound.ty, to, ConvertKind::Explicit)?;
        let collation =
            if to.is_character() { bound.collation.or(Some(self.database_collation())) } else { None };
        if matches!(kind, CastKind::Parse | CastKind::TryParse) {
            if let Some(Value::Text(culture)) = style.as_ref().and_then(|s| s.literal.as_ref())
                && !["en-us", "en-gb", "en"].iter().any(|known| culture.eq_ignore_ascii_case(known))
            {
                return Err(SqlError::unsupported(&format!("PARSE with culture {culture}")));
            }
            let culture = style.map_or_else(|| "NULL".to_owned(), |s| s.sql);
            let sql = format!(
                "t_parse({},{},{},1,{culture},{})",
                bound.sql,
                bound.ty.code(),
                to.code(),
                i64::from(tries)
            );
            return Ok(Bound { ungrouped: bound.ungrouped.clone(), ..Bound::new(sql, to, true) });
        }
        let style_sql = style.as_ref().map_or("NULL".to_owned(), |s| s.sql.clone());
        let sql = match (tries, &style) {
            (true, _) => format!("t_try({},{},{},1,{style_sql})", bound.sql, bound.ty.code(), to.code()),
            (false, Some(_)) => {
                format!("t_conv({},{},{},1,{style_sql},1)", bound.sql, bound.ty.code(), to.code())
            }
            (false, None) => {
                let mut cast = self.convert(bound, to, ConvertKind::Explicit)?;
                cast.collation = collation;
                return Ok(cast);
            }
        };
        Ok(Bound {
            ungrouped: bound.ungrouped.clone(),
            collation,
            ..Bound::new(sql, to, bound.nullable || tries)
        })
    }

    fn at_time_zone(&mut self, operand: &Expr, zone: &Expr) -> Result<Bound, SqlError> {
        let (value, zone) = (self.expr(operand)?, self.expr(zone)?);
        let from = match value.ty {
            ty @ (SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2 { .. }
            | SqlType::DateTimeOffset { .. }) => ty,
            ty if ty.is_character() => SqlType::DateTime2 { scale: 7 },
            ty => {
                return Err(SqlError::new(
                    8116,
                    16,
                    1,
                    format!(
                        "Argument data type {} is invalid for argument 1 of AT TIME ZONE function.",
                        ty.name()
                    ),
                ));
            }
        };
        let scale = if from == SqlType::SmallDateTime { 0 } else { from.scale() };
        let ungrouped = value.ungrouped.clone().or(zone.ungrouped.clone());
        let nullable = value.nullable || zone.nullable;
        let (value, zone) = (self.implicit(&value, from)?, self.implicit(&zone, SqlType::SYSNAME)?);
        let sql = format!("t_at_zone({},{},{})", value.sql, from.code(), zone.sql);
        Ok(Bound { ungrouped, ..Bound::new(sql, SqlType::DateTimeOffset { scale }, nullable) })
    }

    /// A call: an aggregate, a function of the session, a built-in, or a user's function.
    fn call(&mut self, call: &Call) -> Result<Bound, SqlError> {
        let name = call.name.name().to_ascii_lowercase();
        if call.name.parts.len() == 1 || call.name.schema().is_some_and(|s| s.eq_ignore_ascii_case("sys")) {
            if let Some(bound) = self.aggregate_or_window(&name, call)? {
                return Ok(bound);
            }
            if let Some(bound) = self.special_form(&name, call)? {
                return Ok(bound);
            }
            let mut args = Vec::new();
            for (n, arg) in call.args.iter().enumerate() {
                args.push(if n == 0 && takes_datepart(&name) {
                    datepart_argument(arg)
                } else {
                    self.expr(arg)?
                });
            }
            if let Some(bound) = self.session_function(&name, &args)? {
                return Ok(bound);
            }
            let env = self.function_env();
            let plain: Vec<_> = args.iter().map(Bound::as_arg).collect();
            let Some(lowered) = crate::functions::bind_builtin(&name, &plain, &env) else {
                return Err(SqlError::not_a_builtin(call.name.name()));
            };
            let lowered = lowered?;
            let collation =
                lowered.collation.or(if lowered.ty.is_character() { Some(env.collation) } else { None });
            let strength =
                args.iter().map(|a| a.collation_strength).max().unwrap_or(Strength::CoercibleDefault);
            let ungrouped = args.iter().find_map(|a| a.ungrouped.clone());
            return Ok(Bound {
                collation,
                collation_strength: strength,
                ungrouped,
                ..Bound::new(lowered.sql, lowered.ty, lowered.nullable)
            });
        }
        self.user_function(call)
    }

    /// Functions whose arguments are not plain values.
    fn special_form(&mut self, name: &str, call: &Call) -> Result<Option<Bound>, SqlError> {
        Ok(match (name, call.args.as_slice()) {
            ("iif", [condition, yes, no]) => {
                let whens = [(condition.clone(), yes.clone())];
                Some(self.case(None, &whens, Some(no))?)
            }
            ("isnull", [Expr::Literal(Literal::Null), second]) => Some(self.expr(second)?),
            _ => None,
        })
    }

    /// A condition in a place that has a grouping of its own to keep track of.
    fn condition_checked(
        &mut self,
        condition: &Expr,
        ungrouped: &mut Option<String>,
    ) -> Result<String, SqlError> {
        let (sql, inner) = self.condition_with(condition)?;
        if ungrouped.is_none() {
            *ungrouped = inner;
        }
        Ok(sql)
    }
}

/// The word or sign that makes an expression a condition, as a syntax error names it.
fn condition_word(expr: &Expr) -> &'static str {
    match expr {
        Expr::Compare { op, .. } | Expr::Quantified { op, .. } => compare_sql(*op),
        Expr::And(..) => "AND",
        Expr::Or(..) => "OR",
        Expr::Not(_) => "NOT",
        Expr::IsNull { .. } | Expr::DistinctFrom { .. } => "IS",
        Expr::Like { .. } => "LIKE",
        Expr::Between { .. } => "BETWEEN",
        Expr::InList { .. } | Expr::InQuery { .. } => "IN",
        _ => "EXISTS",
    }
}

/// Functions whose first argument is a datepart.
fn takes_datepart(name: &str) -> bool {
    matches!(
        name,
        "dateadd" | "datediff" | "datediff_big" | "datename" | "datepart" | "datetrunc" | "date_bucket"
    )
}

fn datepart_argument(arg: &Expr) -> Bound {
    match arg {
        Expr::Column(name) => Bound::new(name.name().to_ascii_lowercase(), SqlType::varchar(30), false),
        _ => Bound::new("?", SqlType::varchar(30), false),
    }
}

fn decimal_literal(text: &str, scale: u8) -> Result<Bound, SqlError> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let leading = text.chars().take_while(|c| *c == '0').count();
    let too_long = || {
        SqlError::new(
            1007,
            15,
            1,
            format!(
                "The number '{text}' is out of the range for numeric representation (maximum precision 38)."
            ),
        )
    };
    if digits.saturating_sub(leading) > 38 {
        return Err(too_long());
    }
    let scaled = types::parse_exact(text, scale.min(38)).ok_or_else(too_long)?;
    let precision = digits.saturating_sub(leading).max(usize::from(scale)).clamp(1, 38) as u8;
    let ty = SqlType::Numeric { precision, scale: scale.min(38) };
    Ok(Bound::literal(types::exact_value(scaled, ty)?, ty))
}

/// An integer literal next to a decimal counts with the digits it has, not with int's ten.
fn narrowed(bound: &Bound, other: &Bound) -> Bound {
    match (&bound.literal, other.ty) {
        (Some(Value::Integer(n)), SqlType::Decimal { .. } | SqlType::Numeric { .. })
            if bound.ty == SqlType::Int =>
        {
            let precision = n.unsigned_abs().to_string().len() as u8;
            Bound { ty: SqlType::Numeric { precision, scale: 0 }, ..bound.clone() }
        }
        _ => bound.clone(),
    }
}
