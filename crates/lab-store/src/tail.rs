//! The newest part of a log in memory: what a peer or redo needs is mostly what was hardened or received just now.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Lsn;
use crate::record::record_length;

/// Bytes of log that are kept in memory.
const BYTES_MAX: usize = 4 << 20;

/// Rows of whole records, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    chunks: VecDeque<(Lsn, Arc<Vec<u8>>)>,
    bytes: usize,
    /// Nobody has ever asked: nothing is kept.
    pub(crate) wanted: bool,
}

fn end((start, bytes): &(Lsn, Arc<Vec<u8>>)) -> Lsn {
    Lsn(start.0 + bytes.len() as u64)
}

impl Tail {
    /// One that is wanted from the beginning.
    pub(crate) fn kept() -> Tail {
        Tail { wanted: true, ..Tail::default() }
    }

    /// Adds what stands at `at`.
    pub(crate) fn push(&mut self, at: Lsn, bytes: Vec<u8>) {
        if !self.wanted || bytes.is_empty() {
            return;
        }
        if self.chunks.back().is_some_and(|last| end(last) != at) {
            self.chunks.clear();
            self.bytes = 0;
        }
        self.bytes += bytes.len();
        self.chunks.push_back((at, Arc::new(bytes)));
        // The newest stays in any case, however large.
        while self.bytes > BYTES_MAX && self.chunks.len() > 1 {
            self.bytes -= self.chunks.pop_front().map_or(0, |(_, gone)| gone.len());
        }
    }

    /// The chunks from the one that holds `from` on, as far as `max` bytes need them; none if it is not in memory.
    pub(crate) fn from(&self, from: Lsn, max: usize) -> Vec<(Lsn, Arc<Vec<u8>>)> {
        let first = self.chunks.partition_point(|chunk| end(chunk) <= from);
        if self.chunks.get(first).is_none_or(|(start, _)| *start > from) {
            return Vec::new();
        }
        let to = from.0.saturating_add(max as u64);
        self.chunks
            .iter()
            .skip(first)
            .take_while(|(start, _)| *start == from || start.0 < to)
            .cloned()
            .collect()
    }
}

/// Whole records of chunks from `from` on, at most `max` bytes, but at least one record; nothing if none begins there.
pub(crate) fn whole_records_of(chunks: &[(Lsn, Arc<Vec<u8>>)], from: Lsn, max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = from;
    for (start, bytes) in chunks {
        while let Some(record) = at.0.checked_sub(start.0).and_then(|n| bytes.get(n as usize..)) {
            let len = record_length(record);
            let is_record = record.get(16..24) == Some(&at.0.to_le_bytes());
            let Some(record) = record.get(..len).filter(|_| is_record && len > 0) else { break };
            if !out.is_empty() && out.len() + len > max {
                return out;
            }
            out.extend_from_slice(record);
            at.0 += len as u64;
        }
    }
    out
}
