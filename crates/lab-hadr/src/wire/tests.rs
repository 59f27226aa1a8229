use lab_store::{ForkId, ForkPoint, History, Lsn};
use proptest::prelude::*;

use super::*;
use crate::{DbName, Role};

fn lsn() -> impl Strategy<Value = Lsn> {
    any::<u64>().prop_map(Lsn)
}

fn db() -> impl Strategy<Value = DbName> {
    "[a-zA-Zäß_ ]{1,20}".prop_map(|n| DbName::new(&n))
}

fn history() -> impl Strategy<Value = History> {
    (prop::collection::vec(any::<([u8; 16], u64)>(), 0..4), any::<[u8; 16]>(), any::<u64>()).prop_map(
        |(forks, fork, end)| {
            let mut ends: Vec<u64> = forks.iter().map(|f| f.1).chain([end]).collect();
            ends.sort_unstable();
            let end = Lsn(ends.pop().unwrap_or_default());
            let points = forks.iter().zip(ends);
            let forks = points.map(|(f, e)| ForkPoint { fork: ForkId(f.0), end: Lsn(e) }).collect();
            History { forks, fork: ForkId(fork), end }
        },
    )
}

fn copy() -> impl Strategy<Value = CopyStatus> {
    let copy = (history(), lsn(), lsn(), lsn()).prop_map(|(history, log_start, hardened, redone)| Copy {
        history,
        log_start,
        hardened,
        redone,
    });
    (db(), prop::option::of(copy), any::<bool>()).prop_map(|(name, copy, suspended)| CopyStatus {
        name,
        copy,
        suspended,
    })
}

fn message() -> impl Strategy<Value = Message> {
    let role = prop::sample::select(vec![Role::Resolving, Role::Primary, Role::Secondary]);
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        (any::<(u16, u16, u64, u16, bool)>(), [".*", ".*", ".*", ".*", ".*"]).prop_map(
            |((version, version_min, nonce, format, managed), [instance, group, from, to, collation])| {
                Message::Hello(Hello {
                    version,
                    version_min,
                    instance,
                    group,
                    from,
                    to,
                    nonce,
                    format,
                    collation,
                    managed,
                    offer: None,
                })
            }
        ),
        (role, prop::collection::vec(copy(), 0..3), any::<bool>()).prop_map(
            |(role, databases, synchronous)| Message::Status(Status { role, databases, synchronous })
        ),
        (any::<u32>(), ".*").prop_map(|(number, text)| Message::Refuse { number, text }),
        Just(Message::Heartbeat),
        Just(Message::Resync),
        (db(), lsn()).prop_map(|(db, from)| Message::Subscribe { db, from }),
        (db(), any::<u32>(), ".*").prop_map(|(db, number, text)| Message::Unsubscribe { db, number, text }),
        (db(), lsn(), bytes()).prop_map(|(db, from, bytes)| Message::Log { db, from, bytes }),
        (db(), lsn(), lsn(), lsn(), any::<i64>()).prop_map(
            |(db, received, hardened, redone, redone_time)| {
                Message::Progress { db, progress: Progress { received, hardened, redone, redone_time } }
            }
        ),
        (db(), lsn(), any::<(i64, bool, bool)>(), prop::option::of(lsn()), prop::option::of(lsn())).prop_map(
            |(db, end, (end_time, synchronized, suspended), backed_up, full_backup)| Message::PrimaryState {
                db,
                state: PrimaryState { end, end_time, synchronized, suspended, backed_up, full_backup }
            }
        ),
        (db(), prop::option::of(lsn()), prop::collection::vec(any::<(u32, u32)>(), 0..5))
            .prop_map(|(db, since, pages)| Message::SeedRequest { db, since, pages }),
        (db(), any::<(u64, u64, bool)>(), lsn(), bytes()).prop_map(
            |(db, (seed, bytes_total, compressed), lsn, header)| Message::SeedBegin {
                db,
                seed,
                begin: SeedBegin { lsn, bytes_total, compressed, header }
            }
        ),
        (db(), any::<(u64, u64)>(), bytes()).prop_map(|(db, (seed, chunk), bytes)| Message::SeedChunk {
            db,
            seed,
            chunk,
            bytes
        }),
        (db(), any::<(u64, u64)>()).prop_map(|(db, (seed, chunks))| Message::SeedAck { db, seed, chunks }),
        (db(), any::<u64>()).prop_map(|(db, seed)| Message::SeedEnd { db, seed }),
        (db(), any::<(u64, u32)>(), ".*").prop_map(|(db, (seed, number), text)| Message::SeedAbort {
            db,
            seed,
            number,
            text
        }),
        prop::collection::vec((db(), lsn()), 0..3).prop_map(|ends| Message::Handover { ends }),
        (any::<u32>(), ".*").prop_map(|(number, text)| Message::HandoverRefused { number, text }),
    ]
}

