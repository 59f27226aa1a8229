//! A relay that counts the bytes that pass, for both systems alike.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::Result;

/// Listens on a port of the loopback and passes on what comes, both ways.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    counts: Arc<Counts>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    to_server: AtomicU64,
    to_client: AtomicU64,
    closed: AtomicBool,
}

impl Relay {
    /// A relay in front of a port.
    pub fn start(server: SocketAddr) -> Result<Relay> {
        let told = |e: std::io::Error| format!("a relay in front of {server}: {e}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(told)?;
        let address = listener.local_addr().map_err(told)?;
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let accepting = std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || accept(&listener, server, &counting))
            .map_err(told)?;
        Ok(Relay { address, counts, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes so far that went to the server, and to whoever had connected to it.
    pub fn bytes(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.counts.to_server), read(&self.counts.to_client))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.counts.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; if that fails it is gone already, or will never be needed.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.accepting.take() {
            // A panic of the thread has been reported by itself.
            drop(thread.join());
        }
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, counts: &Arc<Counts>) {
    for client in listener.incoming() {
        if counts.closed.load(Ordering::Relaxed) {
            return;
        }
        let connected = client.and_then(|client| Ok((client, TcpStream::connect(server)?)));
        // Nobody there: whoever connected sees it by the connection's end, and tries again.
        let Ok((client, server)) = connected else { continue };
        let ends = client.try_clone().and_then(|c| Ok((c, server.try_clone()?)));
        let Ok((client_too, server_too)) = ends else { continue };
        let (to_server, to_client) = (Arc::clone(counts), Arc::clone(counts));
        // They end when either end closes.
        std::thread::spawn(move || pass(client, server, &to_server.to_server));
        std::thread::spawn(move || pass(server_too, client_too, &to_client.to_client));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    // Nothing is to be held back here; without the option it is only slower.
    drop(to.set_nodelay(true));
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        count.fetch_add(n as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Closed already, or to be closed so that the other direction ends too.
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_each_way() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::start(server.local_addr().unwrap()).unwrap();
        let mut client = TcpStream::connect(relay.address()).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        client.write_all(b"question").unwrap();
        accepted.read_exact(&mut [0; 8]).unwrap();
        accepted.write_all(b"yes").unwrap();
        client.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(relay.bytes(), (8, 3));
        drop(accepted);
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    }
}
