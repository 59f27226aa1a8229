//! Certificates that must not let anybody in, on either side, and the one way to exchange them without an interruption that
//! lasts.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use lab_instance::endpoint::{
    CloseReason, Endpoint, EndpointConfig, Far, Hop, Identity, PinnedCertificate, Redirects, Trust,
};

use super::enemies::{Enemy, frame, hello};
use super::{DAY, Event, Made, NOW, Party, connected, make, make_with};

/// A certificate of a CA's, and the CA's own.
fn issued() -> (Made, Made) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(vec!["authority".to_owned()]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_der = authority.self_signed(&authority_key).unwrap().der().to_vec();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(authority, &authority_key);
    let leaf =
        rcgen::CertificateParams::new(vec!["leaf".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let made = |der: Vec<u8>, key: &rcgen::KeyPair| Made {
        identity: Identity { certificate_der: der, private_key_pkcs8: key.serialize_der() },
        not_before: NOW - DAY,
        not_after: NOW + DAY,
    };
    (made(leaf.der().to_vec(), &key), made(authority_der, &authority_key))
}

fn spoilt(der: &[u8], spoil: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut der = der.to_vec();
    spoil(&mut der);
    der
}

/// What an enemy shows, whom the victim trusts, and what the victim says of it.
struct Case {
    what: &'static str,
    enemy: Enemy,
    trust: Vec<PinnedCertificate>,
    number: i32,
    hop: Hop,
    text: &'static str,
    /// In the alert that the enemy gets.
    told: &'static str,
}

fn case(what: &'static str, enemy: Enemy, trust: Vec<PinnedCertificate>) -> Case {
    Case {
        what,
        enemy,
        trust,
        number: 28_035,
        hop: Hop::Certificate,
        text: "Certificate not found",
        told: "CertificateUnknown",
    }
}

/// Everything that can be wrong with what is shown, wherever it is shown.
fn cases() -> Vec<Case> {
    let friend = make("friend");
    let pinned = || vec![friend.pin("friend")];
    let (leaf, authority) = issued();
    let other = make("friend");
    let shows = |chain: Vec<&[u8]>, key: &Made| Enemy {
        chain: chain.into_iter().map(<[u8]>::to_vec).collect(),
        ..Enemy::new(&key.identity)
    };
    let der = friend.identity.certificate_der.as_slice();
    let leaf_der = leaf.identity.certificate_der.as_slice();
    let authority_der = authority.identity.certificate_der.as_slice();
    let expired = make_with("friend", -2 * DAY, -1, None);
    let future = make_with("friend", 1, DAY, None);
    let serials = [make_with("same", -DAY, DAY, Some(7)), make_with("same", -DAY, DAY, Some(7))];
    let garbage = b"this is no certificate".to_vec();
    let garbage_pin = PinnedCertificate { der: garbage.clone(), ..friend.pin("garbage") };
    let time = |what, made: &Made, text| Case {
        text,
        told: "CertificateExpired",
        ..case(what, Enemy::new(&made.identity), vec![friend.pin("friend"), made.pin("theirs")])
    };
    let twin = |case: Case| Case { number: 28_045, text: "same issuer name and serial number", ..case };
    let verification =
        |case: Case, told| Case { number: 28_038, text: "handshake verification failed", told, ..case };
    vec![
        case("nobody is trusted", Enemy::new(&friend.identity), vec![]),
        case("unknown", Enemy::new(&make("stranger").identity), pinned()),
        case("same name, other key", Enemy::new(&other.identity), pinned()),
        twin(case(
            "same issuer and serial number, other key",
            Enemy::new(&serials[0].identity),
            vec![serials[1].pin("x")],
        )),
        time("expired", &expired, "Certificate expired"),
        time("not valid yet", &future, "Certificate not yet valid"),
        case("signed by a pinned authority", Enemy::new(&leaf.identity), vec![authority.pin("ca")]),
        case(
            "signed by a pinned authority, which is shown too",
            shows(vec![leaf_der, authority_der], &leaf),
            vec![authority.pin("ca")],
        ),
        case("a pinned certificate behind an own one", shows(vec![leaf_der, der], &leaf), pinned()),
        verification(case("stolen, without its key", shows(vec![der], &other), pinned()), "DecryptError"),
        verification(
            case("stolen, with the thief's behind it", shows(vec![der, leaf_der], &leaf), pinned()),
            "DecryptError",
        ),
        case("malformed", shows(vec![&garbage], &friend), pinned()),
        Case {
            told: "BadCertificate",
            ..case("malformed, and pinned", shows(vec![&garbage], &friend), vec![garbage_pin])
        },
        case("its end is missing", shows(vec![&spoilt(der, |d| d.truncate(d.len() - 1))], &friend), pinned()),
        twin(case("a byte too many", shows(vec![&spoilt(der, |d| d.push(0))], &friend), pinned())),
        twin(case(
            "a bit of the signature is changed",
            shows(vec![&spoilt(der, |d| *d.last_mut().unwrap() ^= 1)], &friend),
            pinned(),
        )),
        case(
            "a bit in the middle is changed",
            shows(vec![&spoilt(der, |d| d[20] ^= 0x10)], &friend),
            pinned(),
        ),
        twin(case("twice in one", shows(vec![&[der, der].concat()], &friend), pinned())),
        case("huge", shows(vec![&vec![0x30; 40_000]], &friend), pinned()),
        Case {
            number: 28_027,
            hop: Hop::Tls,
            text: "no compatible encryption algorithm",
            told: "ProtocolVersion",
            ..case(
                "TLS 1.2",
                Enemy { versions: vec![&rustls::version::TLS12], ..Enemy::new(&friend.identity) },
                pinned(),
            )
        },
        Case {
            number: 28_027,
            hop: Hop::Tls,
            text: "no compatible authentication protocol",
            told: "NoApplicationProtocol",
            ..case(
                "another application protocol",
                Enemy { alpn: vec![b"tds/8.0".to_vec(), b"h2".to_vec()], ..Enemy::new(&friend.identity) },
                pinned(),
            )
        },
        Case {
            number: 28_027,
            hop: Hop::Tls,
            text: "no compatible authentication protocol",
            told: "",
            ..case(
                "no application protocol",
                Enemy { alpn: vec![], ..Enemy::new(&friend.identity) },
                pinned(),
            )
        },
    ]
}

#[test]
fn no_hostile_certificate_gets_in() {
    let own = make("own");
    let mut cases = cases();
    let friend = make("friend");
    cases.push(Case {
        told: "CertificateRequired",
        ..case("none", Enemy { chain: vec![], ..Enemy::new(&friend.identity) }, vec![friend.pin("friend")])
    });
    cases.push(case("the victim's own, reflected", Enemy::new(&own.identity), vec![friend.pin("friend")]));
    let count = cases.len();
    for case in cases {
        let victim = Party::start(&own.identity, case.trust);
        let (answer, end) = case.enemy.attack(victim.endpoint.address());
        let failure = victim.refused();
        assert_eq!((failure.number, failure.hop), (case.number, case.hop), "{}: {failure}", case.what);
        assert!(failure.text.contains(case.text), "{}: {failure}", case.what);
        let line = failure.log_line(&Far::Client([127, 0, 0, 1].into()));
        assert_eq!(line.number, 28_047);
        assert!(
            line.text.starts_with(
                "Database Mirroring login attempt failed with error: 'Connection handshake failed. "
            ) && line.text.ends_with("'.  [CLIENT: 127.0.0.1]"),
            "{}",
            line.text
        );
        match case.told {
            // Too late for an alert: the preamble says it.
            "" => assert!(String::from_utf8_lossy(&answer).contains(case.text), "{}: {answer:?}", case.what),
            told => {
                assert!(end.contains(told), "{}: {end}", case.what);
                assert!(answer.is_empty(), "{}", case.what);
            }
        }
        assert!(victim.events.try_recv().is_err(), "{}: more happened", case.what);
        assert!(victim.endpoint.connections().is_empty());
    }
    assert_eq!(count, 24);
}

#[test]
fn no_hostile_server_is_talked_to() {
    let own = make("own");
    let cases = cases();
    let count = cases.len();
    for mut case in cases {
        // An endpoint that dials says TLS 1.3 and its protocol itself; what a server makes of it arrives as its alert.
        match case.what {
            "TLS 1.2" | "another application protocol" => case.told = "",
            _ => {}
        }
        let victim = Party::start(&own.identity, case.trust);
        let (address, serving) = case.enemy.server(|stream| {
            // Data at once, before any preamble.
            let _ = stream.write_all(&frame(b"canary"));
        });
        victim.dial(address);
        let failure = victim.dial_failed();
        assert_eq!((failure.number, failure.hop), (case.number, case.hop), "{}: {failure}", case.what);
        assert!(failure.text.contains(case.text), "{}: {failure}", case.what);
        let end = serving.join().unwrap();
        assert!(end.contains(case.told), "{}: {end}", case.what);
        assert!(victim.events.try_recv().is_err(), "{}: more happened", case.what);
    }
    assert_eq!(count, 22);
}

#[test]
fn both_endpoints_say_why() {
    let expired = make_with("old", -2 * DAY, -1, None);
    let future = make_with("new", 1, DAY, None);
    let own = make("own");
    for (shown, pins, text, detail) in [
        (&expired, vec![expired.pin("old")], "Certificate expired", "expired"),
        (&future, vec![future.pin("new")], "Certificate not yet valid", "not valid yet"),
        (&make("x"), vec![future.pin("new")], "Certificate not found", "not imported there"),
    ] {
        let dialer = Party::start(&shown.identity, vec![own.pin("own")]);
        let acceptor = Party::start(&own.identity, pins);
        dialer.dial(acceptor.endpoint.address());
        let ours = dialer.dial_failed();
        assert_eq!((ours.number, ours.hop), (28_028, Hop::Certificate));
        assert!(ours.detail.contains(detail), "{ours}");
        assert!(acceptor.refused().text.contains(text));
    }
}

#[test]
fn time_is_judged_when_it_is_needed() {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    // To the second.
    for (time, good) in [
        (one.not_before - 1, false),
        (one.not_before, true),
        (NOW, true),
        (one.not_after, true),
        (one.not_after + 1, false),
        (NOW, true),
    ] {
        acceptor.clock.set(time);
        dialer.dial(acceptor.endpoint.address());
        if good {
            dialer.opened();
            acceptor.opened();
        } else {
            assert_eq!(dialer.dial_failed().hop, Hop::Certificate);
            assert_eq!(acceptor.refused().number, 28_035);
        }
    }
}

#[test]
fn a_managed_instance_must_have_the_certificate_of_its_name() {
    let (one, other) = (make("one"), make("other"));
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    for (pins, good) in [
        (vec![other.pin("elsewhere")], false),
        (vec![other.pin("elsewhere"), make("LOCALHOST").pin("localhost")], false),
        (vec![other.pin("LocalHost")], true),
        (vec![other.pin("elsewhere"), other.pin("localhost")], true),
    ] {
        let dialer = Party::start(&one.identity, pins);
        dialer.dial_with(acceptor.endpoint.address(), |d| {
            d.host = "localhost".into();
            d.require_name = true;
        });
        if good {
            dialer.opened();
            acceptor.opened();
            drop(dialer);
            acceptor.closed();
        } else {
            let failure = dialer.dial_failed();
            assert_eq!((failure.number, failure.hop), (28_035, Hop::Certificate));
            assert!(failure.detail.contains("must have the name 'localhost'"), "{failure}");
            assert!(acceptor.refused().detail.contains("under another name"));
        }
    }
}

#[test]
fn a_certificate_that_is_removed_closes_its_connections_and_no_others() {
    let (one, other, third) = (make("one"), make("other"), make("third"));
    let acceptor = Party::start(&other.identity, vec![one.pin("one"), third.pin("third")]);
    let [first, second] = [&one, &third].map(|made| {
        let dialer = Party::start(&made.identity, vec![other.pin("other")]);
        dialer.dial(acceptor.endpoint.address());
        dialer.opened();
        let (id, _) = acceptor.opened();
        (dialer, id)
    });
    acceptor.trust(vec![third.pin("third")]);
    assert_eq!(acceptor.closed(), CloseReason::CertificateRemoved { name: "one".into() });
    let told = first.0.closed();
    assert!(
        matches!(&told, CloseReason::ByPeer(g) if g.number == 28_035 && g.text.contains("no longer accepted")),
        "{told:?}"
    );
    acceptor.endpoint.send(second.1, b"still here".to_vec()).unwrap();
    assert_eq!(second.0.frame(), b"still here");
    first.0.dial(acceptor.endpoint.address());
    assert_eq!(first.0.dial_failed().hop, Hop::Certificate);
    acceptor.refused();
    acceptor.trust(vec![third.pin("third"), one.pin("one")]);
    first.0.dial(acceptor.endpoint.address());
    first.0.opened();
    acceptor.opened();
}

#[test]
fn a_certificate_that_is_removed_during_a_handshake_does_not_get_in() {
    let (own, friend) = (make("own"), make("friend"));
    let victim = Party::start(&own.identity, vec![friend.pin("friend")]);
    let mut stream = Enemy::new(&friend.identity).client(victim.endpoint.address());
    // The handshake is through for TLS, and the preamble is outstanding.
    stream.conn.complete_io(&mut stream.sock).unwrap();
    victim.trust(vec![]);
    stream.write_all(&hello()).unwrap();
    stream.write_all(&frame(b"canary")).unwrap();
    let failure = victim.refused();
    assert_eq!((failure.number, failure.hop), (28_035, Hop::Certificate));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(String::from_utf8_lossy(&answer).contains("no longer accepted"), "{answer:?}");
    assert!(victim.events.try_recv().is_err());
}

#[test]
fn rotation_costs_a_reconnection_and_nothing_more() {
    let (dialer, acceptor, from, _) = connected();
    let one = Made { identity: dialer.identity.clone(), not_before: NOW - DAY, not_after: NOW + DAY };
    let new = make("one again");
    // First the new certificate is pinned beside the old one: nothing is interrupted.
    acceptor.trust(vec![one.pin("one"), new.pin("one new")]);
    dialer.endpoint.send(from, b"before".to_vec()).unwrap();
    assert_eq!(acceptor.frame(), b"before");
    // Then it is shown. The connection is made anew; what was sent before has arrived.
    dialer.endpoint.send(from, b"last by the old one".to_vec()).unwrap();
    let trust = vec![Made { identity: acceptor.identity.clone(), ..one.clone() }.pin("other")];
    dialer.endpoint.reconfigure(new.identity.clone(), Trust::new(trust), Redirects::Ignored).unwrap();
    assert_eq!(dialer.closed(), CloseReason::IdentityReplaced);
    assert_eq!(acceptor.frame(), b"last by the old one");
    let told = acceptor.closed();
    assert!(matches!(&told, CloseReason::ByPeer(g) if g.text.contains("was replaced")), "{told:?}");
    dialer.dial(acceptor.endpoint.address());
    let (from, _) = dialer.opened();
    assert_eq!(acceptor.opened().1.certificate.name, "one new");
    // Then the old one goes: nothing is interrupted.
    acceptor.trust(vec![new.pin("one new")]);
    dialer.endpoint.send(from, b"after".to_vec()).unwrap();
    assert_eq!(acceptor.frame(), b"after");
}

#[test]
fn an_identity_that_was_not_exchanged_yet_is_refused_until_it_is() {
    let (dialer, acceptor, ..) = connected();
    let new = make("new");
    let old_pin = |party: &Party, name: &str| {
        Made { identity: party.identity.clone(), not_before: NOW - DAY, not_after: NOW + DAY }.pin(name)
    };
    let trust = Trust::new(vec![old_pin(&acceptor, "other")]);
    // One that cannot be used changes nothing.
    let unusable = Identity { private_key_pkcs8: vec![1], ..new.identity.clone() };
    assert!(dialer.endpoint.reconfigure(unusable, trust.clone(), Redirects::Ignored).is_err());
    assert!(dialer.events.try_recv().is_err());
    dialer.endpoint.reconfigure(new.identity.clone(), trust, Redirects::Ignored).unwrap();
    dialer.closed();
    acceptor.closed();
    dialer.dial(acceptor.endpoint.address());
    assert!(dialer.dial_failed().detail.contains("not imported there"));
    assert_eq!(acceptor.refused().number, 28_035);
    acceptor.trust(vec![old_pin(&dialer, "one"), new.pin("new")]);
    dialer.dial(acceptor.endpoint.address());
    dialer.opened();
    acceptor.opened();
}

#[test]
fn an_endpoint_that_trusts_nobody_still_answers_for_itself() {
    // The default of a new endpoint: no certificate was exchanged yet.
    let config = EndpointConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), make("own").identity);
    let (sender, events) = std::sync::mpsc::channel();
    let endpoint =
        Endpoint::start(config, std::sync::Arc::new(super::Recorder(std::sync::Mutex::new(sender)))).unwrap();
    Enemy::new(&make("x").identity).attack(endpoint.address());
    assert!(matches!(events.recv_timeout(super::PATIENCE), Ok(Event::Refused(f)) if f.number == 28_035));
    endpoint.stop();
}

#[test]
fn a_certificate_that_expires_ends_what_it_let_in() {
    let (dialer, acceptor, ..) = connected();
    acceptor.clock.set(NOW + DAY);
    acceptor.endpoint.end_expired();
    // Nothing has happened so far: the last moment still counts.
    assert!(acceptor.events.try_recv().is_err());
    acceptor.clock.set(NOW + DAY + 1);
    acceptor.endpoint.end_expired();
    assert_eq!(acceptor.closed(), CloseReason::CertificateExpired { name: "one".to_owned() });
    let told = dialer.closed();
    assert!(
        matches!(&told, CloseReason::ByPeer(g) if g.number == 28_035 && g.text.contains("has expired")),
        "{told:?}"
    );
    dialer.dial(acceptor.endpoint.address());
    assert!(dialer.dial_failed().detail.contains("expired"));
    assert_eq!(acceptor.refused().number, 28_035);
}
