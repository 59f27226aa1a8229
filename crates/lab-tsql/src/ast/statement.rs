//! Statements.

use super::{
    AlterDatabase, AlterTableAction, AssignOp, AvailabilityGroupStatement, CertificateStatement, CreateIndex,
    CreateModule, CreateTable, DataType, Delete, DropKind, EndpointStatement, Expr, Ident, Insert,
    InsertBulk, MasterKeyStatement, ObjectName, Pos, Query, SetHadr, TableElement, Update,
};

/// A statement and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where it starts.
    pub pos: Pos,
    /// Byte offset behind its end.
    pub end: EndOffset,
}

/// A byte offset that trees are not compared by.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndOffset(pub u32);

impl PartialEq for EndOffset {
    fn eq(&self, _: &EndOffset) -> bool {
        true
    }
}

/// A batch: what a client sends at once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// An argument of EXEC.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `@p =`.
    pub name: Option<String>,
    /// The value; [`Expr::Default`] for DEFAULT.
    pub value: Expr,
    /// OUTPUT.
    pub output: bool,
}

/// `EXEC`.
#[derive(Debug, Clone, PartialEq)]
pub enum Execute {
    /// A procedure.
    Procedure {
        /// `@rc =`.
        return_variable: Option<String>,
        /// Its name.
        name: ObjectName,
        /// Its arguments.
        args: Vec<Argument>,
    },
    /// A procedure whose name is in a variable.
    ProcedureVariable {
        /// `@rc =`.
        return_variable: Option<String>,
        /// The variable with the name.
        variable: String,
        /// Its arguments.
        args: Vec<Argument>,
    },
    /// `EXEC ('...' + @x)`.
    Text(Expr),
}

/// One variable of DECLARE.
#[derive(Debug, Clone, PartialEq)]
pub enum Declaration {
    /// `@x int = 1`.
    Variable {
        /// With its `@`.
        name: String,
        /// Its type.
        data_type: DataType,
        /// Its first value.
        value: Option<Expr>,
    },
    /// `@t TABLE (...)`.
    Table {
        /// With its `@`.
        name: String,
        /// Columns and constraints.
        elements: Vec<TableElement>,
    },
}

/// Isolation levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// READ UNCOMMITTED
    ReadUncommitted,
    /// READ COMMITTED
    ReadCommitted,
    /// REPEATABLE READ
    RepeatableRead,
    /// SERIALIZABLE
    Serializable,
    /// SNAPSHOT
    Snapshot,
}

/// `SET`.
#[derive(Debug, Clone, PartialEq)]
pub enum SetStatement {
    /// `SET @x = 1`.
    Variable {
        /// With its `@`.
        name: String,
        /// `=` or a compound operator.
        op: AssignOp,
        /// The value.
        value: Expr,
        /// Where.
        pos: Pos,
    },
    /// `SET A, B ON`: names in upper case.
    Switch(Vec<String>, bool),
    /// `SET DATEFORMAT mdy`: name in upper case and value.
    Value(String, Expr),
    /// `SET IDENTITY_INSERT t ON`.
    IdentityInsert(ObjectName, bool),
    /// `SET TRANSACTION ISOLATION LEVEL`.
    Isolation(IsolationLevel),
}

/// Names of transactions and savepoints.
#[derive(Debug, Clone, PartialEq)]
pub enum TransactionName {
    /// Written out.
    Name(String),
    /// In a variable.
    Variable(String),
}

/// BACKUP and RESTORE.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupRestore {
    /// RESTORE rather than BACKUP.
    pub restore: bool,
    /// DATABASE, LOG, VERIFYONLY, HEADERONLY, FILELISTONLY, LABELONLY.
    pub what: String,
    /// The database.
    pub database: Option<Expr>,
    /// TO or FROM.
    pub devices: Vec<BackupDevice>,
    /// WITH.
    pub options: Vec<BackupOption>,
}

/// A backup device.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupDevice {
    /// DISK, TAPE or URL; nothing for a logical device.
    pub kind: Option<String>,
    /// Its name.
    pub name: Expr,
}

