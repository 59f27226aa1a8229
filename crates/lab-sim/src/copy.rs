//! A copy of a database on a simulated disk: real records, a real recovery, and a disk that loses what was not synced.
//!
//! Beside the bytes each copy carries what the world knows it to hold ([`Entry`]): the log by which it is judged.

use std::collections::{BTreeSet, VecDeque};

use lab_hadr::{Access, Copy, LocalCopy, Mode, PageRange};
use lab_store::{
    ForkId, ForkPoint, History, Lsn, PageMap, ParsedRecord, Record, checksum, read_record, redo,
};

use crate::Dice;

/// Bytes of a page. Small ones make many of them, and the log short.
pub(crate) const PAGE: u32 = 16;
const SECTOR: u64 = 512;

/// A commit in the log of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) lsn: Lsn,
    pub(crate) end: Lsn,
    /// Its commit time, which the world gives out once only.
    pub(crate) id: i64,
}

/// What recovery begins with.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) lsn: Lsn,
    pub(crate) pages: PageMap,
    pub(crate) checksum: u64,
    /// The first change of each page behind it is an image: the data file may hold some of what follows.
    pub(crate) restart: bool,
}

/// What the control file says.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) mode: Mode,
    pub(crate) fork: ForkId,
    /// On a secondary they may be ahead of the log, which is about to follow.
    pub(crate) forks: Vec<ForkPoint>,
    pub(crate) base: Base,
    pub(crate) backed_up: Option<Lsn>,
    pub(crate) full_backup: Option<Lsn>,
}

/// A client that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) end: Lsn,
    pub(crate) id: i64,
}

/// A copy.
#[derive(Debug)]
pub(crate) struct SimCopy {
    // Durable.
    pub(crate) control: Control,
    pub(crate) log_start: Lsn,
    log: Vec<u8>,
    pub(crate) synced: Lsn,
    /// What the store takes for synced.
    pub(crate) believed: Lsn,
    /// What the log holds, and held before it was truncated.
    pub(crate) content: Vec<Entry>,
    // Gone in a crash.
    pub(crate) pages: PageMap,
    pub(crate) checksum: u64,
    /// What the pages show.
    pub(crate) applied: Lsn,
    imaged: BTreeSet<u32>,
    flag_next: bool,
    pub(crate) hold: Option<Lsn>,
    pub(crate) access: Access,
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) syncing: bool,
    pub(crate) redoing: bool,
    /// What was under way for an earlier copy of that name comes to nothing.
    pub(crate) generation: u64,
    /// Where recovery must find the end of the log.
    expected_end: Option<Lsn>,
    /// The node has been told of it.
    pub(crate) told: bool,
    /// It never had log before this.
    pub(crate) seeded_at: Lsn,
    /// The mode that a crash brings back, if that is a bug.
    pub(crate) mode_after_crash: Option<Mode>,
}

/// A copy as it was when somebody began to read it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) lsn: Lsn,
    pub(crate) content: Vec<Entry>,
    pub(crate) fork: ForkId,
    pub(crate) forks: Vec<ForkPoint>,
    pub(crate) checksum: u64,
    pub(crate) pages: PageMap,
    pub(crate) restart: bool,
    pub(crate) backed_up: Option<Lsn>,
    pub(crate) full_backup: Option<Lsn>,
}

impl SimCopy {
    /// An empty primary.
    pub(crate) fn new(fork: ForkId) -> SimCopy {
        let base = Base { lsn: Lsn(0), pages: PageMap::new(), checksum: 0, restart: true };
        let control = Control {
            mode: Mode::Primary,
            fork,
            forks: Vec::new(),
            base,
            backed_up: None,
            full_backup: None,
        };
        SimCopy {
            control,
            log_start: Lsn(0),
            log: Vec::new(),
            synced: Lsn(0),
            believed: Lsn(0),
            content: Vec::new(),
            pages: PageMap::new(),
            checksum: 0,
            applied: Lsn(0),
            imaged: BTreeSet::new(),
            flag_next: true,
            hold: None,
            access: Access::Resolving,
            pending: VecDeque::new(),
            syncing: false,
            redoing: false,
            generation: 0,
            expected_end: None,
            told: false,
            seeded_at: Lsn(0),
            mode_after_crash: None,
        }
    }

