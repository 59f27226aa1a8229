//! The two ways a database changes, and the change from one to the other.
//!
//! A **primary** commits: each commit becomes a record. A **secondary** receives the records of a primary
//! ([`crate::receive`]) and redoes them ([`crate::redo_group`]). Which of the two it is survives restarts.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::control::{Mode, Position};
use crate::database::{Logged, lock};
use crate::receive::Received;
use crate::{Database, ForkId, ForkPoint, Lsn, ReceiveError, StoreError, common_point};
use crate::{History, database};

/// What everybody may ask without waiting for a commit or for redo.
pub(crate) struct Progress {
    secondary: AtomicBool,
    redone: AtomicU64,
    redone_time: AtomicI64,
    restart: AtomicU64,
    end_time: AtomicI64,
}

impl Progress {
    pub(crate) fn new(mode: Mode, end: &Position, restart: Option<&Position>) -> Progress {
        Progress {
            secondary: AtomicBool::new(mode == Mode::Secondary),
            redone: AtomicU64::new(end.lsn.0),
            redone_time: AtomicI64::new(end.time),
            restart: AtomicU64::new(restart.map_or(0, |r| r.lsn.0)),
            end_time: AtomicI64::new(end.time),
        }
    }

    /// It changes only while the gate is held: who must be sure holds it, too.
    pub(crate) fn is_secondary(&self) -> bool {
        self.secondary.load(Ordering::Acquire)
    }

    pub(crate) fn redone(&self) -> Lsn {
        Lsn(self.redone.load(Ordering::Acquire))
    }

    pub(crate) fn restart(&self) -> Lsn {
        Lsn(self.restart.load(Ordering::Acquire))
    }

    /// SQLite shows that now.
    pub(crate) fn shows(&self, at: &Position, restart: Option<&Position>) {
        self.redone_time.store(at.time, Ordering::Release);
        self.restart.store(restart.map_or(0, |r| r.lsn.0), Ordering::Release);
        self.redone.store(at.lsn.0, Ordering::Release);
    }

    /// The log ends there now.
    pub(crate) fn ends(&self, at: &Position) {
        self.end_time.store(at.time, Ordering::Release);
    }
}

fn no_log() -> StoreError {
    StoreError::NotReady("the database has no log".to_owned())
}

impl Database {
    pub(crate) fn logged(&self) -> Result<&Logged, StoreError> {
        self.logged.as_ref().ok_or_else(no_log)
    }

    /// Which way the database changes. A database without a log is a primary.
    pub fn mode(&self) -> Mode {
        match &self.logged {
            Some(logged) if logged.progress.is_secondary() => Mode::Secondary,
            _ => Mode::Primary,
        }
    }

    /// What readers see: everything before this. On a primary that is the end of the log.
    pub fn redone_lsn(&self) -> Lsn {
        self.logged.as_ref().map_or(Lsn(0), |l| l.progress.redone())
    }

    /// When the newest commit was that readers see, 100 ns since 0001-01-01 on the primary's clock; 0 if it is not known.
    pub fn redone_commit_time(&self) -> i64 {
        self.logged.as_ref().map_or(0, |l| l.progress.redone_time.load(Ordering::Acquire))
    }

    /// When the newest commit in the log was, 100 ns since 0001-01-01 on the primary's clock; 0 if it is not known.
    pub fn end_commit_time(&self) -> i64 {
        self.logged.as_ref().map_or(0, |l| l.progress.end_time.load(Ordering::Acquire))
    }

    /// Makes a primary a secondary: from now on [`Database::begin_commit`] says [`StoreError::ReadOnly`]. Returns where its
    /// log ends for good, all of it hardened. A secondary stays what it is.
    ///
    /// The caller holds the write lock and has rolled back what was open. Commits that are held back
    /// ([`Database::hold_commits`]) still are.
    ///
    /// # Errors
    /// [`StoreError::Full`] leaves it a primary. After any other error the store has failed, and either may be found later.
    pub fn demote(&self) -> Result<Lsn, StoreError> {
        let logged = self.logged()?;
        let mut received = lock(&logged.received);
        {
            let capture = lock(&logged.gate);
            if let Some(why) = logged.log.failure() {
                return Err(StoreError::Failed(Box::new(why)));
            }
            if logged.progress.is_secondary() {
                return Ok(received.end.lsn);
            }
            logged.progress.secondary.store(true, Ordering::Release);
            *received = Received::new(capture.at, lock(&logged.control).history(capture.at.lsn));
        }
        let end = received.end.lsn;
        let done = logged
            .log
            .wait(end)
            .and_then(|()| self.change_control(logged, |control| control.mode = Mode::Secondary));
        if done.is_err() && logged.log.failure().is_none() {
            let _gate = lock(&logged.gate);
            logged.progress.secondary.store(false, Ordering::Release);
        }
        done.map(|_| end)
    }

