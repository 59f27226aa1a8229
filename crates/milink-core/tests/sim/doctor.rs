//! The doctor's answers, as a table: what is seen, the headline, a cause if there is one, and the command that comes next.

use milink_core::doctor::diagnose;
use milink_core::names::{CommitMode, Role, Side};
use milink_core::observe::{ConnectError, Health, Instance, Observation, Seen, SyncState};
use milink_core::plan::Verb;
use milink_core::run::{Next, RunSummary, Verdict};

use super::command::parse;
use super::kills::V2022_CU14;
use super::look::{LINK, look};
use super::world::{World, moment};

struct Row {
    name: &'static str,
    seen: Observation,
    run: Option<RunSummary>,
    headline: &'static str,
    cause: Option<&'static str>,
    command: &'static str,
}

fn row(name: &'static str, headline: &'static str, command: &'static str, seen: Observation) -> Row {
    Row { name, seen, run: None, headline, cause: None, command }
}

impl Row {
    fn cause(self, cause: &'static str) -> Row {
        Row { cause: Some(cause), ..self }
    }

    fn run(self, run: RunSummary) -> Row {
        Row { run: Some(run), ..self }
    }
}

/// What is seen of a link with SQL Server as its primary, after something was done to it.
fn seen(change: impl FnOnce(&mut World)) -> Observation {
    let mut world = World::linked(1, V2022_CU14, Side::SqlServer);
    world.workload = false;
    world.pass(5_000);
    change(&mut world);
    look(&mut world)
}

fn seen_as(change: impl FnOnce(&mut Observation)) -> Observation {
    let mut observation = seen(|_| {});
    change(&mut observation);
    observation
}

fn instance(seen: &mut Observation, side: Side) -> &mut Instance {
    let instance = match side {
        Side::SqlServer => &mut seen.sql_server,
        Side::Managed => &mut seen.managed,
    };
    match instance {
        Seen::At { value, .. } => value,
        Seen::Unknown { why, .. } => panic!("{why}"),
    }
}

fn connect_error(number: u32) -> Observation {
    let mut observation = seen(|w| w.network = false);
    for side in Side::BOTH {
        let half = instance(&mut observation, side).groups.iter_mut().find(|g| g.distributed).unwrap();
        for replica in half.replicas.iter_mut().filter(|r| !r.local) {
            replica.last_connect_error =
                Some(ConnectError { number, text: "could not connect".to_owned(), at: Some(moment(1)) });
        }
    }
    observation
}

fn link_error(number: u32) -> Observation {
    let mut observation = seen(|w| w.network = false);
    if let Seen::At { value, .. } = &mut observation.azure {
        value.links[0].databases[0].error = Some(number);
        value.links[0].databases[0].state = Some("LinkInitError".to_owned());
    }
    for side in Side::BOTH {
        let half = instance(&mut observation, side).groups.iter_mut().find(|g| g.distributed).unwrap();
        half.replicas.iter_mut().for_each(|r| r.last_connect_error = None);
    }
    observation
}

fn certificate_for(days: i64) -> Observation {
    seen_as(|o| {
        let expiry = if days < 0 { moment(0) } else { o.at.plus_ms(days as u64 * 86_400_000 + 1_000) };
        instance(o, Side::SqlServer).certificates.iter_mut().flatten().for_each(|c| c.expiry = Some(expiry));
    })
}

fn summary(ended: Option<Verdict>, changed: bool, uncertain: bool) -> RunSummary {
    RunSummary {
        verb: Verb::PlannedFailover,
        step: Some("failover".to_owned()),
        done: 3,
        of: 6,
        changed,
        uncertain,
        rolling_back: false,
        ended,
    }
}

fn stopped() -> Verdict {
    Verdict::Stopped {
        step: "failover".to_owned(),
        why: "refused".to_owned(),
        now_true: Vec::new(),
        next: Next::new("milink resume sales", "goes on"),
    }
}

