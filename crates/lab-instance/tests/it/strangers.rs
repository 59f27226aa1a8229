//! Whatever else may connect to a port, and whatever else may listen on one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use lab_instance::endpoint::{Failure, Hop};

use super::enemies::{Enemy, frame, hello, tcp};
use super::{Made, Party, make};

/// An endpoint that trusts a friend, with little patience.
fn victim() -> (Party, Made) {
    let friend = make("friend");
    let party = Party::start_with(&make("own").identity, vec![friend.pin("friend")], |c| {
        c.limits.handshake_time = Duration::from_millis(400);
        c.limits.handshakes_max = 4;
    });
    (party, friend)
}

/// The first flight of a TLS client that would be let in.
fn client_hello(friend: &Made) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = Enemy::new(&friend.identity).client(listener.local_addr().unwrap());
    let mut bytes = Vec::new();
    stream.conn.write_tls(&mut bytes).unwrap();
    bytes
}

fn check(party: &Party, what: &str, number: i32, hop: Hop, detail: &str) -> Failure {
    let failure = party.refused();
    assert_eq!((failure.number, failure.hop), (number, hop), "{what}: {failure}");
    assert!(failure.detail.contains(detail), "{what}: {failure}");
    assert!(party.events.try_recv().is_err(), "{what}: more happened");
    failure
}

#[test]
fn what_is_not_tls_is_told_apart_at_its_first_byte() {
    let (party, _) = victim();
    for (what, bytes, detail) in [
        ("TDS", b"\x12\x01\x00\x2f\0\0\x01\0".as_slice(), "TDS client"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", "text protocol"),
        ("garbage", b"\x00\xff\x00\xff", "begins with 0x00"),
        ("its own frames without TLS", &hello(), "begins with 0x0e"),
    ] {
        let mut tcp = tcp(party.endpoint.address());
        tcp.write_all(bytes).unwrap();
        let failure = check(&party, what, 9642, Hop::Tls, detail);
        assert!(failure.text.contains("Near endpoint role: Target, far endpoint address: '127.0.0.1:"));
        // Nothing is said to strangers.
        assert_eq!(tcp.read(&mut [0; 8]).unwrap_or(0), 0, "{what}");
    }
    let mut record = b"\x16\x03\x01\x01\x00".to_vec();
    record.extend([0xAA; 256]);
    tcp(party.endpoint.address()).write_all(&record).unwrap();
    check(&party, "garbage in a TLS record", 9642, Hop::Tls, "not TLS");
    tcp(party.endpoint.address()).write_all(b"\x16\x03\x01\xff\xff").unwrap();
    check(&party, "a record that is too long", 9642, Hop::Tls, "not TLS");
    // A first flight that is allowed, but never ends.
    let mut endless = tcp(party.endpoint.address());
    let mut record = b"\x16\x03\x01\x40\x00".to_vec();
    record.extend(b"\x01\x00\xff\xf0");
    record.resize(5 + 0x4000, 0);
    for _ in 0..5 {
        // It may be gone already.
        let _ = endless.write_all(&record);
        record[5] = 0;
    }
    check(&party, "a first flight that is too long", 9642, Hop::Tls, "buffer full");
}

#[test]
fn whoever_is_slow_is_gone_at_the_deadline() {
    let (party, friend) = victim();
    let address = party.endpoint.address();
    let first = client_hello(&friend);
    // Byte by byte, each well within any time-out of a single read.
    let started = Instant::now();
    let mut slow = tcp(address);
    let sent = first.iter().take_while(|byte| {
        std::thread::sleep(Duration::from_millis(20));
        slow.write_all(&[**byte]).is_ok()
    });
    let sent = sent.count();
    check(&party, "slow loris", 35_201, Hop::Tls, "in time");
    assert!(sent < first.len() && started.elapsed() < Duration::from_secs(5));
    let silent = tcp(address);
    let failure = check(&party, "silence", 35_201, Hop::Tls, "in time");
    assert!(failure.text.starts_with("A connection timeout has occurred while attempting"));
    drop(silent);
    let mut stops = tcp(address);
    stops.write_all(&first).unwrap();
    check(&party, "silence after the first flight", 35_201, Hop::Tls, "in time");
    let mut mute = Enemy::new(&friend.identity).client(address);
    mute.conn.complete_io(&mut mute.sock).unwrap();
    check(&party, "silence in the preamble", 35_201, Hop::Preamble, "in time");
    drop(stops);
}

#[test]
fn whoever_goes_is_let_go() {
    let (party, friend) = victim();
    let address = party.endpoint.address();
    drop(tcp(address));
    check(&party, "a port scanner", 10_054, Hop::Tls, "");
    let half = tcp(address);
    half.shutdown(Shutdown::Write).unwrap();
    check(&party, "half closed at once", 10_054, Hop::Tls, "");
    let mut half = tcp(address);
    half.write_all(&client_hello(&friend)[..50]).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    check(&party, "half closed within the first flight", 10_054, Hop::Tls, "");
    let mut stream = Enemy::new(&friend.identity).client(address);
    stream.write_all(&hello()[..10]).unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    check(&party, "half closed within the preamble", 10_054, Hop::Preamble, "");
}

#[test]
fn only_a_preamble_of_ours_opens() {
    let (party, friend) = victim();
    let hello_of = |body: &[u8]| frame(&[b"MILKHADR", body].concat());
    for (what, bytes, number, detail) in [
        ("another magic", frame(b"MILKHARD\x01\0\x01\0\0\0"), 9642, "not the preamble"),
        ("a data frame", frame(b"canary"), 9642, "not the preamble"),
        ("an empty frame", frame(b""), 9642, "not the preamble"),
        ("too short", hello_of(b"\x01\0\x01"), 9642, "malformed"),
        ("a name that is cut", hello_of(b"\x01\0\x01\0\x05\0name"), 9642, "malformed"),
        ("a name that is no text", hello_of(b"\x01\0\x01\0\x02\0\xff\xfe"), 9642, "malformed"),
        ("a later version only", hello_of(b"\x02\0\x09\0\0\0"), 28_027, "versions 2 to 9"),
        ("no version", hello_of(b"\x09\0\x02\0\0\0"), 28_027, "versions 9 to 2"),
        ("an oversized length", vec![0x01, 0x04, 0, 0], 9642, "at most 1024 are allowed"),
        ("the longest length", vec![0xFE, 0xFF, 0xFF, 0xFF], 9642, "at most 1024 are allowed"),
        ("a goodbye", [&[0xFF; 4][..], &frame(b"\x2a\0\0\0bye\nbye")].concat(), 42, "refused"),
    ] {
        let mut stream = Enemy::new(&friend.identity).client(party.endpoint.address());
        stream.write_all(&bytes).unwrap();
        check(&party, what, number, Hop::Preamble, detail);
        assert!(party.endpoint.connections().is_empty());
    }
    // And one that is right, in pieces, with data behind it.
    let mut stream = Enemy::new(&friend.identity).client(party.endpoint.address());
    for byte in hello() {
        stream.write_all(&[byte]).unwrap();
    }
    stream.write_all(&frame(b"data")).unwrap();
    party.opened();
    assert_eq!(party.frame(), b"data");
    // After which a length that is too long ends it.
    stream.write_all(&[0x01, 0x00, 0x00, 0x04]).unwrap();
    let reason = party.closed();
    assert!(reason.to_string().contains("67108865 bytes was announced"), "{reason:?}");
}

#[test]
fn a_crowd_that_only_connects_keeps_nobody_out() {
    let (own, friend) = (make("own"), make("friend"));
    let party = Party::start_with(&own.identity, vec![friend.pin("friend")], |c| {
        c.limits.handshakes_max = 4;
        c.limits.handshake_time = Duration::from_mins(1);
    });
    let crowd: Vec<TcpStream> = (0..12).map(|_| tcp(party.endpoint.address())).collect();
    let dialer = Party::start(&friend.identity, vec![own.pin("own")]);
    dialer.dial(party.endpoint.address());
    dialer.opened();
    let mut refused = 0;
    loop {
        match party.next() {
            super::Event::Refused(_) => refused += 1,
            super::Event::Opened(..) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused <= crowd.len());
}

/// A TCP server that says something to whoever connects, and waits.
fn server(says: Vec<u8>, closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.write_all(&says).unwrap();
        if !closes {
            let _ = std::io::copy(&mut tcp, &mut std::io::sink());
        }
    });
    address
}

