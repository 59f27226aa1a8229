//! An open connection: frames out from whichever thread has them, frames in on a thread of its own.
//!
//! A synchronous commit crosses this twice, and waking a thread costs more than the commit itself. So whoever sends encrypts and
//! writes by itself, without waiting; only what the socket does not take is left to a writer thread, which exists from the
//! first time that happens.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use super::failure::{CloseReason, SendError};
use super::frame::{Decoded, FRAME_MAX, Frame, FrameDecoder};
use super::settings::Settings;
use super::{ConnectionId, Handler, PeerInfo};
use crate::answer::lock;

/// How much is encrypted while the TLS state is held: the thread that decrypts never waits longer than this takes.
const PIECE: usize = 64 << 10;
/// How much a thread that sends carries out for others that sent meanwhile, before the writer thread has to.
const INLINE_MAX: usize = 1 << 20;
/// How much is read at once.
const READ: usize = 64 << 10;

/// A connection.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) peer: PeerInfo,
    /// The settings that let it in.
    pub(super) settings: Arc<Settings>,
    tcp: TcpStream,
    /// Never held while waiting for anything.
    tls: Mutex<Box<rustls::Connection>>,
    outgoing: Mutex<Outgoing>,
    handed_over: Condvar,
    queue_bytes_max: usize,
    pub(super) counters: Counters,
}

/// What waits to be sent.
struct Outgoing {
    queue: VecDeque<Leaving>,
    /// Bytes of all frames that are not sent to their end, also of the one being written.
    bytes: usize,
    pen: Pen,
    writer: Option<JoinHandle<()>>,
    closed: Option<CloseReason>,
}

/// Who may write. Frames leave in the order in which they were given because there is one pen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pen {
    /// Nobody writes, and nothing waits.
    Free,
    /// A thread that sends has it.
    Held,
    /// The writer thread has it.
    Writer,
}

/// A frame on its way, with how much of it (length included) is encrypted.
struct Leaving {
    frame: Frame,
    length: [u8; 4],
    total: usize,
    gone: usize,
}

/// What passed, and when.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) opened: Instant,
    pub(super) bytes_sent: AtomicU64,
    pub(super) bytes_received: AtomicU64,
    pub(super) frames_sent: AtomicU64,
    pub(super) frames_received: AtomicU64,
    /// Microseconds since `opened`.
    pub(super) last_sent: AtomicU64,
    pub(super) last_received: AtomicU64,
}

impl Counters {
    fn new() -> Counters {
        let zero = || AtomicU64::new(0);
        Counters {
            opened: Instant::now(),
            bytes_sent: zero(),
            bytes_received: zero(),
            frames_sent: zero(),
            frames_received: zero(),
            last_sent: zero(),
            last_received: zero(),
        }
    }

    fn passed(&self, bytes: usize, count: &AtomicU64, last: &AtomicU64) {
        count.fetch_add(bytes as u64, Ordering::Relaxed);
        last.store(self.opened.elapsed().as_micros() as u64, Ordering::Relaxed);
    }

    pub(super) fn at(&self, last: &AtomicU64) -> Instant {
        self.opened + Duration::from_micros(last.load(Ordering::Relaxed))
    }
}

