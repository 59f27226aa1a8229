//! Whatever statements come in whatever order, the groups that come of it are groups.

use lab_hadr::{
    Alteration, Command, DatabaseFacts, DatabaseState, DbName, EndpointState, Facts, Flavor, GivenMember,
    GivenOption, GivenValue, Groups, LiveDatabase, LiveGroup, LivePeer, LiveState, ManagedFacts, Moment,
    Origin, Recovery, Role, Shown, SynchronizationState, Version, system_views,
};
use proptest::prelude::*;

use crate::reader;

fn name(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(of).prop_map(str::to_owned)
}

fn group() -> impl Strategy<Value = String> {
    name(&["AG1", "AG1", "ag1", "AG2", "AG2", "AG_MI", "DAG", "DAG", "DAG", "DAG2"])
}

fn database() -> impl Strategy<Value = String> {
    name(&["Db1", "DB1", "Db2", "Db2", "Db3", "Db3", "master", "Gone"])
}

fn option(name: &str, value: GivenValue) -> GivenOption {
    GivenOption { name: name.to_owned(), value }
}

fn word(word: &str) -> GivenValue {
    GivenValue::Word(word.to_owned())
}

/// Mostly as the documents have them, or hardly anything would come about.
fn members(
    names: &'static [&'static [&'static str]],
    url: &'static str,
    urls: &'static [&'static str],
) -> impl Strategy<Value = Vec<GivenMember>> {
    let options = (
        prop::sample::select(urls),
        prop::sample::select(vec!["SYNCHRONOUS_COMMIT", "ASYNCHRONOUS_COMMIT"]),
        prop_oneof![16 => Just("MANUAL"), 1 => Just("AUTOMATIC"), 1 => Just("EXTERNAL")],
        prop::sample::select(vec!["AUTOMATIC", "MANUAL"]),
        prop_oneof![16 => 5..40i64, 1 => -1..5i64],
        prop_oneof![12 => Just(None), 1 => (0..5usize).prop_map(Some)],
    )
        .prop_map(move |(text, commit, failover, seeding, timeout, without)| {
            let mut all = vec![
                option(url, GivenValue::Text(text.to_owned())),
                option("AVAILABILITY_MODE", word(commit)),
                option("FAILOVER_MODE", word(failover)),
                option("SEEDING_MODE", word(seeding)),
                option("SESSION_TIMEOUT", GivenValue::Number(timeout)),
            ];
            if let Some(without) = without {
                all.remove(without);
            }
            all
        });
    (prop::sample::select(names), prop::collection::vec(options, 2)).prop_map(|(names, options)| {
        let named = names.iter().zip(options);
        named.map(|(name, options)| GivenMember { name: (*name).to_owned(), options }).collect()
    })
}

fn replicas() -> impl Strategy<Value = Vec<GivenMember>> {
    members(
        &[&["SQL1"], &["sql1"], &["SQL1", "SQL2"], &["SQL1", "sql1"], &["SQL2"]],
        "ENDPOINT_URL",
        &[
            "TCP://h:5022",
            "TCP://i:5023",
            "TCP://i:5023",
            "TCP://[fe80::1]:5022",
            "TCP://j:1",
            "TCP://j:2",
            "nonsense",
        ],
    )
}

fn groups() -> impl Strategy<Value = Vec<GivenMember>> {
    members(
        &[&["AG1", "AG_MI"], &["AG_MI", "AG1"], &["AG1", "AG2"], &["AG2", "AG3"], &["AG1"]],
        "LISTENER_URL",
        &[
            "TCP://h:5022",
            "TCP://i:5022",
            "TCP://i:5022",
            "tcp://m.database.windows.net:5022;Server=[m]",
            "tcp://m.database.windows.net:5022;Server=[m];Database=[Db1]",
            "nonsense",
        ],
    )
}

