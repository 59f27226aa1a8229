//! Expressions as the catalog views show them: `([Salary]>(0))`.
//!
//! SQL Server does not keep the text of a constraint, default, filter or computed column but prints its tree: names in
//! brackets, numbers in parentheses, no blanks around operators, IN and BETWEEN spelt out. Tools compare and parse those
//! texts, so they are printed the same way here. What cannot be printed (a subquery) is left to the caller, who has the text.

mod availability;
mod hadr;

pub use hadr::print_statement;

use crate::ast::{BinaryOp, Call, CastKind, CompareOp, DataType, Expr, Literal, ObjectName, UnaryOp};

/// The definition of an expression or condition, without the parentheses around the whole.
pub fn print_definition(expr: &Expr) -> Option<String> {
    print(bare(expr), Place::Top)
}

/// Where an expression stands, which decides about parentheses around what was spelt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Or,
    And,
    Operand,
}

fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn print(expr: &Expr, place: Place) -> Option<String> {
    let operand = |e: &Expr| print(e, Place::Operand);
    Some(match expr {
        Expr::Literal(literal) => self::literal(literal),
        Expr::Variable { name, .. } | Expr::Global { name, .. } => name.clone(),
        Expr::Column(name) => quoted(name),
        Expr::Unary { op: UnaryOp::Minus, operand: inner } => match bare(inner) {
            Expr::Literal(Literal::Int(n) | Literal::Decimal(n) | Literal::Float(n)) => format!("(-{n})"),
            Expr::Literal(Literal::Money(n)) => format!("(-${n})"),
            _ => format!("-{}", operand(inner)?),
        },
        Expr::Unary { op, operand: inner } => {
            format!("{}{}", if *op == UnaryOp::Plus { "+" } else { "~" }, operand(inner)?)
        }
        Expr::Binary { op, left, right } => format!("{}{}{}", operand(left)?, binary(*op), operand(right)?),
        Expr::Compare { op, left, right } => format!("{}{}{}", operand(left)?, compare(*op), operand(right)?),
        Expr::And(a, b) => format!("{} AND {}", print(a, Place::And)?, print(b, Place::And)?),
        Expr::Or(a, b) => format!("{} OR {}", print(a, Place::Or)?, print(b, Place::Or)?),
        Expr::Not(inner) => format!("NOT {}", print(inner, Place::Operand)?),
        Expr::IsNull { operand: inner, negated } => {
            format!("{} IS {}NULL", operand(inner)?, if *negated { "NOT " } else { "" })
        }
        Expr::DistinctFrom { left, right, negated } => {
            let not = if *negated { "NOT " } else { "" };
            format!("{} IS {not}DISTINCT FROM {}", operand(left)?, operand(right)?)
        }
        Expr::Like { operand: inner, pattern, escape, negated } => {
            let escape = match escape {
                Some(escape) => format!(" escape {}", operand(escape)?),
                None => String::new(),
            };
            let not = if *negated { "NOT " } else { "" };
            format!("{not}{} like {}{escape}", operand(inner)?, operand(pattern)?)
        }
        Expr::Between { operand: inner, low, high, negated } => {
            let what = operand(inner)?;
            let both = format!("{what}>={} AND {what}<={}", operand(low)?, operand(high)?);
            match (negated, place) {
                (true, _) => format!("NOT ({both})"),
                (false, Place::Operand) => format!("({both})"),
                (false, _) => both,
            }
        }
        Expr::InList { operand: inner, list, negated } => {
            let what = operand(inner)?;
            let (sign, word) = if *negated { ("<>", " AND ") } else { ("=", " OR ") };
            // SQL Server spells the list out from its end.
            let each: Option<Vec<String>> =
                list.iter().rev().map(|item| Some(format!("{what}{sign}{}", operand(item)?))).collect();
            let each = each?;
            let alone = each.len() == 1 || place == Place::Top || (*negated && place == Place::And);
            let alone = alone || (!*negated && place == Place::Or);
            let joined = each.join(word);
            if alone { joined } else { format!("({joined})") }
        }
        Expr::Case { operand: what, whens, otherwise } => {
            let mut text = "case".to_owned();
            if let Some(what) = what {
                text = format!("{text} {}", operand(what)?);
            }
            for (when, then) in whens {
                text = format!("{text} when {} then {}", print(when, Place::Top)?, operand(then)?);
            }
            if let Some(otherwise) = otherwise {
                text = format!("{text} else {}", operand(otherwise)?);
            }
            format!("{text} end")
        }
        Expr::Cast { kind, operand: inner, to, style, .. } => cast(*kind, inner, to, style.as_deref())?,
        Expr::Collate { operand: inner, collation } => {
            format!("{} collate {}", operand(inner)?, collation.value)
        }
        Expr::AtTimeZone { operand: inner, zone } => {
            format!("{} AT TIME ZONE {}", operand(inner)?, operand(zone)?)
        }
        Expr::Call(call) => self::call(call)?,
        Expr::Nested(inner) => match bare(inner) {
            // Numbers bring their own parentheses, and names need none.
            literal @ (Expr::Literal(_) | Expr::Column(_) | Expr::Call(_)) => print(literal, place)?,
            Expr::Unary { op: UnaryOp::Minus, operand: number }
                if matches!(bare(number), Expr::Literal(_)) =>
            {
                print(bare(inner), place)?
            }
            other => format!("({})", print(other, Place::Top)?),
        },
        Expr::InQuery { .. }
        | Expr::Exists(_)
        | Expr::Quantified { .. }
        | Expr::Subquery(_)
        | Expr::NextValue(_)
        | Expr::Default => return None,
    })
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Int(n) | Literal::Decimal(n) | Literal::Float(n) => format!("({n})"),
        Literal::Money(n) => format!("(${n})"),
        Literal::String { value, national } => {
            format!("{}'{}'", if *national { "N" } else { "" }, value.replace('\'', "''"))
        }
        Literal::Binary(bytes) => bytes.iter().fold("0x".to_owned(), |text, b| text + &format!("{b:02X}")),
    }
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Mod => "%",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::BitXor => "^",
    }
}

