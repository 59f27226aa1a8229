//! One statement after the other: what runs it, and what an error does to the rest.

use lab_tsql::ast::{Statement, StatementKind};

use super::{Flow, Frame, Stop};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::{Done, DoneKind, Sink};

impl Session {
    /// Runs statements in order; a GOTO finds its label among them or goes on outwards.
    pub(crate) fn run_statements(
        &mut self,
        frame: &mut Frame,
        statements: &[Statement],
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        let mut at = 0;
        while let Some(statement) = statements.get(at) {
            at += 1;
            match self.run_statement(frame, statement, sink)? {
                Flow::Next => {}
                Flow::Goto(label) => {
                    let target = |s: &Statement| matches!(&s.kind, StatementKind::Label(l) if l.value.eq_ignore_ascii_case(&label));
                    match statements.iter().position(target) {
                        Some(found) => at = found,
                        None => return Ok(Flow::Goto(label)),
                    }
                }
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    /// Runs a statement; an error that a CATCH does not take is reported here.
    pub(crate) fn run_statement(
        &mut self,
        frame: &mut Frame,
        statement: &Statement,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        if self.interrupt.seen() {
            return Err(Stop::Cancelled);
        }
        if self.settings.noexec && !matches!(statement.kind, StatementKind::Set(_)) {
            return Ok(Flow::Next);
        }
        match self.dispatch(frame, statement, sink) {
            Err(Stop::Error(e)) => self.failed(frame, statement, e, sink),
            other => other,
        }
    }

    fn failed(
        &mut self,
        frame: &mut Frame,
        statement: &Statement,
        e: SqlError,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        // What a call's parameters did wrong is at line 0 of the procedure.
        let mut e = if e.procedure.is_some() { e } else { e.at(statement.pos.line) };
        if e.number == 8630 && e.message.contains("no such ") {
            // What a secondary's log has changed since this statement was bound is not an error of ours.
            let secondary =
                |id: &&i32| self.server.database(**id).is_some_and(|d| d.replica().role.is_secondary());
            if let Some(id) = self.using.iter().find(secondary) {
                e = SqlError::changed_beneath(&self.name_of(*id)).at(e.line);
            }
        }
        if e.number == 3960 {
            let (table, database) = &self.write_target;
            e.message = format!(
                "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table '{table}' directly or indirectly in database '{database}' to update, delete, or insert the row that has been modified or deleted by another transaction. Retry the transaction or change the isolation level for the update/delete statement."
            );
        }
        // A block's own statements have reported or thrown already; what comes through here again goes on.
        if e.procedure.is_none() {
            e.procedure = frame.procedure.as_ref().map(|(name, _)| name.clone());
        }
        self.last_error = e.number;
        self.row_count = 0;
        let raised = matches!(statement.kind, StatementKind::RaisError { .. });
        // What is raised on purpose ends nothing, however severe it calls itself.
        let aborts = ends_batch(&e) && !raised;
        if matches!(e.number, 1205 | 3960) && self.tran.count > 0 {
            self.rollback_all(sink)?;
        }
        let called = matches!(statement.kind, StatementKind::Execute(_));
        if compile_error(&e) && e.number != 2812 && !called && frame.tries > 0 {
            frame.uncatchable = true;
        }
        if self.try_depth > 0 && e.class < 20 {
            if self.tran.count > 0 && (self.settings.xact_abort || aborts) {
                self.tran.doomed = true;
            }
            return Err(Stop::Error(e));
        }
        for first in std::mem::take(&mut e.preceded_by) {
            let procedure = e.procedure.clone();
            sink.error(&SqlError { procedure, ..first.at(statement.pos.line) });
        }
        sink.error(&e);
        let changes = matches!(
            statement.kind,
            StatementKind::Insert(_) | StatementKind::Update(_) | StatementKind::Delete(_)
        );
        if changes && ends_statement(&e) && !self.settings.xact_abort {
            sink.info(&SqlError::new(3621, 0, 0, "The statement has been terminated.").at(e.line));
        }
        let xact_abort = self.settings.xact_abort && !raised;
        if self.tran.count > 0 && (xact_abort || (aborts && e.class >= 13 && !compile_error(&e))) {
            self.rollback_all(sink)?;
        }
        sink.done(Done {
            kind: frame.done_kind,
            rows: None,
            command: command_of(&statement.kind),
            error: true,
        });
        if e.class >= 20 {
            return Err(Stop::Closed);
        }
        let throw = matches!(statement.kind, StatementKind::Throw(_));
        if compile_error(&e) && e.number != 2812 && !xact_abort {
            return Err(Stop::Scope);
        }
        if aborts || xact_abort || throw { Err(Stop::Aborted) } else { Ok(Flow::Next) }
    }

    /// Reports a statement's end to the client.
    pub(crate) fn statement_over(
        &mut self,
        frame: &Frame,
        command: u16,
        rows: Option<u64>,
        sink: &mut dyn Sink,
    ) {
        self.last_error = 0;
        self.row_count = rows.map_or(0, |r| r as i64);
        let shown = rows.filter(|_| !self.settings.nocount);
        if shown.is_none() && frame.done_kind == DoneKind::InProc && command != Done::SELECT {
            return;
        }
        sink.done(Done { kind: frame.done_kind, rows: shown, command, error: false });
    }

    fn dispatch(
        &mut self,
        frame: &mut Frame,
        statement: &Statement,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        use StatementKind as K;
        match &statement.kind {
            K::Block(body) => self.run_statements(frame, body, sink),
            K::If { condition, then, otherwise } => {
                if self.test(frame, condition)? {
                    self.run_statement(frame, then, sink)
                } else {
                    otherwise.as_deref().map_or(Ok(Flow::Next), |s| self.run_statement(frame, s, sink))
                }
            }
            K::While { condition, body } => self.run_while(frame, condition, body, sink),
            K::Break => Ok(Flow::Break),
            K::Continue => Ok(Flow::Continue),
            K::Goto(label) => Ok(Flow::Goto(label.value.clone())),
            K::Label(_) => Ok(Flow::Next),
            K::Return(value) => self.run_return(frame, value.as_ref()),
            K::TryCatch { body, handler } => self.run_try(frame, body, handler, sink),
            K::Execute(execute) => self.run_execute(frame, execute, sink),
            K::Query(query) => self.run_query(frame, query, sink).map(|()| Flow::Next),
            K::Insert(insert) => self.run_insert(frame, insert, sink).map(|()| Flow::Next),
            K::Update(update) => self.run_update(frame, update, sink).map(|()| Flow::Next),
            K::Delete(delete) => self.run_delete(frame, delete, sink).map(|()| Flow::Next),
            K::Declare(declarations) => self.run_declare(frame, declarations).map(|()| Flow::Next),
            K::Set(set) => self.run_set(frame, set, sink).map(|()| Flow::Next),
            K::Print(value) => self.run_print(frame, value, sink).map(|()| Flow::Next),
            K::RaisError { args, options } => {
                self.run_raiserror(frame, args, options, sink).map(|()| Flow::Next)
            }
            K::Throw(parts) => Err(Stop::Error(self.thrown(frame, parts.as_ref(), statement.pos.line)?)),
            K::WaitFor { delay, value } => self.run_waitfor(frame, *delay, value).map(|()| Flow::Next),
            K::InsertBulk(insert) => {
                self.announce_bulk(frame, insert).map(|()| Flow::Next).map_err(Stop::from)
            }
            K::BeginTransaction(_) | K::Commit(_) | K::Rollback(_) | K::Save(_) => {
                self.run_transaction(frame, &statement.kind, sink)?;
                self.statement_over(frame, Done::OTHER, None, sink);
                Ok(Flow::Next)
            }
            K::BackupRestore(backup) => {
                self.authorize(frame, &statement.kind)?;
                self.run_backup_restore(frame, backup, statement.pos.line, sink).map(|()| Flow::Next)
            }
            K::Unsupported(what) => Err(SqlError::unsupported(what).into()),
            other => {
                let rows = self.run_definition(frame, other, statement, sink)?;
                self.statement_over(frame, Done::OTHER, None, sink);
                self.row_count = rows;
                Ok(Flow::Next)
            }
        }
    }

    /// Statements that define something or speak to the server; they return `@@ROWCOUNT`.
    fn run_definition(
        &mut self,
        frame: &mut Frame,
        kind: &StatementKind,
        statement: &Statement,
        sink: &mut dyn Sink,
    ) -> Result<i64, Stop> {
        use StatementKind as K;
        self.authorize(frame, kind)?;
        self.refuse_on_managed(kind)?;
        match kind {
            K::Truncate(name) => self.run_truncate(frame, name, sink)?,
            K::CreateTable(create) => self.run_create_table(frame, create, sink)?,
            K::AlterTable(name, action) => self.run_alter_table(frame, name, action, sink)?,
            K::CreateIndex(create) => self.run_create_index(frame, create, sink)?,
            K::DropIndex { indexes, if_exists } => self.run_drop_index(frame, indexes, *if_exists, sink)?,
            K::AlterIndex(index, table, action) => {
                self.run_alter_index(frame, index.as_ref(), table, action, sink)?;
            }
            K::CreateModule(create) => self.run_create_module(frame, create, statement, sink)?,
            K::Drop { kind, names, if_exists } => self.run_drop(frame, *kind, names, *if_exists, sink)?,
            K::CreateSchema { name, owner } => self.run_create_schema(frame, name, owner.as_ref(), sink)?,
            K::CreateDatabase { name, collation, .. } => {
                self.run_create_database(name, collation.as_ref())?;
            }
            K::AlterDatabase(name, alter) => self.run_alter_database(name.as_ref(), alter, sink)?,
            K::Login { create, name, options } => self.run_login(frame, *create, name, options)?,
            K::User { create, name, login, without_login, options } => {
                self.run_user(*create, name, login.as_ref(), *without_login, options, sink)?;
            }
            K::CreateRole(name) => self.run_create_role(name, sink)?,
            K::RenameRole(role, name) => self.run_rename_role(role, name, sink)?,
            K::TransferSchema(schema, name) => self.run_transfer_schema(frame, schema, name, sink)?,
            K::Authorization { database, name, owner } => {
                self.run_authorization(*database, name, owner, sink)?;
            }
            K::RoleMember { server, role, add, member } => {
                self.run_role_member(*server, role, *add, member, sink)?;
            }
            K::Use(name) => self.run_use(name, sink)?,
            K::Checkpoint => {
                let database = self.database(self.current_database())?;
                database.store()?.checkpoint().map_err(|e| SqlError::storage(&database.name(), &e))?;
            }
            K::Kill(id) => self.run_kill(frame, id)?,
            K::Dbcc(command, args, options) => self.run_dbcc(frame, command, args, options, sink)?,
            K::Reconfigure => {}
            K::AvailabilityGroup(group) => self.run_availability_group(group, sink)?,
            K::SetHadr(database, set) => self.run_set_hadr(database.as_ref(), set, sink)?,
            K::MasterKey(key) => self.run_master_key(key, sink)?,
            K::Certificate(certificate) => self.run_certificate(certificate, sink)?,
            K::Endpoint(endpoint) => self.run_endpoint(endpoint)?,
            K::Permission(text) => return Err(SqlError::unsupported(&first_word(text)).into()),
            K::Shutdown => return Err(SqlError::unsupported("SHUTDOWN").into()),
            _ => return Err(SqlError::internal("a statement without anything that runs it").into()),
        }
        Ok(0)
    }
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_uppercase()
}

fn command_of(kind: &StatementKind) -> u16 {
    match kind {
        StatementKind::Query(_) => Done::SELECT,
        StatementKind::Insert(_) => Done::INSERT,
        StatementKind::Update(_) => Done::UPDATE,
        StatementKind::Delete(_) => Done::DELETE,
        _ => Done::OTHER,
    }
}

/// Errors of names, types and syntax, which SQL Server finds before the statement runs: they end the batch, not the
/// transaction.
fn compile_error(e: &SqlError) -> bool {
    COMPILE_ERRORS.binary_search(&e.number).is_ok()
}

/// In order, for the binary search.
const COMPILE_ERRORS: &[i32] = &[
    102, 105, 107, 108, 109, 110, 116, 119, 120, 121, 130, 137, 141, 144, 145, 147, 155, 156, 174, 179, 195,
    205, 206, 207, 208, 209, 213, 240, 257, 263, 264, 306, 319, 402, 448, 460, 468, 529, 1011, 1013, 1033,
    1038, 1060, 1062, 1087, 2715, 2812, 4104, 4108, 4112, 4113, 4121, 4127, 4145, 4151, 4194, 4406, 5308,
    5309, 5362, 8102, 8116, 8117, 8120, 8121, 8127, 8133, 8155, 8156, 8158, 8159, 8748, 10709, 10738, 10741,
    10753, 10756, 10759, 40510, 40511,
];

/// Errors that undo one statement that changes data, which the client is told in a message of its own.
fn ends_statement(e: &SqlError) -> bool {
    matches!(
        e.number,
        220 | 232 | 512 | 515 | 530 | 547 | 1222 | 2601 | 2627 | 2628 | 8115 | 8134 | 8152 | 3604 | 9829
    )
}

/// Errors that end the batch wherever they happen (and the transaction, unless they are of the compiler).
fn ends_batch(e: &SqlError) -> bool {
    compile_error(e) && e.number != 2812
        || matches!(e.number, 241 | 242 | 245 | 248 | 1205 | 3960 | 8114 | 235 | 8169 | 9002 | 1105 | 3930)
        || e.class >= 17
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_numbers_are_sorted_for_the_binary_search() {
        assert!(super::COMPILE_ERRORS.is_sorted());
    }
}
