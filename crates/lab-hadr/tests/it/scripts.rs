//! Text scripts: what an instance is like, a statement, and what it answers.
//!
//! A case is some lines, a line `---`, and the answer up to an empty line. Lines that begin with `@` say what the instance
//! is like from then on ([`Lab::directive`]); the others are one statement, or `show` and the name of a view with the columns
//! that are wanted. Lines that begin with `#` between cases are comments. `MILINK_BLESS=1` writes what was seen into the
//! file, to be read and judged.

use std::fmt::Write as _;
use std::path::Path;

use lab_hadr::{
    Action, ConnectError, DatabaseFacts, DatabaseState, DbName, EndpointState, Facts, Flavor, Group, GroupId,
    Groups, Kind, ListenerUrl, LiveDatabase, LiveGroup, LivePeer, LiveSeeding, LiveState, ManagedFacts,
    Moment, Origin, Partnering, Recovery, ReplicaId, Role, SeedingFailure, SeedingRole, SeedingState, Shown,
    SuspendReason, SynchronizationState, Value, Version, system_views,
};
use lab_store::Lsn;

use crate::reader::statement;

#[test]
fn create() {
    check("create");
}

#[test]
fn databases() {
    check("databases");
}

#[test]
fn replicas() {
    check("replicas");
}

#[test]
fn distributed() {
    check("distributed");
}

#[test]
fn roles() {
    check("roles");
}

#[test]
fn managed() {
    check("managed");
}

#[test]
fn rows() {
    check("rows");
}

/// All numbers with which a statement can be refused are in a script, but for those that the engine raises itself: 35208
/// (not in `master`), 35252 and 1468 (other statements on such a database).
#[test]
fn every_number_is_in_a_script() {
    let all: String = ["create", "databases", "replicas", "distributed", "roles", "managed"]
        .iter()
        .map(|name| std::fs::read_to_string(path(name)).unwrap())
        .collect();
    let numbers = [
        102, 922, 927, 942, 1464, 1465, 1466, 1467, 1469, 1475, 1488, 3729, 5011, 15151, 19497, 19498, 19499,
        19501, 19502, 19503, 19504, 19506, 19507, 19508, 19509, 19510, 19511, 19512, 19513, 35200, 35204,
        35209, 35210, 35211, 35214, 35220, 35221, 35223, 35228, 35229, 35232, 35233, 35234, 35235, 35236,
        35237, 35238, 35239, 35240, 35242, 35244, 35248, 35249, 35250, 35251, 35253, 35259, 35261, 35277,
        35280, 35281, 35282, 35283, 35284, 40510, 41042, 41100, 41106, 41122, 41132, 41140, 41142, 41145,
        41148, 41190, 41197, 41198, 41965, 41968, 41985, 41993, 47100, 47101, 47103, 47106, 47114, 47115,
        47122, 47500, 47501, 47502, 47503, 47511, 47512, 47513, 47514, 47517, 47519, 47520, 47523,
    ];
    let missing: Vec<_> = numbers.iter().filter(|n| !all.contains(&format!("Msg {n}, "))).collect();
    assert!(missing.is_empty(), "no script shows {missing:?}");
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/scripts/{name}.txt"))
}

#[expect(clippy::disallowed_methods, reason = "the crate may not look at the environment, its tests may")]
fn check(name: &str) {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let mut lab = Lab::new();
    let (mut wrong, mut cases) = (String::new(), 0);
    for block in text.split("\n\n").map(|b| b.trim_matches('\n')).filter(|b| !b.is_empty()) {
        let lines: Vec<&str> = block.lines().collect();
        let comments = lines.iter().take_while(|l| l.starts_with('#')).count();
        let body = &lines[comments..];
        let cut = body.iter().position(|l| *l == "---").unwrap_or(body.len());
        let expected = body.get(cut + 1..).unwrap_or_default().join("\n");
        let (input, mut got) = (&body[..cut], String::new());
        let directives = input.iter().take_while(|l| l.starts_with('@')).count();
        for directive in &input[..directives] {
            lab.directive(&directive[1..]);
        }
        if directives < input.len() {
            got = lab.run(&input[directives..].join("\n"));
            cases += 1;
        }
        let got = got.trim_end();
        if got != expected {
            writeln!(wrong, "{}\n--- expected\n{expected}\n--- got\n{got}\n", input.join("\n")).unwrap();
        }
    }
    assert!(cases > 0, "{name} tests nothing");
    if std::env::var("MILINK_BLESS").is_ok() {
        bless(name, &text, &mut Lab::new());
    } else {
        assert!(wrong.is_empty(), "{name}:\n{wrong}");
    }
}