fn compare(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "=",
        CompareOp::Ne => "<>",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
    }
}

fn cast(kind: CastKind, operand: &Expr, to: &DataType, style: Option<&Expr>) -> Option<String> {
    let what = print(operand, Place::Operand)?;
    let mut ty = quoted(&to.name);
    if to.max {
        ty.push_str("(max)");
    } else if !to.args.is_empty() {
        let args: Vec<String> = to.args.iter().map(u32::to_string).collect();
        ty = format!("{ty}({})", args.join(","));
    }
    let style = match style {
        Some(style) => format!(",{}", print(bare(style), Place::Operand)?),
        None => String::new(),
    };
    match kind {
        CastKind::Cast | CastKind::Convert => Some(format!("CONVERT({ty},{what}{style})")),
        CastKind::TryCast => Some(format!("TRY_CAST({what} AS {ty})")),
        CastKind::TryConvert => Some(format!("TRY_CONVERT({ty},{what}{style})")),
        CastKind::Parse | CastKind::TryParse => None,
    }
}

/// Functions written without parentheses, by the ones that SQL Server keeps instead.
const BARE: &[(&str, &str)] = &[
    ("current_timestamp", "getdate()"),
    ("current_user", "user_name()"),
    ("session_user", "user_name()"),
    ("user", "user_name()"),
    ("system_user", "suser_sname()"),
];

fn call(call: &Call) -> Option<String> {
    if call.over.is_some() || !call.within_group.is_empty() || call.distinct || call.star {
        return None;
    }
    let name = call.name.name().to_ascii_lowercase();
    if call.bare {
        return Some(
            BARE.iter().find(|(n, _)| *n == name).map_or_else(|| name.clone(), |(_, n)| (*n).to_owned()),
        );
    }
    let mut args = Vec::new();
    for (n, arg) in call.args.iter().enumerate() {
        // A datepart is a word and no column.
        let datepart = n == 0 && name.starts_with("date");
        args.push(match bare(arg) {
            Expr::Column(word) if datepart && call.name.parts.len() == 1 => word.name().to_ascii_lowercase(),
            arg => print(arg, Place::Operand)?,
        });
    }
    let shown = if call.name.parts.len() == 1 { name } else { quoted(&call.name) };
    Some(format!("{shown}({})", args.join(",")))
}

fn quoted(name: &ObjectName) -> String {
    let parts: Vec<String> = name.parts.iter().map(|p| format!("[{}]", p.value.replace(']', "]]"))).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::print_definition;
    use crate::{ParseOptions, parse_expression};

    #[test]
    fn definitions_are_printed_as_sql_server_keeps_them_and_can_be_read_again() {
        for (written, kept) in [
            ("0", "(0)"),
            ("(-1)", "(-1)"),
            ("'x''y'", "'x''y'"),
            ("getdate()", "getdate()"),
            ("GETDATE ( )", "getdate()"),
            ("CURRENT_TIMESTAMP", "getdate()"),
            ("((Salary > 0))", "[Salary]>(0)"),
            ("a >= 1 and (b < 2 or c is not null)", "[a]>=(1) AND ([b]<(2) OR [c] IS NOT NULL)"),
            ("Gender IN ('M', 'F')", "[Gender]='F' OR [Gender]='M'"),
            ("a in (1, 2) and b = 3", "([a]=(2) OR [a]=(1)) AND [b]=(3)"),
            ("a between 1 and 10", "[a]>=(1) AND [a]<=(10)"),
            ("z LIKE '[0-9][0-9]'", "[z] like '[0-9][0-9]'"),
            ("Price * Qty", "[Price]*[Qty]"),
            ("cast(a as varchar(10)) + N'-'", "CONVERT([varchar](10),[a])+N'-'"),
            ("datediff(DAY, a, getdate())", "datediff(day,[a],getdate())"),
            ("case when a = 1 then 'x' else 'y' end", "case when [a]=(1) then 'x' else 'y' end"),
            ("dbo.f(a)", "[dbo].[f]([a])"),
            ("isnull(a, 0) % 2", "isnull([a],(0))%(2)"),
        ] {
            let tree = parse_expression(written, &ParseOptions::default()).unwrap();
            let printed = print_definition(&tree).unwrap();
            assert_eq!(printed, kept, "{written}");
            let again = parse_expression(&printed, &ParseOptions::default()).unwrap();
            assert_eq!(print_definition(&again).unwrap(), kept, "{written}");
        }
    }
}