proptest! {
    #[test]
    fn a_message_survives_its_bytes(message in message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(Some(message)));
    }

    #[test]
    fn a_newer_version_may_add_fields(message in message(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = message.encode();
        bytes.extend(more);
        prop_assert_eq!(Message::decode(&bytes), Ok(Some(message)));
    }

    #[test]
    fn a_message_that_is_cut_off_is_none(message in message(), at in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        let at = at.index(bytes.len());
        let cut = Message::decode(&bytes[..at]);
        match message {
            // The first version ended there, and later there was no offer.
            Message::Hello(hello) if at + 2 >= bytes.len() => {
                let managed = hello.managed && at + 1 == bytes.len();
                prop_assert_eq!(cut, Ok(Some(Message::Hello(Hello { managed, ..hello }))));
            }
            _ => prop_assert_eq!(cut, Err(Malformed)),
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::decode(&bytes);
    }
}

/// A group as statements could have made it.
fn group() -> Box<crate::Group> {
    use crate::{GroupId, Kind, LocalGroup};
    let local = LocalGroup {
        replicas: Vec::new(),
        databases: vec![crate::GroupDatabase::new("Sales")],
        create_any_database: false,
        cluster_type: crate::ClusterType::None,
        basic: false,
        shown: std::collections::BTreeMap::new(),
    };
    let kind = Kind::Local(local);
    let (id, name) = (GroupId::of(&["ag"]), "ag".to_owned());
    Box::new(crate::Group { id, name, role: Role::Secondary, required_synchronized: 0, sequence: 7, kind })
}

#[test]
fn a_group_survives_its_bytes() {
    let offer = Message::Offer { group: group() };
    assert_eq!(Message::decode(&offer.encode()), Ok(Some(offer.clone())));
    let hello = Message::Hello(Hello {
        version: 1,
        version_min: 1,
        instance: "A".to_owned(),
        group: "ag".to_owned(),
        from: "A".to_owned(),
        to: "B".to_owned(),
        nonce: 1,
        format: 1,
        collation: "c".to_owned(),
        managed: true,
        offer: Some(group()),
    });
    assert_eq!(Message::decode(&hello.encode()), Ok(Some(hello)));
    // Two groups, or none, are no offer.
    let mut bytes = Message::Offer { group: group() }.encode();
    bytes.truncate(1);
    let none = br#"{"format":2,"groups":[]}"#;
    bytes.extend((none.len() as u32).to_le_bytes());
    bytes.extend(none);
    assert_eq!(Message::decode(&bytes), Err(Malformed));
}

#[test]
fn a_newer_message_is_skipped() {
    assert_eq!(Message::decode(&[200, 1, 2, 3]), Ok(None));
}

#[test]
fn a_length_is_not_believed() {
    let mut bytes = Message::Handover { ends: Vec::new() }.encode();
    bytes[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Message::decode(&bytes), Err(Malformed));
}
