//! A session's transaction: T-SQL's nesting count above one SQLite transaction.
//!
//! Invariants:
//! - SQLite's transaction is open only from the first write on (or the first read, under SNAPSHOT), so a READ COMMITTED
//!   transaction that only reads keeps no snapshot and cannot fail with BUSY_SNAPSHOT later.
//! - A database is written only while its write lock is held; locks are let go once SQLite has committed or rolled back.
//!   Hardening goes on behind that: an answer waits for it, the next writer does not.
//! - Catalog changes become visible to others after the commit and before the lock is released.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lab_store::{CommitNote, DbKey, LockError, PendingCommit, SessionId};

use super::Session;
use super::touched::Touched;
use crate::catalog::{Catalog, CatalogChange};
use crate::error::SqlError;
use crate::request::Isolation;
use crate::server::TEMPDB;
use crate::sink::{EnvChange, Sink};

/// The state of a session's transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// `@@TRANCOUNT`.
    pub(crate) count: u32,
    /// The descriptor that clients send along; 0 outside of transactions.
    pub(crate) descriptor: u64,
    pub(crate) name: String,
    /// An error under XACT_ABORT left it uncommittable (XACT_STATE() = -1).
    pub(crate) doomed: bool,
    locked: BTreeSet<i32>,
    dirty: BTreeSet<i32>,
    catalogs: BTreeMap<i32, ChangedCatalog>,
    pub(crate) touched: Touched,
    /// The temporary objects as they were when the transaction began.
    temp_before: Option<Arc<Catalog>>,
    savepoints: Vec<Savepoint>,
    next_savepoint: u32,
}

#[derive(Debug, Clone)]
struct ChangedCatalog {
    catalog: Arc<Catalog>,
    changes: Vec<CatalogChange>,
}

/// A point to come back to: the user's SAVE TRANSACTION, or the start of a statement.
#[derive(Debug)]
pub(crate) struct Savepoint {
    /// The user's name; empty for a statement's own.
    name: String,
    /// SQLite's savepoint, if its transaction was open by then.
    sqlite: Option<String>,
    catalogs: BTreeMap<i32, ChangedCatalog>,
    touched: usize,
    temp: Arc<Catalog>,
}

impl Transaction {
    /// A statement begins outside of transactions: what it makes of temporary objects can be taken back.
    pub(crate) fn begin_statement(&mut self, temp: &Arc<Catalog>) {
        self.temp_before = Some(Arc::clone(temp));
    }
}

impl Session {
    /// Whether SQLite has a transaction open.
    pub(crate) fn sqlite_open(&self) -> bool {
        !self.conn.is_autocommit()
    }

    /// BEGIN TRANSACTION.
    pub(crate) fn begin(&mut self, name: &str, sink: &mut dyn Sink) -> Result<(), SqlError> {
        self.tran.count += 1;
        if self.tran.count == 1 {
            self.tran.name = name.to_owned();
            self.tran.descriptor = self.server.next_transaction_id();
            self.tran.temp_before = Some(Arc::clone(&self.temp));
            sink.env(EnvChange::BeginTransaction(self.tran.descriptor));
        }
        self.note_transactions();
        Ok(())
    }

    /// COMMIT TRANSACTION: only the outermost one commits.
    pub(crate) fn commit(&mut self, sink: &mut dyn Sink) -> Result<(), SqlError> {
        if self.tran.count == 0 {
            return Err(SqlError::commit_without_begin());
        }
        if self.tran.doomed {
            return Err(SqlError::uncommittable());
        }
        if self.tran.count > 1 {
            self.tran.count -= 1;
            self.note_transactions();
            return Ok(());
        }
        let descriptor = self.tran.descriptor;
        match self.commit_work() {
            Ok(()) => {
                self.tran = Transaction::default();
                self.note_transactions();
                sink.env(EnvChange::CommitTransaction(descriptor));
                Ok(())
            }
            Err(e) => {
                self.rollback_all(sink)?;
                Err(e)
            }
        }
    }

    /// ROLLBACK TRANSACTION without a savepoint's name: everything back to the outermost BEGIN.
    pub(crate) fn rollback_all(&mut self, sink: &mut dyn Sink) -> Result<(), SqlError> {
        let descriptor = self.tran.descriptor;
        let had = self.tran.count > 0;
        let survivors = self.survivors()?;
        let undone = self.undo_work().and_then(|()| self.revive(survivors));
        self.tran = Transaction::default();
        self.note_transactions();
        if had {
            sink.env(EnvChange::RollbackTransaction(descriptor));
        }
        undone
    }

