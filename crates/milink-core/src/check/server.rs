//! SQL Server as an instance.

use super::catalogue::{
    Check, SERVER_CAPACITY, SERVER_CLUSTER, SERVER_COLLATION, SERVER_EDITION, SERVER_FROM_MANAGED,
    SERVER_HADR, SERVER_MULTI_DATABASE, SERVER_OPTED_IN, SERVER_PRODUCT, SERVER_REACHABLE, SERVER_SERVICING,
    SERVER_TRACE_1800, SERVER_TRACE_9567, SERVER_TRACE_12381, SERVER_TWO_WAY, SERVER_VERSION,
};
use super::scene::Scene;
use crate::action::{Action, Statement};
use crate::facts::policy::UpdatePolicy;
use crate::facts::states::SeedingState;
use crate::facts::version::{
    self, Release, SERVICING_TELL_TALE, ServerVersion, can_fail_back, can_link, can_link_edition,
    can_multi_database, can_start_from_managed,
};
use crate::facts::{Answer, Verdict};
use crate::finding::Finding;
use crate::names::Side;
use crate::observe::Instance;

const HERE: Side = Side::SqlServer;

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    vec![
        reachable(scene),
        product(scene),
        version(scene),
        servicing(scene),
        edition(scene),
        start_from_managed(scene),
        two_way(scene),
        multi_database(scene),
        opted_in(scene),
        hadr(scene),
        cluster(scene),
        advised_flag(scene, SERVER_TRACE_1800, 1800),
        advised_flag(scene, SERVER_TRACE_9567, 9567),
        seeding_flag(scene),
        collation(scene),
        capacity(scene),
    ]
}

fn reachable(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_REACHABLE, HERE, "an answer over TDS", |judge, i| {
            judge.pass(format!("{}, {}, {}", i.server_name, i.version, i.edition))
        })
        .advise("check the address, the port, the login and the certificate that the connection is made with")
}

fn product(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_PRODUCT, HERE, "EngineEdition other than 8", |judge, i| {
            judge.judge(!i.is_managed(), format!("EngineEdition {}", i.engine_edition))
        })
        .advise("connect to the SQL Server; the managed instance is the other side")
}

fn version(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_VERSION, HERE, "", |judge, i| judge.verdict(&can_link(i.version), i.version.to_string()))
        .advise("install the update, and restart the instance")
}

fn servicing(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_SERVICING, HERE, SERVICING_TELL_TALE, |judge, i| match i.can_add_issuers {
            Some(there) => judge.judge(there, if there { "it exists" } else { "it does not exist" }),
            None => judge.unknown("this login may not see whether the procedure exists"),
        })
        .advise("install the servicing update (the Azure Connect pack on 2016 and 2017), and restart the instance")
}

fn edition(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_EDITION, HERE, "", |judge, i| {
            judge.verdict(&can_link_edition(&i.edition, scene.any_multi_database()), &i.edition)
        })
        .advise("use an instance of one of these editions")
}

fn start_from_managed(scene: &Scene<'_>) -> Finding {
    scene.on(SERVER_FROM_MANAGED, HERE, "", |judge, i| {
        if !scene.any_from(Side::Managed) {
            return judge.skip("SQL Server is the initial primary");
        }
        match both_ways(scene, i, can_start_from_managed) {
            Ok(verdict) => judge.verdict(&verdict, builds(scene, i)),
            Err(why) => judge.unknown(why),
        }
    })
    .advise("begin the link on SQL Server, install the update, or use a managed instance of the right update policy")
}

fn two_way(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_TWO_WAY, HERE, "", |judge, i| {
            if !scene.any_two_way() {
                let breaks = i.version.release().is_some_and(version::failover_breaks_link);
                return judge.skip(if breaks {
                    "the link is one-way: a failover to Azure ends it, and leaves two databases that go their own ways"
                } else {
                    "the link is one-way"
                });
            }
            match both_ways(scene, i, can_fail_back) {
                Ok(verdict) => judge.verdict(&verdict, builds(scene, i)),
                Err(why) => judge.unknown(why),
            }
        })
        .advise("make the link one-way (failoverMode oneWay), or use a build and an update policy that allow both")
}

