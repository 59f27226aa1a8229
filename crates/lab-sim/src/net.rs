//! The network: connections that carry frames in order, late, one way only, or not at all.

use std::collections::{BTreeMap, VecDeque};

use lab_hadr::ConnId;

/// What is on its way.
#[derive(Debug)]
pub(crate) enum Packet {
    Frame(Vec<u8>),
    /// The other end is gone.
    Close,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) instance: usize,
    pub(crate) conn: ConnId,
    pub(crate) open: bool,
}

/// A connection. What goes from end 0 to end 1 is in pipe 0.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) ends: [End; 2],
    pub(crate) pipes: [VecDeque<(u64, Packet)>; 2],
    last_due: [u64; 2],
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) connections: BTreeMap<u64, Connection>,
    next: u64,
    /// Until when nothing gets from one instance to another.
    pub(crate) cuts: BTreeMap<(usize, usize), u64>,
    /// The next frame between these two is damaged.
    pub(crate) corrupt_next: Option<(usize, usize)>,
}

impl Network {
    pub(crate) fn connect(&mut self, ends: [End; 2]) -> u64 {
        self.next += 1;
        let pipes = [VecDeque::new(), VecDeque::new()];
        self.connections.insert(self.next, Connection { ends, pipes, last_due: [0, 0] });
        self.next
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize, now: u64) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|until| *until > now)
    }

    /// Which connection that is to an instance, and which end.
    pub(crate) fn find(&self, instance: usize, conn: ConnId) -> Option<(u64, usize)> {
        self.connections.iter().rev().find_map(|(id, c)| {
            let end = c.ends.iter().position(|e| e.instance == instance && e.conn == conn && e.open)?;
            Some((*id, end))
        })
    }

    /// Puts a packet on its way; when it is due.
    pub(crate) fn put(&mut self, id: u64, pipe: usize, due: u64, packet: Packet) -> Option<u64> {
        let connection = self.connections.get_mut(&id)?;
        let due = due.max(connection.last_due[pipe]);
        connection.last_due[pipe] = due;
        connection.pipes[pipe].push_back((due, packet));
        Some(due)
    }

    /// Takes the next packet of a pipe, if it is due and nothing stands in its way.
    pub(crate) fn take(&mut self, id: u64, pipe: usize, now: u64) -> Option<(End, Packet)> {
        let connection = self.connections.get(&id)?;
        let (from, to) = (connection.ends[pipe].instance, connection.ends[1 - pipe].instance);
        if self.is_cut(from, to, now) {
            return None;
        }
        let connection = self.connections.get_mut(&id)?;
        connection.pipes[pipe].front().filter(|(due, _)| *due <= now)?;
        let (_, packet) = connection.pipes[pipe].pop_front()?;
        Some((connection.ends[1 - pipe], packet))
    }

    /// Forgets connections that have no end any more.
    pub(crate) fn tidy(&mut self) {
        self.connections.retain(|_, c| c.ends.iter().any(|e| e.open));
    }
}