/// An option of BACKUP or RESTORE.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupOption {
    /// Its name, in upper case.
    pub name: String,
    /// Its value, or the logical file of MOVE.
    pub value: Option<Expr>,
    /// Where MOVE puts the file.
    pub to: Option<Expr>,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// SELECT.
    Query(Box<Query>),
    /// INSERT.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// TRUNCATE TABLE.
    Truncate(ObjectName),
    /// INSERT BULK.
    InsertBulk(Box<InsertBulk>),
    /// DECLARE.
    Declare(Vec<Declaration>),
    /// SET.
    Set(SetStatement),
    /// BEGIN ... END.
    Block(Vec<Statement>),
    /// IF.
    If {
        /// The condition.
        condition: Expr,
        /// What is run if it is true.
        then: Box<Statement>,
        /// What is run otherwise.
        otherwise: Option<Box<Statement>>,
    },
    /// WHILE.
    While {
        /// The condition.
        condition: Expr,
        /// The body.
        body: Box<Statement>,
    },
    /// BREAK.
    Break,
    /// CONTINUE.
    Continue,
    /// RETURN.
    Return(Option<Expr>),
    /// GOTO.
    Goto(Ident),
    /// `label:`
    Label(Ident),
    /// WAITFOR DELAY or TIME.
    WaitFor {
        /// DELAY rather than TIME.
        delay: bool,
        /// How long, or until when.
        value: Expr,
    },
    /// PRINT.
    Print(Expr),
    /// RAISERROR.
    RaisError {
        /// Message, severity, state, arguments.
        args: Vec<Expr>,
        /// WITH options, upper case.
        options: Vec<String>,
    },
    /// THROW.
    Throw(Option<(Expr, Expr, Expr)>),
    /// BEGIN TRY ... BEGIN CATCH.
    TryCatch {
        /// Guarded statements.
        body: Vec<Statement>,
        /// What is run on an error.
        handler: Vec<Statement>,
    },
    /// EXEC.
    Execute(Execute),
    /// BEGIN TRANSACTION.
    BeginTransaction(Option<TransactionName>),
    /// COMMIT.
    Commit(Option<TransactionName>),
    /// ROLLBACK.
    Rollback(Option<TransactionName>),
    /// SAVE TRANSACTION.
    Save(TransactionName),
    /// USE.
    Use(Ident),
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// ALTER TABLE.
    AlterTable(ObjectName, AlterTableAction),
    /// CREATE INDEX.
    CreateIndex(Box<CreateIndex>),
    /// DROP INDEX.
    DropIndex {
        /// Index and table.
        indexes: Vec<(Ident, ObjectName)>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ALTER INDEX: index (`None` for ALL), table, action in upper case.
    AlterIndex(Option<Ident>, ObjectName, String),
    /// CREATE/ALTER VIEW, PROCEDURE, FUNCTION.
    CreateModule(Box<CreateModule>),
    /// DROP of anything but an index.
    Drop {
        /// What.
        kind: DropKind,
        /// Which.
        names: Vec<ObjectName>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE SCHEMA.
    CreateSchema {
        /// Its name.
        name: Ident,
        /// AUTHORIZATION.
        owner: Option<Ident>,
    },
    /// CREATE DATABASE.
    CreateDatabase {
        /// Its name.
        name: Ident,
        /// COLLATE.
        collation: Option<Ident>,
        /// It says where its files are to be.
        files: bool,
    },
    /// ALTER DATABASE; `None` is CURRENT.
    AlterDatabase(Option<Ident>, AlterDatabase),
    /// CREATE LOGIN / ALTER LOGIN: options in upper case and values.
    Login {
        /// CREATE rather than ALTER.
        create: bool,
        /// Its name.
        name: Ident,
        /// PASSWORD, DEFAULT_DATABASE, SID, ENABLE, DISABLE, ...
        options: Vec<(String, Option<Expr>)>,
    },
    /// CREATE USER / ALTER USER.
    User {
        /// CREATE rather than ALTER.
        create: bool,
        /// Its name.
        name: Ident,
        /// FOR LOGIN.
        login: Option<Ident>,
        /// WITHOUT LOGIN.
        without_login: bool,
        /// Options in upper case and values.
        options: Vec<(String, Option<Expr>)>,
    },
    /// CREATE ROLE.
    CreateRole(Ident),
    /// ALTER ROLE r WITH NAME = n.
    RenameRole(Ident, Ident),
    /// ALTER SCHEMA s TRANSFER o.
    TransferSchema(Ident, ObjectName),
    /// ALTER AUTHORIZATION ON DATABASE::d or SCHEMA::s TO p.
    Authorization {
        /// DATABASE rather than SCHEMA.
        database: bool,
        /// Whose owner changes.
        name: Ident,
        /// The new owner.
        owner: Ident,
    },
    /// ALTER [SERVER] ROLE r ADD/DROP MEMBER m.
    RoleMember {
        /// SERVER ROLE.
        server: bool,
        /// The role.
        role: Ident,
        /// ADD rather than DROP.
        add: bool,
        /// The member.
        member: Ident,
    },
    /// CREATE, ALTER, OPEN, CLOSE, DROP MASTER KEY.
    MasterKey(MasterKeyStatement),
    /// CREATE, DROP, BACKUP CERTIFICATE.
    Certificate(CertificateStatement),
    /// CREATE, ALTER, DROP ENDPOINT and the permission to connect to one.
    Endpoint(EndpointStatement),
    /// CREATE, ALTER, DROP AVAILABILITY GROUP.
    AvailabilityGroup(AvailabilityGroupStatement),
    /// ALTER DATABASE ... SET HADR; without a name it is CURRENT.
    SetHadr(Option<Ident>, SetHadr),
    /// GRANT, DENY, REVOKE: the text of the statement.
    Permission(String),
    /// BACKUP or RESTORE.
    BackupRestore(Box<BackupRestore>),
    /// CHECKPOINT.
    Checkpoint,
    /// KILL.
    Kill(Expr),
    /// DBCC: command in upper case, arguments, and options in upper case.
    Dbcc(String, Vec<Expr>, Vec<String>),
    /// RECONFIGURE.
    Reconfigure,
    /// SHUTDOWN.
    Shutdown,
    /// A statement that is recognised and not carried out: its name.
    Unsupported(String),
}
