//! A connection's bytes, encrypted or not, and the packets in them.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab_engine::Barrier;
use lab_tds::{Assembled, Assembler, Message, PacketHeader, PacketKind, PacketReader};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ServerConnection;

use crate::outbox::Outbox;

/// Why nothing more can be read.
#[derive(Debug)]
pub(crate) enum ChannelError {
    /// The client has closed the connection, or it broke.
    Closed,
    /// The client took too long to log in.
    Timeout,
    /// What came is not TDS, or too long.
    Protocol(String),
}

impl From<io::Error> for ChannelError {
    fn from(e: io::Error) -> ChannelError {
        match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ChannelError::Timeout,
            _ => ChannelError::Closed,
        }
    }
}

impl From<lab_tds::DecodeError> for ChannelError {
    fn from(e: lab_tds::DecodeError) -> ChannelError {
        ChannelError::Protocol(e.to_string())
    }
}

/// A packet that owns its contents.
#[derive(Debug)]
pub(crate) struct OwnedPacket {
    pub(crate) header: PacketHeader,
    pub(crate) payload: Vec<u8>,
}

/// How much is read from the socket at once, and how much before login.
const READ: usize = 16 * 1024;
const READ_BEFORE_LOGIN: usize = 4 * 1024;
/// The bytes that a client may send before login. Its longest message then is a LOGIN7 with a token; whatever is kept of these
/// bytes, in TLS's buffers and in ours, must stay within 64 KiB for a connection.
const BEFORE_LOGIN: usize = 20 * 1024;
/// What may wait unread while a request runs.
const UNREAD_MAX: usize = 64 * 1024;

/// A connection.
pub(crate) struct Channel {
    tcp: Arc<TcpStream>,
    outbox: Arc<Outbox>,
    tls: Option<Box<ServerConnection>>,
    packets: PacketReader,
    /// Where bytes are read into: on the heap, so that a connection that waits does not keep it on its stack for ever.
    buffer: Vec<u8>,
    deadline: Option<Instant>,
    /// Bytes read so far, while their number is bounded.
    spent: Option<usize>,
    closed: bool,
    /// An Attention was taken while its request ran, and is not acknowledged yet.
    attention: bool,
}

impl Channel {
    /// A connection that must log in by `deadline`.
    pub(crate) fn new(tcp: TcpStream, deadline: Instant) -> Channel {
        let tcp = Arc::new(tcp);
        Channel {
            outbox: Arc::new(Outbox::new(Arc::clone(&tcp))),
            tcp,
            tls: None,
            packets: PacketReader::new(),
            buffer: vec![0; READ_BEFORE_LOGIN],
            deadline: Some(deadline),
            spent: Some(0),
            closed: false,
            attention: false,
        }
    }

    /// Ends the connection from another thread, while this one waits for what the client sends.
    pub(crate) fn hang_up(&self) -> Box<dyn Fn() + Send> {
        let tcp = Arc::clone(&self.tcp);
        // An error says that the connection has ended by itself.
        Box::new(move || drop(tcp.shutdown(std::net::Shutdown::Both)))
    }

    /// The login is through: time and bytes are no longer bounded.
    pub(crate) fn logged_in(&mut self) -> io::Result<()> {
        self.deadline = None;
        self.spent = None;
        self.buffer.resize(READ, 0);
        self.tcp.set_read_timeout(None)
    }

    /// The first bytes that the client sends, left where they are.
    pub(crate) fn peek(&mut self) -> Result<u8, ChannelError> {
        self.arm()?;
        let mut first = [0];
        match self.tcp.peek(&mut first)? {
            0 => Err(ChannelError::Closed),
            _ => Ok(first[0]),
        }
    }