fn bless(name: &str, text: &str, lab: &mut Lab) {
    let mut out = String::new();
    for block in text.split("\n\n").map(|b| b.trim_matches('\n')).filter(|b| !b.is_empty()) {
        let mut statement = String::new();
        for line in block.lines().take_while(|l| *l != "---") {
            if let Some(directive) = line.strip_prefix('@') {
                lab.directive(directive);
            } else if !line.starts_with('#') {
                writeln!(statement, "{line}").unwrap();
            }
            writeln!(out, "{line}").unwrap();
        }
        if !statement.is_empty() {
            write!(out, "---\n{}", lab.run(statement.trim_end())).unwrap();
        }
        out.push('\n');
    }
    std::fs::write(path(name), out.trim_end().to_owned() + "\n").unwrap();
}

/// An instance, as far as statements see it.
struct Lab {
    facts: Facts,
    groups: Groups,
}

impl Lab {
    fn new() -> Lab {
        let facts = Facts {
            origin: Origin::TSql,
            server: "SQL1".to_owned(),
            version: Version::new(16, 4125, 3),
            flavor: Flavor::SqlServer,
            hadr_enabled: true,
            cluster_node: false,
            endpoint: EndpointState::Started,
            multiple_databases: false,
            databases: Vec::new(),
            offered: Vec::new(),
            live: LiveState::default(),
            managed: ManagedFacts { two_way: true, inaccessible: Vec::new() },
            now: Moment(1),
        };
        Lab { facts, groups: Groups::default() }
    }

    /// `@server NAME`, `@version A.B.C.D`, `@managed`, `@control`, `@tsql`, `@hadr on|off`, `@cluster on|off`,
    /// `@endpoint started|stopped|missing`, `@multidb on|off`, `@one-way`, `@inaccessible DB`, `@forget` (no groups any more),
    /// `@offer` (what is here is what another instance has offered), `@db NAME WORD...`, `@live GROUP WORD...`,
    /// `@seeding GROUP DB STATE [destination]`.
    fn directive(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let facts = &mut self.facts;
        match words.as_slice() {
            ["server", name] => facts.server = (*name).to_owned(),
            ["version", version] => {
                let n: Vec<u32> = version.split('.').map(|n| n.parse().unwrap()).collect();
                facts.version = Version { major: n[0], minor: n[1], build: n[2], revision: n[3] };
            }
            ["managed"] => facts.flavor = Flavor::Managed,
            ["control"] => facts.origin = Origin::Control,
            ["tsql"] => facts.origin = Origin::TSql,
            ["hadr", on] => facts.hadr_enabled = *on == "on",
            ["cluster", on] => facts.cluster_node = *on == "on",
            ["endpoint", "started"] => facts.endpoint = EndpointState::Started,
            ["endpoint", "stopped"] => facts.endpoint = EndpointState::Stopped,
            ["endpoint", "missing"] => facts.endpoint = EndpointState::Missing,
            ["multidb", on] => facts.multiple_databases = *on == "on",
            ["one-way"] => facts.managed.two_way = false,
            ["inaccessible", name] => facts.managed.inaccessible.push((*name).to_owned()),
            ["forget"] => {
                self.groups = Groups::default();
                facts.live = LiveState::default();
            }
            ["offer"] => facts.offered = std::mem::take(&mut self.groups).groups,
            ["db", name, words @ ..] => {
                facts.databases.retain(|d| d.name != *name);
                if *words != ["none"] {
                    facts.databases.push(database(name, words));
                }
            }
            ["live", name, words @ ..] => self.live(name, words),
            ["seeding", name, database, state, words @ ..] => self.seeding(name, database, state, words),
            _ => panic!("{line} is no directive"),
        }
    }

