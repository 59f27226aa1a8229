//! `milink failover` and `milink repair`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use milink_core::moment::Moment;
use milink_core::names;
use milink_core::observe::Observation;
use milink_core::plan::{PlanError, repair as repairs};
use milink_core::receipt::Comparison;
use milink_core::role_change::{NotNow, Ready, Wish, is_confirmed, prepare};
use milink_core::spec::Link;
use milink_ops::hooks::{Hook, Occasion};
use milink_ops::links::{self, NoLink};
use milink_ops::receipt;
use milink_ops::sides::now;
use serde::Serialize;

use super::changing::{self, Ended, PlanDocument};
use super::check;
use super::ready::objects_before_failover;
use super::session::{Common, Session, journal_failure, with};
use super::spec::Side;
use super::status::known;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Table, Tone};

/// Flags of failover.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
    /// The side that shall be primary; the one that is not, unless said.
    #[arg(long, value_enum, value_name = "SIDE")]
    to: Option<Side>,
    /// Make it primary from what it has. Needs --allow-data-loss and --confirm.
    #[arg(long, requires = "allow_data_loss")]
    forced: bool,
    /// What has not arrived there may be lost.
    #[arg(long)]
    allow_data_loss: bool,
    /// The link's name, typed again, for a forced failover.
    #[arg(long, value_name = "LINK")]
    confirm: Option<String>,
    /// Do not begin if the copy is further behind than this, in seconds.
    #[arg(long, value_name = "SECONDS")]
    max_lag: Option<u64>,
    /// How long draining may take, in seconds, before the former state is brought back.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
    /// Begin at this moment, such as 2026-11-25T03:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// A program that is asked before anything is changed; if it does not end with 0, nothing is. It is run as it is named, without a
    /// shell; its arguments are given by --before-arg.
    #[arg(long, value_name = "PROGRAM")]
    before: Option<String>,
    /// An argument of --before, as it is; may be given several times.
    #[arg(long, value_name = "ARGUMENT", requires = "before", allow_hyphen_values = true)]
    before_arg: Vec<String>,
    /// A program that is told afterwards, run like the one of --before.
    #[arg(long, value_name = "PROGRAM")]
    after: Option<String>,
    /// An argument of --after, as it is; may be given several times.
    #[arg(long, value_name = "ARGUMENT", requires = "after", allow_hyphen_values = true)]
    after_arg: Vec<String>,
    /// Do not begin if the other side lacks what users need to log in: logins with their SIDs, and those that could not be looked at.
    /// Without it that is a warning.
    #[arg(long)]
    require_objects: bool,
    /// Count and sum every table on both sides afterwards.
    #[arg(long)]
    receipt: bool,
    /// Look at the gates, show what would be done, and change nothing.
    #[arg(long)]
    what_if: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Flags of repair.
#[derive(Debug, Args)]
pub(crate) struct RepairArguments {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
    /// The side that stays primary. What the other one has alone is saved and given up.
    #[arg(long, value_enum, value_name = "SIDE")]
    winner: Side,
    /// Show what would be done, and change nothing.
    #[arg(long)]
    what_if: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// What a role change has done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    #[serde(flatten)]
    ended: Ended,
    /// Who is primary now.
    primary: &'static str,
    /// Both sides, table by table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<Comparison>,
}

impl Document for Receipt {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let took = self.ended.ended.ms_since(self.ended.started) as f64 / 1000.0;
        let mut about = Table::pairs();
        about
            .pair("link", self.ended.link.clone())
            .pair("primary", Cell::toned(self.primary, Tone::Good))
            .pair("took", format!("{took:.1} s"))
            .pair("run", self.ended.run.to_string());
        for c in &self.tables {
            let lsn =
                |l: Option<milink_core::lsn::Lsn>| l.map_or_else(|| "unknown".to_owned(), |l| l.to_string());
            about.pair(
                &format!("{} hardened", c.database),
                format!(
                    "SQL Server {}, managed instance {}",
                    lsn(c.sql_server_hardened),
                    lsn(c.managed_hardened)
                ),
            );
            let same = format!("{} tables with {} rows are the same on both sides", c.same, c.rows);
            about.pair(
                &c.database,
                Cell::toned(same, if c.different.is_empty() { Tone::Good } else { Tone::Warning }),
            );
            for d in &c.different {
                let side = |s: &Option<milink_core::receipt::TableSum>| {
                    s.as_ref().map_or_else(|| "none".to_owned(), |s| format!("{} rows", s.rows))
                };
                about.pair(
                    &d.table,
                    Cell::toned(
                        format!(
                            "differs: SQL Server {}, managed instance {}",
                            side(&d.sql_server),
                            side(&d.managed)
                        ),
                        Tone::Bad,
                    ),
                );
            }
        }
        about
    }
}

