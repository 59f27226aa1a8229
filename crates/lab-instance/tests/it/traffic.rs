//! Frames between endpoints that trust each other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lab_instance::endpoint::{
    CloseReason, DialKey, Endpoint, EndpointConfig, EndpointError, Frame, Goodbye, Hop, Redirects, SendError,
};

use super::{Event, PATIENCE, Party, connected, make};

/// Bytes that differ from frame to frame and from place to place.
fn contents(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (seed.wrapping_mul(31) ^ i ^ (i >> 8)) as u8).collect()
}

#[test]
fn frames_of_all_sizes_pass_both_ways_at_once_in_order() {
    const SIZES: [usize; 12] =
        [0, 1, 5 << 20, 200, 16_384, 65_531, 65_532, 65_533, 1 << 20, 3, (5 << 20) - 1, 77];
    let (dialer, acceptor, from, to) = connected();
    std::thread::scope(|scope| {
        for (party, id, salt) in [(&dialer, from, 0), (&acceptor, to, 1000)] {
            let endpoint = &party.endpoint;
            scope.spawn(move || {
                for round in 0..5 {
                    for (index, size) in SIZES.iter().enumerate() {
                        let mut whole = contents(salt + round * 100 + index, *size);
                        let body = whole.split_off(whole.len() / 3);
                        let frame = match index % 2 {
                            0 => Frame::new(whole, body),
                            _ => Frame::new(whole, std::sync::Arc::new(body)),
                        };
                        endpoint.send(id, frame).unwrap();
                    }
                }
            });
        }
        for (party, salt) in [(&acceptor, 0), (&dialer, 1000)] {
            for round in 0..5 {
                for (index, size) in SIZES.iter().enumerate() {
                    assert!(party.frame() == contents(salt + round * 100 + index, *size));
                }
            }
        }
    });
    let total: u64 = 5 * SIZES.iter().map(|s| *s as u64).sum::<u64>();
    for party in [&dialer, &acceptor] {
        let [statistics] = &party.endpoint.connections()[..] else { panic!("one connection") };
        assert_eq!(statistics.frames_received, 60);
        assert!(statistics.bytes_received > total && statistics.bytes_received < total + total / 50);
        assert!(statistics.last_received >= statistics.opened);
    }
}

#[test]
fn many_threads_send_on_one_connection_and_each_keeps_its_order() {
    let (dialer, acceptor, from, _) = connected();
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let endpoint = &dialer.endpoint;
            scope.spawn(move || {
                for number in 0..500u32 {
                    let mut frame = [thread.to_le_bytes(), number.to_le_bytes()].concat();
                    // Some take several pieces, between which nobody may come.
                    let most = if number % 10 == 0 { 300_000 } else { 5000 };
                    frame.resize(8 + (number as usize * 7919) % most, thread as u8);
                    endpoint.send(from, frame).unwrap();
                }
            });
        }
        let mut next = [0; 4];
        for _ in 0..2000 {
            let frame = acceptor.frame();
            let word = |at: usize| u32::from_le_bytes(frame[at..at + 4].try_into().unwrap());
            assert_eq!(word(4), next[word(0) as usize]);
            assert!(frame[8..].iter().all(|b| u32::from(*b) == word(0)));
            next[word(0) as usize] += 1;
        }
    });
}

#[test]
fn a_peer_that_does_not_read_never_blocks_the_sender_and_ends_at_the_bound() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start_with(&one.identity, vec![other.pin("other")], |c| {
        c.limits.queue_bytes_max = 32 << 20;
    });
    // The way back works, the way there does not.
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    let proxy = lab_instance::FaultProxy::start(acceptor.endpoint.address()).unwrap();
    dialer.dial(proxy.address());
    let (from, _) = dialer.opened();
    acceptor.opened();
    proxy.cut_one_way(lab_instance::endpoint::Direction::ToServer);
    let block = std::sync::Arc::new(vec![0; 1 << 20]);
    let mut longest = Duration::ZERO;
    let mut sent = 0;
    let end = loop {
        let started = Instant::now();
        let result = dialer.endpoint.send(from, Frame::new(Vec::new(), std::sync::Arc::clone(&block)));
        longest = longest.max(started.elapsed());
        match result {
            Ok(()) => sent += 1,
            Err(e) => break e,
        }
    };
    assert_eq!(end, SendError::Full);
    assert!(sent >= 32, "the queue held {sent} MiB");
    assert!(longest < Duration::from_secs(1), "a send took {longest:?}");
    assert_eq!(dialer.closed(), CloseReason::QueueFull);
    assert_eq!(dialer.endpoint.send(from, vec![1]), Err(SendError::Closed));
}