    /// `connected`, `changing`, `managed`, `primary` or `secondary` or `resolving` (here), `peer=ROLE`, `error=N`,
    /// `DB=STATE` (there), `here.DB=STATE`; a state may be followed by `:suspended`. Nothing is known of a group after
    /// `none`.
    fn live(&mut self, name: &str, words: &[&str]) {
        let group = self.groups.named(name).unwrap_or_else(|| panic!("{name} is no group"));
        let mut live = LiveGroup::new(group.role);
        let mut peer = LivePeer::default();
        for word in words {
            match *word {
                "none" => {
                    self.facts.live.groups.remove(&group.id);
                    return;
                }
                "connected" => peer.connected = true,
                "changing" => live.changing_role = true,
                "managed" => peer.managed = true,
                "primary" | "secondary" | "resolving" => live.role = role(word),
                other => {
                    let (key, value) = other.split_once('=').unwrap();
                    match (key, key.strip_prefix("here.")) {
                        ("peer", _) => peer.role = Some(role(value)),
                        ("error", _) => {
                            let number = value.parse().unwrap();
                            peer.last_error =
                                Some(ConnectError { number, text: "why".to_owned(), at: Moment(7) });
                        }
                        (_, Some(name)) => {
                            live.databases.insert(DbName::new(name), copy(value));
                        }
                        (name, None) => {
                            peer.databases.insert(DbName::new(name), copy(value));
                        }
                    }
                }
            }
        }
        if let Some(id) = peer_id(group, &self.facts.server) {
            live.peers.insert(id, peer);
        }
        self.facts.live.groups.insert(group.id, live);
    }

    fn seeding(&mut self, name: &str, database: &str, state: &str, words: &[&str]) {
        let group = self.groups.named(name).unwrap();
        let failed = state == "failed";
        self.facts.live.database_ids.insert(DbName::new(database), 5);
        self.facts.live.seedings.push(LiveSeeding {
            operation: [9; 16],
            remote_operation: None,
            group: group.id,
            database: DbName::new(database),
            peer: peer_id(group, &self.facts.server).unwrap(),
            peer_machine: "mi".to_owned(),
            role: if words == ["destination"] { SeedingRole::Destination } else { SeedingRole::Source },
            state: match state {
                "pending" => SeedingState::Pending,
                "seeding" => SeedingState::Seeding,
                "completed" => SeedingState::Completed,
                "failed" => SeedingState::Failed,
                other => panic!("{other} is no state"),
            },
            attempts: 2,
            started: Moment(10),
            ended: (failed || state == "completed").then_some(Moment(20)),
            estimated_end: None,
            transferred_bytes: 100,
            database_bytes: 400,
            bytes_per_second: 50,
            disk_wait_ms: 1,
            network_wait_ms: 2,
            compressed: true,
            failure: failed.then(|| SeedingFailure {
                state: 21,
                state_desc: "Seeding Check Message Timeout".to_owned(),
                error: 1412,
                text: "log truncated".to_owned(),
                at: Moment(20),
            }),
        });
    }

    fn run(&mut self, text: &str) -> String {
        if let Some(view) = text.strip_prefix("show ") {
            return self.show(view);
        }
        let mut out = String::new();
        match self.groups.apply(&statement(text), &self.facts) {
            Err(refusal) => writeln!(out, "{refusal}").unwrap(),
            Ok(change) => {
                change.groups.check(&self.facts.server).unwrap();
                for notice in &change.notices {
                    writeln!(out, "{notice}").unwrap();
                }
                for action in &change.actions {
                    writeln!(out, "{}", self.action(action, &change.groups)).unwrap();
                }
                for gone in &self.groups.groups {
                    if change.groups.named(&gone.name).is_none() {
                        writeln!(out, "{} is gone", gone.name).unwrap();
                    }
                }
                for group in &change.groups.groups {
                    let before = self.groups.named(&group.name).map(described);
                    if before.as_ref() != Some(&described(group)) {
                        out.push_str(&described(group));
                    }
                }
                if out.is_empty() {
                    out.push_str("(nothing changes)\n");
                }
                self.groups = change.groups;
            }
        }
        out
    }

