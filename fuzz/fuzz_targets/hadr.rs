//! Whatever a peer says to another instance: a message is read whole or not at all, and a node that hears it goes on.
#![no_main]

use lab_hadr::{CommitMode, Config, ConnId, DatabaseSpec, DbName, Event, GroupId, Message, Node, NodeConfig, PartnerKey};
use lab_hadr::{PartnerSpec, ReplicaId, Role, SeedingMode, Tick};
use libfuzzer_sys::fuzz_target;

fn node(role: Role) -> Node {
    let config = NodeConfig { instance: "A".to_owned(), format: 957, collation: "C".to_owned(), managed: false, nonce: 1 };
    let mut node = Node::new(config);
    let db = DbName::new("Db");
    let spec = PartnerSpec {
        key: PartnerKey { group: GroupId::of(&["g"]), peer: ReplicaId::of(&["b"]) },
        group: "g".to_owned(),
        here: "a".to_owned(),
        there: "b".to_owned(),
        names_server: false,
        role,
        offer: None,
        commit_mode: CommitMode::Synchronous,
        seeding_mode: SeedingMode::Automatic,
        peer_seeding_mode: SeedingMode::Automatic,
        may_create: true,
        session_timeout_ms: 10_000,
        databases: vec![db.clone()],
    };
    let wanted = DatabaseSpec { writable: role == Role::Primary, suspended: false, required_synchronized: 0 };
    let databases = [(db, wanted)].into();
    node.step(Tick(1), Event::Configured(Config { partners: vec![spec], databases, ..Config::default() }));
    node
}

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(message)) = Message::decode(input) {
        assert_eq!(Message::decode(&message.encode()), Ok(Some(message)), "a message that does not survive its bytes");
    }
    // Frames, each with its length before it, for a node on either side.
    let role = if input.first().is_some_and(|b| b & 1 == 1) { Role::Primary } else { Role::Secondary };
    let mut node = node(role);
    node.step(Tick(2), Event::Opened { conn: ConnId(1), dialed: None });
    let mut rest = input.get(1..).unwrap_or_default();
    let mut now = 3;
    while let Some((len, tail)) = rest.split_first() {
        let (frame, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        now += 1;
        let effects = node.step(Tick(now), Event::Frame { conn: ConnId(1), bytes: frame.to_vec() });
        assert!(effects.len() < 1000, "one frame asks for {} things", effects.len());
        rest = tail;
    }
    drop(node.view());
});
