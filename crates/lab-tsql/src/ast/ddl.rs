//! Statements that define things.

use super::{DataType, Expr, Ident, ObjectName, Query, Statement};

/// ON DELETE and ON UPDATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferentialAction {
    /// `NO ACTION`
    #[default]
    NoAction,
    /// `CASCADE`
    Cascade,
    /// `SET NULL`
    SetNull,
    /// `SET DEFAULT`
    SetDefault,
}

/// A column and its direction in an index.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyColumn {
    /// The column.
    pub name: Ident,
    /// `DESC`.
    pub descending: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    /// PRIMARY KEY or UNIQUE.
    Key {
        /// PRIMARY KEY.
        primary: bool,
        /// CLUSTERED or NONCLUSTERED, if written.
        clustered: Option<bool>,
        /// The columns; empty when written with a column.
        columns: Vec<KeyColumn>,
        /// `IGNORE_DUP_KEY = ON`.
        ignore_dup_key: bool,
    },
    /// FOREIGN KEY.
    ForeignKey {
        /// The referencing columns; empty when written with a column.
        columns: Vec<Ident>,
        /// The referenced table.
        table: ObjectName,
        /// The referenced columns; empty for the primary key.
        referenced: Vec<Ident>,
        /// ON DELETE.
        on_delete: ReferentialAction,
        /// ON UPDATE.
        on_update: ReferentialAction,
    },
    /// CHECK, with its text.
    Check {
        /// The condition.
        condition: Expr,
        /// Its text.
        text: String,
    },
    /// DEFAULT, with its text.
    Default {
        /// The value.
        value: Expr,
        /// Its text.
        text: String,
        /// `FOR column`, of a table constraint.
        column: Option<Ident>,
        /// `WITH VALUES`: existing rows get it too.
        with_values: bool,
    },
}

/// A constraint, possibly named.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Its name.
    pub name: Option<Ident>,
    /// What it demands.
    pub kind: ConstraintKind,
}

/// A column of CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type; absent for a computed column and for the short form `timestamp`.
    pub data_type: Option<DataType>,
    /// The expression of a computed column and its text.
    pub computed: Option<(Expr, String)>,
    /// `PERSISTED`.
    pub persisted: bool,
    /// `COLLATE`.
    pub collation: Option<Ident>,
    /// `NULL` or `NOT NULL`, if written.
    pub nullable: Option<bool>,
    /// `IDENTITY(seed, increment)`.
    pub identity: Option<(i64, i64)>,
    /// `NOT FOR REPLICATION`.
    pub not_for_replication: bool,
    /// `ROWGUIDCOL`.
    pub rowguidcol: bool,
    /// Constraints written with the column.
    pub constraints: Vec<Constraint>,
    /// Indexes written with the column.
    pub indexes: Vec<InlineIndex>,
}

/// An index written inside CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct InlineIndex {
    /// Its name.
    pub name: Ident,
    /// UNIQUE.
    pub unique: bool,
    /// CLUSTERED.
    pub clustered: bool,
    /// Its columns.
    pub columns: Vec<KeyColumn>,
    /// INCLUDE.
    pub include: Vec<Ident>,
    /// WHERE and its text.
    pub filter: Option<(Expr, String)>,
}

/// One element of CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub enum TableElement {
    /// A column.
    Column(ColumnDef),
    /// A constraint.
    Constraint(Constraint),
    /// An index.
    Index(InlineIndex),
}

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub name: ObjectName,
    /// Columns, constraints, indexes.
    pub elements: Vec<TableElement>,
}