    /// `VIEW COLUMN...`: the rows.
    fn show(&self, text: &str) -> String {
        let mut words = text.split([' ', '\n']);
        let name = words.next().unwrap();
        let wanted: Vec<&str> = words.collect();
        let view =
            system_views().into_iter().find(|v| v.name == name).unwrap_or_else(|| panic!("no view {name}"));
        let at: Vec<usize> = wanted
            .iter()
            .map(|w| {
                view.columns.iter().position(|c| c.name == *w).unwrap_or_else(|| panic!("no column {w}"))
            })
            .collect();
        let shown = Shown {
            groups: &self.groups,
            live: &self.facts.live,
            server: &self.facts.server,
            multiple_databases: self.facts.multiple_databases,
        };
        let mut out = String::new();
        for row in (view.rows)(shown) {
            assert_eq!(row.len(), view.columns.len(), "a row of {name} has as many values as columns");
            let cells: Vec<String> = at.iter().map(|n| self.cell(&row[*n])).collect();
            writeln!(out, "{}", cells.join("|")).unwrap();
        }
        if out.is_empty() { "(no rows)\n".to_owned() } else { out }
    }

    fn cell(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Int(n) => n.to_string(),
            Value::Bit(b) => u8::from(*b).to_string(),
            Value::Text(text) => text.clone(),
            Value::Guid(id) => self.named(*id),
            Value::Lsn(lsn) => lsn.to_string(),
            Value::Time(at) => format!("t{}", at.0),
        }
    }

    /// What an id is the id of.
    fn named(&self, id: [u8; 16]) -> String {
        for group in &self.groups.groups {
            if group.id.0 == id {
                return format!("{{{}}}", group.name);
            }
            if let Some(name) = member_name(group, ReplicaId(id)) {
                return format!("{{{}/{name}}}", group.name);
            }
            let database = group.as_local().and_then(|l| l.databases.iter().find(|d| d.id.0 == id));
            if let Some(database) = database {
                return format!("{{{}}}", database.name);
            }
        }
        "{?}".to_owned()
    }

    fn action(&self, action: &Action, after: &Groups) -> String {
        let group = |id: &GroupId| {
            let mut all = self.groups.groups.iter().chain(&after.groups);
            all.find(|g| g.id == *id).unwrap().clone()
        };
        let replica = |id: &GroupId, replica: &ReplicaId| {
            let group = group(id);
            format!("{} for {}", group.name, member_name(&group, *replica).unwrap())
        };
        match action {
            Action::PlannedFailover { group: g } => format!("-> planned failover of {}", group(g).name),
            Action::BecomeSecondary { group: g } => format!("-> become secondary in {}", group(g).name),
            Action::ForceFailover { group: g } => format!("-> force failover of {}", group(g).name),
            Action::Suspend { group: g, database } => format!("-> suspend {database} in {}", group(g).name),
            Action::Resume { group: g, database } => format!("-> resume {database} in {}", group(g).name),
            Action::LeaveGroup { group: g, database } => format!("-> {database} leaves {}", group(g).name),
            Action::JoinDatabase { group: g, database } => format!("-> {database} joins {}", group(g).name),
            Action::RetrySeeding { group: g, replica: r } => format!("-> seed again in {}", replica(g, r)),
            Action::CancelSeeding { group: g, replica: r } => format!("-> stop seeding in {}", replica(g, r)),
        }
    }
}

fn role(word: &str) -> Role {
    match word {
        "primary" => Role::Primary,
        "secondary" => Role::Secondary,
        "resolving" => Role::Resolving,
        other => panic!("{other} is no role"),
    }
}

