//! The thread that backs up the databases of a managed instance: a full backup begins the chain of each, and log backups
//! keep the log short. Nobody restores from them here, so of each kind only the last one is kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use lab_store::BackupKind;

use super::{BACKUP_FOLDER, Database, MSDB, Server};
use crate::error::SqlError;

/// Where automatic backups are, under the backup folder.
pub(crate) const AUTOMATIC_FOLDER: &str = "automatic";
/// How often the log is backed up: a managed instance does so every few minutes.
const ROUND: Duration = Duration::from_mins(5);

/// The thread as its server holds it; on SQL Server there is none.
#[derive(Debug, Default)]
pub(crate) struct AutomaticBackups {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signal {
    asked: Mutex<Asked>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    /// Databases that are to have a full backup.
    full: BTreeSet<i32>,
    stopping: bool,
}

impl AutomaticBackups {
    /// Starts the thread, if the server is a managed instance. It ends with the server.
    pub(crate) fn start(server: &Arc<Server>) -> std::io::Result<()> {
        if !server.config.flavor.is_managed() {
            return Ok(());
        }
        let (signal, weak) = (Arc::clone(&server.automatic_backups.signal), Arc::downgrade(server));
        let spawned = std::thread::Builder::new()
            .name("automatic backups".to_owned())
            .spawn(move || run(&signal, &weak))?;
        *server.automatic_backups.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(spawned);
        Ok(())
    }

    /// Asks for a full backup of a database: its history begins, or goes on, here.
    pub(super) fn ask(&self, database: i32) {
        if self.signal.lock().full.insert(database) {
            self.signal.wake.notify_one();
        }
    }
}

impl Drop for AutomaticBackups {
    fn drop(&mut self) {
        self.signal.lock().stopping = true;
        self.signal.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread itself drops the server if it held the last reference; it cannot wait for itself.
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            // A panic was printed by the thread; there is nobody left to tell.
            drop(thread.join());
        }
    }
}

impl Signal {
    fn lock(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody asks for full backups, which it returns, or a round is over; `None` to stop.
    fn wait(&self) -> Option<BTreeSet<i32>> {
        let nothing = |a: &mut Asked| a.full.is_empty() && !a.stopping;
        let (mut asked, _) =
            self.wake.wait_timeout_while(self.lock(), ROUND, nothing).unwrap_or_else(PoisonError::into_inner);
        (!asked.stopping).then(|| std::mem::take(&mut asked.full))
    }
}

fn run(signal: &Signal, server: &Weak<Server>) {
    let mut failed = BTreeSet::new();
    while let Some(mut full) = signal.wait() {
        let Some(server) = server.upgrade() else { return };
        full.append(&mut failed);
        for database in server.databases() {
            if let Some(kind) = due(&database, &full)
                && let Err(e) = server.back_up(&database, kind)
            {
                if kind == BackupKind::Full {
                    failed.insert(database.id);
                }
                server.notice(format!("The automatic backup of database '{}' failed: {e}", database.name()));
            }
        }
    }
}

/// What has to be backed up of a database now. On a secondary the primary's backups count.
fn due(database: &Database, full: &BTreeSet<i32>) -> Option<BackupKind> {
    let log = database.store().ok()?.log_use()?;
    if database.id <= MSDB || !database.replica().role.is_writable() {
        None
    } else if log.log_backed_up.is_none() || full.contains(&database.id) {
        Some(BackupKind::Full)
    } else {
        log.waits_for_backup().then_some(BackupKind::Log)
    }
}

impl Server {
    fn back_up(self: &Arc<Server>, database: &Database, kind: BackupKind) -> Result<(), SqlError> {
        self.internal_session()?.back_up_automatically(database, kind)
    }

    /// A database was made on a managed instance: its first backup is taken at once, so that it can be replicated.
    pub(crate) fn back_up_first(self: &Arc<Server>, database: &Database) {
        if self.config.flavor.is_managed()
            && let Err(e) = self.back_up(database, BackupKind::Full)
        {
            // The thread tries again.
            self.notice(format!("The first backup of database '{}' failed: {e}", database.name()));
        }
    }

    /// A database is gone: nobody needs its backups.
    ///
    /// # Errors
    /// They cannot be removed.
    pub(crate) fn remove_automatic_backups(&self, folder: &Path) -> std::io::Result<()> {
        let backups = self.config.data_dir.join(BACKUP_FOLDER).join(AUTOMATIC_FOLDER);
        for extension in ["bak", "trn"] {
            match std::fs::remove_file(backups.join(format!("{}.{extension}", folder.display()))) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}