/// What ALTER TABLE does.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterTableAction {
    /// `ADD`, with whether existing rows are checked.
    Add {
        /// What is added.
        elements: Vec<TableElement>,
        /// `WITH NOCHECK`.
        nocheck: bool,
    },
    /// `DROP`: columns (`true`) and constraints, in the order written.
    Drop(Vec<(bool, Ident)>, bool),
    /// `ALTER COLUMN`.
    AlterColumn {
        /// The column.
        name: Ident,
        /// Its new type.
        data_type: DataType,
        /// Its new collation.
        collation: Option<Ident>,
        /// NULL or NOT NULL.
        nullable: Option<bool>,
    },
    /// `[WITH CHECK|NOCHECK] CHECK|NOCHECK CONSTRAINT ALL|names`.
    SetConstraints {
        /// CHECK rather than NOCHECK.
        enable: bool,
        /// `WITH CHECK`: existing rows are checked.
        validate: bool,
        /// The names; empty for ALL.
        names: Vec<Ident>,
    },
    /// ENABLE/DISABLE TRIGGER, SWITCH, REBUILD and others.
    Other(String),
}

/// `CREATE INDEX`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// Its name.
    pub name: Ident,
    /// The table.
    pub table: ObjectName,
    /// UNIQUE.
    pub unique: bool,
    /// CLUSTERED.
    pub clustered: bool,
    /// Key columns.
    pub columns: Vec<KeyColumn>,
    /// INCLUDE.
    pub include: Vec<Ident>,
    /// WHERE and its text.
    pub filter: Option<(Expr, String)>,
    /// Options: name and value, upper case.
    pub options: Vec<(String, String)>,
    /// COLUMNSTORE, XML, SPATIAL, FULLTEXT: what SQL Server has and the engine may refuse.
    pub special: Option<String>,
}

/// Whether a module is created, changed, or either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateMode {
    /// CREATE
    Create,
    /// ALTER
    Alter,
    /// CREATE OR ALTER
    CreateOrAlter,
}

/// A parameter of a procedure or function.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// With its `@`.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Its default.
    pub default: Option<Expr>,
    /// OUTPUT.
    pub output: bool,
}

/// What a module consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum ModuleBody {
    /// A view's query.
    View {
        /// Column names.
        columns: Vec<Ident>,
        /// The query.
        query: Box<Query>,
        /// WITH CHECK OPTION.
        check_option: bool,
    },
    /// A procedure's statements.
    Procedure {
        /// Parameters.
        parameters: Vec<Parameter>,
        /// Statements.
        body: Vec<Statement>,
    },
    /// A scalar function.
    ScalarFunction {
        /// Parameters.
        parameters: Vec<Parameter>,
        /// What it returns.
        returns: DataType,
        /// Statements.
        body: Vec<Statement>,
    },
    /// An inline table-valued function.
    InlineFunction {
        /// Parameters.
        parameters: Vec<Parameter>,
        /// The query it stands for.
        query: Box<Query>,
    },
    /// A multi-statement function, trigger, CLR module: only recognised.
    Unsupported(String),
}

/// CREATE/ALTER VIEW, PROCEDURE, FUNCTION, TRIGGER.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateModule {
    /// Create, alter or either.
    pub mode: CreateMode,
    /// Its name.
    pub name: ObjectName,
    /// What it consists of.
    pub body: ModuleBody,
    /// Options after WITH: SCHEMABINDING, ENCRYPTION, ...
    pub options: Vec<String>,
}

/// What DROP drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropKind {
    /// TABLE
    Table,
    /// VIEW
    View,
    /// PROCEDURE
    Procedure,
    /// FUNCTION
    Function,
    /// SCHEMA
    Schema,
    /// DATABASE
    Database,
    /// LOGIN
    Login,
    /// USER
    User,
    /// ROLE
    Role,
    /// SYNONYM
    Synonym,
}

/// `ALTER DATABASE`.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterDatabase {
    /// SET options: name and value, upper case.
    Set(Vec<(String, String)>),
    /// MODIFY NAME.
    Rename(Ident),
    /// COLLATE.
    Collate(Ident),
    /// ADD/MODIFY/REMOVE FILE and FILEGROUP, SCOPED CONFIGURATION and others: recognised.
    Other(String),
}
