//! Expressions and conditions, by precedence climbing.

use super::{Parsed, Parser};
use crate::ParseError;
use crate::ast::{
    BinaryOp, Call, CastKind, CompareOp, DataType, Expr, Frame, FrameBound, Ident, Literal, ObjectName,
    OrderItem, Pos, Quantifier, UnaryOp, WindowSpec,
};
use crate::keywords::is_reserved;
use crate::lexer::Token;

/// Reserved words that name functions.
const FUNCTION_WORDS: &[&str] =
    &["LEFT", "RIGHT", "COALESCE", "NULLIF", "IDENTITY", "UPDATE", "CONTAINS", "FREETEXT"];
/// Functions that are called without parentheses.
const BARE_FUNCTIONS: &[&str] = &[
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
    "USER",
    "CURRENT_DATE",
    "CURRENT_TIME",
];

impl Parser<'_> {
    /// A condition: OR is loosest.
    pub(super) fn condition(&mut self) -> Parsed<Expr> {
        self.deeper(|p| {
            let mut left = p.conjunction()?;
            while p.accept_word("OR") {
                left = Expr::Or(Box::new(left), Box::new(p.conjunction()?));
            }
            Ok(left)
        })
    }

    /// A condition where nothing else may stand: a bare value is refused with 4145.
    pub(super) fn test(&mut self) -> Parsed<Expr> {
        let condition = self.condition()?;
        if is_condition(&condition) {
            return Ok(condition);
        }
        let at = if *self.peek() == Token::End { self.at.saturating_sub(1) } else { self.at };
        let near = self.tokens.get(at).map_or_else(String::new, |t| t.token.shown());
        let line = self.tokens.get(at).map_or(1, |t| t.line);
        let text = format!(
            "An expression of non-boolean type specified in a context where a condition is expected, near '{near}'."
        );
        Err(ParseError::new(4145, 15, 1, line, text))
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut left = self.negation()?;
        while self.accept_word("AND") {
            left = Expr::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed<Expr> {
        if self.accept_word("NOT") {
            return self.deeper(|p| Ok(Expr::Not(Box::new(p.negation()?))));
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Parsed<Expr> {
        if self.is_word("EXISTS") && self.is_at(1, "(") {
            self.at += 2;
            let query = self.query()?;
            self.expect(")")?;
            return Ok(Expr::Exists(Box::new(query)));
        }
        let left = self.expr()?;
        self.predicate_after(left)
    }

    fn predicate_after(&mut self, left: Expr) -> Parsed<Expr> {
        if let Some(op) = self.compare_op() {
            if let Some(word) = self.accept_any(&["ALL", "ANY", "SOME"]) {
                self.expect("(")?;
                let query = Box::new(self.query()?);
                self.expect(")")?;
                let quantifier = if word == "ALL" { Quantifier::All } else { Quantifier::Any };
                return Ok(Expr::Quantified { op, operand: Box::new(left), quantifier, query });
            }
            let right = self.expr()?;
            return Ok(Expr::Compare { op, left: Box::new(left), right: Box::new(right) });
        }
        if self.accept_word("IS") {
            let negated = self.accept_word("NOT");
            if self.accept_words(&["DISTINCT", "FROM"]) {
                let right = Box::new(self.expr()?);
                return Ok(Expr::DistinctFrom { left: Box::new(left), right, negated });
            }
            self.expect_word("NULL")?;
            return Ok(Expr::IsNull { operand: Box::new(left), negated });
        }
        let negated = self.is_word("NOT")
            && (self.is_word_at(1, "LIKE") || self.is_word_at(1, "IN") || self.is_word_at(1, "BETWEEN"));
        if negated {
            self.at += 1;
        }
        let operand = Box::new(left);
        match self.accept_any(&["LIKE", "BETWEEN", "IN"]) {
            Some("LIKE") => {
                let pattern = Box::new(self.expr()?);
                let escape = if self.accept_word("ESCAPE") {
                    Some(Box::new(self.expr()?))
                } else if self.is("{") && self.is_word_at(1, "ESCAPE") {
                    self.at += 2;
                    let escape = self.expr()?;
                    self.expect("}")?;
                    Some(Box::new(escape))
                } else {
                    None
                };
                Ok(Expr::Like { operand, pattern, escape, negated })
            }
            Some("BETWEEN") => {
                let low = Box::new(self.expr()?);
                self.expect_word("AND")?;
                let high = Box::new(self.expr()?);
                Ok(Expr::Between { operand, low, high, negated })
            }
            Some(_) => self.membership(operand, negated),
            None => Ok(*operand),
        }
    }

    fn membership(&mut self, operand: Box<Expr>, negated: bool) -> Parsed<Expr> {
        self.expect("(")?;
        if self.starts_query() {
            let query = Box::new(self.query()?);
            self.expect(")")?;
            return Ok(Expr::InQuery { operand, query, negated });
        }
        let list = self.list(Self::expr)?;
        self.expect(")")?;
        Ok(Expr::InList { operand, list, negated })
    }

    fn compare_op(&mut self) -> Option<CompareOp> {
        let op = match self.peek() {
            Token::Symbol("=") => CompareOp::Eq,
            Token::Symbol("<>" | "!=") => CompareOp::Ne,
            Token::Symbol("<") => CompareOp::Lt,
            Token::Symbol("<=" | "!>") => CompareOp::Le,
            Token::Symbol(">") => CompareOp::Gt,
            Token::Symbol(">=" | "!<") => CompareOp::Ge,
            _ => return None,
        };
        self.at += 1;
        // `> =` with a blank in between is one operator.
        Some(match op {
            CompareOp::Lt if self.accept("=") => CompareOp::Le,
            CompareOp::Gt if self.accept("=") => CompareOp::Ge,
            CompareOp::Lt if self.is(">") => {
                self.at += 1;
                CompareOp::Ne
            }
            other => other,
        })
    }

    /// A value: additive operators are loosest.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(|p| {
            let mut left = p.term()?;
            loop {
                let op = match p.peek() {
                    Token::Symbol("+" | "||") => BinaryOp::Add,
                    Token::Symbol("-") => BinaryOp::Sub,
                    Token::Symbol("&") => BinaryOp::BitAnd,
                    Token::Symbol("|") => BinaryOp::BitOr,
                    Token::Symbol("^") => BinaryOp::BitXor,
                    _ => return Ok(left),
                };
                p.at += 1;
                let right = p.term()?;
                left = Expr::Binary { op, left: Box::new(left), right: Box::new(right) };
            }
        })
    }

    fn term(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = match self.peek() {
                Token::Symbol("*") => BinaryOp::Mul,
                Token::Symbol("/") => BinaryOp::Div,
                Token::Symbol("%") => BinaryOp::Mod,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.unary()?;
            left = Expr::Binary { op, left: Box::new(left), right: Box::new(right) };
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let op = match self.peek() {
            Token::Symbol("+") => UnaryOp::Plus,
            Token::Symbol("-") => UnaryOp::Minus,
            Token::Symbol("~") => UnaryOp::BitNot,
            _ => return self.postfix(),
        };
        self.at += 1;
        self.deeper(|p| Ok(Expr::Unary { op, operand: Box::new(p.unary()?) }))
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            if self.accept_word("COLLATE") {
                expr = Expr::Collate { operand: Box::new(expr), collation: self.any_word()? };
            } else if self.accept_words(&["AT", "TIME", "ZONE"]) {
                expr = Expr::AtTimeZone { operand: Box::new(expr), zone: Box::new(self.primary()?) };
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        match self.peek().clone() {
            Token::Int(t) => self.literal(Literal::Int(t)),
            Token::Decimal(t) => self.literal(Literal::Decimal(t)),
            Token::Float(t) => self.literal(Literal::Float(t)),
            Token::Money(t) => self.literal(Literal::Money(t)),
            Token::Binary(b) => self.literal(Literal::Binary(b)),
            Token::String { value, national } => self.literal(Literal::String { value, national }),
            Token::Variable(name) => {
                self.at += 1;
                Ok(Expr::Variable { name, pos })
            }
            Token::Global(name) => {
                self.at += 1;
                Ok(Expr::Global { name, pos })
            }
            Token::Symbol("(") => self.group(),
            Token::Symbol("{") => self.odbc_escape(),
            Token::Word(word) => self.word(&word, pos),
            Token::Quoted(_) | Token::Symbol(".") => self.name_or_call(),
            Token::Symbol(_) | Token::End => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, literal: Literal) -> Parsed<Expr> {
        self.at += 1;
        Ok(Expr::Literal(literal))
    }

    fn group(&mut self) -> Parsed<Expr> {
        self.at += 1;
        if self.starts_query() {
            let query = self.query()?;
            self.expect(")")?;
            return Ok(Expr::Subquery(Box::new(query)));
        }
        let inner = self.condition()?;
        self.expect(")")?;
        Ok(Expr::Nested(Box::new(inner)))
    }

    /// Whether a query begins here, possibly in parentheses.
    pub(super) fn starts_query(&self) -> bool {
        let mut n = 0;
        while self.is_at(n, "(") {
            n += 1;
        }
        self.is_word_at(n, "SELECT") || (n == 0 && self.is_word_at(n, "WITH"))
    }

    fn word(&mut self, word: &str, pos: Pos) -> Parsed<Expr> {
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "NULL" => self.literal(Literal::Null),
            "DEFAULT" => {
                self.at += 1;
                Ok(Expr::Default)
            }
            "CASE" => self.case(),
            "CAST" | "TRY_CAST" | "PARSE" | "TRY_PARSE" if self.is_at(1, "(") => self.cast(&upper, pos),
            "CONVERT" | "TRY_CONVERT" if self.is_at(1, "(") => self.convert(&upper, pos),
            "NEXT" if self.is_words(&["NEXT", "VALUE", "FOR"]) => {
                self.at += 3;
                Ok(Expr::NextValue(self.object_name()?))
            }
            _ if BARE_FUNCTIONS.contains(&upper.as_str()) => {
                self.at += 1;
                if self.accept("(") {
                    self.expect(")")?;
                }
                let name = ObjectName { parts: vec![Ident { value: upper, pos }] };
                Ok(Expr::Call(Box::new(Call { bare: true, ..plain_call(name, Vec::new()) })))
            }
            _ if FUNCTION_WORDS.contains(&upper.as_str()) && self.is_at(1, "(") => {
                self.at += 1;
                self.call(ObjectName { parts: vec![Ident { value: word.to_owned(), pos }] })
            }
            _ if is_reserved(word) => Err(self.unexpected()),
            _ => self.name_or_call(),
        }
    }

    fn name_or_call(&mut self) -> Parsed<Expr> {
        let name = self.object_name()?;
        if self.is("(") { self.call(name) } else { Ok(Expr::Column(name)) }
    }

    fn case(&mut self) -> Parsed<Expr> {
        self.at += 1;
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.expr()?)) };
        let mut whens = Vec::new();
        while self.accept_word("WHEN") {
            let when = if operand.is_some() { self.expr()? } else { self.test()? };
            self.expect_word("THEN")?;
            whens.push((when, self.expr()?));
        }
        if whens.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.accept_word("ELSE") { Some(Box::new(self.expr()?)) } else { None };
        self.expect_word("END")?;
        Ok(Expr::Case { operand, whens, otherwise })
    }

    fn cast(&mut self, word: &str, pos: Pos) -> Parsed<Expr> {
        let kind = match word {
            "CAST" => CastKind::Cast,
            "TRY_CAST" => CastKind::TryCast,
            "PARSE" => CastKind::Parse,
            _ => CastKind::TryParse,
        };
        self.at += 2;
        let operand = Box::new(self.expr()?);
        self.expect_word("AS")?;
        let to = self.data_type()?;
        let style = if self.accept_word("USING") { Some(Box::new(self.expr()?)) } else { None };
        self.expect(")")?;
        Ok(Expr::Cast { kind, operand, to, style, pos })
    }

    fn convert(&mut self, word: &str, pos: Pos) -> Parsed<Expr> {
        let kind = if word == "CONVERT" { CastKind::Convert } else { CastKind::TryConvert };
        self.at += 2;
        let to = self.data_type()?;
        self.expect(",")?;
        let operand = Box::new(self.expr()?);
        let style = if self.accept(",") { Some(Box::new(self.expr()?)) } else { None };
        self.expect(")")?;
        Ok(Expr::Cast { kind, operand, to, style, pos })
    }

    /// A call, from its opening parenthesis on.
    fn call(&mut self, name: ObjectName) -> Parsed<Expr> {
        self.expect("(")?;
        let mut call = plain_call(name, Vec::new());
        if self.is("*") && self.is_at(1, ")") {
            self.at += 1;
            call.star = true;
        } else if !self.is(")") {
            call.distinct = self.accept_word("DISTINCT");
            if !call.distinct {
                self.accept_word("ALL");
            }
            let iif = call.name.parts.len() == 1 && call.name.name().eq_ignore_ascii_case("IIF");
            if call.name.parts.len() == 1
                && call.name.name().eq_ignore_ascii_case("TRIM")
                && let Some(side) = self.accept_any(&["LEADING", "TRAILING", "BOTH"])
            {
                let set = self.expr()?;
                self.expect_word("FROM")?;
                let text = self.expr()?;
                self.expect(")")?;
                let name = match side {
                    "LEADING" => "t_trim_leading",
                    "TRAILING" => "t_trim_trailing",
                    _ => "t_trim_from",
                };
                let name = ObjectName { parts: vec![Ident::new(name)] };
                return Ok(Expr::Call(Box::new(plain_call(name, vec![text, set]))));
            }
            call.args = self.list(|p| if iif { p.condition() } else { p.argument() })?;
        }
        self.expect(")")?;
        if self.accept_words(&["IGNORE", "NULLS"]) {
            call.ignore_nulls = true;
        } else {
            self.accept_words(&["RESPECT", "NULLS"]);
        }
        if self.is_word("WITHIN") && self.is_word_at(1, "GROUP") {
            self.at += 2;
            self.expect("(")?;
            call.within_group = self.order_by()?.unwrap_or_default();
            self.expect(")")?;
        }
        if self.is_word("OVER") {
            self.at += 1;
            call.over = Some(self.window_spec_or_name()?);
        }
        Ok(Expr::Call(Box::new(call)))
    }

    fn argument(&mut self) -> Parsed<Expr> {
        // TRIM(x FROM y), TRIM(LEADING x FROM y): passed on as two arguments, y first.
        let first = self.condition()?;
        if self.accept_word("FROM") {
            let second = self.expr()?;
            let name = ObjectName { parts: vec![Ident::new("t_trim_from")] };
            return Ok(Expr::Call(Box::new(plain_call(name, vec![second, first]))));
        }
        Ok(first)
    }

    pub(super) fn window_spec_or_name(&mut self) -> Parsed<WindowSpec> {
        if !self.is("(") {
            return Ok(WindowSpec { name: Some(self.ident()?), ..WindowSpec::default() });
        }
        self.expect("(")?;
        let mut spec = WindowSpec::default();
        if self.is_ident_at(0)
            && !self.is_word("PARTITION")
            && !self.is_word("ROWS")
            && !self.is_word("RANGE")
        {
            spec.name = Some(self.ident()?);
        }
        if self.accept_word("PARTITION") {
            self.expect_word("BY")?;
            spec.partition_by = self.list(Self::expr)?;
        }
        spec.order_by = self.order_by()?.unwrap_or_default();
        if let Some(word) = self.accept_any(&["ROWS", "RANGE"]) {
            let between = self.accept_word("BETWEEN");
            let start = self.frame_bound()?;
            let end = if between {
                self.expect_word("AND")?;
                Some(self.frame_bound()?)
            } else {
                None
            };
            spec.frame = Some(Frame { rows: word == "ROWS", start, end });
        }
        self.expect(")")?;
        Ok(spec)
    }

    fn frame_bound(&mut self) -> Parsed<FrameBound> {
        if self.accept_words(&["CURRENT", "ROW"]) {
            return Ok(FrameBound::CurrentRow);
        }
        if self.accept_word("UNBOUNDED") {
            return match self.accept_any(&["PRECEDING", "FOLLOWING"]) {
                Some("PRECEDING") => Ok(FrameBound::UnboundedPreceding),
                Some(_) => Ok(FrameBound::UnboundedFollowing),
                None => Err(self.unexpected()),
            };
        }
        let count = self.small_number()?.to_string();
        match self.accept_any(&["PRECEDING", "FOLLOWING"]) {
            Some("PRECEDING") => Ok(FrameBound::Preceding(count)),
            Some(_) => Ok(FrameBound::Following(count)),
            None => Err(self.unexpected()),
        }
    }

    /// `ORDER BY`, if it comes next.
    pub(super) fn order_by(&mut self) -> Parsed<Option<Vec<OrderItem>>> {
        if !self.is_words(&["ORDER", "BY"]) {
            return Ok(None);
        }
        self.at += 2;
        let items = self.list(|p| {
            let expr = p.expr()?;
            let descending = p.accept_any(&["ASC", "DESC"]) == Some("DESC");
            Ok(OrderItem { expr, descending })
        })?;
        Ok(Some(items))
    }

    /// `{fn NOW()}`, `{d '2020-01-01'}`, `{ts '...'}`, `{t '...'}`, `{guid '...'}`.
    fn odbc_escape(&mut self) -> Parsed<Expr> {
        self.at += 1;
        let pos = self.pos();
        let word = self.any_word()?.value.to_ascii_lowercase();
        let expr = if word == "fn" {
            odbc_function(self.expr()?)
        } else {
            let to = match word.as_str() {
                "d" | "ts" | "t" => "datetime",
                "guid" => "uniqueidentifier",
                _ => return Err(self.unexpected()),
            };
            let operand = Box::new(self.expr()?);
            let to = DataType {
                name: ObjectName { parts: vec![Ident { value: to.to_owned(), pos }] },
                args: Vec::new(),
                max: false,
            };
            Expr::Cast { kind: CastKind::Cast, operand, to, style: None, pos }
        };
        self.expect("}")?;
        Ok(expr)
    }
}

