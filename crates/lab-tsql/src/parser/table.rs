//! CREATE, ALTER and DROP of tables, indexes and the rest.

use super::{Parsed, Parser};
use crate::ast::{
    AlterTableAction, ColumnDef, Constraint, ConstraintKind, CreateIndex, CreateTable, DropKind, Expr, Ident,
    InlineIndex, KeyColumn, ReferentialAction, StatementKind, TableElement,
};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn create_table(&mut self) -> Parsed<StatementKind> {
        let name = self.object_name()?;
        if self.accept_word("AS") {
            return Ok(self.recognised("CREATE TABLE AS"));
        }
        let elements = self.table_elements()?;
        if self.is_words(&["AS", "NODE"]) || self.is_words(&["AS", "EDGE"]) {
            self.at += 2;
            self.refuse("CREATE TABLE AS NODE/EDGE");
        }
        self.storage_clauses()?;
        Ok(StatementKind::CreateTable(Box::new(CreateTable { name, elements })))
    }

    /// ON filegroup, TEXTIMAGE_ON, WITH (...): where things lie has no meaning here.
    fn storage_clauses(&mut self) -> Parsed<()> {
        loop {
            if self.is_word("ON")
                && (self.is_ident_at(1) || self.is_word_at(1, "PRIMARY") || self.is_word_at(1, "DEFAULT"))
                || self.is_word("ON") && matches!(self.ahead(1), Token::String { .. })
                || self.is_word("TEXTIMAGE_ON")
                || self.is_word("FILESTREAM_ON")
            {
                self.at += 2;
                if self.is("(") {
                    self.skip_parentheses()?;
                }
            } else if self.is_word("WITH") && self.is_at(1, "(") {
                for what in ["SYSTEM_VERSIONING", "MEMORY_OPTIMIZED", "LEDGER", "FILETABLE_DIRECTORY"] {
                    if self.is_word_at(2, what) {
                        self.refuse(&format!("CREATE TABLE WITH {what}"));
                    }
                }
                self.at += 1;
                self.skip_parentheses()?;
            } else {
                return Ok(());
            }
        }
    }

    pub(super) fn table_elements(&mut self) -> Parsed<Vec<TableElement>> {
        self.expect("(")?;
        let mut out = Vec::new();
        loop {
            // A comma in front of the closing parenthesis is tolerated by SQL Server.
            if self.accept(")") {
                return Ok(out);
            }
            out.push(self.table_element()?);
            if !self.accept(",") {
                self.expect(")")?;
                return Ok(out);
            }
        }
    }

    fn table_element(&mut self) -> Parsed<TableElement> {
        if self.is_word("INDEX") {
            self.at += 1;
            let name = self.ident()?;
            let unique = self.accept_word("UNIQUE");
            let clustered = self.accept_any(&["CLUSTERED", "NONCLUSTERED"]) == Some("CLUSTERED");
            if self.accept_word("COLUMNSTORE") || self.accept_word("HASH") {
                self.refuse("columnstore or hash index");
            }
            let columns = if self.is("(") { self.key_columns()? } else { Vec::new() };
            return Ok(TableElement::Index(self.inline_index(name, unique, clustered, columns)?));
        }
        if self.is_word("PERIOD") && self.is_word_at(1, "FOR") {
            self.at += 3;
            self.skip_parentheses()?;
            self.refuse("PERIOD FOR SYSTEM_TIME");
            let name = Ident { value: "SYSTEM_TIME".to_owned(), pos: self.pos() };
            let columns = Vec::new();
            return Ok(TableElement::Index(self.inline_index(name, false, false, columns)?));
        }
        if let Some(constraint) = self.constraint()? {
            return Ok(TableElement::Constraint(constraint));
        }
        Ok(TableElement::Column(self.column_def()?))
    }

    /// From INCLUDE on.
    fn inline_index(
        &mut self,
        name: Ident,
        unique: bool,
        clustered: bool,
        columns: Vec<KeyColumn>,
    ) -> Parsed<InlineIndex> {
        let include = if self.accept_word("INCLUDE") { self.ident_list()? } else { Vec::new() };
        let filter = self.index_filter()?;
        self.storage_clauses()?;
        Ok(InlineIndex { name, unique, clustered, columns, include, filter })
    }

    fn index_filter(&mut self) -> Parsed<Option<(Expr, String)>> {
        if !self.accept_word("WHERE") {
            return Ok(None);
        }
        let start = self.pos().offset;
        let condition = self.condition()?;
        Ok(Some((condition, self.source(start, self.end_offset()))))
    }

    /// Clauses of a column that the engine does not carry out.
    fn refused_column_option(&mut self) -> Parsed<bool> {
        for (words, what) in [
            (&["MASKED", "WITH"] as &[&str], "MASKED column"),
            (&["ENCRYPTED", "WITH"], "ENCRYPTED column"),
            (&["FILESTREAM"], "FILESTREAM column"),
            (&["COLUMN_SET", "FOR", "ALL_SPARSE_COLUMNS"], "COLUMN_SET column"),
        ] {
            if self.accept_words(words) {
                if self.is("(") {
                    self.skip_parentheses()?;
                }
                self.refuse(what);
                return Ok(true);
            }
        }
        if self.accept_words(&["GENERATED", "ALWAYS", "AS"]) {
            self.any_word()?;
            self.accept_any(&["START", "END"]);
            self.refuse("GENERATED ALWAYS column");
            return Ok(true);
        }
        Ok(false)
    }

    fn column_def(&mut self) -> Parsed<ColumnDef> {
        let name = self.ident()?;
        let mut column = ColumnDef {
            name,
            data_type: None,
            computed: None,
            persisted: false,
            collation: None,
            nullable: None,
            identity: None,
            not_for_replication: false,
            rowguidcol: false,
            constraints: Vec::new(),
            indexes: Vec::new(),
        };
        if self.accept_word("AS") {
            let start = self.pos().offset;
            let expr = self.expr()?;
            let text = self.source(start, self.end_offset());
            column.computed = Some((expr, text));
            column.persisted = self.accept_word("PERSISTED");
        } else if self.is_ident_at(0) || self.is_word("DOUBLE") || self.is_word("NATIONAL") {
            column.data_type = Some(self.data_type()?);
        }
        while self.column_option(&mut column)? {}
        Ok(column)
    }

    fn column_option(&mut self, column: &mut ColumnDef) -> Parsed<bool> {
        if self.accept_word("COLLATE") {
            column.collation = Some(self.any_word()?);
        } else if self.accept_word("IDENTITY") {
            column.identity = Some((1, 1));
            if self.accept("(") {
                let seed = self.signed_number()?;
                self.expect(",")?;
                column.identity = Some((seed, self.signed_number()?));
                self.expect(")")?;
            }
        } else if self.accept_words(&["NOT", "FOR", "REPLICATION"]) {
            column.not_for_replication = true;
        } else if self.accept_words(&["NOT", "NULL"]) {
            column.nullable = Some(false);
        } else if self.accept_word("NULL") {
            column.nullable = Some(true);
        } else if self.accept_word("ROWGUIDCOL") {
            column.rowguidcol = true;
        } else if self.accept_word("SPARSE") || self.accept_word("HIDDEN") || self.refused_column_option()? {
        } else if self.is_word("INDEX") && self.is_ident_at(1) {
            self.at += 1;
            let name = self.ident()?;
            let unique = self.accept_word("UNIQUE");
            let clustered = self.accept_any(&["CLUSTERED", "NONCLUSTERED"]) == Some("CLUSTERED");
            let columns = vec![KeyColumn { name: column.name.clone(), descending: false }];
            let index = self.inline_index(name, unique, clustered, columns)?;
            column.indexes.push(index);
        } else if let Some(constraint) = self.constraint()? {
            column.constraints.push(constraint);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// A constraint of a column or table, if one comes next.
    fn constraint(&mut self) -> Parsed<Option<Constraint>> {
        let name = if self.accept_word("CONSTRAINT") { Some(self.ident()?) } else { None };
        let kind = match self.accept_any(&["PRIMARY", "UNIQUE", "FOREIGN", "REFERENCES", "CHECK", "DEFAULT"])
        {
            Some("PRIMARY") => {
                self.expect_word("KEY")?;
                self.key(true)?
            }
            Some("UNIQUE") => self.key(false)?,
            Some("FOREIGN") => {
                self.expect_word("KEY")?;
                let columns = if self.is("(") { self.ident_list()? } else { Vec::new() };
                self.expect_word("REFERENCES")?;
                self.references(columns)?
            }
            Some("REFERENCES") => self.references(Vec::new())?,
            Some("CHECK") => {
                self.accept_words(&["NOT", "FOR", "REPLICATION"]);
                let start = self.pos().offset;
                self.expect("(")?;
                let condition = self.condition()?;
                self.expect(")")?;
                ConstraintKind::Check { condition, text: self.source(start, self.end_offset()) }
            }
            Some(_) => {
                let start = self.pos().offset;
                let value = self.expr()?;
                let text = self.source(start, self.end_offset());
                let column = if self.accept_word("FOR") { Some(self.ident()?) } else { None };
                let with_values = self.accept_words(&["WITH", "VALUES"]);
                ConstraintKind::Default { value, text, column, with_values }
            }
            None if name.is_some() => return Err(self.unexpected()),
            None => return Ok(None),
        };
        Ok(Some(Constraint { name, kind }))
    }

    fn key(&mut self, primary: bool) -> Parsed<ConstraintKind> {
        let clustered = self.accept_any(&["CLUSTERED", "NONCLUSTERED"]).map(|w| w == "CLUSTERED");
        if self.accept_word("HASH") {
            self.refuse("HASH index");
        }
        let columns = if self.is("(") { self.key_columns()? } else { Vec::new() };
        let mut ignore_dup_key = false;
        if self.is_word("WITH") {
            let options = self.index_options()?;
            ignore_dup_key = options.iter().any(|(n, v)| n == "IGNORE_DUP_KEY" && v == "ON");
        }
        self.storage_clauses()?;
        Ok(ConstraintKind::Key { primary, clustered, columns, ignore_dup_key })
    }

    fn key_columns(&mut self) -> Parsed<Vec<KeyColumn>> {
        self.parenthesised(|p| {
            let name = p.ident()?;
            let descending = p.accept_any(&["ASC", "DESC"]) == Some("DESC");
            Ok(KeyColumn { name, descending })
        })
    }

    fn references(&mut self, columns: Vec<Ident>) -> Parsed<ConstraintKind> {
        let table = self.object_name()?;
        let referenced = if self.is("(") { self.ident_list()? } else { Vec::new() };
        let (mut on_delete, mut on_update) = (ReferentialAction::NoAction, ReferentialAction::NoAction);
        loop {
            if self.accept_words(&["ON", "DELETE"]) {
                on_delete = self.referential_action()?;
            } else if self.accept_words(&["ON", "UPDATE"]) {
                on_update = self.referential_action()?;
            } else if !self.accept_words(&["NOT", "FOR", "REPLICATION"]) {
                return Ok(ConstraintKind::ForeignKey { columns, table, referenced, on_delete, on_update });
            }
        }
    }

    fn referential_action(&mut self) -> Parsed<ReferentialAction> {
        if self.accept_words(&["NO", "ACTION"]) {
            Ok(ReferentialAction::NoAction)
        } else if self.accept_word("CASCADE") {
            Ok(ReferentialAction::Cascade)
        } else if self.accept_words(&["SET", "NULL"]) {
            Ok(ReferentialAction::SetNull)
        } else if self.accept_words(&["SET", "DEFAULT"]) {
            Ok(ReferentialAction::SetDefault)
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn alter_table(&mut self) -> Parsed<StatementKind> {
        let name = self.object_name()?;
        let mut with = None;
        if self.is_word("WITH") {
            self.at += 1;
            with = self.accept_any(&["CHECK", "NOCHECK"]);
        }
        let action = if self.accept_word("ADD") {
            let mut elements = vec![self.table_element()?];
            while self.accept(",") {
                elements.push(self.table_element()?);
            }
            AlterTableAction::Add { elements, nocheck: with == Some("NOCHECK") }
        } else if let Some(word) = self.accept_any(&["CHECK", "NOCHECK"]) {
            self.expect_word("CONSTRAINT")?;
            let names = if self.accept_word("ALL") { Vec::new() } else { self.list(Self::ident)? };
            AlterTableAction::SetConstraints {
                enable: word == "CHECK",
                validate: with == Some("CHECK"),
                names,
            }
        } else if self.is_words(&["ALTER", "COLUMN"]) {
            self.at += 2;
            self.alter_column()?
        } else if self.accept_word("DROP") {
            self.alter_table_drop()?
        } else {
            let what = self.peek().shown().to_ascii_uppercase();
            self.recognised(&what);
            AlterTableAction::Other(what)
        };
        Ok(StatementKind::AlterTable(name, action))
    }

    fn alter_column(&mut self) -> Parsed<AlterTableAction> {
        let name = self.ident()?;
        if self.is_word("ADD") || self.is_word("DROP") {
            self.recognised("ALTER COLUMN ADD");
            return Ok(AlterTableAction::Other("ALTER COLUMN ADD/DROP".to_owned()));
        }
        let data_type = self.data_type()?;
        let collation = if self.accept_word("COLLATE") { Some(self.any_word()?) } else { None };
        let nullable = if self.accept_words(&["NOT", "NULL"]) {
            Some(false)
        } else if self.accept_word("NULL") {
            Some(true)
        } else {
            None
        };
        while self.accept_word("SPARSE") || self.refused_column_option()? {}
        self.storage_clauses()?;
        Ok(AlterTableAction::AlterColumn { name, data_type, collation, nullable })
    }

    fn alter_table_drop(&mut self) -> Parsed<AlterTableAction> {
        if self.is_words(&["PERIOD", "FOR"]) {
            self.recognised("PERIOD");
            return Ok(AlterTableAction::Other("DROP PERIOD FOR SYSTEM_TIME".to_owned()));
        }
        let mut column = false;
        let mut if_exists = false;
        // Each COLUMN or CONSTRAINT holds for the names behind it, up to the next one.
        let items = self.list(|p| {
            if let Some(word) = p.accept_any(&["COLUMN", "CONSTRAINT"]) {
                column = word == "COLUMN";
                if_exists |= p.accept_words(&["IF", "EXISTS"]);
            }
            let name = p.ident()?;
            p.storage_clauses()?;
            Ok((column, name))
        })?;
        Ok(AlterTableAction::Drop(items, if_exists))
    }

    /// From UNIQUE/CLUSTERED/INDEX on.
    pub(super) fn create_index(&mut self) -> Parsed<StatementKind> {
        let unique = self.accept_word("UNIQUE");
        let clustered = self.accept_any(&["CLUSTERED", "NONCLUSTERED"]) == Some("CLUSTERED");
        let mut special =
            self.accept_any(&["COLUMNSTORE", "XML", "SPATIAL", "FULLTEXT", "PRIMARY"]).map(str::to_owned);
        if special.as_deref() == Some("PRIMARY") {
            self.accept_word("XML");
            special = Some("XML".to_owned());
        }
        self.expect_word("INDEX")?;
        let name = self.ident()?;
        self.expect_word("ON")?;
        let table = self.object_name()?;
        let columns = if self.is("(") { self.key_columns()? } else { Vec::new() };
        let include = if self.accept_word("INCLUDE") { self.ident_list()? } else { Vec::new() };
        let filter = self.index_filter()?;
        let options = if self.is_word("WITH") { self.index_options()? } else { Vec::new() };
        self.storage_clauses()?;
        Ok(StatementKind::CreateIndex(Box::new(CreateIndex {
            name,
            table,
            unique,
            clustered,
            columns,
            include,
            filter,
            options,
            special,
        })))
    }

    /// `WITH (A = ON, B = 80)`, or the old `WITH FILLFACTOR = 80, IGNORE_DUP_KEY`.
    fn index_options(&mut self) -> Parsed<Vec<(String, String)>> {
        self.expect_word("WITH")?;
        let option = |p: &mut Self| {
            let name = p.any_word()?.value.to_ascii_uppercase();
            let mut value = "ON".to_owned();
            if p.accept("=") {
                value = p.next().shown().to_ascii_uppercase();
                if p.is("(") {
                    p.skip_parentheses()?;
                }
                p.accept_any(&["MINUTES"]);
            }
            if p.accept_words(&["ON", "PARTITIONS"]) {
                p.skip_parentheses()?;
            }
            Ok((name, value))
        };
        if self.is("(") { self.parenthesised(option) } else { self.list(option) }
    }

    pub(super) fn drop_statement(&mut self) -> Parsed<StatementKind> {
        self.at += 1;
        if self.accept_word("INDEX") {
            return self.drop_index();
        }
        if self.is_hadr_object() {
            return self.hadr_statement("DROP");
        }
        let kind = match self.peek() {
            Token::Word(w) => match w.to_ascii_uppercase().as_str() {
                "TABLE" => DropKind::Table,
                "VIEW" => DropKind::View,
                "PROC" | "PROCEDURE" => DropKind::Procedure,
                "FUNCTION" => DropKind::Function,
                "SCHEMA" => DropKind::Schema,
                "DATABASE"
                    if !self.is_word_at(1, "SCOPED")
                        && !self.is_word_at(1, "AUDIT")
                        && !self.is_word_at(1, "ENCRYPTION") =>
                {
                    DropKind::Database
                }
                "LOGIN" => DropKind::Login,
                "USER" => DropKind::User,
                "ROLE" => DropKind::Role,
                "SYNONYM" => DropKind::Synonym,
                other => {
                    let what = format!("DROP {other}");
                    let words =
                        (1..4).find(|n| self.is_word_at(*n, "IF") && self.is_word_at(n + 1, "EXISTS"));
                    return Ok(self.recognised_after(words.map_or(1, |n| n + 2), &what));
                }
            },
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        let if_exists = self.accept_words(&["IF", "EXISTS"]);
        let names = self.list(Self::object_name)?;
        Ok(StatementKind::Drop { kind, names, if_exists })
    }

    fn drop_index(&mut self) -> Parsed<StatementKind> {
        let if_exists = self.accept_words(&["IF", "EXISTS"]);
        let indexes = self.list(|p| {
            let mut name = p.object_name()?;
            if p.accept_word("ON") {
                let index = name.parts.pop().ok_or_else(|| p.unexpected())?;
                return Ok((index, p.object_name()?));
            }
            // The old form: table.index.
            let index = name.parts.pop().ok_or_else(|| p.unexpected())?;
            if name.parts.is_empty() { Err(p.unexpected()) } else { Ok((index, name)) }
        })?;
        self.storage_clauses()?;
        Ok(StatementKind::DropIndex { indexes, if_exists })
    }

    pub(super) fn alter_index(&mut self) -> Parsed<StatementKind> {
        let index = if self.accept_word("ALL") { None } else { Some(self.ident()?) };
        self.expect_word("ON")?;
        let table = self.object_name()?;
        let action = self.any_word()?.value.to_ascii_uppercase();
        if self.is("(") {
            self.skip_parentheses()?;
        }
        if self.accept_word("PARTITION") {
            self.expect("=")?;
            if !self.accept_word("ALL") {
                self.next();
                self.refuse("ALTER INDEX of one PARTITION");
            }
        }
        self.storage_clauses()?;
        Ok(StatementKind::AlterIndex(index, table, action))
    }
}
