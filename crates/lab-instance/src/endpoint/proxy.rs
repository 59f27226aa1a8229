//! A TCP proxy that breaks what passes through it, on demand: for tests, and for the faults of the lab.
//!
//! A cut is what a partition is: nothing is delivered, nothing is refused, connections stay open. What was on its way arrives
//! once the cut is healed, as TCP's retransmission would have it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use crate::answer::lock;

/// One of the two ways through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From whoever connected to the proxy, to the server behind it.
    ToServer,
    /// The other way.
    ToClient,
}

/// What passed, and what was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProxyStatistics {
    /// Connections made through the proxy.
    pub connections: u64,
    /// Bytes delivered to the server.
    pub to_server: u64,
    /// Bytes delivered to clients.
    pub to_client: u64,
    /// Bytes that were changed.
    pub corrupted: u64,
    /// Connections that were reset.
    pub resets: u64,
}

/// How much of a connection's bytes may be in the proxy, each way.
const HELD_MAX: usize = 4 << 20;
/// How much is moved at once.
const CHUNK: usize = 32 << 10;

/// A running proxy. Dropping it ends it, and every connection through it.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    stopping: bool,
    refusing: bool,
    to_server: Faults,
    to_client: Faults,
    statistics: ProxyStatistics,
    next: u64,
    connections: BTreeMap<u64, Arc<Passing>>,
}

/// A connection through the proxy.
#[derive(Debug)]
struct Passing {
    id: u64,
    client: TcpStream,
    server: TcpStream,
    reset: AtomicBool,
}

impl Passing {
    /// Wakes whoever reads or writes.
    fn end(&self) {
        // A connection that is closed already is what is wanted.
        drop((self.client.shutdown(Shutdown::Both), self.server.shutdown(Shutdown::Both)));
    }
}

#[derive(Debug, Default)]
struct Faults {
    cut: bool,
    delay: Duration,
    bytes_per_second: Option<u64>,
    /// A byte is changed once so many more have passed.
    corrupt_after: Option<u64>,
    delivered: u64,
}

impl State {
    fn faults(&mut self, direction: Direction) -> &mut Faults {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl FaultProxy {
    /// Listens on a free port of the loopback address, and passes connections on.
    ///
    /// # Errors
    /// No port, or no thread.
    pub fn start(upstream: SocketAddr) -> io::Result<FaultProxy> {
        FaultProxy::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), upstream)
    }

    /// Listens there, and passes connections on.
    ///
    /// # Errors
    /// The address is taken, or there is no thread.
    pub fn start_at(listen: SocketAddr, upstream: SocketAddr) -> io::Result<FaultProxy> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let state = State {
            upstream,
            stopping: false,
            refusing: false,
            to_server: Faults::default(),
            to_client: Faults::default(),
            statistics: ProxyStatistics::default(),
            next: 0,
            connections: BTreeMap::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::Builder::new().name("proxy".to_owned()).spawn(move || accept(&listener, &accepting))?;
        Ok(FaultProxy { shared, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where new connections go from now on: a server that was started again may have another port.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.change(|s| s.upstream = upstream);
    }

    /// Delivers nothing any more, both ways.
    pub fn cut(&self) {
        self.change(|s| {
            s.to_server.cut = true;
            s.to_client.cut = true;
        });
    }

    /// Delivers nothing any more, one way.
    pub fn cut_one_way(&self, direction: Direction) {
        self.change(|s| s.faults(direction).cut = true);
    }

    /// No faults any more. What was held back is delivered.
    pub fn heal(&self) {
        self.change(|s| {
            s.refusing = false;
            for faults in [&mut s.to_server, &mut s.to_client] {
                let delivered = faults.delivered;
                *faults = Faults { delivered, ..Faults::default() };
            }
        });
    }

    /// Delivers everything later, one way.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.change(|s| s.faults(direction).delay = delay);
    }

    /// Delivers no more than this, one way, on each connection.
    pub fn throttle(&self, direction: Direction, bytes_per_second: Option<u64>) {
        self.change(|s| s.faults(direction).bytes_per_second = bytes_per_second.map(|b| b.max(1)));
    }

    /// Changes one bit, one way, once so many more bytes have passed.
    pub fn corrupt(&self, direction: Direction, after: u64) {
        self.change(|s| s.faults(direction).corrupt_after = Some(after));
    }

    /// Makes one way what is wanted of it, at once: nothing gets through between one fault and the next.
    pub fn set(&self, direction: Direction, cut: bool, delay: Duration, bytes_per_second: Option<u64>) {
        self.change(|s| {
            let faults = s.faults(direction);
            faults.cut = cut;
            faults.delay = delay;
            faults.bytes_per_second = bytes_per_second.map(|b| b.max(1));
        });
    }

    /// Whether a byte is still to be changed on that way.
    pub fn is_to_corrupt(&self, direction: Direction) -> bool {
        lock(&self.shared.state).faults(direction).corrupt_after.is_some()
    }

    /// Changes no byte on that way after all.
    pub fn spare(&self, direction: Direction) {
        self.change(|s| s.faults(direction).corrupt_after = None);
    }

    /// Closes new connections at once.
    pub fn refuse(&self, refusing: bool) {
        self.change(|s| s.refusing = refusing);
    }

    /// Resets every connection, as a host does that has lost them.
    pub fn reset(&self) {
        self.change(|s| {
            for passing in std::mem::take(&mut s.connections).into_values() {
                s.statistics.resets += 1;
                passing.reset.store(true, Ordering::Release);
                for tcp in [&passing.client, &passing.server] {
                    // Sent by the last thread to let go of it. Reading is ended so that the threads are woken; writing is not,
                    // or the other side would see an orderly end.
                    drop((set_socket_linger(tcp, Some(Duration::ZERO)), tcp.shutdown(Shutdown::Read)));
                }
            }
        });
    }

    /// What passed.
    pub fn statistics(&self) -> ProxyStatistics {
        let state = lock(&self.shared.state);
        ProxyStatistics {
            to_server: state.to_server.delivered,
            to_client: state.to_client.delivered,
            ..state.statistics
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.shared.state));
        self.shared.changed.notify_all();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.change(|s| {
            s.stopping = true;
            for passing in std::mem::take(&mut s.connections).into_values() {
                passing.end();
            }
        });
        // Wakes the acceptor; if that fails it has ended.
        drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(1)));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        let (stopping, refusing, upstream) = {
            let state = lock(&shared.state);
            (state.stopping, state.refusing, state.upstream)
        };
        if stopping {
            return;
        }
        let Ok((client, _)) = accepted else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        if refusing {
            continue;
        }
        let passing = Arc::clone(shared);
        // A connection that cannot be passed on is closed, which its client sees.
        drop(
            std::thread::Builder::new()
                .name("proxy connection".to_owned())
                .spawn(move || pass_connection(client, upstream, &passing)),
        );
    }
}