    /// Encrypts from now on. What was read already belongs to the TLS stream.
    pub(crate) fn set_tls(&mut self, mut tls: Box<ServerConnection>) -> Result<(), ChannelError> {
        let rest = self.packets.take_rest();
        let mut rest = rest.as_slice();
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            tls.process_new_packets().map_err(|e| ChannelError::Protocol(e.to_string()))?;
        }
        self.tls = Some(tls);
        self.decrypt()
    }

    /// Leaves the TLS session behind (only the login was to be encrypted).
    pub(crate) fn drop_tls(&mut self) {
        self.tls = None;
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// TLS around everything: the handshake is carried out as bytes come.
    pub(crate) fn handshake_outside(&mut self, mut tls: Box<ServerConnection>) -> Result<(), ChannelError> {
        while tls.is_handshaking() {
            while tls.wants_write() {
                tls.write_tls(&mut &*self.tcp)?;
            }
            if tls.is_handshaking() && tls.wants_read() {
                self.arm()?;
                let read = tls.read_tls(&mut &*self.tcp)?;
                if read == 0 {
                    return Err(ChannelError::Closed);
                }
                self.count(read)?;
                if let Err(e) = tls.process_new_packets() {
                    // The alert tells the client why; it is gone in any case.
                    tls.write_tls(&mut &*self.tcp)?;
                    return Err(ChannelError::Protocol(e.to_string()));
                }
            }
        }
        while tls.wants_write() {
            tls.write_tls(&mut &*self.tcp)?;
        }
        self.tls = Some(tls);
        self.decrypt()
    }

    /// The next packet, waited for.
    pub(crate) fn read_packet(&mut self) -> Result<OwnedPacket, ChannelError> {
        loop {
            if let Some(packet) = self.packets.next_packet()? {
                return Ok(OwnedPacket { header: packet.header, payload: packet.payload.to_vec() });
            }
            self.read_more()?;
        }
    }

    /// The next whole message, of at most `limit` bytes, waited for.
    pub(crate) fn read_message(&mut self, limit: usize) -> Result<Message, ChannelError> {
        let mut assembler = Assembler::new(limit);
        loop {
            match self.packets.next_packet()?.map(|packet| assembler.push(packet)).transpose()? {
                None => self.read_more()?,
                Some(Assembled::More) => {}
                Some(Assembled::Message(message)) => return Ok(message),
                Some(Assembled::Ignored) => return Err(ChannelError::Closed),
            }
        }
    }

    /// Whether an Attention has arrived, without waiting; it is taken. A client that is gone counts as one.
    pub(crate) fn attention_waits(&mut self) -> bool {
        if self.closed || self.attention {
            return true;
        }
        while self.readable_now() {
            if self.read_more().is_err() {
                self.closed = true;
                return true;
            }
        }
        match self.packets.peek_header() {
            Some(header) if header.kind == PacketKind::ATTENTION => {
                self.attention = matches!(self.packets.next_packet(), Ok(Some(_)));
                self.attention
            }
            _ => false,
        }
    }

    /// Whether [`Channel::attention_waits`] has taken an Attention that is not acknowledged yet.
    pub(crate) fn attention_seen(&self) -> bool {
        self.attention
    }

    /// The Attention is acknowledged.
    pub(crate) fn forget_attention(&mut self) {
        self.attention = false;
    }

    fn readable_now(&self) -> bool {
        // Answers are not read while requests pile up: a client that only sends is told to wait by TCP.
        if self.packets.buffered() > UNREAD_MAX {
            return false;
        }
        let mut fds = [PollFd::new(&*self.tcp, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut fds, Some(&now)), Ok(n) if n > 0)
    }

    fn read_more(&mut self) -> Result<(), ChannelError> {
        self.arm()?;
        match &mut self.tls {
            None => {
                let read = (&*self.tcp).read(&mut self.buffer)?;
                if read == 0 {
                    return Err(ChannelError::Closed);
                }
                self.count(read)?;
                self.packets.feed(self.buffer.get(..read).unwrap_or_default());
                Ok(())
            }
            Some(tls) => {
                let read = tls.read_tls(&mut &*self.tcp)?;
                if read == 0 {
                    return Err(ChannelError::Closed);
                }
                tls.process_new_packets().map_err(|e| ChannelError::Protocol(e.to_string()))?;
                self.count(read)?;
                self.decrypt()
            }
        }
    }

    fn decrypt(&mut self) -> Result<(), ChannelError> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        loop {
            match tls.reader().read(&mut self.buffer) {
                Ok(0) => return Err(ChannelError::Closed),
                Ok(read) => self.packets.feed(self.buffer.get(..read).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.encrypt(bytes)? {
            Some(records) => self.outbox.send(&records),
            None => self.outbox.send(bytes),
        }
    }

    /// Sends bytes once what they depend on is hardened, and does not wait for that.
    pub(crate) fn depart(&mut self, bytes: Vec<u8>, barrier: &Barrier) -> io::Result<()> {
        let records = self.encrypt(&bytes)?;
        self.outbox.depart(records.unwrap_or(bytes), barrier);
        Ok(())
    }

    /// The TLS records that carry bytes, on a connection that is encrypted.
    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let Some(tls) = &mut self.tls else { return Ok(None) };
        let mut records = Vec::with_capacity(bytes.len() + 64);
        for piece in bytes.chunks(READ) {
            tls.writer().write_all(piece)?;
            while tls.wants_write() {
                tls.write_tls(&mut records)?;
            }
        }
        Ok(Some(records))
    }

    fn arm(&self) -> Result<(), ChannelError> {
        let Some(deadline) = self.deadline else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(ChannelError::Timeout);
        }
        self.tcp.set_read_timeout(Some(left))?;
        Ok(())
    }

    fn count(&mut self, read: usize) -> Result<(), ChannelError> {
        let Some(spent) = &mut self.spent else { return Ok(()) };
        *spent += read;
        if *spent > BEFORE_LOGIN {
            Err(ChannelError::Protocol("too many bytes before login".to_owned()))
        } else {
            Ok(())
        }
    }
}
