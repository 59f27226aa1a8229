use milink_core::names::Side;
use milink_core::observe::Hop;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::net::TcpListener;

use super::*;

const QUICK: Patience = Patience {
    lookup: Duration::from_secs(5),
    connect: Duration::from_millis(500),
    answer: Duration::from_millis(200),
};

fn target(host: &str, port: u16) -> Target {
    Target { side: Side::Managed, host: host.to_owned(), port, expected: None }
}

/// What a server does with each connection.
#[derive(Debug, Clone)]
enum Does {
    Close,
    Wait,
    Say(Vec<u8>),
    /// The same again and again, as long as it is taken.
    Pour(Vec<u8>),
}

async fn serve(listener: TcpListener, does: Does) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let does = does.clone();
        tokio::spawn(async move {
            let (mut hello, mut rest) = ([0; 1024], Vec::new());
            let _ = stream.read(&mut hello).await;
            match does {
                Does::Close => {}
                Does::Wait => drop(stream.read_to_end(&mut rest).await),
                Does::Say(bytes) => {
                    // A client that has hung up before has what it wanted.
                    if stream.write_all(&bytes).await.is_ok() {
                        drop(stream.read_to_end(&mut rest).await);
                    }
                }
                Does::Pour(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            }
        });
    }
}

async fn against(does: Does) -> Probe {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener, does));
    let probe = probe(&target("127.0.0.1", port), QUICK).await;
    server.abort();
    probe
}

fn last(probe: &Probe) -> (Hop, bool, &str) {
    let end = probe.hops.last().unwrap();
    (end.hop, end.ok, &end.text)
}

#[tokio::test]
async fn each_stranger_is_told_apart() {
    let tds = vec![0x04, 0x01, 0x00, 0x09, 0, 0, 1, 0, 0xFF];
    for (does, hop, ok, says) in [
        (Does::Close, Hop::Tcp, true, "closed at once"),
        (Does::Wait, Hop::Tcp, true, "nothing came back for 200 ms"),
        (Does::Say(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Hop::Protocol, false, "HTTP answers"),
        (Does::Say(b"SSH-2.0-x\r\n".to_vec()), Hop::Protocol, false, "SSH answers"),
        (Does::Say(tds), Hop::Protocol, false, "TDS answers"),
        (Does::Say(b"\x1b[2Jboo".to_vec()), Hop::Tcp, true, "neither TLS nor"),
        // An alert: handshake_failure.
        (Does::Say(vec![0x15, 3, 3, 0, 2, 2, 40]), Hop::Tcp, true, "alert HandshakeFailure"),
        (Does::Say(vec![0x16, 3, 3, 0, 4, 9, 9, 9, 9]), Hop::Tcp, true, "looks like TLS and is not"),
    ] {
        let probe = against(does.clone()).await;
        let end = last(&probe);
        assert!(end.0 == hop && end.1 == ok && end.2.contains(says), "{does:?}: {probe:?}");
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = probe(&target("127.0.0.1", port), QUICK).await;
    assert!(matches!(last(&refused), (Hop::Tcp, false, text) if text.contains("refused")), "{refused:?}");
    let unknown = probe(&target("no-such-host.invalid", 5022), QUICK).await;
    assert!(
        matches!(last(&unknown), (Hop::Dns, false, text) if text.contains("is not found")),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn whoever_does_not_stop_is_stopped() {
    let begun = Instant::now();
    // TLS records that never make a message whole, and what is no TLS at all.
    let mut record = vec![0x16, 3, 3, 0x10, 0x00, 2, 0xFF, 0xFF, 0xFF];
    record.resize(5 + 0x1000, 0);
    for bytes in [record, vec![b'x'; 8192]] {
        let probe = against(Does::Pour(bytes)).await;
        assert!(!probe.is_whole() && probe.hops.iter().all(|h| h.text.len() < 400), "{probe:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Arbitrary answers, half of them behind the header of a TLS record: no panic, no hang, nothing that a terminal would obey.
#[test]
fn arbitrary_answers_are_borne() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let patience = Patience { answer: Duration::from_millis(20), ..QUICK };
    let runtime = &runtime;
    let bytes = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..2048));
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let tried = TestRunner::new(config).run(&bytes, |(as_record, bytes)| {
        let mut answer = if as_record {
            vec![0x16, 3, 3, (bytes.len() >> 8) as u8, bytes.len() as u8]
        } else {
            Vec::new()
        };
        answer.extend(&bytes);
        let probe = runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(serve(listener, Does::Say(answer)));
            let probe = probe(&target("127.0.0.1", port), patience).await;
            server.abort();
            probe
        });
        prop_assert!(!probe.is_whole());
        prop_assert!(probe.hops.iter().all(|h| h.text.len() < 400 && !h.text.contains(char::is_control)));
        Ok(())
    });
    tried.unwrap();
}
