//! The locks of SQLite's connections on one database: pure tables, no pointers, no waiting.
//!
//! SQLite's own file systems use the operating system's file locks. All connections here are of one process, so two small
//! tables say the same ("File Locking And Concurrency In SQLite Version 3"; "WAL-mode File Format", section 2.3).

/// How strongly a connection holds the database file; the numbers are SQLite's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Level {
    #[default]
    None = 0,
    Shared = 1,
    Reserved = 2,
    Pending = 3,
    Exclusive = 4,
}

impl Level {
    pub(crate) fn from_raw(raw: i32) -> Option<Level> {
        [Level::None, Level::Shared, Level::Reserved, Level::Pending, Level::Exclusive]
            .get(usize::try_from(raw).ok()?)
            .copied()
    }
}

/// What one connection holds of the database file.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) level: Level,
    reserved: bool,
}

/// The locks on the database file.
#[derive(Debug, Default)]
pub(crate) struct FileLocks {
    shared: u32,
    reserved: bool,
    pending: bool,
    exclusive: bool,
}

impl FileLocks {
    /// Raises what a connection holds; false if another connection is in the way.
    pub(crate) fn lock(&mut self, held: &mut Held, want: Level) -> bool {
        if held.level >= want {
            return true;
        }
        match want {
            Level::None => true,
            Level::Shared => {
                if self.pending || self.exclusive {
                    return false;
                }
                self.shared += 1;
                held.level = Level::Shared;
                true
            }
            Level::Reserved => {
                if self.reserved || self.pending || self.exclusive {
                    return false;
                }
                self.reserved = true;
                (held.reserved, held.level) = (true, Level::Reserved);
                true
            }
            Level::Pending | Level::Exclusive => self.lock_exclusive(held),
        }
    }

    fn lock_exclusive(&mut self, held: &mut Held) -> bool {
        if held.level < Level::Pending {
            if self.pending || (self.reserved && !held.reserved) {
                return false;
            }
            // From here on nobody new comes in, and those who are in can leave.
            self.pending = true;
            held.level = Level::Pending;
        }
        if self.shared > 1 {
            return false;
        }
        self.exclusive = true;
        held.level = Level::Exclusive;
        true
    }

    /// Lowers what a connection holds to `Shared` or `None`.
    pub(crate) fn unlock(&mut self, held: &mut Held, to: Level) {
        if held.level <= to {
            return;
        }
        if held.level >= Level::Pending {
            self.pending = false;
        }
        if held.level == Level::Exclusive {
            self.exclusive = false;
        }
        if std::mem::take(&mut held.reserved) {
            self.reserved = false;
        }
        if to == Level::None && held.level >= Level::Shared {
            self.shared -= 1;
        }
        held.level = to;
    }

    /// Whether some connection is about to write (xCheckReservedLock).
    pub(crate) fn is_reserved(&self) -> bool {
        self.reserved || self.pending || self.exclusive
    }
}

/// The locks of the WAL's index.
const SLOTS: usize = 8;

/// What one connection holds of the WAL's index, a bit for each slot.
#[derive(Debug, Default)]
pub(crate) struct IndexHeld {
    shared: u8,
    exclusive: u8,
}

/// The locks on the WAL's index: in each slot -1 for an exclusive owner, or how many share it.
#[derive(Debug, Default)]
pub(crate) struct IndexLocks([i32; SLOTS]);

impl IndexLocks {
    /// Takes slots; false if another connection is in the way, and then nothing was taken.
    pub(crate) fn lock(
        &mut self,
        held: &mut IndexHeld,
        slots: std::ops::Range<usize>,
        exclusive: bool,
    ) -> bool {
        let free = slots.clone().all(|s| {
            let (bit, state) = (1_u8 << s, self.0.get(s).copied().unwrap_or(0));
            if exclusive {
                held.exclusive & bit != 0 || state == 0
            } else {
                held.shared & bit != 0 || state >= 0
            }
        });
        if !free {
            return false;
        }
        for s in slots {
            let bit = 1_u8 << s;
            let Some(state) = self.0.get_mut(s) else { continue };
            if exclusive {
                *state = -1;
                held.exclusive |= bit;
            } else if held.shared & bit == 0 {
                *state += 1;
                held.shared |= bit;
            }
        }
        true
    }

    /// Lets slots go; those that are not held are left alone.
    pub(crate) fn unlock(&mut self, held: &mut IndexHeld, slots: std::ops::Range<usize>) {
        for s in slots {
            let bit = 1_u8 << s;
            let Some(state) = self.0.get_mut(s) else { continue };
            if held.exclusive & bit != 0 {
                *state = 0;
            } else if held.shared & bit != 0 {
                *state -= 1;
            }
            held.exclusive &= !bit;
            held.shared &= !bit;
        }
    }

    /// Everything that a connection holds.
    pub(crate) fn unlock_all(&mut self, held: &mut IndexHeld) {
        self.unlock(held, 0..SLOTS);
    }

    /// The slots that SQLite asks for, if they exist.
    pub(crate) fn slots(offset: i32, count: i32) -> Option<std::ops::Range<usize>> {
        let (from, count) = (usize::try_from(offset).ok()?, usize::try_from(count).ok()?);
        let to = from.checked_add(count)?;
        (to <= SLOTS).then_some(from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_waits_for_readers_and_keeps_new_ones_out() {
        let mut locks = FileLocks::default();
        let (mut a, mut b, mut c) = (Held::default(), Held::default(), Held::default());
        assert!(locks.lock(&mut a, Level::Shared) && locks.lock(&mut b, Level::Shared));
        assert!(locks.lock(&mut a, Level::Reserved) && locks.is_reserved());
        assert!(!locks.lock(&mut b, Level::Reserved), "one writer");
        assert!(!locks.lock(&mut a, Level::Exclusive), "a reader is in");
        assert_eq!(a.level, Level::Pending);
        assert!(!locks.lock(&mut c, Level::Shared), "nobody new comes in");
        locks.unlock(&mut b, Level::None);
        assert!(locks.lock(&mut a, Level::Exclusive));
        locks.unlock(&mut a, Level::Shared);
        assert!(!locks.is_reserved() && locks.lock(&mut c, Level::Shared));
        locks.unlock(&mut a, Level::None);
        locks.unlock(&mut c, Level::None);
        assert!(locks.lock(&mut b, Level::Shared) && locks.lock(&mut b, Level::Exclusive), "alone at last");
    }

    #[test]
    fn a_lock_that_was_not_granted_leaves_nothing_behind() {
        let mut locks = IndexLocks::default();
        let (mut a, mut b) = (IndexHeld::default(), IndexHeld::default());
        assert!(locks.lock(&mut a, 3..4, false) && locks.lock(&mut b, 3..4, false));
        assert!(!locks.lock(&mut a, 0..8, true), "another one shares slot 3");
        assert!(locks.lock(&mut b, 0..1, true), "so slot 0 is still free");
        locks.unlock_all(&mut b);
        locks.unlock(&mut a, 3..4);
        assert!(locks.lock(&mut a, 0..8, true) && !locks.lock(&mut b, 5..6, false));
        locks.unlock_all(&mut a);
        assert!(locks.lock(&mut b, 5..6, false));
    }

    #[test]
    fn slots_that_do_not_exist_are_refused() {
        assert_eq!(IndexLocks::slots(0, 8), Some(0..8));
        assert_eq!(IndexLocks::slots(5, 4), None);
        assert_eq!(IndexLocks::slots(-1, 1), None);
        assert_eq!(IndexLocks::slots(i32::MAX, i32::MAX), None);
    }
}