fn uncertain() -> Verdict {
    Verdict::Uncertain {
        step: "failover".to_owned(),
        why: "no answer".to_owned(),
        now_true: Vec::new(),
        next: Next::new("milink resume sales", "looks"),
    }
}

fn seeding(state: &'static str, failure: Option<&'static str>) -> Observation {
    let mut observation = seen(|w| {
        w.node_mut(Side::Managed).has_copy = false;
        w.node_mut(Side::Managed).log.clear();
        w.seeding = Some((0, u64::MAX));
    });
    for side in Side::BOTH {
        for seeding in &mut instance(&mut observation, side).seedings {
            state.clone_into(&mut seeding.state);
            seeding.failure = failure.map(str::to_owned);
            seeding.ended = None;
        }
    }
    observation
}

fn rows() -> Vec<Row> {
    vec![
        row(
            "healthy",
            "SQL Server is primary in sales, the copy has everything",
            "milink status sales",
            seen(|_| {}),
        ),
        row(
            "healthy, and the copy is behind",
            "SQL Server is primary in sales, the copy is behind",
            "milink status sales",
            seen_as(|o| {
                let half = instance(o, Side::Managed).groups.iter_mut().find(|g| g.distributed).unwrap();
                half.databases[0].hardened_lsn = milink_core::lsn::Lsn::new(1);
            }),
        ),
        row(
            "healthy, the managed instance is primary",
            "managed instance is primary in sales",
            "milink status sales",
            seen(|w| {
                w.node_mut(Side::SqlServer).role = Some(Role::Secondary);
                w.node_mut(Side::Managed).role = Some(Role::Primary);
            }),
        ),
        row(
            "seeding",
            "the first copy of sales is being made",
            "milink status sales -w",
            seeding("SEEDING", None),
        ),
        row(
            "seeding failed",
            "SQL Server is primary in sales",
            "milink check sales",
            seeding("FAILED", Some("Msg 1412, log is missing")),
        )
        .cause("the first copy of Sales failed: Msg 1412"),
        row(
            "half made: SQL Server's is there",
            "only one half of sales is there",
            "milink purge sales",
            seen(|w| w.node_mut(Side::Managed).role = None),
        ),
        row(
            "half made: the managed instance's is there",
            "only one half of sales is there",
            "milink purge sales",
            seen(|w| w.node_mut(Side::SqlServer).role = None),
        ),
        row("error 35250", "nothing arrives at the other side", "milink check sales", connect_error(35250))
            .cause("could not connect"),
        row("error 35206", "nothing arrives at the other side", "milink check sales", connect_error(35206))
            .cause("could not connect"),
        row("error 35207", "nothing arrives at the other side", "milink check sales", connect_error(35207))
            .cause("could not connect"),
        row("error 35201", "nothing arrives at the other side", "milink check sales", connect_error(35201))
            .cause("could not connect"),
        row("error 41962", "nothing arrives at the other side", "milink check sales", link_error(41962))
            .cause("LinkInitError"),
        row("error 41973", "nothing arrives at the other side", "milink check sales", link_error(41973))
            .cause("LinkInitError"),
        row("error 41976", "nothing arrives at the other side", "milink check sales", link_error(41976))
            .cause("LinkInitError"),
        row("error 41986", "nothing arrives at the other side", "milink check sales", link_error(41986))
            .cause("LinkInitError"),
        row(
            "the endpoint is stopped",
            "nothing arrives at the other side",
            "milink check sales",
            seen(|w| w.endpoint.as_mut().unwrap().state = "STOPPED".to_owned()),
        )
        .cause("endpoint database_mirroring_endpoint of the SQL Server is STOPPED"),
        row(
            "SQL Server is dead, and was primary",
            "cannot be told for certain: SQL Server is unknown, the managed instance SECONDARY",
            "milink failover sales --to managed --forced --allow-data-loss",
            seen(|w| w.kill(Side::SqlServer)),
        ),
        row(
            "the managed instance is dead, and was secondary",
            "cannot be told for certain: SQL Server is PRIMARY, the managed instance unknown",
            "milink status sales -w",
            seen(|w| w.kill(Side::Managed)),
        ),
        row(
            "the managed instance is dead, and was primary",
            "cannot be told for certain: SQL Server is SECONDARY, the managed instance unknown",
            "milink failover sales --to sql-server --forced --allow-data-loss",
            seen(|w| {
                w.node_mut(Side::SqlServer).role = Some(Role::Secondary);
                w.node_mut(Side::Managed).role = Some(Role::Primary);
                w.kill(Side::Managed);
            }),
        ),
        row(
            "both sides are dead",
            "cannot be told for certain",
            "milink check sales",
            seen(|w| {
                w.kill(Side::SqlServer);
                w.kill(Side::Managed);
            }),
        ),
        row(
            "SQL Server is dead, and the managed instance has no half",
            "cannot be told for certain",
            "milink check sales",
            seen_as(|o| {
                o.sql_server = Seen::Unknown { at: o.at, why: "connection refused".to_owned() };
                instance(o, Side::Managed).groups.clear();
            }),
        ),
        row(
            "Azure is unreachable",
            "SQL Server is primary in sales, the copy has everything",
            "milink status sales",
            seen(|w| w.azure = false),
        ),
        row(
            "everything is unreachable",
            "cannot be told for certain",
            "milink check sales",
            seen(|w| {
                w.azure = false;
                w.kill(Side::SqlServer);
                w.kill(Side::Managed);
            }),
        ),
        row(
            "two primaries, SQL Server has more",
            "BOTH sides of sales are primary",
            "milink repair sales --winner sql-server",
            seen(|w| {
                w.node_mut(Side::Managed).role = Some(Role::Primary);
                w.node_mut(Side::SqlServer).log.extend([901, 902]);
            }),
        ),
        row(
            "two primaries, the managed instance has more",
            "BOTH sides of sales are primary",
            "milink repair sales --winner managed",
            seen(|w| {
                w.node_mut(Side::Managed).role = Some(Role::Primary);
                w.node_mut(Side::Managed).log.extend([901, 902]);
            }),
        )
        .cause("a failover was forced while the other side lived"),
        row(
            "nobody is primary, SQL Server has more",
            "nobody is primary in sales",
            "milink failover sales --to sql-server --forced --allow-data-loss",
            seen(|w| {
                w.node_mut(Side::SqlServer).role = Some(Role::Secondary);
                w.node_mut(Side::SqlServer).log.push(901);
            }),
        ),
        row(
            "nobody is primary, both have the same",
            "nobody is primary in sales",
            "milink failover sales --to managed --forced --allow-data-loss",
            seen(|w| w.node_mut(Side::SqlServer).role = Some(Role::Secondary)),
        ),
        row(
            "a side is resolving",
            "nobody is primary in sales",
            "milink status sales -w",
            seen(|w| w.node_mut(Side::SqlServer).resolving_until = u64::MAX),
        ),
        row(
            "the certificate has expired",
            "SQL Server is primary",
            "milink check sales",
            certificate_for(-1),
        )
        .cause("certificate Cert_sql1_endpoint of the SQL Server has expired"),
        row(
            "the certificate expires in 5 days",
            "SQL Server is primary",
            "milink check sales",
            certificate_for(5),
        )
        .cause("certificate Cert_sql1_endpoint of the SQL Server expires in 5 days"),
        row(
            "the certificate expires in 15 days",
            "SQL Server is primary",
            "milink status sales",
            certificate_for(15),
        ),
        row(
            "the copy is suspended",
            "nothing arrives at the other side",
            "milink check sales",
            seen(|w| w.node_mut(Side::Managed).suspended = true),
        )
        .cause("data movement of Sales is suspended: SUSPEND_FROM_PARTNER"),
        row(
            "a synchronous copy has not caught up",
            "but not as it should be",
            "milink status sales -w",
            seen_as(|o| {
                let half = instance(o, Side::Managed).groups.iter_mut().find(|g| g.distributed).unwrap();
                half.databases[0].health = Some(Health::PartiallyHealthy);
                half.databases[0].state = Some(SyncState::Synchronizing);
            }),
        ),
        row("an interrupted run", "SQL Server is primary", "milink resume sales", seen(|_| {}))
            .run(summary(None, true, false)),
        row("a run that stopped", "SQL Server is primary", "milink resume sales", seen(|_| {})).run(summary(
            Some(stopped()),
            true,
            false,
        )),
        row(
            "a run that stopped before it changed anything",
            "SQL Server is primary",
            "milink status sales",
            seen(|_| {}),
        )
        .run(summary(Some(stopped()), false, false)),
        row("an uncertain run", "SQL Server is primary", "milink resume sales", seen(|_| {})).run(summary(
            Some(uncertain()),
            true,
            true,
        )),
        row("a run that reached its goal", "SQL Server is primary", "milink status sales", seen(|_| {}))
            .run(summary(Some(Verdict::Reached), true, false)),
        row(
            "an interrupted run, and nobody is primary",
            "nobody is primary in sales",
            "milink resume sales",
            seen(|w| w.node_mut(Side::SqlServer).role = Some(Role::Secondary)),
        )
        .run(summary(None, true, true)),
        row(
            "a planned failover that stopped, and two primaries",
            "BOTH sides of sales are primary",
            "milink repair sales --winner managed",
            seen(|w| w.node_mut(Side::Managed).role = Some(Role::Primary)),
        )
        .run(summary(Some(stopped()), true, false)),
        row(
            "a removal that reached its goal, and two primaries of a new link",
            "BOTH sides of sales are primary",
            "milink repair sales --winner managed",
            seen(|w| w.node_mut(Side::Managed).role = Some(Role::Primary)),
        )
        .run(RunSummary { verb: Verb::Drop, ..summary(Some(Verdict::Reached), true, false) }),
        row(
            "a purge that stopped, and two primaries",
            "BOTH sides of sales are primary",
            "milink resume sales",
            seen(|w| w.node_mut(Side::Managed).role = Some(Role::Primary)),
        )
        .run(RunSummary { verb: Verb::Purge, ..summary(Some(stopped()), true, false) }),
        row(
            "a repair that stopped, and nobody is primary",
            "nobody is primary in sales",
            "milink failover sales --to managed --forced --allow-data-loss",
            seen(|w| w.node_mut(Side::SqlServer).role = Some(Role::Secondary)),
        )
        .run(RunSummary { verb: Verb::Repair, ..summary(Some(stopped()), true, false) }),
        row(
            "a planned failover that gave up, and SQL Server is dead",
            "cannot be told for certain",
            "milink failover sales --to managed --forced --allow-data-loss",
            seen(|w| w.kill(Side::SqlServer)),
        )
        .run(summary(Some(stopped()), true, false)),
        row(
            "nobody knows the link",
            "nobody knows a link sales",
            "milink create --name sales --database DATABASE",
            seen(|w| w.nodes.iter_mut().for_each(|n| n.role = None)),
        ),
    ]
}