    /// Makes a secondary a primary, on a fork of its own; where the old one ended. Its first record is a restart point.
    ///
    /// Takes no longer than writing the control file does, if redo is done.
    ///
    /// # Errors
    /// [`StoreError::NotReady`] if it is no secondary, or has log that is not hardened or not redone;
    /// [`StoreError::Full`]: it is still a secondary. After any other error the store has failed, and either may be found
    /// later.
    pub fn promote(&self) -> Result<ForkPoint, StoreError> {
        let logged = self.logged()?;
        let mut redoer = lock(&logged.redoer);
        let received = lock(&logged.received);
        let mut capture = lock(&logged.gate);
        if !logged.progress.is_secondary() {
            return Err(StoreError::NotReady("the database is no secondary".to_owned()));
        }
        let (end, hardened, redone) = (received.end.lsn, logged.log.hardened(), capture.at.lsn);
        if redone != end || hardened != end {
            return Err(StoreError::NotReady(format!(
                "the log ends at {end}, is hardened up to {hardened} and redone up to {redone}"
            )));
        }
        assert!(
            capture.at == received.end,
            "two accounts of the end of the log differ: {:?} and {:?}",
            capture.at,
            received.end
        );
        // It may have meant to follow forks that its log never came to.
        let History { fork, mut forks, .. } = lock(&logged.control).history(end).reached();
        let (ended, begun) = (ForkPoint { fork, end }, ForkId::unique());
        forks.push(ended);
        self.change_control(logged, |control| {
            control.mode = Mode::Primary;
            control.fork = begun;
            control.forks = forks;
        })?;
        capture.fork = begun;
        capture.log_images();
        *redoer = None;
        logged.progress.secondary.store(false, Ordering::Release);
        Ok(ended)
    }

    /// A secondary goes on with the forks of a peer, which its log has not come to yet. It is durable when this returns:
    /// records of those forks may be received.
    ///
    /// # Errors
    /// [`ReceiveError::OtherFork`] if the peer's is no log of this database, [`ReceiveError::Diverged`] if this log cannot
    /// go on with it ([`History::can_go_on_with`]); [`ReceiveError::Store`].
    pub fn enter_fork(&self, theirs: &History) -> Result<(), ReceiveError> {
        let logged = self.logged()?;
        let mut received = lock(&logged.received);
        if !logged.progress.is_secondary() {
            return Err(ReceiveError::NotSecondary);
        }
        let end = received.end.lsn;
        let mine = lock(&logged.control).history(end).reached();
        if common_point(&mine, theirs).is_none() {
            return Err(ReceiveError::OtherFork);
        }
        if !mine.can_go_on_with(theirs) {
            return Err(ReceiveError::Diverged);
        }
        let mut followed = History { end, ..theirs.clone() };
        if theirs.end == end && theirs.forks == mine.forks && theirs.fork == mine.fork {
            followed = mine;
        }
        let known = database::lock(&logged.control).history(end);
        if known != followed {
            self.change_control(logged, |control| {
                control.fork = followed.fork;
                control.forks.clone_from(&followed.forks);
            })?;
        }
        received.history = followed;
        Ok(())
    }

    /// A secondary follows its primary's backups, so that the chain goes on when the roles change, and its own log is kept
    /// as long as the chain needs it.
    ///
    /// # Errors
    /// [`StoreError::NotReady`] on a primary, which knows by itself; the control file could not be written.
    pub fn set_backed_up(
        &self,
        log_backed_up: Option<Lsn>,
        full_backup_lsn: Option<Lsn>,
    ) -> Result<(), StoreError> {
        let logged = self.logged()?;
        if !logged.progress.is_secondary() {
            return Err(StoreError::NotReady("the database is no secondary".to_owned()));
        }
        let known = {
            let control = lock(&logged.control);
            (control.log_backed_up, control.full_backup_lsn)
        };
        if known == (log_backed_up, full_backup_lsn) {
            return Ok(());
        }
        self.change_control(logged, |control| {
            control.log_backed_up = log_backed_up;
            control.full_backup_lsn = full_backup_lsn;
        })
        .map(|_| ())
    }
}