    /// SAVE TRANSACTION.
    pub(crate) fn save(&mut self, name: &str) -> Result<(), SqlError> {
        if self.tran.count == 0 {
            return Err(SqlError::new(
                628,
                16,
                0,
                "Cannot issue SAVE TRANSACTION when there is no active transaction.",
            ));
        }
        let point = self.make_savepoint(name)?;
        self.tran.savepoints.push(point);
        Ok(())
    }

    /// ROLLBACK TRANSACTION with a name: a savepoint's, or the outermost transaction's.
    pub(crate) fn rollback_to(&mut self, name: &str, sink: &mut dyn Sink) -> Result<(), SqlError> {
        if self.tran.count == 0 {
            return Err(SqlError::rollback_without_begin());
        }
        let found = self.tran.savepoints.iter().rposition(|s| s.name.eq_ignore_ascii_case(name));
        if found.is_some() && self.tran.doomed {
            return Err(SqlError::new(
                3931,
                16,
                1,
                "The current transaction cannot be committed and cannot be rolled back to a savepoint. Roll back the entire transaction.",
            ));
        }
        if let Some(at) = found {
            // The savepoint stays: a transaction may come back to it again.
            let later = self.tran.savepoints.split_off(at + 1);
            drop(later);
            if let Some(point) = self.tran.savepoints.pop() {
                self.restore_kept(&point)?;
                self.tran.savepoints.push(point);
            }
            return Ok(());
        }
        if self.tran.name.eq_ignore_ascii_case(name) {
            return self.rollback_all(sink);
        }
        Err(SqlError::new(
            6401,
            16,
            1,
            format!("Cannot roll back {name}. No transaction or savepoint of that name was found."),
        ))
    }

    /// Marks the place that a failing statement is undone to.
    pub(crate) fn statement_start(&mut self) -> Result<Savepoint, SqlError> {
        self.make_savepoint("")
    }

    /// The statement was good: its mark is no longer needed.
    pub(crate) fn statement_done(&mut self, point: Savepoint) -> Result<(), SqlError> {
        let floor = self.tran.savepoints.last().map_or(0, |s| s.touched);
        self.tran.touched.settle(floor, point.touched);
        if let Some(name) = &point.sqlite
            && self.sqlite_open()
        {
            self.execute_control(&format!("RELEASE {name}"))?;
        }
        Ok(())
    }

    /// The statement failed: what it did is undone, the transaction goes on.
    pub(crate) fn statement_failed(&mut self, point: Savepoint) -> Result<(), SqlError> {
        self.restore(&point)?;
        self.statement_done(point)
    }

    fn make_savepoint(&mut self, name: &str) -> Result<Savepoint, SqlError> {
        let sqlite = if self.sqlite_open() {
            self.tran.next_savepoint += 1;
            let sqlite = format!("s{}", self.tran.next_savepoint);
            self.execute_control(&format!("SAVEPOINT {sqlite}"))?;
            Some(sqlite)
        } else {
            None
        };
        Ok(Savepoint {
            name: name.to_owned(),
            sqlite,
            catalogs: self.tran.catalogs.clone(),
            touched: self.tran.touched.mark(),
            temp: Arc::clone(&self.temp),
        })
    }

    /// Back to a savepoint of the user's: what table variables hold is kept, as they are outside of transactions.
    fn restore_kept(&mut self, point: &Savepoint) -> Result<(), SqlError> {
        let survivors = self.survivors()?;
        self.restore(point)?;
        self.revive(survivors)
    }

    fn restore(&mut self, point: &Savepoint) -> Result<(), SqlError> {
        if self.sqlite_open() {
            match &point.sqlite {
                Some(name) => self.execute_control(&format!("ROLLBACK TO {name}"))?,
                // Nothing was written before the mark. Locks are kept until the transaction ends, as in SQL Server.
                None => self.execute_control("ROLLBACK")?,
            }
        }
        self.tran.catalogs.clone_from(&point.catalogs);
        self.tran.touched.undo_to(point.touched);
        self.set_temp(Arc::clone(&point.temp));
        self.show_catalogs();
        Ok(())
    }

    /// Takes the write lock of a database and opens SQLite's transaction, before the first write.
    ///
    /// # Errors
    /// 1222 after LOCK_TIMEOUT, 1205 as a deadlock's victim, 3906 if the database is read-only.
    pub(crate) fn enter_write(&mut self, database: i32) -> Result<(), SqlError> {
        if database != 0 && !self.tran.locked.contains(&database) {
            let db = self.database(database)?;
            if db.is_read_only() {
                return Err(SqlError::read_only_database(&db.name()));
            }
            self.take_lock(database)?;
            // It may have become so while the lock was waited for.
            if db.is_read_only() {
                self.give_back(database);
                return Err(SqlError::read_only_database(&db.name()));
            }
        }
        if !self.sqlite_open() {
            self.execute_control("BEGIN")?;
        }
        if database != 0 {
            self.tran.dirty.insert(database);
        }
        Ok(())
    }