#[test]
fn what_was_cut_arrives_once_it_is_healed() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    let proxy = lab_instance::FaultProxy::start(acceptor.endpoint.address()).unwrap();
    dialer.dial(proxy.address());
    let (from, _) = dialer.opened();
    acceptor.opened();
    proxy.cut();
    for number in 0..48 {
        dialer.endpoint.send(from, contents(number, 1 << 20)).unwrap();
    }
    // Sent by the writer thread, since the socket takes no more.
    assert!(dialer.endpoint.connections()[0].bytes_queued > 0);
    assert!(acceptor.events.try_recv().is_err());
    proxy.heal();
    for number in 0..48 {
        assert!(acceptor.frame() == contents(number, 1 << 20));
    }
    let until = Instant::now() + PATIENCE;
    while dialer.endpoint.connections()[0].bytes_queued > 0 {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn a_changed_byte_ends_the_connection_before_it_reaches_anybody() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    let proxy = lab_instance::FaultProxy::start(acceptor.endpoint.address()).unwrap();
    dialer.dial(proxy.address());
    let (from, _) = dialer.opened();
    acceptor.opened();
    proxy.corrupt(lab_instance::endpoint::Direction::ToServer, 5000);
    dialer.endpoint.send(from, contents(1, 1000)).unwrap();
    dialer.endpoint.send(from, contents(2, 10_000)).unwrap();
    assert!(acceptor.frame() == contents(1, 1000));
    let reason = acceptor.closed();
    assert!(
        matches!(&reason, CloseReason::Protocol(text) if text.contains("corrupted message")),
        "{reason:?}"
    );
    let told = dialer.closed();
    assert!(!matches!(told, CloseReason::Asked(_)), "{told:?}");
    assert_eq!(proxy.statistics().corrupted, 1);
}

#[test]
fn a_reset_is_noticed_on_both_sides() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    let proxy = lab_instance::FaultProxy::start(acceptor.endpoint.address()).unwrap();
    dialer.dial(proxy.address());
    dialer.opened();
    acceptor.opened();
    proxy.reset();
    for party in [&dialer, &acceptor] {
        let reason = party.closed();
        assert!(matches!(&reason, CloseReason::Lost(text) if text.contains("reset")), "{reason:?}");
    }
}

#[test]
fn the_owner_closes_and_the_peer_is_told_why() {
    let (dialer, acceptor, from, _) = connected();
    dialer.endpoint.send(from, b"last words".to_vec()).unwrap();
    let why = Goodbye { number: 35_206, text: "enough".into() };
    dialer.endpoint.close(from, why.clone());
    assert_eq!(acceptor.frame(), b"last words");
    assert_eq!(acceptor.closed(), CloseReason::ByPeer(why.clone()));
    assert_eq!(dialer.closed(), CloseReason::Asked(why));
    assert_eq!(dialer.endpoint.send(from, vec![1]), Err(SendError::Closed));
}