#[test]
fn says_what_is_and_what_comes_next() {
    let mut wrong = Vec::new();
    for row in rows() {
        let diagnosis = diagnose(LINK, &row.seen, row.run.as_ref());
        if let Err(why) = parse(&diagnosis.next.command) {
            wrong.push(format!("{}: {why}", row.name));
        }
        if diagnosis.next.command != row.command {
            wrong.push(format!("{}: next is {}, not {}", row.name, diagnosis.next.command, row.command));
        }
        if !diagnosis.headline.contains(row.headline) {
            wrong.push(format!("{}: the headline is {}", row.name, diagnosis.headline));
        }
        let causes: Vec<&str> = diagnosis.causes.iter().map(|c| c.what.as_str()).collect();
        if row.cause.is_some_and(|wanted| !causes.iter().any(|c| c.contains(wanted))) {
            wrong.push(format!("{}: the causes are {causes:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_are_explained_by_their_numbers() {
    for number in [35250, 35201, 35206, 35207] {
        let diagnosis = diagnose(LINK, &connect_error(number), None);
        let cause = diagnosis
            .causes
            .iter()
            .find(|c| c.number == Some(number))
            .unwrap_or_else(|| panic!("{number} is not among {:?}", diagnosis.causes));
        assert!(cause.cause.is_some() && cause.fix.is_some(), "{number}: {cause:?}");
    }
    for number in [41962, 41973, 41974, 41976, 41977, 41986, 47521] {
        let diagnosis = diagnose(LINK, &link_error(number), None);
        let cause = diagnosis
            .causes
            .iter()
            .find(|c| c.number == Some(number))
            .unwrap_or_else(|| panic!("{number} is not among {:?}", diagnosis.causes));
        assert!(cause.cause.is_some() && cause.fix.is_some(), "{number}: {cause:?}");
    }
}

/// An asynchronous primary shows no last_hardened_lsn of its own: its last commit says what it has.
#[test]
fn how_far_behind_is_a_number_while_sql_server_is_an_asynchronous_primary() {
    let seen = |commit: u128, copy: u128| {
        seen_as(|o| {
            let half = instance(o, Side::SqlServer).groups.iter_mut().find(|g| g.distributed).unwrap();
            let own = half.databases.iter_mut().find(|d| d.local).unwrap();
            own.hardened_lsn = None;
            own.commit_lsn = milink_core::lsn::Lsn::new(commit);
            own.end_of_log_lsn = milink_core::lsn::Lsn::new(commit + 900);
            let half = instance(o, Side::Managed).groups.iter_mut().find(|g| g.distributed).unwrap();
            half.databases.iter_mut().find(|d| d.local).unwrap().hardened_lsn =
                milink_core::lsn::Lsn::new(copy);
        })
    };
    // A hardened LSN is a block's, with 1 for its slot; the record of the last commit is within a block.
    let block = 71_000_009_408_100_000;
    let risk = diagnose(LINK, &seen(block + 7, block + 1), None).at_risk.remove(0);
    assert_eq!(risk.lsn_behind.as_deref(), Some("0"), "{risk:?}");
    let risk = diagnose(LINK, &seen(block + 500_007, block + 1), None).at_risk.remove(0);
    assert_eq!(risk.lsn_behind.as_deref(), Some("499999"), "{risk:?}");
    let status = milink_core::status::link(LINK, &seen(block + 500_007, block + 1));
    assert_eq!(status.databases[0].lsn_behind.as_deref(), Some("499999"));
}

#[test]
fn who_is_silent_is_named() {
    let diagnosis = diagnose(LINK, &seen(|w| w.azure = false), None);
    assert!(diagnosis.unknown.iter().any(|u| u.starts_with("Azure: ")), "{:?}", diagnosis.unknown);
    let diagnosis = diagnose(LINK, &seen(|w| w.kill(Side::SqlServer)), None);
    assert!(diagnosis.unknown.iter().any(|u| u.starts_with("SQL Server: ")), "{:?}", diagnosis.unknown);
    let risk = &diagnosis.at_risk[0];
    assert_eq!((risk.lsn_behind.as_deref(), risk.seconds), (None, None), "unknown is unknown: {risk:?}");
}

#[test]
fn a_synchronous_link_is_no_fault_in_itself() {
    let both = seen(|w| {
        (w.sql_mode, w.azure_mode, w.synced) = (CommitMode::Synchronous, CommitMode::Synchronous, true);
    });
    assert_eq!(diagnose(LINK, &both, None).next.command, "milink status sales");
}