    /// A secondary as it was seeded.
    pub(crate) fn seeded(snapshot: &Snapshot, generation: u64) -> SimCopy {
        let mut copy = SimCopy::new(snapshot.fork);
        copy.control = Control {
            mode: Mode::Secondary,
            fork: snapshot.fork,
            forks: snapshot.forks.clone(),
            base: Base {
                lsn: snapshot.lsn,
                pages: snapshot.pages.clone(),
                checksum: snapshot.checksum,
                restart: snapshot.restart,
            },
            backed_up: snapshot.backed_up,
            full_backup: snapshot.full_backup,
        };
        copy.log_start = snapshot.lsn;
        copy.seeded_at = snapshot.lsn;
        copy.synced = snapshot.lsn;
        copy.believed = snapshot.lsn;
        copy.applied = snapshot.lsn;
        copy.content.clone_from(&snapshot.content);
        copy.pages.clone_from(&snapshot.pages);
        copy.checksum = snapshot.checksum;
        copy.generation = generation;
        copy
    }

    /// Where the log ends.
    pub(crate) fn end(&self) -> Lsn {
        Lsn(self.log_start.0 + self.log.len() as u64)
    }

    /// The forks up to the end, without those that the log has not come to.
    pub(crate) fn history(&self) -> History {
        self.history_to(self.end())
    }

    fn history_to(&self, end: Lsn) -> History {
        let mut forks = self.control.forks.clone();
        let mut fork = self.control.fork;
        if let Some(n) = forks.iter().position(|f| f.end > end) {
            fork = forks.get(n).map_or(fork, |f| f.fork);
            forks.truncate(n);
        }
        History { fork, forks, end }
    }

    /// The fork of what stands there, or will stand there.
    pub(crate) fn fork_at(&self, lsn: Lsn) -> ForkId {
        self.control.forks.iter().find(|f| lsn < f.end).map_or(self.control.fork, |f| f.fork)
    }

    /// What a node is told.
    pub(crate) fn local(&self) -> LocalCopy {
        let before = |lsn: Lsn| self.content.iter().rev().find(|e| e.end <= lsn).map_or(0, |e| e.id);
        LocalCopy {
            copy: Copy {
                history: self.history(),
                log_start: self.log_start,
                hardened: self.believed,
                redone: self.applied,
            },
            mode: self.control.mode,
            end_time: before(self.end()),
            redone_time: before(self.applied),
            backed_up: self.control.backed_up,
            full_backup: self.control.full_backup,
        }
    }

    /// Makes a record of a commit that leads to these pages.
    pub(crate) fn commit(&mut self, id: i64, after: PageMap, session: u16) -> Entry {
        let lsn = self.end();
        let imaged = &self.imaged;
        let mut record =
            Record::between((lsn, self.control.fork, PAGE), &self.pages, &after, |n| !imaged.contains(&n));
        record.time = id;
        record.hardened = self.believed;
        record.flags = if self.flag_next { Record::RESTART_POINT } else { 0 };
        record.note.session = session;
        self.flag_next = false;
        self.imaged.extend(record.pages.iter().map(|p| p.number));
        self.checksum = record.checksum_after;
        self.pages = after;
        self.log.extend(record.encode());
        let entry = Entry { lsn, end: self.end(), id };
        self.applied = entry.end;
        self.content.push(entry);
        entry
    }

    /// Log images from here on: somebody relies on what is there now.
    pub(crate) fn restart_here(&mut self) {
        self.imaged.clear();
        self.flag_next = true;
    }

