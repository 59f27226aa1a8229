//! The proxy that breaks what passes through it, in front of a plain TCP server.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use lab_instance::FaultProxy;
use lab_instance::endpoint::Direction;

use super::PATIENCE;

/// A server that sends back what comes, and a connection to it through a proxy.
fn echo() -> (FaultProxy, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).unwrap();
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            std::thread::spawn(move || std::io::copy(&mut tcp.try_clone().unwrap(), &mut tcp));
        }
    });
    let client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    (proxy, client)
}

fn round(client: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    client.write_all(bytes).unwrap();
    let mut back = vec![0; bytes.len()];
    client.read_exact(&mut back).unwrap();
    back
}

#[test]
fn passes_counts_changes_and_delays() {
    let (proxy, mut client) = echo();
    assert_eq!(round(&mut client, b"hello"), b"hello");
    proxy.corrupt(Direction::ToClient, 2);
    assert_eq!(round(&mut client, b"hello"), b"hemlo");
    assert_eq!(round(&mut client, b"hello"), b"hello");
    proxy.delay(Direction::ToServer, Duration::from_millis(100));
    let started = Instant::now();
    round(&mut client, b"slow");
    assert!(started.elapsed() >= Duration::from_millis(100));
    proxy.heal();
    proxy.throttle(Direction::ToServer, Some(100_000));
    let started = Instant::now();
    round(&mut client, &vec![1; 30_000]);
    let took = started.elapsed();
    assert!(took > Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
    let statistics = proxy.statistics();
    assert_eq!((statistics.connections, statistics.corrupted), (1, 1));
    assert_eq!((statistics.to_server, statistics.to_client), (30_019, 30_019));
}

#[test]
fn cuts_one_way_and_heals() {
    let (proxy, mut client) = echo();
    round(&mut client, b"before");
    proxy.cut_one_way(Direction::ToClient);
    client.write_all(b"within").unwrap();
    let until = Instant::now() + PATIENCE;
    while proxy.statistics().to_server < 12 {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    assert_eq!(proxy.statistics().to_client, 6);
    proxy.heal();
    let mut back = [0; 6];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"within");
}

#[test]
fn resets_refuses_and_closes_in_order() {
    let (proxy, mut client) = echo();
    round(&mut client, b"before");
    proxy.cut();
    client.write_all(b"lost").unwrap();
    proxy.reset();
    let end = client.read(&mut [0; 8]).unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    proxy.heal();
    proxy.refuse(true);
    let mut refused = TcpStream::connect(proxy.address()).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(refused.read(&mut [0; 8]).unwrap_or(0), 0);
    proxy.refuse(false);
    let mut orderly = TcpStream::connect(proxy.address()).unwrap();
    orderly.set_read_timeout(Some(PATIENCE)).unwrap();
    orderly.write_all(b"bye").unwrap();
    orderly.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = Vec::new();
    orderly.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"bye");
    assert_eq!(proxy.statistics().resets, 1);
}