/// Asks for build and policy. A build that never can needs no policy to be told so.
fn both_ways(
    scene: &Scene<'_>,
    instance: &Instance,
    ask: impl Fn(ServerVersion, Option<UpdatePolicy>) -> Verdict,
) -> Result<Verdict, String> {
    let without = ask(instance.version, None);
    if without.answer == Answer::No {
        return Ok(without);
    }
    Ok(ask(instance.version, scene.azure()?.update_policy))
}

fn builds(scene: &Scene<'_>, instance: &Instance) -> String {
    let policy = scene.azure().ok().and_then(|a| a.update_policy);
    let policy = policy.map_or_else(|| "unknown".to_owned(), |p| p.to_string());
    format!("{}, update policy {policy}", instance.version)
}

fn multi_database(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_MULTI_DATABASE, HERE, "", |judge, i| {
            if !scene.any_multi_database() {
                return judge.skip("each link has one database");
            }
            let mut verdict = can_multi_database(i.version);
            // The documents name the update and not its build: the procedure that it brings tells.
            if verdict.answer == Answer::Unknown && i.multi_database.is_some() {
                verdict.answer = Answer::Yes;
            }
            judge.verdict(&verdict, i.version.to_string())
        })
        .advise("make a link for each database (linkMode singleDatabase), or install the cumulative update")
}

fn opted_in(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_OPTED_IN, HERE, "sys.sp_multidb_milink answers 1", |judge, i| {
            if !scene.any_multi_database() {
                return judge.skip("each link has one database");
            }
            match i.multi_database {
                Some(on) => judge.judge(on, format!("it answers {}", u8::from(on))),
                None => judge.unknown("there is no such procedure here, or this login may not call it"),
            }
        })
        .mend(
            "opt in, while there is no link on the server; on each replica of the group",
            vec![Action::sql(Statement::OptIntoMultiDatabase { on: true })],
            false,
        )
}

fn hadr(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_HADR, HERE, "IsHadrEnabled 1", |judge, i| match i.hadr_enabled {
            Some(on) => judge.judge(on, format!("IsHadrEnabled {}", u8::from(on))),
            None => judge.unknown("IsHadrEnabled is NULL"),
        })
        .advise(
            "enable Always On availability groups in SQL Server Configuration Manager (Linux: mssql-conf set hadr.hadrenabled 1), \
             and restart the service",
        )
}

fn cluster(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_CLUSTER, HERE, "a node of a cluster, of one node at least", |judge, i| {
            let needed = version::support_of(i.version).is_some_and(|s| s.needs_cluster);
            match (needed, i.hadr_enabled) {
                (false, _) => judge.skip("this release needs no cluster"),
                (true, Some(true)) => {
                    judge.pass("availability groups are enabled, which this release allows on a node only")
                }
                (true, Some(false) | None) => {
                    judge.unknown("whether the host is a node of a cluster shows itself only when Always On is enabled")
                }
            }
        })
        .advise(
            "install Failover Clustering, make a cluster of this one host, and give NT AUTHORITY\\SYSTEM ALTER ANY AVAILABILITY GROUP, \
             CONNECT SQL and VIEW SERVER STATE",
        )
}

fn advised_flag(scene: &Scene<'_>, check: Check, flag: u16) -> Finding {
    scene
        .on(check, HERE, format!("trace flag {flag} on"), |judge, i| match flag_is_on(i, flag) {
            Ok(on) => judge.judge(on, format!("trace flag {flag} is {}", word(on))),
            Err(why) => judge.unknown(why),
        })
        .mend(
            format!(
                "switch it on now, and make it a startup parameter (-T{flag}) so that it outlives a restart"
            ),
            vec![Action::sql(Statement::TraceOn { flag })],
            true,
        )
}