fn copy(text: &str) -> LiveDatabase {
    let (state, suspended) = text.split_once(':').unwrap_or((text, ""));
    let state = match state {
        "not" => SynchronizationState::NotSynchronizing,
        "synchronizing" => SynchronizationState::Synchronizing,
        "synchronized" => SynchronizationState::Synchronized,
        "reverting" => SynchronizationState::Reverting,
        "initializing" => SynchronizationState::Initializing,
        other => panic!("{other} is no state"),
    };
    let mut copy = LiveDatabase::new(state, DatabaseState::Online);
    copy.suspend_reason = (suspended == "suspended").then_some(SuspendReason::User);
    copy.last_hardened_lsn = Some(Lsn(4096));
    copy
}

fn database(name: &str, words: &[&str]) -> DatabaseFacts {
    let mut facts = DatabaseFacts {
        name: name.to_owned(),
        system: false,
        state: DatabaseState::Online,
        recovery: Recovery::Full,
        log_chain: true,
        read_only: false,
        single_user: false,
        auto_close: false,
    };
    for word in words {
        match *word {
            "system" => facts.system = true,
            "restoring" => facts.state = DatabaseState::Restoring,
            "recovering" => facts.state = DatabaseState::Recovering,
            "offline" => facts.state = DatabaseState::Offline,
            "suspect" => facts.state = DatabaseState::Suspect,
            "simple" => facts.recovery = Recovery::Simple,
            "bulk-logged" => facts.recovery = Recovery::BulkLogged,
            "no-backup" => facts.log_chain = false,
            "read-only" => facts.read_only = true,
            "single-user" => facts.single_user = true,
            "auto-close" => facts.auto_close = true,
            other => panic!("{other} says nothing of a database"),
        }
    }
    facts
}

/// The other replica, or the other group.
fn peer_id(group: &Group, server: &str) -> Option<ReplicaId> {
    match &group.kind {
        Kind::Local(local) => {
            local.replicas.iter().find(|r| r.partnering.name != server).map(|r| r.partnering.id)
        }
        Kind::Distributed(distributed) => Some(distributed.there.id),
    }
}

fn member_name(group: &Group, id: ReplicaId) -> Option<String> {
    match &group.kind {
        Kind::Local(local) => {
            local.replicas.iter().map(|r| &r.partnering).find(|p| p.id == id).map(|p| p.name.clone())
        }
        Kind::Distributed(d) => d.members().into_iter().find(|p| p.id == id).map(|p| p.name.clone()),
    }
}

fn described(group: &Group) -> String {
    let partnering = |p: &Partnering| {
        let ListenerUrl { text, .. } = &p.url;
        format!(
            "{} {text} {:?} {:?} seeding {:?} timeout {}",
            p.name, p.commit_mode, p.failover_mode, p.seeding_mode, p.session_timeout_s
        )
    };
    let mut out = format!("{} is {:?}", group.name, group.role);
    if group.required_synchronized > 0 {
        write!(out, ", requires {}", group.required_synchronized).unwrap();
    }
    match &group.kind {
        Kind::Local(local) => {
            write!(out, ", cluster {:?}", local.cluster_type).unwrap();
            for (is, what) in
                [(local.basic, ", basic"), (local.create_any_database, ", may create databases")]
            {
                out.push_str(if is { what } else { "" });
            }
            for (name, value) in &local.shown {
                write!(out, ", {name}={value}").unwrap();
            }
            out.push('\n');
            for r in &local.replicas {
                writeln!(
                    out,
                    "  on {}, backup {}, primary {}, secondary {:?}",
                    partnering(&r.partnering),
                    r.backup_priority,
                    if r.primary_read_write_only { "ReadWrite" } else { "All" },
                    r.secondary_allow
                )
                .unwrap();
            }
            for d in &local.databases {
                let joined = if d.joined { "" } else { " (not joined)" };
                let suspended = if d.suspended { " (suspended)" } else { "" };
                writeln!(out, "  database {}{joined}{suspended}", d.name).unwrap();
            }
        }
        Kind::Distributed(d) => {
            out.push('\n');
            for member in d.members() {
                let side = if member.name == d.here.name { "here" } else { "there" };
                writeln!(out, "  {side} {}", partnering(member)).unwrap();
            }
        }
    }
    out
}
