//! Aggregates and window functions.

use lab_tsql::ast::{Call, FrameBound, OrderItem, WindowSpec};

use super::{Binder, Bound};
use crate::error::SqlError;
use crate::types::SqlType;

/// Whether a function, named in lower case, makes one value of many rows.
pub(super) fn is_aggregate(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "count_big"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | "stdev"
            | "stdevp"
            | "var"
            | "varp"
            | "string_agg"
            | "checksum_agg"
            | "approx_count_distinct"
    )
}

impl Binder<'_> {
    /// Binds the call if it is an aggregate or a window function.
    pub(crate) fn aggregate_or_window(&mut self, name: &str, call: &Call) -> Result<Option<Bound>, SqlError> {
        let ranking = matches!(
            name,
            "row_number"
                | "rank"
                | "dense_rank"
                | "ntile"
                | "lag"
                | "lead"
                | "first_value"
                | "last_value"
                | "percent_rank"
                | "cume_dist"
        );
        let aggregate = is_aggregate(name);
        if !ranking && !aggregate {
            return Ok(None);
        }
        if ranking && call.over.is_none() {
            let name = name.to_uppercase();
            return Err(SqlError::new(
                10753,
                15,
                1,
                format!("The function '{name}' must have an OVER clause."),
            ));
        }
        if call.ignore_nulls {
            return Err(SqlError::unsupported("IGNORE NULLS"));
        }
        if call.distinct && call.over.is_some() {
            return Err(SqlError::new(10759, 15, 1, "Use of DISTINCT is not allowed with the OVER clause."));
        }
        let windowed = call.over.is_some();
        let allowed = self.scope().aggregates_allowed;
        if !allowed {
            return Err(if windowed {
                SqlError::new(
                    4108,
                    15,
                    1,
                    "Windowed functions can only appear in the SELECT or ORDER BY clauses.",
                )
            } else {
                SqlError::aggregate_in_where()
            });
        }
        let was = self.scope().in_aggregate;
        if !windowed && (was || call.args.iter().any(|a| matches!(a, lab_tsql::ast::Expr::Subquery(_)))) {
            return Err(SqlError::new(
                130,
                15,
                1,
                "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.",
            ));
        }
        if !windowed {
            self.scope().in_aggregate = true;
            self.scope().saw_aggregate = true;
        } else {
            self.scope().saw_window = true;
        }
        let args: Result<Vec<Bound>, SqlError> = call.args.iter().map(|a| self.expr(a)).collect();
        let order = self.order_sql(&call.within_group);
        self.scope().in_aggregate = was;
        let (args, order) = (args?, order?);
        let mut bound =
            if ranking { self.ranking(name, &args)? } else { self.aggregate(name, call, &args, &order)? };
        if let Some(over) = &call.over {
            let (window, ordered) = self.window(over)?;
            if ranking && !ordered {
                let name = name.to_uppercase();
                return Err(SqlError::new(
                    4112,
                    15,
                    1,
                    format!("The function '{name}' must have an OVER clause with ORDER BY."),
                ));
            }
            // Text is joined over groups only, as are checksums.
            if matches!(name, "string_agg" | "checksum_agg" | "approx_count_distinct") {
                return Err(SqlError::new(
                    4113,
                    16,
                    1,
                    format!(
                        "The function '{name}' is not a valid windowing function, and cannot be used with the OVER clause."
                    ),
                ));
            }
            bound.sql = format!("{} OVER ({window})", bound.sql);
            bound.ungrouped = args.iter().find_map(|a| a.ungrouped.clone());
            if name == "row_number" || name == "rank" || name == "dense_rank" || name == "ntile" {
                bound.nullable = false;
            }
        }
        Ok(Some(bound))
    }

    fn aggregate(&mut self, name: &str, call: &Call, args: &[Bound], order: &str) -> Result<Bound, SqlError> {
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        if call.star {
            let ty = if name == "count_big" { SqlType::BigInt } else { SqlType::Int };
            return Ok(Bound::new("count(*)", ty, false));
        }
        let Some(arg) = args.first() else { return Err(SqlError::invalid_parameter("1", name)) };
        let key = if call.distinct { self.sort_key(arg) } else { arg.sql.clone() };
        let invalid = || SqlError::invalid_operand(arg.ty.name(), name);
        match name {
            "count" | "count_big" => {
                let ty = if name == "count_big" { SqlType::BigInt } else { SqlType::Int };
                Ok(Bound::new(format!("count({distinct}{key})"), ty, false))
            }
            "min" | "max" => {
                if !arg.ty.is_comparable() || arg.ty == SqlType::Bit {
                    return Err(invalid());
                }
                // The whole value, not just what comparisons look at: its bytes order by the instant first.
                let key = if arg.ty.is_character() { self.sort_key(arg) } else { arg.sql.clone() };
                Ok(Bound {
                    collation: arg.collation,
                    collation_strength: arg.collation_strength,
                    ..Bound::new(format!("{name}({key})"), arg.ty, true)
                })
            }
            "string_agg" => {
                let separator =
                    args.get(1).ok_or_else(|| SqlError::invalid_parameter("2", name))?.sql.clone();
                let text = self.implicit(arg, crate::types::text_form(arg.ty))?;
                let national = arg.ty.is_national() || !arg.ty.is_character();
                let ty = match (arg.ty.is_large(), national) {
                    (true, true) => SqlType::NVARCHAR_MAX,
                    (true, false) => SqlType::VarChar { len: crate::types::Len::Max },
                    (false, true) => SqlType::nvarchar(4000),
                    (false, false) => SqlType::varchar(8000),
                };
                let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {order}") };
                Ok(Bound {
                    collation: arg.collation,
                    ..Bound::new(
                        format!(
                            "t_string_agg({},{separator},{}{order})",
                            text.sql,
                            ty.char_length().unwrap_or(0)
                        ),
                        ty,
                        true,
                    )
                })
            }
            "approx_count_distinct" => {
                let key = self.sort_key(arg);
                Ok(Bound::new(format!("count(DISTINCT {key})"), SqlType::BigInt, false))
            }
            "checksum_agg" => {
                if !arg.ty.is_integer() {
                    return Err(invalid());
                }
                Ok(Bound::new(format!("t_checksum_agg({distinct}{})", arg.sql), SqlType::Int, true))
            }
            _ => {
                let numeric = arg.ty.is_integer() && arg.ty != SqlType::Bit
                    || arg.ty.is_decimal()
                    || arg.ty.is_money()
                    || arg.ty.is_approximate();
                if !numeric {
                    return Err(invalid());
                }
                let to = match name {
                    "sum" | "avg" => crate::types::sum_type(name == "avg", arg.ty),
                    _ => SqlType::Float,
                };
                if call.distinct {
                    let tagged = self.implicit(arg, SqlType::Variant)?.sql;
                    return Ok(Bound::new(format!("t_{name}(DISTINCT {tagged})"), to, true));
                }
                Ok(Bound::new(
                    format!("t_{name}({distinct}{},{},{})", arg.sql, arg.ty.code(), to.code()),
                    to,
                    true,
                ))
            }
        }
    }

    fn ranking(&mut self, name: &str, args: &[Bound]) -> Result<Bound, SqlError> {
        let arg = |n: usize| args.get(n).map_or_else(|| "NULL".to_owned(), |a| a.sql.clone());
        Ok(match name {
            "row_number" | "rank" | "dense_rank" => Bound::new(format!("{name}()"), SqlType::BigInt, false),
            "percent_rank" | "cume_dist" => Bound::new(format!("{name}()"), SqlType::Float, false),
            "ntile" => Bound::new(format!("ntile({})", arg(0)), SqlType::BigInt, false),
            _ => {
                let Some(first) = args.first() else { return Err(SqlError::invalid_parameter("1", name)) };
                let sql = match (name, args) {
                    ("lag" | "lead", [_]) => format!("{name}({})", arg(0)),
                    ("lag" | "lead", [_, _]) => format!("{name}({},{})", arg(0), arg(1)),
                    ("lag" | "lead", [_, _, default]) => {
                        let default = self.implicit(default, first.ty)?;
                        format!("{name}({},{},{})", arg(0), arg(1), default.sql)
                    }
                    _ => format!("{name}({})", arg(0)),
                };
                Bound {
                    collation: first.collation,
                    collation_strength: first.collation_strength,
                    ..Bound::new(sql, first.ty, true)
                }
            }
        })
    }

    /// A window spelt out: named ones are put together from the WINDOW clause.
    fn window_parts(&mut self, spec: &WindowSpec) -> Result<WindowSpec, SqlError> {
        let Some(name) = &spec.name else { return Ok(spec.clone()) };
        let found = self
            .scope()
            .windows
            .iter()
            .find(|(n, _)| crate::catalog::same_name(&n.value, &name.value))
            .map(|(_, w)| w.clone());
        let base = found
            .ok_or_else(|| SqlError::new(5362, 16, 3, format!("Window '{}' is undefined.", name.value)))?;
        let base = self.nested(|b| b.window_parts(&base))?;
        let pick = |own: &Vec<_>, base: Vec<_>| if own.is_empty() { base } else { own.clone() };
        Ok(WindowSpec {
            name: None,
            partition_by: if spec.partition_by.is_empty() {
                base.partition_by
            } else {
                spec.partition_by.clone()
            },
            order_by: pick(&spec.order_by, base.order_by),
            frame: spec.frame.clone().or(base.frame),
        })
    }

    /// The inside of OVER's parentheses, and whether it has an ORDER BY.
    fn window(&mut self, spec: &WindowSpec) -> Result<(String, bool), SqlError> {
        let spec = &self.window_parts(spec)?;
        for item in &spec.order_by {
            match &item.expr {
                lab_tsql::ast::Expr::Literal(lab_tsql::ast::Literal::Int(_)) => {
                    return Err(SqlError::new(
                        5308,
                        16,
                        1,
                        "Windowed functions, aggregates and NEXT VALUE FOR functions do not support integer indices as ORDER BY clause expressions.",
                    ));
                }
                lab_tsql::ast::Expr::Literal(_) => {
                    return Err(SqlError::new(
                        5309,
                        16,
                        1,
                        "Windowed functions, aggregates and NEXT VALUE FOR functions do not support constants as ORDER BY clause expressions.",
                    ));
                }
                _ => {}
            }
        }
        let mut parts = Vec::new();
        if !spec.partition_by.is_empty() {
            let mut keys = Vec::new();
            for expr in &spec.partition_by {
                let bound = self.expr(expr)?;
                keys.push(self.sort_key(&bound));
            }
            parts.push(format!("PARTITION BY {}", keys.join(",")));
        }
        let order = self.order_sql(&spec.order_by)?;
        if !order.is_empty() {
            parts.push(format!("ORDER BY {order}"));
        }
        if let Some(frame) = &spec.frame {
            let counted = |b: &FrameBound| matches!(b, FrameBound::Preceding(_) | FrameBound::Following(_));
            if !frame.rows && (counted(&frame.start) || frame.end.as_ref().is_some_and(counted)) {
                return Err(SqlError::new(
                    4194,
                    16,
                    1,
                    "RANGE is only supported with UNBOUNDED and CURRENT ROW window frame delimiters.",
                ));
            }
            if spec.order_by.is_empty() {
                return Err(SqlError::new(
                    10756,
                    15,
                    1,
                    "Window frame with ROWS or RANGE must have an ORDER BY clause.",
                ));
            }
            let kind = if frame.rows { "ROWS" } else { "RANGE" };
            let start = bound_sql(&frame.start);
            parts.push(match &frame.end {
                Some(end) => format!("{kind} BETWEEN {start} AND {}", bound_sql(end)),
                None => format!("{kind} {start}"),
            });
        }
        Ok((parts.join(" "), !spec.order_by.is_empty()))
    }

    /// The expressions of an ORDER BY whose names are those of the FROM clause.
    pub(crate) fn order_sql(&mut self, items: &[OrderItem]) -> Result<String, SqlError> {
        let mut out = Vec::new();
        for item in items {
            let is_constant_subquery =
                matches!(&item.expr, lab_tsql::ast::Expr::Nested(_) | lab_tsql::ast::Expr::Subquery(_));
            let bound = self.expr(&item.expr)?;
            if is_constant_subquery && bound.literal.is_some() {
                continue;
            }
            let key = self.sort_key(&bound);
            out.push(format!("{key}{}", if item.descending { " DESC" } else { "" }));
        }
        Ok(out.join(","))
    }
}

fn bound_sql(bound: &FrameBound) -> String {
    match bound {
        FrameBound::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
        FrameBound::Preceding(n) => format!("{n} PRECEDING"),
        FrameBound::CurrentRow => "CURRENT ROW".to_owned(),
        FrameBound::Following(n) => format!("{n} FOLLOWING"),
        FrameBound::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
    }
}