    /// What reading needs under the session's isolation level.
    pub(crate) fn enter_read(&mut self, databases: &BTreeSet<i32>) -> Result<(), SqlError> {
        if self.tran.count == 0 {
            return Ok(());
        }
        // On a secondary every level means what SNAPSHOT does, and no option of the database is asked ("Offload read-only
        // workload to secondary replica", "Query performance").
        let (secondary, databases): (BTreeSet<i32>, BTreeSet<i32>) =
            databases.iter().copied().partition(|d| self.is_secondary(*d));
        if !secondary.is_empty() && !self.sqlite_open() {
            self.execute_control("BEGIN")?;
        }
        match self.isolation {
            Isolation::ReadUncommitted | Isolation::ReadCommitted => Ok(()),
            Isolation::RepeatableRead | Isolation::Serializable => {
                databases.iter().filter(|d| **d > 0).try_for_each(|database| self.lock_for_update(*database))
            }
            Isolation::Snapshot => {
                for database in databases.iter().filter(|d| **d > TEMPDB) {
                    let db = self.database(*database)?;
                    if !db.allows_snapshot() {
                        return Err(SqlError::snapshot_not_allowed(&db.name()));
                    }
                }
                if !self.sqlite_open() {
                    self.execute_control("BEGIN")?;
                }
                Ok(())
            }
        }
    }

    /// Takes a database's write lock before reading it, as UPDLOCK asks.
    pub(crate) fn lock_for_update(&mut self, database: i32) -> Result<(), SqlError> {
        // On a secondary the hints that lock mean what SNAPSHOT does: its writer is the primary's log.
        if self.is_secondary(database) || self.tran.locked.contains(&database) {
            return Ok(());
        }
        self.take_lock(database)
    }

    fn is_secondary(&self, database: i32) -> bool {
        self.server.database(database).is_some_and(|d| d.replica().role.is_secondary())
    }

    /// Lets go of a lock that was taken for nothing, unless others are held: a session lets go of all at once.
    fn give_back(&mut self, database: i32) {
        self.tran.locked.remove(&database);
        if self.tran.locked.is_empty() {
            self.server.locks.release_all(SessionId(u32::from(self.shared.id).into()));
        } else {
            self.tran.locked.insert(database);
        }
    }

    fn take_lock(&mut self, database: i32) -> Result<(), SqlError> {
        let timeout = u64::try_from(self.settings.lock_timeout_ms).ok().map(Duration::from_millis);
        let session = SessionId(u32::from(self.shared.id).into());
        self.shared.state().activity = super::Activity::Suspended;
        let mut probe = || self.interrupt.cancelled();
        let taken = self.server.locks.acquire(session, DbKey(database as u32), timeout, &mut probe);
        self.shared.state().activity = super::Activity::Running;
        match taken {
            Ok(()) => {
                self.tran.locked.insert(database);
                Ok(())
            }
            Err(LockError::Timeout) => Err(SqlError::lock_timeout()),
            Err(LockError::Deadlock) => Err(SqlError::deadlock_victim(self.shared.id)),
            Err(LockError::Cancelled) => Err(SqlError::cancelled()),
        }
    }

    /// Ends the work of an autocommitted statement.
    pub(crate) fn autocommit(&mut self) -> Result<(), SqlError> {
        let done = self.commit_work();
        if done.is_err() {
            self.undo_work()?;
        }
        self.clear_work();
        done
    }

    /// Takes back the work of a failed autocommitted statement.
    pub(crate) fn auto_rollback(&mut self) -> Result<(), SqlError> {
        let undone = self.undo_work();
        self.clear_work();
        undone
    }

    fn clear_work(&mut self) {
        self.tran = Transaction { next_savepoint: self.tran.next_savepoint, ..Transaction::default() };
    }