/// Whether an expression is true, false or unknown rather than a value.
fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_condition(inner),
        // Full-text predicates and UPDATE(column) look like calls; binding refuses them by name.
        Expr::Call(call) => {
            ["CONTAINS", "FREETEXT", "UPDATE"].iter().any(|name| call.name.name().eq_ignore_ascii_case(name))
        }
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
        | Expr::Quantified { .. } => true,
        _ => false,
    }
}

/// ODBC's names of functions as T-SQL's, where they differ.
fn odbc_function(expr: Expr) -> Expr {
    let Expr::Call(mut call) = expr else { return expr };
    let name = match call.name.name().to_ascii_lowercase().as_str() {
        "ucase" => "UPPER",
        "lcase" => "LOWER",
        "length" | "char_length" | "character_length" => "LEN",
        "now" | "current_timestamp" => "GETDATE",
        "curdate" | "current_date" => "CURRENT_DATE",
        "ifnull" => "ISNULL",
        "locate" => "CHARINDEX",
        "repeat" => "REPLICATE",
        "dayofmonth" => "DAY",
        "database" => "DB_NAME",
        "truncate" => {
            call.args.push(Expr::Literal(Literal::Int("1".to_owned())));
            "ROUND"
        }
        "log" => "LOG",
        "atan2" => "ATN2",
        _ => return Expr::Call(call),
    };
    call.name = ObjectName { parts: vec![Ident::new(name)] };
    Expr::Call(call)
}

fn plain_call(name: ObjectName, args: Vec<Expr>) -> Call {
    Call {
        name,
        args,
        distinct: false,
        star: false,
        over: None,
        within_group: Vec::new(),
        ignore_nulls: false,
        bare: false,
    }
}
