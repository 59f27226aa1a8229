//! Integers, texts and bytes of messages: little-endian, every length checked against what is left.

use lab_store::{ForkId, ForkPoint, History, Lsn};

/// What was received is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Forks that a history may have; each is a role change.
const FORKS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, n: u8) {
        self.0.push(n);
    }

    pub(super) fn u16(&mut self, n: u16) {
        self.0.extend(n.to_le_bytes());
    }

    pub(super) fn u32(&mut self, n: u32) {
        self.0.extend(n.to_le_bytes());
    }

    pub(super) fn u64(&mut self, n: u64) {
        self.0.extend(n.to_le_bytes());
    }

    pub(super) fn lsn(&mut self, lsn: Lsn) {
        self.u64(lsn.0);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.0.extend(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn history(&mut self, history: &History) {
        self.u32(history.forks.len() as u32);
        for point in &history.forks {
            self.0.extend(point.fork.0);
            self.lsn(point.end);
        }
        self.0.extend(history.fork.0);
        self.lsn(history.end);
    }
}

#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    /// Whether there are fields that the first version of a message did not have.
    pub(super) fn is_left(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[b]| b)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn id(&mut self) -> Result<[u8; 16], Malformed> {
        self.array()
    }

    pub(super) fn lsn(&mut self) -> Result<Lsn, Malformed> {
        self.u64().map(Lsn)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        std::str::from_utf8(self.bytes()?).map(str::to_owned).map_err(|_| Malformed)
    }

    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A list whose items have at least `least` bytes each: nothing is allocated for items that cannot be there.
    pub(super) fn list<T>(
        &mut self,
        least: usize,
        mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.u32()? as usize;
        if count.checked_mul(least).is_none_or(|n| n > self.0.len()) {
            return Err(Malformed);
        }
        (0..count).map(|_| read(self)).collect()
    }

    pub(super) fn history(&mut self) -> Result<History, Malformed> {
        let forks = self.list(24, |r| Ok(ForkPoint { fork: ForkId(r.id()?), end: r.lsn()? }))?;
        let history = History { forks, fork: ForkId(self.id()?), end: self.lsn()? };
        let ends = history.forks.iter().map(|f| f.end).chain([history.end]);
        if history.forks.len() > FORKS_MAX || !ends.is_sorted() {
            return Err(Malformed);
        }
        Ok(history)
    }
}