#[test]
fn stopping_ends_everything_and_says_so() {
    let (dialer, acceptor, _, to) = connected();
    let address = acceptor.endpoint.address();
    acceptor.endpoint.stop();
    // `closed` was told before `stop` returned.
    assert!(matches!(acceptor.events.try_recv(), Ok(Event::Closed(CloseReason::Stopped))));
    assert_eq!(acceptor.endpoint.send(to, vec![1]), Err(SendError::Closed));
    let told = dialer.closed();
    assert!(matches!(&told, CloseReason::ByPeer(g) if g.number == 9666), "{told:?}");
    dialer.dial(address);
    let refused = dialer.dial_failed();
    assert_eq!((refused.number, refused.hop), (10_061, Hop::Tcp));
    let line = refused.log_line(&lab_instance::endpoint::Far::Server { host: "mi".into(), port: 5022 });
    assert_eq!(
        (line.number, line.text.as_str()),
        (
            1474,
            "Database mirroring connection error 2 'Connection attempt failed with error: '10061(No connection could be made because the target machine actively refused it.)'.' for 'TCP://mi:5022'."
        )
    );
    assert!(acceptor.endpoint.dial(DialKey(1), dial_nowhere()).is_err());
}

fn dial_nowhere() -> lab_instance::endpoint::Dial {
    lab_instance::endpoint::Dial {
        host: "host.invalid".into(),
        port: 5022,
        server_name: None,
        require_name: false,
        timeout: Duration::from_secs(5),
    }
}

#[test]
fn a_host_that_does_not_exist_fails_at_its_name() {
    let party = Party::start(&make("one").identity, vec![]);
    party.endpoint.dial(DialKey(9), dial_nowhere()).unwrap();
    match party.next() {
        Event::DialFailed(DialKey(9), e) => assert_eq!((e.number, e.hop), (11_001, Hop::Resolve)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_port_in_use_and_a_wrong_key_are_refused_at_the_start() {
    let party = Party::start(&make("one").identity, vec![]);
    let nobody = || std::sync::Arc::new(super::Recorder(std::sync::Mutex::new(std::sync::mpsc::channel().0)));
    let config = EndpointConfig::new(party.endpoint.address(), make("two").identity);
    let refused = Endpoint::start(config, nobody()).unwrap_err();
    assert!(matches!(refused, EndpointError::PortInUse(_)));
    assert_eq!(refused.number(), 9692);
    let mut wrong = make("three").identity;
    wrong.private_key_pkcs8 = make("four").identity.private_key_pkcs8;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    for bad in [wrong.clone(), super::Identity { certificate_der: vec![1, 2, 3], ..wrong.clone() }] {
        let refused = Endpoint::start(EndpointConfig::new(listen, bad), nobody()).unwrap_err();
        assert_eq!(refused.number(), 28_055, "{refused}");
    }
    // The key is in no text.
    assert!(!format!("{wrong:?}").contains("private"));
}

#[test]
fn a_managed_endpoint_wants_to_be_asked_for_by_name() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let managed = Party::start_with(&other.identity, vec![one.pin("one")], |c| {
        c.redirects = Redirects::Names(vec!["mi-eins".into()]);
    });
    for (name, number, text) in [
        (None, 33_320, "Tried to send redirect request but the redirect string is empty"),
        (Some("mi-zwei"), 33_319, "The redirector returned lookup failure"),
    ] {
        dialer.dial_with(managed.endpoint.address(), |d| d.server_name = name.map(str::to_owned));
        for failure in [dialer.dial_failed(), managed.refused()] {
            assert_eq!((failure.number, failure.hop, failure.text.as_str()), (number, Hop::Preamble, text));
        }
    }
    dialer.dial_with(managed.endpoint.address(), |d| d.server_name = Some("MI-Eins".into()));
    let (_, peer) = dialer.opened();
    assert_eq!((peer.certificate.name.as_str(), peer.dialed), ("other", Some(DialKey(7))));
    let (_, peer) = managed.opened();
    assert_eq!((peer.certificate.name.as_str(), peer.dialed), ("one", None));
    assert_eq!(peer.server_name.as_deref(), Some("MI-Eins"));
}

#[test]
fn one_connection_too_many_is_told_so() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let acceptor = Party::start_with(&other.identity, vec![one.pin("one")], |c| c.limits.connections_max = 2);
    for _ in 0..2 {
        dialer.dial(acceptor.endpoint.address());
        dialer.opened();
        acceptor.opened();
    }
    dialer.dial(acceptor.endpoint.address());
    assert_eq!(dialer.dial_failed().number, 28_026);
    assert_eq!(acceptor.refused().number, 28_026);
}
