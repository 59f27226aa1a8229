//! What BACKUP and RESTORE say.

use lab_store::{BackupError, DeviceFault, StoreError};

use super::device::os_error;
use crate::error::SqlError;
use crate::server::Flavor;
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, EnvChange, ReturnValue, Sink, SinkClosed};
use crate::types::Value;

/// What was done, for the last message of a statement.
pub(super) struct Work {
    pub(super) bytes: u64,
    pub(super) started: std::time::Instant,
}

/// Bytes in pages as SQL Server counts them.
pub(super) fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(8192)
}

pub(super) fn say(number: i32, text: impl Into<String>, sink: &mut dyn Sink) {
    sink.info(&SqlError::new(number, 0, 1, text));
}

/// 4035, one file of the database.
pub(super) fn say_processed(pages: u64, database: &str, file: &str, position: u32, sink: &mut dyn Sink) {
    let text =
        format!("Processed {pages} pages for database '{database}', file '{file}' on file {position}.");
    say(4035, text, sink);
}

/// 3014, the end of it, which is also what the error log has of it.
pub(super) fn say_done(operation: &str, work: &Work, sink: &mut dyn Sink) -> String {
    let seconds = work.started.elapsed().as_secs_f64().max(0.001);
    let speed = work.bytes as f64 / f64::from(1 << 20) / seconds;
    let pages = pages(work.bytes);
    let text = format!(
        "{operation} successfully processed {pages} pages in {seconds:.3} seconds ({speed:.3} MB/sec)."
    );
    say(3014, text.clone(), sink);
    text
}

/// Gives every message the line of the statement.
pub(super) struct Lined<'a> {
    pub(super) sink: &'a mut dyn Sink,
    pub(super) line: u32,
}

impl Sink for Lined<'_> {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.sink.columns(columns);
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        self.sink.row(row)
    }
    fn done(&mut self, done: Done) {
        self.sink.done(done);
    }
    fn info(&mut self, message: &SqlError) {
        self.sink.info(&message.clone().at(self.line));
    }
    fn error(&mut self, error: &SqlError) {
        self.sink.error(&error.clone().at(self.line));
    }
    fn env(&mut self, change: EnvChange) {
        self.sink.env(change);
    }
    fn return_status(&mut self, status: i32) {
        self.sink.return_status(status);
    }
    fn return_value(&mut self, value: &ReturnValue) {
        self.sink.return_value(value);
    }
    fn flush(&mut self) -> Result<(), SinkClosed> {
        self.sink.flush()
    }
}

/// 3211, as WITH STATS asks for, and the look for a cancellation.
pub(super) struct Steps<'a> {
    step: Option<u32>,
    said: u32,
    calls: u32,
    interrupt: crate::session::Interrupt,
    sink: &'a mut dyn Sink,
}

impl<'a> Steps<'a> {
    pub(super) fn new(session: &Session, stats: Option<u32>, sink: &'a mut dyn Sink) -> Steps<'a> {
        Steps { step: stats, said: 0, calls: 0, interrupt: session.interrupt.clone(), sink }
    }

    /// Told how much of how much is done; whether to go on.
    pub(super) fn step(&mut self, done: u64, total: u64) -> bool {
        /// How often the client is asked: a call costs about as much as a page.
        const ASK_EVERY: u32 = 64;
        let percent = (done.saturating_mul(100) / total.max(1)).min(100) as u32;
        if let Some(step) = self.step
            && (percent >= self.said + step || (percent == 100 && self.said < 100))
        {
            self.said = if percent == 100 { 100 } else { percent / step * step };
            let text = format!("{} percent processed.", self.said);
            say(3211, text, self.sink);
        }
        self.calls += 1;
        !(self.calls.is_multiple_of(ASK_EVERY) && self.interrupt.cancelled())
    }
}

/// An error of the store as SQL Server has it. `device` is what the statement calls the file.
pub(super) fn error_of(e: &BackupError, device: &str) -> SqlError {
    let os = |fault: &DeviceFault| os_error((fault.code != 0).then_some(fault.code), &fault.text);
    match e {
        BackupError::Open(fault) => SqlError::device_open(device, &os(fault)),
        BackupError::Write(fault) => SqlError::device_write(device, &os(fault)),
        BackupError::Read(fault) => SqlError::device_read(device, &os(fault)),
        BackupError::NotMedia => SqlError::device_not_media(device),
        BackupError::Newer(version) => {
            SqlError::backup_newer(&version.to_string(), &Flavor::default().product_version())
        }
        BackupError::Damaged(_) => SqlError::backup_damaged(),
        BackupError::CutOff => SqlError::device_read(device, "38(Reached the end of the file.)"),
        BackupError::DamagedTail => SqlError::device_tail(device),
        BackupError::NoSuchSet(number) => SqlError::no_backup_set(&number.to_string(), device),
        BackupError::SimpleModel => SqlError::log_backup_simple(),
        BackupError::NoFullBackup => SqlError::log_backup_no_full(),
        BackupError::TooLate { first, at } => SqlError::log_too_late(&first.to_string(), &at.to_string()),
        BackupError::TooEarly { last, at } => SqlError::log_too_early(&last.to_string(), &at.to_string()),
        BackupError::OtherFork => SqlError::log_of_other_fork(),
        BackupError::StopTooEarly => SqlError::stop_too_early(),
        BackupError::NotRestoring => SqlError::nothing_to_roll_forward(),
        BackupError::WrongKind => SqlError::backup_of_other_kind(device, "another statement"),
        BackupError::Cancelled => SqlError::cancelled(),
        BackupError::Store(StoreError::Corrupt(what)) => SqlError::restored_damage(what),
        BackupError::Store(e) => SqlError::restored_damage(&e.to_string()),
    }
}