/// Changes the roles.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    with(&arguments.common, |session| change(session, arguments))
}

async fn change(session: Session, arguments: &Arguments) -> Result<(), Failure> {
    if let Some(at) = arguments.at {
        let wait = at.ms_since(now());
        session.output.note(&format!("Waiting until {at}."));
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    let seen = session.look().await;
    known(&arguments.link, &seen)?;
    let link = link_of(&session, &arguments.link, &seen)?;
    let wish = Wish {
        to: arguments.to.map(Into::into),
        forced: arguments.forced,
        lag_seconds_max: arguments.max_lag,
        drain_timeout_ms: arguments.timeout.saturating_mul(1000),
    };
    // What is typed again is what was typed: a name in another case is the same link.
    let confirmed = is_confirmed(&arguments.link, arguments.confirm.as_deref()).then_some(link.name.as_str());
    let Ready { to, plan } = match prepare(&link, &wish, confirmed, &seen) {
        Ok(ready) => ready,
        Err(NotNow::Gates(shut)) => {
            return check::stop_at(&session, shut, "the roles cannot be changed now");
        }
        Err(NotNow::Plan(e)) => return Err(cannot(&link.name, &e)),
        Err(NotNow::NoTarget) => {
            return Err(Failure::arguments(
                "a forced failover must say which side shall be primary",
                "--to",
                "say --to managed or --to sql-server",
            ));
        }
        Err(NotNow::NotConfirmed) => {
            return Err(Failure::arguments(
                "a forced failover may lose data, and must be confirmed by the link's name",
                "--confirm",
                format!("type --confirm {}, if that is what you want", arguments.link),
            ));
        }
    };
    // A forced failover is for a side that is lost: nobody waits for its answer unless that is wanted.
    if arguments.require_objects || !arguments.forced {
        objects_before_failover(&session, &link, to, arguments.require_objects).await?;
    }
    if arguments.what_if {
        return session.output.show(&PlanDocument::of(plan, &seen));
    }
    if !arguments.yes && session.output.is_for_people() {
        session.output.show(&PlanDocument::of(plan.clone(), &seen))?;
    }
    changing::confirm(
        &session.output,
        arguments.yes,
        &format!("Make the {to} primary in link {}?", link.name),
    )?;
    let verb = if arguments.forced { "forced-failover" } else { "planned-failover" };
    ask_hook(command(arguments.before.as_ref(), &arguments.before_arg), &link.name, verb, "before", to)
        .await?;
    for note in &plan.notes {
        session.output.note(note);
    }
    let ended = changing::run_one(&session, plan).await?;
    if let Some(failure) = changing::failure(&link.name, &ended.verdict) {
        return Err(failure);
    }
    ask_hook(command(arguments.after.as_ref(), &arguments.after_arg), &link.name, verb, "after", to).await?;
    let tables = if arguments.receipt { compare(&session, &link).await? } else { Vec::new() };
    session.output.show(&Receipt { ended, primary: Side::word(to), tables })
}

/// A program with its arguments, neither of them taken apart: both may have blanks in them.
fn command(program: Option<&String>, arguments: &[String]) -> Option<Vec<String>> {
    program.map(|program| std::iter::once(program).chain(arguments).cloned().collect())
}

async fn ask_hook(
    command: Option<Vec<String>>,
    link: &str,
    verb: &str,
    moment: &str,
    to: names::Side,
) -> Result<(), Failure> {
    let Some(command) = command else { return Ok(()) };
    let hook = Hook { command, timeout: Duration::from_mins(10) };
    let occasion = Occasion { link, verb, moment, new_primary: Side::word(to) };
    hook.run(&occasion).await.map_err(|veto| Failure {
        code: Exit::Refused,
        what: veto.to_string(),
        where_: format!("--{moment}"),
        now_true: if moment == "before" {
            NOTHING_CHANGED.to_owned()
        } else {
            format!("the roles have changed: the {to} is primary")
        },
        next: "see what the program says".to_owned(),
    })
}

/// Both sides, table by table, for the receipt.
async fn compare(session: &Session, link: &Link) -> Result<Vec<Comparison>, Failure> {
    let (Some(one), Some(two)) = (&session.sides.sql_server, &session.sides.managed) else {
        return Err(Failure::arguments(
            "a receipt counts both sides, and only one is connected",
            "-S and --managed-server",
            "give both",
        ));
    };
    receipt::compare(&session.sides, one, two, link).await.map_err(|e| Failure {
        code: Exit::Error,
        what: format!("the tables cannot be counted: {e}"),
        where_: "--receipt".to_owned(),
        now_true: "the roles have changed".to_owned(),
        next: format!("milink status {}", link.name),
    })
}

/// Ends a state with two primaries.
pub(crate) fn repair(arguments: &RepairArguments) -> ExitCode {
    with(&arguments.common, |session| mend(session, arguments))
}

async fn mend(session: Session, arguments: &RepairArguments) -> Result<(), Failure> {
    let seen = session.look().await;
    known(&arguments.link, &seen)?;
    let link = link_of(&session, &arguments.link, &seen)?;
    let winner = arguments.winner.into();
    let plan = repairs::repair(&link, winner, &seen).map_err(|e| cannot(&link.name, &e))?;
    if arguments.what_if {
        return session.output.show(&PlanDocument::of(plan, &seen));
    }
    if !arguments.yes && session.output.is_for_people() {
        session.output.show(&PlanDocument::of(plan.clone(), &seen))?;
    }
    changing::confirm(&session.output, arguments.yes, &format!("Let the {} give way?", winner.other()))?;
    for note in &plan.notes {
        session.output.note(note);
    }
    let ended = changing::run_one(&session, plan).await?;
    match changing::failure(&link.name, &ended.verdict) {
        None => session.output.show(&Receipt { ended, primary: Side::word(winner), tables: Vec::new() }),
        Some(failure) => Err(failure),
    }
}

/// The plan is refused.
pub(crate) fn cannot(link: &str, e: &PlanError) -> Failure {
    Failure {
        code: Exit::Refused,
        what: e.to_string(),
        where_: format!("link {link}"),
        now_true: NOTHING_CHANGED.to_owned(),
        next: format!("milink doctor {link}"),
    }
}

/// The link as it is: as the journal knows it, with the names that both sides and Azure show now; or all as they show it.
///
/// # Errors
/// It cannot be told from what is seen.
pub(crate) fn link_of(session: &Session, name: &str, seen: &Observation) -> Result<Link, Failure> {
    let known = links::link_of(&session.journal()?, name, seen).map_err(|e| match e {
        NoLink::Journal(e) => journal_failure(&e),
        NoLink::Plan(e) => cannot(name, &e),
    })?;
    if let Some(changed) = known.changed {
        session.output.warn(&changed);
    }
    Ok(known.link)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn parsed(flags: &[&str]) -> Arguments {
        let given = ["failover", "sales"].iter().chain(flags);
        let matches = Arguments::augment_args(clap::Command::new("failover")).get_matches_from(given);
        Arguments::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn a_hook_may_have_blanks_in_its_path_and_its_arguments() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("our own hook");
        std::fs::copy("/bin/sh", &program).unwrap();
        let script = "test \"$1\" = 'two words' && exit 3";
        let given = parsed(&[
            "--before",
            program.to_str().unwrap(),
            "--before-arg",
            "-c",
            "--before-arg",
            script,
            "--before-arg",
            "sh",
            "--before-arg",
            "two words",
        ]);
        let hook = command(given.before.as_ref(), &given.before_arg);
        let asked = ask_hook(hook, "sales", "planned-failover", "before", names::Side::Managed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let veto = runtime.block_on(asked).expect_err("it ends with 3");
        assert!(veto.what.contains("exit status: 3"), "{}", veto.what);
    }
}