    fn commit_work(&mut self) -> Result<(), SqlError> {
        if !self.sqlite_open() {
            self.release_locks();
            return Ok(());
        }
        // Declared first: what is pending borrows from it.
        let mut stores = Vec::new();
        let mut notes = Vec::new();
        let mut pending = Vec::new();
        for database in self.tran.dirty.clone() {
            let database = &database;
            let store = self.database(*database)?.store()?;
            if let Some(changed) = self.tran.catalogs.get(database)
                && !changed.changes.is_empty()
            {
                let alias = format!("db{database}");
                changed
                    .catalog
                    .save(&self.conn, &alias, &changed.changes)
                    .map_err(|e| SqlError::sqlite(&e))?;
            }
            let note = CommitNote {
                session: self.shared.id,
                catalog_changed: self.tran.catalogs.get(database).is_some_and(|c| !c.changes.is_empty()),
                rows: self.tran.touched.of(*database),
            };
            stores.push((*database, store));
            notes.push(note);
        }
        let name = |id: &i32| self.server.database_name(*id);
        // After an error none of the databases may keep anything of the transaction.
        let abort = |pending: Vec<PendingCommit<'_>>, e: SqlError| {
            let aborted = pending
                .into_iter()
                .zip(&stores)
                .map(|(p, (database, _))| p.abort().map_err(|e| SqlError::storage(&name(database), &e)));
            aborted.fold(e, |e, aborted| aborted.err().unwrap_or(e))
        };
        for (database, store) in &stores {
            match store.begin_commit(&self.conn, &format!("db{database}")) {
                Ok(p) => pending.push(p),
                Err(e) => return Err(abort(pending, SqlError::storage(&name(database), &e))),
            }
        }
        if let Err(e) = self.execute_control("COMMIT") {
            return Err(abort(pending, e));
        }
        let mut outcome = Ok(());
        for ((p, note), (database, store)) in pending.into_iter().zip(notes).zip(&stores) {
            match p.finish(note) {
                Ok(lsn) => {
                    self.barrier.note(*database, store, lsn);
                    if store.wal_is_large() {
                        self.server.checkpointer.ask(*database);
                    }
                }
                // The pages are in SQLite and not in the log: the store has failed, and says so from now on.
                Err(e) => outcome = Err(SqlError::storage(&name(database), &e)),
            }
        }
        for (database, changed) in std::mem::take(&mut self.tran.catalogs) {
            if let Some(db) = self.server.database(database) {
                db.publish(changed.catalog);
            }
        }
        self.show_catalogs();
        self.release_locks();
        outcome
    }

    fn undo_work(&mut self) -> Result<(), SqlError> {
        let undone = if self.sqlite_open() { self.execute_control("ROLLBACK") } else { Ok(()) };
        self.tran.catalogs.clear();
        if let Some(temp) = self.tran.temp_before.take() {
            self.set_temp(temp);
        }
        self.show_catalogs();
        self.release_locks();
        undone
    }

    fn release_locks(&mut self) {
        if !self.tran.locked.is_empty() {
            self.server.locks.release_all(SessionId(u32::from(self.shared.id).into()));
            self.tran.locked.clear();
        }
        self.tran.dirty.clear();
    }

    /// Changes the catalog of a database within the transaction. The caller has entered the write.
    pub(crate) fn change_catalog(
        &mut self,
        database: i32,
        changes: impl IntoIterator<Item = CatalogChange>,
        edit: impl FnOnce(&mut Catalog),
    ) -> Result<(), SqlError> {
        if database == 0 {
            let mut temp = (*self.temp).clone();
            edit(&mut temp);
            temp.version += 1;
            self.set_temp(Arc::new(temp));
            return Ok(());
        }
        let current = self.shared.catalog(database)?;
        let mut changed = (*current).clone();
        edit(&mut changed);
        changed.version += 1;
        let mut entry = self
            .tran
            .catalogs
            .remove(&database)
            .unwrap_or_else(|| ChangedCatalog { catalog: Arc::clone(&current), changes: Vec::new() });
        entry.catalog = Arc::new(changed);
        entry.changes.extend(changes);
        self.tran.catalogs.insert(database, entry);
        self.show_catalogs();
        Ok(())
    }

    pub(crate) fn set_temp(&mut self, temp: Arc<Catalog>) {
        self.shared.state().temp = Arc::clone(&temp);
        self.temp = temp;
    }

    fn show_catalogs(&mut self) {
        self.shared.state().changed_catalogs =
            self.tran.catalogs.iter().map(|(id, c)| (*id, Arc::clone(&c.catalog))).collect();
    }

    fn note_transactions(&mut self) {
        self.shared.state().open_transactions = self.tran.count;
    }

    /// The session ends with a transaction open.
    pub(super) fn abandon(&mut self) {
        if let Err(e) = self.undo_work() {
            // Closing the connection rolls back in any case; the locks are let go by the caller.
            self.last_error = e.number;
        }
    }

    fn execute_control(&self, sql: &str) -> Result<(), SqlError> {
        let run = || self.conn.prepare_cached(sql)?.execute([]);
        run().map(|_| ()).map_err(|e| SqlError::sqlite(&e))
    }
}