    /// Checks received records and appends them.
    ///
    /// # Errors
    /// They do not go on where the log ends, or are none.
    pub(crate) fn append(&mut self, bytes: &[u8], look_at_checksums: bool) -> Result<Vec<Entry>, String> {
        let mut at = self.end();
        let mut entries = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((lsn, fork, time, len)) = head(rest, look_at_checksums) else {
                return Err("what was received is no log of this database".to_owned());
            };
            if lsn != at {
                return Err(format!("log from {} on is expected, it is from {}", at.0, lsn.0));
            }
            if fork != self.fork_at(at) {
                return Err(format!("the record at {} is of another fork", at.0));
            }
            let end = Lsn(at.0 + len as u64);
            entries.push(Entry { lsn: at, end, id: time });
            at = end;
            rest = rest.get(len..).unwrap_or_default();
        }
        self.log.extend(bytes);
        self.content.extend(&entries);
        Ok(entries)
    }

    /// The record at a position.
    fn record(&self, at: Lsn) -> Option<(Record, usize)> {
        let rest = self.log.get(at.0.checked_sub(self.log_start.0)? as usize..)?;
        match read_record(rest) {
            ParsedRecord::Record(record, len) if record.lsn == at && record.fork == self.fork_at(at) => {
                Some((*record, len))
            }
            ParsedRecord::Record(..) | ParsedRecord::NeedMore | ParsedRecord::Malformed => None,
        }
    }

    /// Whole records from a position on, at least one, up to about so many bytes and not beyond `to`. Nothing if the log
    /// does not reach back.
    pub(crate) fn read(&self, from: Lsn, to: Lsn, bytes_max: usize) -> Option<Vec<u8>> {
        let first = from.0.checked_sub(self.log_start.0)? as usize;
        let mut end = from;
        for entry in self.content.iter().skip_while(|e| e.lsn < from).take_while(|e| e.end <= to) {
            if end > from && (entry.end.0 - from.0) as usize > bytes_max {
                break;
            }
            end = entry.end;
        }
        self.log.get(first..first + (end.0 - from.0) as usize).map(<[u8]>::to_vec)
    }

    /// Applies up to so many records that lie before `to`. Where one allows it, recovery may begin there from now on.
    pub(crate) fn redo(&mut self, records: usize, to: Lsn, dice: &mut Dice) -> Result<(), String> {
        for _ in 0..records {
            if self.applied >= to {
                break;
            }
            let Some((record, len)) = self.record(self.applied) else {
                return Err(format!("the record at {} cannot be read", self.applied.0));
            };
            if record.is_restart_point() && dice.permille(300) {
                self.checkpoint();
            }
            self.checksum = redo(&record, &mut self.pages, self.checksum).map_err(|e| e.to_string())?;
            self.applied.0 += len as u64;
        }
        Ok(())
    }

    /// Recovery begins here from now on; on a primary everything must be hardened.
    pub(crate) fn checkpoint(&mut self) {
        self.control.base =
            Base { lsn: self.applied, pages: self.pages.clone(), checksum: self.checksum, restart: true };
        if self.control.mode == Mode::Primary {
            self.restart_here();
        }
    }

    /// Removes log before a position; where it begins then.
    pub(crate) fn truncate(&mut self, to: Lsn) -> Lsn {
        let to = self.content.iter().map(|e| e.end).take_while(|end| *end <= to).last().unwrap_or(Lsn(0));
        if to > self.log_start {
            self.log.drain(..(to.0 - self.log_start.0) as usize);
            self.log_start = to;
        }
        self.log_start
    }

    /// The commits from a position on and the pages that they changed; nothing if the log does not reach back.
    pub(crate) fn since(&self, from: Lsn) -> Option<(Vec<i64>, Vec<PageRange>)> {
        if from < self.log_start {
            return None;
        }
        let (mut ids, mut pages) = (Vec::new(), BTreeSet::new());
        let mut at = from;
        while let Some((record, len)) = self.record(at) {
            ids.push(record.time);
            pages.extend(record.pages.iter().map(|p| p.number));
            at.0 += len as u64;
        }
        Some((ids, pages.into_iter().map(|n| (n, n)).collect()))
    }

    /// What is there now.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let restart = self.control.mode == Mode::Primary;
        if restart {
            self.restart_here();
        }
        let lsn = self.applied;
        // A fork that begins there is one of them: the copy has gone back for that, and has to know.
        let History { fork, forks, .. } = self.history_to(lsn);
        Snapshot {
            lsn,
            content: self.content.iter().take_while(|e| e.end <= lsn).copied().collect(),
            fork,
            forks,
            checksum: self.checksum,
            pages: self.pages.clone(),
            restart,
            backed_up: self.control.backed_up,
            full_backup: self.control.full_backup,
        }
    }

    /// The power fails: what was not synced is there in part, torn, in any order; what was in memory is gone.
    pub(crate) fn lose_power(&mut self, dice: &mut Dice) {
        let whole = self.log.clone();
        let (mood, len) = (dice.below(4), self.log.len());
        let mut at = (self.synced.0 - self.log_start.0) as usize;
        while at < len {
            let position = self.log_start.0 + at as u64;
            let next = (((position / SECTOR + 1) * SECTOR - self.log_start.0) as usize).min(len);
            let fate = if mood < 2 { mood } else { dice.below(5) };
            let lost = match fate {
                0 => at..next,
                1 | 2 => next..next,
                3 => at..at + dice.below((next - at) as u64) as usize,
                _ => at + dice.below((next - at) as u64) as usize..next,
            };
            self.log.get_mut(lost).into_iter().for_each(|bytes| bytes.fill(0));
            at = next;
        }
        let is_whole = |e: &&Entry| {
            let bytes = |log: &[u8]| {
                let range = (e.lsn.0 - self.log_start.0) as usize..(e.end.0 - self.log_start.0) as usize;
                log.get(range).map(<[u8]>::to_vec)
            };
            bytes(&self.log) == bytes(&whole)
        };
        let behind = self.content.iter().skip_while(|e| e.end <= self.synced);
        self.expected_end = Some(behind.take_while(is_whole).last().map_or(self.synced, |e| e.end));
        // A checkpoint may have been under way: it writes what is hardened, in any order.
        if self.control.base.restart && self.applied <= self.synced && dice.permille(300) {
            for (number, page) in &self.pages {
                if dice.coin() {
                    self.control.base.pages.insert(*number, page.clone());
                }
            }
        }
        self.pending.clear();
        self.hold = None;
        self.access = Access::Resolving;
        self.syncing = false;
        self.redoing = false;
        self.generation += 1;
        if let Some(mode) = self.mode_after_crash.take() {
            self.control.mode = mode;
        }
    }

    /// Redoes the log, and cuts off what is none.
    ///
    /// # Errors
    /// The log does not lead from the data file to its end, or another end is found than is there.
    pub(crate) fn recover(&mut self, believe_torn_tail: bool) -> Result<(), String> {
        self.pages = self.control.base.pages.clone();
        self.checksum = self.control.base.checksum;
        self.applied = self.control.base.lsn;
        let mut pages = None;
        while let Some((record, len)) = self.record(self.applied) {
            self.checksum = redo(&record, &mut self.pages, self.checksum).map_err(|e| e.to_string())?;
            self.applied.0 += len as u64;
            pages = Some(record.database_pages);
        }
        let mut end = self.applied;
        if believe_torn_tail {
            let next = self.content.iter().find(|e| e.lsn == end).filter(|e| e.end <= self.end());
            end = next.map_or(end, |e| e.end);
        }
        let sane = self.expected_end.take();
        if sane.is_some_and(|expected| expected != end) {
            return Err(format!("recovery ends the log at {}, its last good record ends at {sane:?}", end.0));
        }
        if let Some(last) = pages {
            self.pages.retain(|number, _| *number <= last);
        }
        let found = checksum(&self.pages);
        if found != self.checksum {
            return Err(format!(
                "recovered pages have the checksum {found:016x}, the log says {:016x}",
                self.checksum
            ));
        }
        self.log.truncate((end.0 - self.log_start.0) as usize);
        self.content.retain(|e| e.end <= end);
        self.synced = end;
        self.believed = end;
        self.restart_here();
        Ok(())
    }
}

/// LSN, fork, time and length of the record at the start of `bytes`.
fn head(bytes: &[u8], look_at_checksum: bool) -> Option<(Lsn, ForkId, i64, usize)> {
    if look_at_checksum {
        return match read_record(bytes) {
            ParsedRecord::Record(record, len) => Some((record.lsn, record.fork, record.time, len)),
            ParsedRecord::NeedMore | ParsedRecord::Malformed => None,
        };
    }
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let len = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    let fork = ForkId(bytes.get(64..80)?.try_into().ok()?);
    let whole = (84..=bytes.len()).contains(&len) && len.is_multiple_of(8);
    whole.then_some((Lsn(number(16)?), fork, number(48)? as i64, len))
}