/// On before and during seeding, off afterwards. The plan that creates a link switches it on and off by itself.
fn seeding_flag(scene: &Scene<'_>) -> Finding {
    const FLAG: u16 = 12381;
    let seeding = |i: &Instance| {
        i.seedings.iter().any(|s| s.ended.is_none() && !SeedingState::from(s.state.as_str()).is_over())
    };
    scene.on(SERVER_TRACE_12381, HERE, "on while a database is seeded, off otherwise", |judge, i| {
        if !scene.any_from(HERE) {
            return judge.skip("nothing is seeded from SQL Server");
        }
        let on = match flag_is_on(i, FLAG) {
            Ok(on) => on,
            Err(why) => return judge.unknown(why),
        };
        let at_work = seeding(i);
        let to_come = match scene.to_seed(HERE) {
            Ok(links) => !links.is_empty(),
            Err(why) => return judge.unknown(why),
        };
        let seen = format!(
            "{}, and {}",
            word(on),
            if at_work {
                "a database is being seeded"
            } else if to_come {
                "a database is to be seeded"
            } else {
                "nothing is seeded"
            }
        );
        match (on, at_work, to_come) {
            // Before a creation either will do.
            (true, true, _) | (true, false, true) | (false, false, _) => judge.pass(seen),
            (false, true, _) => judge.fail(seen).mend(
                "switch it on now, and off when the copy is complete",
                vec![Action::sql(Statement::TraceOn { flag: FLAG })],
                true,
            ),
            (true, false, false) => judge.fail(seen).mend(
                "switch it off: log that nobody needs is kept",
                vec![Action::sql(Statement::TraceOff { flag: FLAG })],
                true,
            ),
        }
    })
}

fn flag_is_on(instance: &Instance, flag: u16) -> Result<bool, String> {
    let flags = instance.trace_flags.as_ref();
    flags.map(|f| f.contains(&flag)).ok_or_else(|| "this login may not run DBCC TRACESTATUS".to_owned())
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Case sensitivity decides about names, and stops the connection; the rest of a collation does not.
fn collation(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_COLLATION, HERE, "the managed instance's collation", |judge, i| {
            let over_tds = scene.managed().map(|m| m.collation.clone());
            let other = over_tds.or_else(|why| scene.azure().ok().and_then(|a| a.collation.clone()).ok_or(why));
            judge.look(other, |judge, other| {
                let seen = format!("SQL Server {}, managed instance {other}", i.collation);
                if i.collation.eq_ignore_ascii_case(&other) {
                    judge.pass(seen)
                } else if is_case_sensitive(&i.collation) == is_case_sensitive(&other) {
                    judge.warn(seen)
                } else {
                    judge.fail(seen)
                }
            })
        })
        .advise("use a managed instance of SQL Server's collation: it is chosen when the instance is made, and stays")
}

fn is_case_sensitive(collation: &str) -> bool {
    let name = collation.to_ascii_uppercase();
    name.contains("_CS") || name.contains("_BIN")
}

fn capacity(scene: &Scene<'_>) -> Finding {
    scene
        .on(SERVER_CAPACITY, HERE, "neither has less than half of the other's processors", |judge, i| {
            let vcores = scene.azure().and_then(|a| {
                a.v_cores.ok_or_else(|| "Azure does not say vCores of the managed instance".to_owned())
            });
            let cpus = i
                .cpu_count
                .ok_or_else(|| "this login may not see sys.dm_os_sys_info (VIEW SERVER STATE)".to_owned());
            judge.look(cpus.and_then(|c| Ok((c, vcores?))), |judge, (cpus, vcores)| {
                let (less, more) = (cpus.min(vcores), cpus.max(vcores));
                judge.judge(
                    less * 2 >= more,
                    format!("SQL Server {cpus} processors, managed instance {vcores} vCores"),
                )
            })
        })
        .advise("compare memory and I/O too; if the redo queue grows, enlarge the secondary")
}

/// The release, for checks that ask a table by it.
pub(super) fn release(instance: &Instance) -> Result<Release, String> {
    let version = instance.version;
    version.release().ok_or_else(|| format!("{version} is no release that the tables know"))
}