fn pass_connection(client: TcpStream, upstream: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&upstream, Duration::from_secs(10))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let passing = {
        let mut state = lock(&shared.state);
        if state.stopping {
            return Ok(());
        }
        let passing = Arc::new(Passing { id: state.next, client, server, reset: AtomicBool::new(false) });
        state.next += 1;
        state.statistics.connections += 1;
        state.connections.insert(passing.id, Arc::clone(&passing));
        passing
    };
    let (client, server) = (&passing.client, &passing.server);
    let ways = [(Direction::ToServer, client, server), (Direction::ToClient, server, client)];
    let pipes = [Pipe::default(), Pipe::default()];
    std::thread::scope(|scope| {
        for ((direction, from, to), pipe) in ways.into_iter().zip(&pipes) {
            let passing = &passing;
            scope.spawn(move || read_into(from, pipe));
            scope.spawn(move || deliver(direction, pipe, to, passing, shared));
        }
    });
    lock(&shared.state).connections.remove(&passing.id);
    Ok(())
}

/// Bytes between reading and delivering, with the time at which they came.
#[derive(Default)]
struct Pipe {
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
    broken: bool,
}

fn read_into(mut from: &TcpStream, pipe: &Pipe) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let mut held = lock(&pipe.held);
        while held.bytes > HELD_MAX && !held.broken {
            held = pipe.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        if read == 0 || held.broken {
            held.ended = true;
            pipe.changed.notify_all();
            return;
        }
        held.bytes += read;
        held.chunks.push_back((Instant::now(), buffer.get(..read).unwrap_or_default().to_vec()));
        pipe.changed.notify_all();
    }
}

fn deliver(direction: Direction, pipe: &Pipe, mut to: &TcpStream, passing: &Passing, shared: &Shared) {
    loop {
        let (came, chunk) = {
            let mut held = lock(&pipe.held);
            loop {
                if let Some((came, chunk)) = held.chunks.pop_front() {
                    held.bytes -= chunk.len();
                    break (came, chunk);
                }
                if held.ended {
                    if !passing.reset.load(Ordering::Acquire) {
                        drop(to.shutdown(Shutdown::Write));
                    }
                    return;
                }
                held = pipe.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
        };
        pipe.changed.notify_all();
        let mut rest = chunk;
        while !rest.is_empty() {
            let piece = admit(direction, came, &mut rest, passing, shared);
            if piece.is_empty() || to.write_all(&piece).is_err() {
                // The other end is gone, or the proxy.
                let mut held = lock(&pipe.held);
                held.broken = true;
                held.ended = true;
                held.chunks.clear();
                drop(held);
                pipe.changed.notify_all();
                if !passing.reset.load(Ordering::Acquire) {
                    passing.end();
                }
                return;
            }
        }
    }
}

/// Waits until some of the bytes may be delivered, and takes them; none when the proxy ends.
fn admit(
    direction: Direction,
    came: Instant,
    rest: &mut Vec<u8>,
    passing: &Passing,
    shared: &Shared,
) -> Vec<u8> {
    let started = Instant::now();
    let mut state = lock(&shared.state);
    let mut piece = loop {
        if state.stopping || !state.connections.contains_key(&passing.id) {
            return Vec::new();
        }
        let faults = state.faults(direction);
        let now = Instant::now();
        // A throttled way delivers a twentieth of a second's bytes at a time.
        let (most, throttled_until) = match faults.bytes_per_second {
            None => (rest.len(), started),
            Some(rate) => {
                let most = (rate / 20).clamp(1, CHUNK as u64);
                (most as usize, started + Duration::from_secs_f64(most as f64 / rate as f64))
            }
        };
        let due = (came + faults.delay).max(throttled_until);
        if faults.cut {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        } else if due > now {
            state = wait_until(shared, state, due - now);
        } else {
            break rest.drain(..most.min(rest.len())).collect::<Vec<u8>>();
        }
    };
    let faults = state.faults(direction);
    faults.delivered += piece.len() as u64;
    let mut corrupted = false;
    match faults.corrupt_after {
        Some(after) if after < piece.len() as u64 => {
            if let Some(byte) = piece.get_mut(after as usize) {
                *byte ^= 1;
            }
            faults.corrupt_after = None;
            corrupted = true;
        }
        Some(after) => faults.corrupt_after = Some(after - piece.len() as u64),
        None => {}
    }
    state.statistics.corrupted += u64::from(corrupted);
    piece
}

fn wait_until<'a>(shared: &'a Shared, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
    shared.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
}
