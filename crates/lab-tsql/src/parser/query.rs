//! SELECT and what is built of it.

use super::{Parsed, Parser};
use crate::ast::{
    BinaryOp, Cte, Expr, Ident, JoinKind, Query, QueryBody, QueryHint, Select, SelectItem, SetOp, TableRef,
    Top,
};
use crate::keywords::is_reserved;
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Parsed<Query> {
        self.deeper(|p| {
            let with = p.ctes()?;
            p.query_after_with(with)
        })
    }

    /// `WITH a AS (...), b AS (...)`, if it comes next.
    pub(super) fn ctes(&mut self) -> Parsed<Vec<Cte>> {
        if !self.accept_word("WITH") {
            return Ok(Vec::new());
        }
        self.list(|p| {
            let name = p.ident()?;
            let columns = if p.is("(") { p.ident_list()? } else { Vec::new() };
            p.expect_word("AS")?;
            p.expect("(")?;
            let query = Box::new(p.query()?);
            p.expect(")")?;
            Ok(Cte { name, columns, query })
        })
    }

    pub(super) fn query_after_with(&mut self, with: Vec<Cte>) -> Parsed<Query> {
        let body = self.set_operations()?;
        let order_by = self.order_by()?.unwrap_or_default();
        let (mut offset, mut fetch) = (None, None);
        if self.accept_word("OFFSET") {
            offset = Some(self.expr()?);
            self.accept_any(&["ROW", "ROWS"]).ok_or_else(|| self.unexpected())?;
            if self.accept_word("FETCH") {
                self.accept_any(&["NEXT", "FIRST"]).ok_or_else(|| self.unexpected())?;
                fetch = Some(self.expr()?);
                self.accept_any(&["ROW", "ROWS"]).ok_or_else(|| self.unexpected())?;
                self.expect_word("ONLY")?;
            }
        }
        let for_clause = self.for_clause()?;
        let options = self.query_options()?;
        Ok(Query { with, body, order_by, offset, fetch, for_clause, options })
    }

    fn for_clause(&mut self) -> Parsed<Option<String>> {
        if !self.is_word("FOR") {
            return Ok(None);
        }
        self.at += 1;
        let word = self.any_word()?.value.to_ascii_uppercase();
        // The rest of FOR XML and FOR JSON is words, strings in parentheses and commas.
        while matches!(self.peek(), Token::Word(w) if ["PATH", "AUTO", "RAW", "EXPLICIT", "ROOT", "TYPE", "ELEMENTS",
            "BINARY", "BASE64", "INCLUDE_NULL_VALUES", "WITHOUT_ARRAY_WRAPPER", "XSINIL", "ABSENT", "XMLSCHEMA", "XMLDATA"]
            .iter().any(|k| w.eq_ignore_ascii_case(k)))
            || self.is(",")
        {
            self.at += 1;
            if self.is("(") {
                self.skip_parentheses()?;
            }
        }
        Ok(Some(word))
    }

    /// `OPTION (...)`, if it comes next.
    pub(super) fn query_options(&mut self) -> Parsed<Vec<QueryHint>> {
        if !self.is_word("OPTION") || !self.is_at(1, "(") {
            return Ok(Vec::new());
        }
        self.at += 1;
        self.parenthesised(|p| {
            let mut hint = QueryHint { name: String::new(), value: None };
            while !p.is(",") && !p.is(")") {
                if p.is("(") {
                    p.skip_parentheses()?;
                    continue;
                }
                match p.next() {
                    Token::Word(w) => {
                        if !hint.name.is_empty() {
                            hint.name.push(' ');
                        }
                        hint.name.push_str(&w.to_ascii_uppercase());
                    }
                    Token::Int(n) => hint.value = n.parse().ok(),
                    Token::String { .. } | Token::Symbol(_) | Token::Variable(_) => {}
                    _ => return Err(p.unexpected()),
                }
            }
            Ok(hint)
        })
    }

    /// UNION and EXCEPT from left to right, INTERSECT before them.
    fn set_operations(&mut self) -> Parsed<QueryBody> {
        let mut left = self.intersections()?;
        loop {
            let op = if self.accept_word("UNION") {
                if self.accept_word("ALL") { SetOp::UnionAll } else { SetOp::Union }
            } else if self.accept_word("EXCEPT") {
                SetOp::Except
            } else {
                return Ok(left);
            };
            let right = self.intersections()?;
            left = QueryBody::Set { op, left: Box::new(left), right: Box::new(right) };
        }
    }

    fn intersections(&mut self) -> Parsed<QueryBody> {
        let mut left = self.query_primary()?;
        while self.accept_word("INTERSECT") {
            let right = self.query_primary()?;
            left = QueryBody::Set { op: SetOp::Intersect, left: Box::new(left), right: Box::new(right) };
        }
        Ok(left)
    }

    fn query_primary(&mut self) -> Parsed<QueryBody> {
        if self.accept("(") {
            let query = self.query()?;
            self.expect(")")?;
            return Ok(QueryBody::Nested(Box::new(query)));
        }
        Ok(QueryBody::Select(Box::new(self.select()?)))
    }

    fn select(&mut self) -> Parsed<Select> {
        let pos = self.pos();
        self.expect_word("SELECT")?;
        let distinct = self.accept_word("DISTINCT");
        if !distinct {
            self.accept_word("ALL");
        }
        let top = self.top()?;
        let items = self.list(Self::select_item)?;
        let into = if self.accept_word("INTO") { Some(self.object_name()?) } else { None };
        let from = if self.accept_word("FROM") { self.list(Self::table_ref)? } else { Vec::new() };
        let filter = if self.accept_word("WHERE") { Some(self.test()?) } else { None };
        let mut grouping_sets = None;
        let mut group_by = Vec::new();
        if self.accept_word("GROUP") {
            self.expect_word("BY")?;
            self.accept_word("ALL");
            if let Some(word) = self.accept_any(&["ROLLUP", "CUBE", "GROUPING"]) {
                grouping_sets = Some(word.to_owned());
                self.accept_word("SETS");
                self.skip_parentheses()?;
            } else {
                group_by = self.list(Self::expr)?;
            }
            if self.is_word("WITH") && (self.is_word_at(1, "ROLLUP") || self.is_word_at(1, "CUBE")) {
                self.at += 2;
                grouping_sets = Some("ROLLUP".to_owned());
            }
        }
        let having = if self.accept_word("HAVING") { Some(self.test()?) } else { None };
        let windows = if self.is_word("WINDOW") && self.is_word_at(2, "AS") {
            self.at += 1;
            self.list(|p| {
                let name = p.ident()?;
                p.expect_word("AS")?;
                Ok((name, p.window_spec_or_name()?))
            })?
        } else {
            Vec::new()
        };
        Ok(Select { distinct, top, items, into, from, filter, group_by, grouping_sets, having, windows, pos })
    }

    pub(super) fn top(&mut self) -> Parsed<Option<Top>> {
        if !self.accept_word("TOP") {
            return Ok(None);
        }
        let count = if self.accept("(") {
            let count = self.expr()?;
            self.expect(")")?;
            count
        } else {
            match self.peek().clone() {
                Token::Int(t) => {
                    self.at += 1;
                    Expr::Literal(crate::ast::Literal::Int(t))
                }
                Token::Decimal(t) => {
                    self.at += 1;
                    Expr::Literal(crate::ast::Literal::Decimal(t))
                }
                Token::Variable(name) => {
                    let pos = self.pos();
                    self.at += 1;
                    Expr::Variable { name, pos }
                }
                _ => return Err(self.unexpected()),
            }
        };
        let percent = self.accept_word("PERCENT");
        let with_ties = self.accept_words(&["WITH", "TIES"]);
        Ok(Some(Top { count, percent, with_ties }))
    }

    pub(super) fn select_item(&mut self) -> Parsed<SelectItem> {
        if self.accept("*") {
            return Ok(SelectItem::Star(None));
        }
        if let Some(star) = self.qualified_star()? {
            return Ok(star);
        }
        let pos = self.pos();
        if let Token::Variable(name) = self.peek().clone()
            && let Some(op) = self.assign_op_at(1)
        {
            self.at += 2;
            return Ok(SelectItem::Assign { variable: name, op, expr: self.expr()?, pos });
        }
        // `alias = expression`
        let aliased =
            (self.is_ident_at(0) || matches!(self.peek(), Token::String { .. })) && self.is_at(1, "=");
        if aliased {
            let alias = self.alias()?;
            self.at += 1;
            return Ok(SelectItem::Expr { expr: self.expr()?, alias: Some(alias) });
        }
        let expr = self.expr()?;
        let alias = self.optional_alias()?;
        Ok(SelectItem::Expr { expr, alias })
    }

    fn qualified_star(&mut self) -> Parsed<Option<SelectItem>> {
        let mut n = 0;
        while self.is_ident_at(n) && self.is_at(n + 1, ".") && n < 8 {
            n += 2;
        }
        if n == 0 || !self.is_at(n, "*") {
            return Ok(None);
        }
        let mut parts = Vec::new();
        for _ in 0..n / 2 {
            parts.push(self.ident()?);
            self.at += 1;
        }
        self.at += 1;
        Ok(Some(SelectItem::Star(Some(crate::ast::ObjectName { parts }))))
    }

    /// `=`, `+=`, ... at that place; `Some(None)` is plain `=`.
    #[allow(clippy::option_option, reason = "absent, plain and compound are three different answers")]
    pub(super) fn assign_op_at(&self, n: usize) -> Option<Option<BinaryOp>> {
        Some(match self.ahead(n) {
            Token::Symbol("=") => None,
            Token::Symbol("+=") => Some(BinaryOp::Add),
            Token::Symbol("-=") => Some(BinaryOp::Sub),
            Token::Symbol("*=") => Some(BinaryOp::Mul),
            Token::Symbol("/=") => Some(BinaryOp::Div),
            Token::Symbol("%=") => Some(BinaryOp::Mod),
            Token::Symbol("&=") => Some(BinaryOp::BitAnd),
            Token::Symbol("|=") => Some(BinaryOp::BitOr),
            Token::Symbol("^=") => Some(BinaryOp::BitXor),
            _ => return None,
        })
    }

    fn optional_alias(&mut self) -> Parsed<Option<Ident>> {
        if self.accept_word("AS") {
            return self.alias().map(Some);
        }
        let here = match self.peek() {
            Token::String { .. } | Token::Quoted(_) => true,
            Token::Word(w) => !is_reserved(w) && !self.begins_statement(),
            _ => false,
        };
        if here { self.alias().map(Some) } else { Ok(None) }
    }

    pub(super) fn table_ref(&mut self) -> Parsed<TableRef> {
        self.deeper(|p| {
            let mut left = p.table_primary()?;
            loop {
                if let Some(word) = p.accept_any(&["PIVOT", "UNPIVOT"]) {
                    p.skip_parentheses()?;
                    p.optional_alias()?;
                    left = TableRef::Unsupported(word.to_owned());
                    continue;
                }
                let Some((kind, on)) = p.join_kind() else { return Ok(left) };
                let right = if on { p.table_ref_for_on()? } else { p.table_primary()? };
                let on = if on {
                    p.expect_word("ON")?;
                    Some(p.test()?)
                } else {
                    None
                };
                left = TableRef::Join { kind, left: Box::new(left), right: Box::new(right), on };
            }
        })
    }

    /// The right side of a join with ON; `a JOIN b JOIN c ON ... ON ...` nests to the right.
    fn table_ref_for_on(&mut self) -> Parsed<TableRef> {
        self.deeper(|p| {
            let mut right = p.table_primary()?;
            while !p.is_word("ON") {
                let Some((kind, on)) = p.join_kind() else { return Err(p.unexpected()) };
                let inner = if on { p.table_ref_for_on()? } else { p.table_primary()? };
                let on = if on {
                    p.expect_word("ON")?;
                    Some(p.test()?)
                } else {
                    None
                };
                right = TableRef::Join { kind, left: Box::new(right), right: Box::new(inner), on };
            }
            Ok(right)
        })
    }

    /// The kind of a join, and whether ON follows it.
    fn join_kind(&mut self) -> Option<(JoinKind, bool)> {
        if self.accept_words(&["CROSS", "JOIN"]) {
            return Some((JoinKind::Cross, false));
        }
        if self.accept_words(&["CROSS", "APPLY"]) {
            return Some((JoinKind::CrossApply, false));
        }
        if self.accept_words(&["OUTER", "APPLY"]) {
            return Some((JoinKind::OuterApply, false));
        }
        if self.accept_word("JOIN") {
            return Some((JoinKind::Inner, true));
        }
        for (word, kind) in [
            ("INNER", JoinKind::Inner),
            ("LEFT", JoinKind::Left),
            ("RIGHT", JoinKind::Right),
            ("FULL", JoinKind::Full),
        ] {
            if !self.is_word(word) {
                continue;
            }
            let mut n = 1;
            if self.is_word_at(n, "OUTER") {
                n += 1;
            }
            if ["LOOP", "HASH", "MERGE", "REMOTE"].iter().any(|hint| self.is_word_at(n, hint)) {
                n += 1;
            }
            if self.is_word_at(n, "JOIN") {
                self.at += n + 1;
                return Some((kind, true));
            }
        }
        None
    }

    fn table_primary(&mut self) -> Parsed<TableRef> {
        let table = self.plain_table()?;
        if let Some(word) = self.accept_any(&["PIVOT", "UNPIVOT"]) {
            self.skip_parentheses()?;
            self.optional_alias()?;
            return Ok(TableRef::Unsupported(word.to_owned()));
        }
        Ok(table)
    }

    fn plain_table(&mut self) -> Parsed<TableRef> {
        let pos = self.pos();
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            let alias = self.optional_alias()?;
            return Ok(TableRef::Variable { name, alias, pos });
        }
        if self.is("(") {
            return self.parenthesised_table();
        }
        if let Some(word) = self.accept_any(&[
            "OPENROWSET",
            "OPENQUERY",
            "OPENDATASOURCE",
            "OPENXML",
            "CONTAINSTABLE",
            "FREETEXTTABLE",
        ]) {
            self.skip_parentheses()?;
            self.optional_alias()?;
            return Ok(TableRef::Unsupported(word.to_owned()));
        }
        let name = self.object_name()?;
        let hint_list = |p: &Self| {
            p.is("(")
                && matches!(p.ahead(1), Token::Word(w) if ["NOLOCK", "HOLDLOCK", "UPDLOCK", "TABLOCK", "TABLOCKX", "ROWLOCK",
                    "PAGLOCK", "READPAST", "XLOCK", "READUNCOMMITTED", "READCOMMITTED", "NOWAIT", "INDEX"]
                    .iter().any(|k| w.eq_ignore_ascii_case(k)))
                && !p.is_at(2, ".")
        };
        if self.is("(") && !hint_list(self) {
            return self.table_function(name);
        }
        if self.accept_words(&["FOR", "SYSTEM_TIME"]) {
            self.refuse("FOR SYSTEM_TIME");
            if !self.accept_word("ALL") {
                self.accept_any(&["AS", "FROM", "BETWEEN", "CONTAINED"]);
                self.accept_any(&["OF", "IN"]);
                self.expr()?;
                if self.accept_any(&["TO", "AND"]).is_some() {
                    self.expr()?;
                }
            }
        }
        let mut alias = self.optional_alias()?;
        let mut hints = Vec::new();
        if (self.is_word("WITH") && self.is_at(1, "(")) || hint_list(self) {
            self.accept_word("WITH");
            hints = self.table_hints()?;
        }
        if alias.is_none() {
            alias = self.optional_alias()?;
        }
        if self.accept_word("TABLESAMPLE") {
            self.accept_word("SYSTEM");
            self.skip_parentheses()?;
            if self.accept_word("REPEATABLE") {
                self.skip_parentheses()?;
            }
            self.refuse("TABLESAMPLE");
        }
        Ok(TableRef::Named { name, alias, hints })
    }

    pub(super) fn table_hints(&mut self) -> Parsed<Vec<String>> {
        self.parenthesised(|p| {
            let mut hint = p.any_word()?.value.to_ascii_uppercase();
            if p.is("(") {
                p.skip_parentheses()?;
            } else if p.accept("=") {
                p.next();
            }
            while matches!(p.peek(), Token::Word(_)) {
                hint.push(' ');
                hint.push_str(&p.any_word()?.value.to_ascii_uppercase());
            }
            Ok(hint)
        })
    }

    fn table_function(&mut self, name: crate::ast::ObjectName) -> Parsed<TableRef> {
        self.expect("(")?;
        let args = if self.is(")") { Vec::new() } else { self.list(Self::expr)? };
        self.expect(")")?;
        let mut columns = Vec::new();
        if self.is_word("WITH") && self.is_at(1, "(") && name.name().eq_ignore_ascii_case("OPENJSON") {
            self.at += 1;
            self.skip_parentheses()?;
            self.optional_alias()?;
            return Ok(TableRef::Unsupported("OPENJSON ... WITH".to_owned()));
        }
        let alias = self.optional_alias()?;
        if alias.is_some() && self.is("(") {
            columns = self.ident_list()?;
        }
        Ok(TableRef::Function { name, args, alias, columns })
    }

    fn parenthesised_table(&mut self) -> Parsed<TableRef> {
        if self.is_word_at(1, "VALUES") {
            self.at += 2;
            let rows = self.list(|p| p.parenthesised(Self::expr))?;
            self.expect(")")?;
            let (alias, columns) = self.derived_alias()?;
            return Ok(TableRef::Values { rows, alias, columns });
        }
        if self.starts_query() && self.holds_query() {
            self.at += 1;
            let query = self.query()?;
            self.expect(")")?;
            let (alias, columns) = self.derived_alias()?;
            return Ok(TableRef::Derived { query: Box::new(query), alias, columns });
        }
        self.at += 1;
        let inner = self.table_ref()?;
        self.expect(")")?;
        Ok(inner)
    }

    /// Whether the outermost of the parentheses here holds a query, as in `((SELECT ...) UNION ...) AS t`, or a table, as in
    /// `((SELECT ...) AS t JOIN u ON ...)`. What follows the inner ones as they close tells: trying it out would take twice
    /// as long with each of them.
    fn holds_query(&self) -> bool {
        let opened = (0..).take_while(|n| self.is_at(*n, "(")).count();
        let (mut at, mut depth) = (opened, opened);
        while depth > 0 && *self.ahead(at) != Token::End {
            if self.is_at(at, "(") {
                depth += 1;
            } else if self.is_at(at, ")") {
                depth -= 1;
                let goes_on = ["UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET", "FOR", "OPTION"];
                let query = self.is_at(at + 1, ")") || goes_on.iter().any(|w| self.is_word_at(at + 1, w));
                if depth > 0 && depth < opened && !query {
                    return false;
                }
            }
            at += 1;
        }
        true
    }

    fn derived_alias(&mut self) -> Parsed<(Ident, Vec<Ident>)> {
        let Some(alias) = self.optional_alias()? else { return Err(self.unexpected()) };
        let columns = if self.is("(") { self.ident_list()? } else { Vec::new() };
        Ok((alias, columns))
    }
}
