use proptest::prelude::*;

use super::*;
use crate::names::{Hex, Side};
use crate::observe::{Hop, Probe};

fn thumb(n: u8) -> Thumbprint {
    Thumbprint::new(Hex::new(vec![n; 20]))
}

fn target() -> Target {
    let expected = Expected { name: "Own".to_owned(), thumbprint: thumb(1), said_by: "Azure" };
    Target { side: Side::Managed, host: "mi.example".to_owned(), port: 5022, expected: Some(expected) }
}

fn dial(end: DialEnd) -> Dial {
    Dial { address: "10.0.0.4:5022".parse().unwrap(), end }
}

fn trial(hello: Answer, prelogin: Option<Vec<u8>>) -> Trial {
    Trial {
        at: Moment::from_unix_ms(0),
        names: Ok(vec!["10.0.0.4".parse().unwrap()]),
        dials: vec![dial(DialEnd::Connected { ms: 2 })],
        hello: Some(hello),
        prelogin,
    }
}

fn tls(shown: Option<u8>, asks: bool, end: TlsEnd) -> Answer {
    Answer::Tls(Tls {
        version: shown.map(|_| "TLSv1_3".to_owned()),
        certificate: shown.map(|n| Shown { thumbprint: thumb(n), subject: "CN=x".to_owned() }),
        asks,
        end,
    })
}

fn alert(name: &str) -> TlsEnd {
    TlsEnd::Alert(name.to_owned())
}

/// What failed, or the last hop that was passed; and what is said of it.
fn check(trial: &Trial, failed: Option<Hop>, last: Hop, says: &str) {
    let probe: Probe = judge(&target(), trial);
    let end = probe.hops.last().unwrap();
    assert_eq!((probe.failed().map(|h| h.hop), end.hop), (failed, last), "{probe:?}");
    assert!(end.text.contains(says), "{says}: {probe:?}");
    assert_eq!(probe.is_whole(), failed.is_none() && last == Hop::Protocol);
}

#[test]
fn each_end_names_its_hop() {
    let tds = vec![0x04, 0x01, 0x00, 0x2B, 0, 0, 1, 0, 0];
    let mut none = trial(Answer::Closed, None);
    none.names = Err("Name or service not known".to_owned());
    check(&none, Some(Hop::Dns), Hop::Dns, "mi.example is not found: Name or service not known");
    for (end, says) in [
        (DialEnd::Refused, "refused"),
        (DialEnd::TimedOut { ms: 5000 }, "a firewall drops it"),
        (DialEnd::Failed("no route to host".to_owned()), "no route"),
    ] {
        let trial = Trial { dials: vec![dial(end)], hello: None, ..none.clone() };
        let trial = Trial { names: Ok(vec!["10.0.0.4".parse().unwrap()]), ..trial };
        check(&trial, Some(Hop::Tcp), Hop::Tcp, says);
    }
    check(
        &trial(tls(Some(1), true, alert("CertificateRequired")), None),
        None,
        Hop::Protocol,
        "refuses a stranger",
    );
    check(
        &trial(tls(Some(1), false, TlsEnd::Done), Some(vec![])),
        None,
        Hop::Certificate,
        "asks for no certificate",
    );
    check(
        &trial(tls(Some(2), true, TlsEnd::Done), Some(vec![])),
        Some(Hop::Certificate),
        Hop::Certificate,
        "something else",
    );
    check(
        &trial(tls(None, false, alert("HandshakeFailure")), Some(vec![])),
        None,
        Hop::Tcp,
        "alert HandshakeFailure",
    );
    check(&trial(Answer::Closed, Some(vec![])), None, Hop::Tcp, "closed at once");
    check(&trial(Answer::Silent { ms: 3000 }, Some(vec![])), None, Hop::Tcp, "nothing came back for 3000 ms");
    check(&trial(Answer::Bytes(vec![1, b'x', 0xFF]), Some(vec![])), None, Hop::Tcp, "'.x.' (01 78 FF ...)");
    let http = Answer::Bytes(b"HTTP/1.1 400 Bad Request".to_vec());
    check(&trial(http, Some(vec![])), Some(Hop::Protocol), Hop::Protocol, "HTTP answers");
    // A TDS server closes at a TLS hello, or answers it (TDS 8.0): the second question tells.
    check(&trial(Answer::Closed, Some(tds.clone())), Some(Hop::Protocol), Hop::Protocol, "TDS answers");
    check(
        &trial(tls(Some(2), false, TlsEnd::Done), Some(tds)),
        Some(Hop::Protocol),
        Hop::Protocol,
        "TDS answers",
    );
}

#[test]
fn without_a_known_certificate_none_is_judged() {
    let target = Target { expected: None, ..target() };
    let probe = judge(&target, &trial(tls(Some(2), true, TlsEnd::Done), Some(vec![])));
    assert!(probe.failed().is_none() && !probe.is_whole());
    assert!(probe.hops.last().is_some_and(|h| h.hop == Hop::Tls && h.text.contains("nobody says")));
}

proptest! {
    /// Whatever comes back: there is an answer, its hops are in order, nothing is said after a failure, and no text of a stranger's
    /// reaches a terminal as it is.
    #[test]
    fn whatever_comes_back_is_judged(first in prop::collection::vec(any::<u8>(), 0..600), second in prop::collection::vec(any::<u8>(), 0..600)) {
        let probe = judge(&target(), &trial(Answer::Bytes(first), Some(second)));
        prop_assert!(probe.hops.is_sorted_by_key(|h| h.hop));
        prop_assert!(probe.hops.iter().rev().skip(1).all(|h| h.ok));
        prop_assert!(probe.hops.iter().all(|h| h.text.len() < 400 && !h.text.contains(char::is_control)));
        prop_assert!(!probe.is_whole());
    }
}