fn alteration() -> impl Strategy<Value = Alteration> {
    let databases = || prop::collection::vec(database(), 1..3);
    let set = prop_oneof![
        Just(option("ROLE", word("SECONDARY"))),
        (-1..3i64)
            .prop_map(|n| { option("REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT", GivenValue::Number(n)) }),
        (0..7i64).prop_map(|n| option("FAILURE_CONDITION_LEVEL", GivenValue::Number(n))),
    ];
    prop_oneof![
        set.prop_map(|o| Alteration::Set(vec![o])),
        databases().prop_map(Alteration::AddDatabase),
        databases().prop_map(Alteration::RemoveDatabase),
        replicas().prop_map(Alteration::AddReplica),
        replicas().prop_map(Alteration::ModifyReplica),
        name(&["SQL1", "SQL2"]).prop_map(|n| Alteration::RemoveReplica(vec![n])),
        groups().prop_map(Alteration::ModifyMembers),
        Just(Alteration::Join(vec![option("CLUSTER_TYPE", word("NONE"))])),
        groups().prop_map(Alteration::JoinDistributed),
        Just(Alteration::Failover),
        Just(Alteration::ForceFailover),
        Just(Alteration::Grant),
        Just(Alteration::Deny),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let cluster = prop::sample::select(vec!["NONE", "NONE", "NONE", "NONE", "NONE", "WSFC", "EXTERNAL"]);
    let create = (group(), cluster, 0..6u32, prop::collection::vec(database(), 0..3), replicas());
    prop_oneof![
        8 => create.prop_map(|(group, cluster, basic, databases, replicas)| {
            let mut options = vec![option("CLUSTER_TYPE", word(cluster))];
            options.extend((basic == 0).then(|| option("BASIC", GivenValue::Nothing)));
            Command::Create { group, options, databases, replicas, listener: false }
        }),
        8 => (group(), groups()).prop_map(|(group, members)| Command::CreateDistributed {
            group,
            options: vec![option("DISTRIBUTED", GivenValue::Nothing)],
            members,
        }),
        12 => (group(), alteration()).prop_map(|(group, alteration)| Command::Alter { group, alteration }),
        1 => group().prop_map(|group| Command::Drop { group }),
        1 => database().prop_map(|database| Command::Suspend { database }),
        1 => database().prop_map(|database| Command::Resume { database }),
        1 => database().prop_map(|database| Command::Leave { database }),
        1 => (database(), group())
            .prop_map(|(database, group)| Command::JoinDatabase { database, group }),
    ]
}

fn facts() -> impl Strategy<Value = Facts> {
    let version = prop::sample::select(vec![
        Version::new(13, 6300, 2),
        Version::new(14, 3490, 10),
        Version::new(16, 4125, 3),
        Version::new(16, 4125, 3),
        Version::new(16, 4125, 3),
        Version::new(17, 1000, 7),
    ]);
    let state = prop_oneof![5 => Just(DatabaseState::Online), 1 => Just(DatabaseState::Restoring)];
    (version, any::<bool>(), any::<bool>(), 0..20u32, 0..20u32, prop::collection::vec(state, 3)).prop_map(
        |(version, multiple_databases, cluster_node, managed, down, states)| {
            made(version, multiple_databases, cluster_node, managed, down, &states)
        },
    )
}

fn made(
    version: Version,
    multiple_databases: bool,
    cluster_node: bool,
    managed: u32,
    down: u32,
    states: &[DatabaseState],
) -> Facts {
    let database = |name: &str, system, state| DatabaseFacts {
        name: name.to_owned(),
        system,
        state,
        recovery: Recovery::Full,
        log_chain: true,
        read_only: false,
        single_user: false,
        auto_close: false,
    };
    let mut databases = vec![database("master", true, DatabaseState::Online)];
    for (n, state) in states.iter().enumerate() {
        databases.push(database(&format!("Db{}", n + 1), false, *state));
    }
    Facts {
        origin: if managed == 1 { Origin::Control } else { Origin::TSql },
        server: "SQL1".to_owned(),
        version,
        flavor: if managed < 2 { Flavor::Managed } else { Flavor::SqlServer },
        hadr_enabled: down != 0,
        cluster_node,
        endpoint: if down == 1 { EndpointState::Stopped } else { EndpointState::Started },
        multiple_databases,
        databases,
        offered: Vec::new(),
        live: LiveState::default(),
        managed: ManagedFacts::default(),
        now: Moment(1),
    }
}

/// A group with a database, so that most statements find something.
fn begun() -> Groups {
    let statement =
        "CREATE AVAILABILITY GROUP AG1 WITH (CLUSTER_TYPE = NONE) FOR DATABASE Db1 REPLICA ON 'SQL1' WITH
        (ENDPOINT_URL = 'TCP://h:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL)";
    let facts = made(Version::new(16, 4125, 3), false, false, 9, 9, &[DatabaseState::Online; 3]);
    Groups::default().apply(&reader::statement(statement), &facts).unwrap().groups
}

/// All peers there and following, so that role changes come about.
fn live(groups: &Groups) -> LiveState {
    let mut live = LiveState::default();
    for group in &groups.groups {
        let mut state = LiveGroup::new(group.role);
        for name in ["Db1", "Db2", "Db3"] {
            let copy = LiveDatabase::new(SynchronizationState::Synchronized, DatabaseState::Online);
            state.databases.insert(DbName::new(name), copy);
        }
        let peer = LivePeer {
            connected: true,
            role: Some(Role::Secondary),
            databases: state.databases.clone(),
            ..LivePeer::default()
        };
        if let Some(distributed) = group.as_distributed() {
            state.peers.insert(distributed.there.id, peer);
        }
        live.groups.insert(group.id, state);
    }
    live
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_stay_groups(steps in prop::collection::vec((command(), facts()), 1..30)) {
        let mut groups = begun();
        for (command, mut facts) in steps {
            facts.live = live(&groups);
            if let Ok(change) = groups.apply(&command, &facts) {
                if let Err(wrong) = change.groups.check("SQL1") {
                    return Err(TestCaseError::fail(format!("{wrong} after {command:?}")));
                }
                groups = change.groups;
            }
            let live = live(&groups);
            let shown = Shown { groups: &groups, live: &live, server: "SQL1", multiple_databases: true };
            for view in system_views() {
                for row in (view.rows)(shown) {
                    prop_assert_eq!(row.len(), view.columns.len());
                }
            }
        }
    }
}

/// The generator is worth something only if what it makes is not refused all the time.
#[test]
fn statements_come_about() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut done, mut distributed) = (0, 0);
    for _ in 0..300 {
        use proptest::strategy::ValueTree as _;
        let steps = prop::collection::vec((command(), facts()), 30);
        let mut groups = begun();
        for (command, mut facts) in steps.new_tree(&mut runner).unwrap().current() {
            facts.live = live(&groups);
            if let Ok(change) = groups.apply(&command, &facts) {
                groups = change.groups;
                done += 1;
            }
        }
        distributed += groups.distributed().count();
    }
    assert!(
        done > 500 && distributed > 60,
        "{done} statements were carried out, {distributed} groups came of it"
    );
}
