//! The first copies: all databases that are seeded together share the network, and the time.

use super::catalogue::{Check, SEEDING_DURATION, SEEDING_LOG_BACKUPS, SEEDING_LOG_SPACE};
use super::database::Case;
use super::judge::Judge;
use super::scene::{Scene, size, span};
use crate::facts::limits::{SEEDING_DAYS, seeding_seconds};
use crate::finding::{Finding, Subject};
use crate::names::Side;
use crate::observe::{Database, Job};

/// The trace flag that keeps log for a seeding, whatever is backed up meanwhile.
const KEEP_LOG: u16 = 12381;

/// What is to be copied, and how long that takes at the documents' speed.
pub(super) struct Forecast {
    bytes: u64,
    pub(super) seconds: u64,
}

/// Everything that is still to be seeded. `Ok(None)`: nothing is.
///
/// # Errors
/// The size of a database is not known.
pub(super) fn forecast(scene: &Scene<'_>) -> Result<Option<Forecast>, String> {
    let mut bytes = None;
    for side in Side::BOTH {
        for link in scene.to_seed(side)? {
            for name in &link.databases {
                let found = scene.database(side, name)?;
                let database = found.ok_or_else(|| format!("no database {name} is seen on {side}"))?;
                if database.size_bytes == 0 {
                    return Err(format!(
                        "the size of {name} is hidden from this login (VIEW ANY DEFINITION)"
                    ));
                }
                bytes = Some(database.size_bytes.saturating_add(bytes.unwrap_or(0)));
            }
        }
    }
    Ok(bytes.map(|bytes| Forecast { bytes, seconds: seeding_seconds(bytes) }))
}

pub(super) fn checks(scene: &Scene<'_>, forecast: &Result<Option<Forecast>, String>) -> Vec<Finding> {
    vec![duration(forecast), log_backups(scene, forecast)]
}

const NOTHING: &str = "nothing is to be seeded";

fn begin<'f>(
    check: Check,
    wanted: String,
    forecast: &'f Result<Option<Forecast>, String>,
    look: impl FnOnce(Judge, &'f Forecast) -> Finding,
) -> Finding {
    let judge = check.of(Subject::Instance { side: Side::SqlServer }, wanted);
    judge.look(forecast.as_ref().map_err(Clone::clone), |judge, forecast| match forecast {
        Some(forecast) => look(judge, forecast),
        None => judge.skip(NOTHING),
    })
}

fn duration(forecast: &Result<Option<Forecast>, String>) -> Finding {
    begin(SEEDING_DURATION, format!("less than {SEEDING_DAYS} days"), forecast, |judge, f| {
        let seen = format!("{} take about {} at 84 GB an hour", size(f.bytes), span(f.seconds));
        judge
            .judge(f.seconds < SEEDING_DAYS * 86_400, seen)
            .advise("seed fewer databases at a time, or over a faster network")
    })
}

fn log_backups(scene: &Scene<'_>, forecast: &Result<Option<Forecast>, String>) -> Finding {
    let wanted = format!("no log backup while a copy is made, or trace flag {KEEP_LOG}");
    begin(SEEDING_LOG_BACKUPS, wanted, forecast, |judge, f| {
        match scene.to_seed(Side::SqlServer) {
            Ok(links) if links.is_empty() => return judge.skip("nothing is seeded from SQL Server"),
            Ok(_) => {}
            Err(why) => return judge.unknown(why),
        }
        judge.look(scene.sql_server(), |judge, i| {
            if i.trace_flags.as_ref().is_some_and(|f| f.contains(&KEEP_LOG)) {
                return judge.pass(format!("trace flag {KEEP_LOG} keeps the log"));
            }
            let Some(jobs) = &i.log_backup_jobs else {
                return judge.unknown("this login may not see the jobs of SQL Server Agent (msdb: SQLAgentReaderRole)");
            };
            let now = scene.seen.at;
            let end = now.plus_ms(f.seconds.saturating_mul(1_000));
            let within = |j: &&Job| j.enabled && j.next_run.is_some_and(|at| at <= end);
            let due: Vec<String> = jobs
                .iter()
                .filter(within)
                .map(|j| format!("{} at {}", j.name, j.next_run.map_or_else(String::new, |at| at.to_string())))
                .collect();
            if due.is_empty() {
                return judge.pass(format!("{} jobs back up logs, none of them until {end}", jobs.len()));
            }
            judge.fail(format!("{}, and the copy may take until {end}", due.join(", "))).advise(format!(
                "trace flag {KEEP_LOG} keeps the log while the copy is made (`milink create` switches it on and off); where the build \
                 does not know it, disable the jobs until then"
            ))
        })
    })
}

/// How full a log may be when a seeding begins and nobody knows how fast it fills.
const FULL_PERCENT: f64 = 80.0;

/// What the log has filled with since its last backup goes on at that pace until the copy has it.
pub(super) fn log_space(case: &Case<'_>, forecast: &Result<Option<Forecast>, String>) -> Finding {
    case.on_sql_server(SEEDING_LOG_SPACE, "room in the log until the copy is complete", |judge, d| {
        if case.scene.is_in_azure(case.link) {
            return judge.skip("the copy is being made, or is there");
        }
        let forecast = match forecast {
            Ok(Some(forecast)) => forecast,
            Ok(None) => return judge.skip(NOTHING),
            Err(why) => return judge.unknown(why.clone()),
        };
        let Some(percent) = d.log_used_percent else {
            return judge
                .unknown("how full the log is, is hidden from this login (DBCC SQLPERF: VIEW SERVER STATE)");
        };
        let used = (d.log_bytes as f64 * percent / 100.0) as u64;
        let found = match bytes_a_second(case, d, used) {
            Some(rate) => {
                let then = used.saturating_add((rate * forecast.seconds as f64) as u64);
                let seen = format!(
                    "{percent:.0} % of {} used; about {} in {}",
                    size(d.log_bytes),
                    size(then),
                    span(forecast.seconds)
                );
                judge.judge(then <= d.log_bytes, seen)
            }
            None => judge.judge(
                percent <= FULL_PERCENT,
                format!("{percent:.0} % of {} used; how fast it fills is not known", size(d.log_bytes)),
            ),
        };
        found.advise("back up the log before the link is made, and give it room to grow")
    })
}

/// How fast the log fills, if a log backup not long ago lets it be told.
fn bytes_a_second(case: &Case<'_>, database: &Database, used: u64) -> Option<f64> {
    const SHORTEST_MS: u64 = 60_000;
    let since = database.last_log_backup.as_ref()?.finished;
    let ms = case.scene.seen.at.ms_since(since);
    (ms >= SHORTEST_MS).then(|| used as f64 * 1_000.0 / ms as f64)
}