#[test]
fn whoever_is_dialed_must_be_an_endpoint() {
    let (own, friend) = (make("own"), make("friend"));
    let party = Party::start(&own.identity, vec![friend.pin("friend")]);
    let dial = |address| {
        party.dial_with(address, |d| d.timeout = Duration::from_millis(500));
        party.dial_failed()
    };
    let said = |bytes: &[u8]| dial(server(bytes.to_vec(), false));
    assert_eq!((said(b"SSH-2.0-x\r\n").number, said(b"").number), (9642, 35_201));
    let closed = dial(server(vec![], true));
    assert_eq!((closed.number, closed.hop), (10_054, Hop::Tls));
    for (what, answer, number, detail) in [
        ("another magic", frame(b"MILKHARD\x01\0\0\0\0\0\0\0"), 9642, "not the preamble"),
        ("too short", frame(b"MILKHADR\x01\0\0"), 9642, "malformed"),
        ("data", frame(b"canary"), 9642, "not the preamble"),
        ("an oversized length", vec![0, 0, 0, 0x10], 9642, "at most 1024"),
        ("another version", frame(b"MILKHADR\x02\0\0\0\0\0\0\0"), 28_027, "chose version 2"),
        ("a refusal", frame(b"MILKHADR\0\0\x07\0\0\0\x06\0no\nway"), 7, "refused: no way"),
        ("silence", vec![], 35_201, "in time"),
    ] {
        let (address, _) = Enemy::new(&friend.identity).server(move |stream| {
            stream.write_all(&answer).unwrap();
        });
        let failure = dial(address);
        assert_eq!((failure.number, failure.hop), (number, Hop::Preamble), "{what}: {failure}");
        assert!(failure.detail.contains(detail), "{what}: {failure}");
    }
    assert!(party.events.try_recv().is_err());
    // A welcome with data in the same record loses none of it.
    let (address, _) = Enemy::new(&friend.identity).server(|stream| {
        let welcome = frame(b"MILKHADR\x01\0\0\0\0\0\0\0");
        stream.write_all(&[welcome, frame(b"at once"), frame(&[5; 3000])].concat()).unwrap();
    });
    party.dial(address);
    party.opened();
    assert_eq!(party.frame(), b"at once");
    assert_eq!(party.frame(), [5; 3000]);
}