/// How far writing came.
enum Written {
    /// All is in the socket's hands.
    All,
    /// There is more, and the socket may take it.
    More,
    /// The socket takes no more now.
    Blocked,
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        peer: PeerInfo,
        settings: Arc<Settings>,
        tcp: TcpStream,
        mut tls: rustls::Connection,
        queue_bytes_max: usize,
    ) -> Connection {
        // What is not sent stays a frame until there is room: at most a piece of it is ever encrypted in advance.
        tls.set_buffer_limit(None);
        Connection {
            id,
            peer,
            settings,
            tcp,
            tls: Mutex::new(Box::new(tls)),
            outgoing: Mutex::new(Outgoing {
                queue: VecDeque::new(),
                bytes: 0,
                pen: Pen::Free,
                writer: None,
                closed: None,
            }),
            handed_over: Condvar::new(),
            queue_bytes_max,
            counters: Counters::new(),
        }
    }

    /// Bytes that wait to be sent.
    pub(super) fn queued(&self) -> usize {
        lock(&self.outgoing).bytes
    }

    /// Sends a frame, or leaves it to whoever is writing. Never waits for the peer.
    pub(super) fn send(self: &Arc<Connection>, frame: Frame) -> Result<(), SendError> {
        let payload = frame.payload_len();
        if payload > FRAME_MAX {
            return Err(SendError::TooLong);
        }
        let length = (payload as u32).to_le_bytes();
        let leaving = Leaving { total: payload + length.len(), frame, length, gone: 0 };
        {
            let mut outgoing = lock(&self.outgoing);
            if outgoing.closed.is_some() {
                return Err(SendError::Closed);
            }
            if outgoing.bytes + leaving.total > self.queue_bytes_max {
                drop(outgoing);
                self.close(CloseReason::QueueFull);
                return Err(SendError::Full);
            }
            outgoing.bytes += leaving.total;
            if outgoing.pen != Pen::Free {
                outgoing.queue.push_back(leaving);
                return Ok(());
            }
            outgoing.pen = Pen::Held;
        }
        self.write_inline(leaving);
        Ok(())
    }

    /// Ends the connection. The peer is told why if that needs no waiting; the reader's thread tells our own side.
    pub(super) fn close(&self, reason: CloseReason) {
        let mut outgoing = lock(&self.outgoing);
        if outgoing.closed.is_some() {
            return;
        }
        let goodbye = reason.goodbye();
        outgoing.closed = Some(reason);
        // What waits is not sent any more: its owner learns of the end and sends it anew on another connection.
        outgoing.queue.clear();
        if outgoing.pen == Pen::Free {
            let mut tls = lock(&self.tls);
            let said = tls.writer().write_all(&goodbye.encode());
            tls.send_close_notify();
            // As far as the socket takes it.
            drop((said, self.flush(&mut tls)));
        }
        drop(outgoing);
        self.hang_up();
    }

    fn hang_up(&self) {
        // A connection that is closed already is what is wanted.
        drop(self.tcp.shutdown(Shutdown::Both));
        self.handed_over.notify_all();
    }

    /// Writes with the pen in hand, until nothing is left or it would have to wait.
    fn write_inline(self: &Arc<Connection>, first: Leaving) {
        let mut current = Some(first);
        let mut budget = INLINE_MAX;
        loop {
            match self.write_some(&mut current) {
                Ok(Written::All) => {}
                Ok(Written::More) if budget > 0 => budget = budget.saturating_sub(PIECE),
                Ok(Written::More | Written::Blocked) => return self.hand_over(current),
                Err(e) => return self.fail(&e),
            }
            if current.is_none() && !self.take_next(&mut current) {
                return;
            }
        }
    }

    /// The next frame that waits; without one the pen is laid down.
    fn take_next(&self, current: &mut Option<Leaving>) -> bool {
        let mut outgoing = lock(&self.outgoing);
        *current = outgoing.queue.pop_front();
        if current.is_none() {
            outgoing.pen = Pen::Free;
        }
        current.is_some()
    }

    /// Encrypts a piece and gives it to the socket. Takes a frame away that is sent to its end.
    fn write_some(&self, current: &mut Option<Leaving>) -> io::Result<Written> {
        let mut tls = lock(&self.tls);
        if !tls.wants_write()
            && let Some(leaving) = current.as_mut()
        {
            let pieces = leaving.frame.piece(&leaving.length, leaving.gone, PIECE);
            let slices: Vec<IoSlice<'_>> = pieces.into_iter().map(IoSlice::new).collect();
            leaving.gone += tls.writer().write_vectored(&slices)?;
        }
        let written = self.flush(&mut tls)?;
        drop(tls);
        Ok(match (written, current.as_ref()) {
            (Written::All, Some(leaving)) if leaving.gone < leaving.total => Written::More,
            (Written::All, Some(leaving)) => {
                let total = leaving.total;
                *current = None;
                self.counters.frames_sent.fetch_add(1, Ordering::Relaxed);
                lock(&self.outgoing).bytes -= total;
                Written::All
            }
            (written, _) => written,
        })
    }

    fn flush(&self, tls: &mut rustls::Connection) -> io::Result<Written> {
        while tls.wants_write() {
            match tls.write_tls(&mut WithoutWaiting(&self.tcp)) {
                Ok(sent) => {
                    self.counters.passed(sent, &self.counters.bytes_sent, &self.counters.last_sent);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Written::Blocked),
                Err(e) => return Err(e),
            }
        }
        Ok(Written::All)
    }

    fn fail(&self, e: &io::Error) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.pen = Pen::Free;
        outgoing.queue.clear();
        // The reader knows better if the peer has said why.
        drop(outgoing);
        drop(self.tcp.shutdown(Shutdown::Write));
        if e.kind() != io::ErrorKind::BrokenPipe && e.kind() != io::ErrorKind::ConnectionReset {
            self.close(CloseReason::Lost(e.to_string()));
        }
    }

    /// Leaves the pen to the writer thread.
    fn hand_over(self: &Arc<Connection>, current: Option<Leaving>) {
        let mut outgoing = lock(&self.outgoing);
        if let Some(leaving) = current {
            outgoing.queue.push_front(leaving);
        }
        outgoing.pen = Pen::Writer;
        if outgoing.writer.is_none() {
            let connection = Arc::clone(self);
            let name = format!("endpoint writer {}", self.id.0);
            let spawned = std::thread::Builder::new()
                .name(name)
                .stack_size(256 << 10)
                .spawn(move || connection.write_behind());
            match spawned {
                Ok(writer) => outgoing.writer = Some(writer),
                Err(e) => {
                    drop(outgoing);
                    return self.fail(&e);
                }
            }
        }
        drop(outgoing);
        self.handed_over.notify_all();
    }

    /// The writer thread.
    fn write_behind(&self) {
        loop {
            let mut current = {
                let mut outgoing = lock(&self.outgoing);
                while outgoing.closed.is_none() && outgoing.pen != Pen::Writer {
                    outgoing = wait(&self.handed_over, outgoing);
                }
                if outgoing.closed.is_some() {
                    return;
                }
                outgoing.queue.pop_front()
            };
            loop {
                match self.write_some(&mut current) {
                    Ok(Written::All | Written::More) => {}
                    Ok(Written::Blocked) => self.wait_writable(),
                    Err(e) => {
                        self.fail(&e);
                        break;
                    }
                }
                if lock(&self.outgoing).closed.is_some() {
                    return;
                }
                if current.is_none() && !self.take_next(&mut current) {
                    break;
                }
            }
        }
    }

    /// Waits until the socket takes more; a while at most, so that an end is seen whatever becomes of the socket.
    fn wait_writable(&self) {
        let mut fds = [PollFd::new(&self.tcp, PollFlags::OUT)];
        let while_at_most = Timespec { tv_sec: 1, tv_nsec: 0 };
        // Woken for whatever reason, the next write shows what is.
        let _ = poll(&mut fds, Some(&while_at_most));
    }

    /// Reads until the end, on the calling thread, and hands frames over in order. Says why it ended.
    pub(super) fn read_until_closed(&self, handler: &dyn Handler) -> CloseReason {
        let end = self.read_frames(handler);
        let (reason, writer) = {
            let mut outgoing = lock(&self.outgoing);
            let protocol = matches!(end, CloseReason::Protocol(_)) && outgoing.closed.is_none();
            if protocol {
                drop(outgoing);
                self.close(end.clone());
                outgoing = lock(&self.outgoing);
            }
            let reason = outgoing.closed.get_or_insert(end).clone();
            outgoing.queue.clear();
            (reason, outgoing.writer.take())
        };
        self.hang_up();
        if let Some(writer) = writer {
            // A panic of the writer has been reported by itself; the connection ends in any case.
            drop(writer.join());
        }
        reason
    }

    fn read_frames(&self, handler: &dyn Handler) -> CloseReason {
        let mut decoder = FrameDecoder::new(FRAME_MAX);
        let mut buffer = vec![0; READ];
        let mut frames = Vec::new();
        // The dialer may have read frames together with the welcome.
        let mut ended = self.decrypt(&[], &mut decoder, &mut frames);
        loop {
            for frame in frames.drain(..) {
                match frame {
                    Decoded::Goodbye(goodbye) => return CloseReason::ByPeer(goodbye),
                    Decoded::Frame(_) if lock(&self.outgoing).closed.is_some() => {}
                    Decoded::Frame(frame) => {
                        self.counters.frames_received.fetch_add(1, Ordering::Relaxed);
                        handler.frame(self.id, frame);
                    }
                }
            }
            if let Err(reason) = ended {
                return reason;
            }
            let read = match (&self.tcp).read(&mut buffer) {
                Ok(0) if decoder.is_between_frames() => {
                    return CloseReason::Lost("the peer closed the connection".to_owned());
                }
                Ok(0) => {
                    return CloseReason::Lost("the peer closed the connection within a frame".to_owned());
                }
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return CloseReason::Lost(e.to_string()),
            };
            self.counters.passed(read, &self.counters.bytes_received, &self.counters.last_received);
            ended = self.decrypt(buffer.get(..read).unwrap_or_default(), &mut decoder, &mut frames);
        }
    }

    /// Decrypts what was read, and takes the frames out.
    fn decrypt(
        &self,
        mut ciphertext: &[u8],
        decoder: &mut FrameDecoder,
        frames: &mut Vec<Decoded>,
    ) -> Result<(), CloseReason> {
        let mut tls = lock(&self.tls);
        loop {
            self.take_plaintext(&mut tls, decoder, frames)?;
            if ciphertext.is_empty() {
                break;
            }
            let lost = |e: io::Error| CloseReason::Lost(e.to_string());
            if tls.read_tls(&mut ciphertext).map_err(lost)? == 0 {
                return Err(CloseReason::Lost("the peer closed the connection".to_owned()));
            }
            if let Err(e) = tls.process_new_packets() {
                // The alert tells the peer, as far as the socket takes it.
                drop(self.flush(&mut tls));
                let text = "A corrupted message has been received. The adjacent message integrity check signature could not be validated.";
                return Err(CloseReason::Protocol(format!("{text} ({e})")));
            }
        }
        if tls.wants_write() {
            // A key update, say. What the socket does not take leaves with the next frame.
            drop(self.flush(&mut tls));
        }
        Ok(())
    }

    fn take_plaintext(
        &self,
        tls: &mut rustls::Connection,
        decoder: &mut FrameDecoder,
        frames: &mut Vec<Decoded>,
    ) -> Result<(), CloseReason> {
        let mut reader = tls.reader();
        loop {
            match reader.fill_buf() {
                Ok([]) => return Err(CloseReason::Lost("the peer closed the connection".to_owned())),
                Ok(chunk) => {
                    let (taken, frame) = decoder.feed(chunk)?;
                    reader.consume(taken);
                    frames.extend(frame);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(CloseReason::Lost(e.to_string())),
            }
        }
    }
}

fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Writes what the socket takes at once, and never waits.
struct WithoutWaiting<'a>(&'a TcpStream);

impl io::Write for WithoutWaiting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(self.0, bytes, &mut SendAncillaryBuffer::default(), flags) {
                Err(rustix::io::Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
