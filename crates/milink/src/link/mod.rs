//! The verbs of the link: check, plan, create, watch, fail over, repair, and what comes after an interruption.
//!
//! Here arguments become specs and options, and what comes back becomes documents, progress and exit codes. What is done, and when, is
//! decided in `milink-core` and carried out by `milink-ops`.

mod changing;
mod check;
mod create;
mod doctor;
mod entra;
mod failover;
mod history;
mod learnt;
mod objects;
mod outside;
mod ready;
mod removing;
mod resume;
mod script;
pub(crate) mod session;
mod spec;
mod status;
mod status_document;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

/// A verb of the link.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check everything that a link needs, or whether one could be failed over now.
    Check(check::Arguments),
    /// Make links, one for each database.
    Create(create::Arguments),
    /// Show what create would do: every statement and call, and what it waits for.
    Plan(create::Arguments),
    /// Print what create, failover or drop would do as scripts: T-SQL, PowerShell, az, Bicep.
    Script(script::Arguments),
    /// Show how links are.
    #[command(visible_alias = "list")]
    Status(status::Arguments),
    /// Show all that is known of one link.
    Show(status::One),
    /// Say what is wrong with a link, what is at risk, and the one command that comes next.
    Doctor(doctor::Arguments),
    /// Change the roles of a link, planned or forced.
    Failover(failover::Arguments),
    /// End a state with two primaries.
    Repair(failover::RepairArguments),
    /// What lives outside of the databases and does not follow them: compare, script, copy.
    #[command(subcommand)]
    Objects(outside::Objects),
    /// Show or set the hybrid failover benefit: a passive replica without licence costs.
    Benefit(outside::Benefit),
    /// Go on with what was interrupted, from what both sides show now.
    Resume(resume::Arguments),
    /// Take back what a run has done.
    Undo(removing::UndoArguments),
    /// Remove a link, and what only it uses.
    Drop(removing::DropArguments),
    /// Take a link that somebody else made into the journal.
    Adopt(removing::AdoptArguments),
    /// Remove what is left over of links.
    Purge(removing::PurgeArguments),
    /// Show what was done, from the journal.
    History(history::Arguments),
}

/// Runs a verb.
pub(crate) fn run(verb: Verb) -> ExitCode {
    match verb {
        Verb::Check(arguments) => check::run(&arguments),
        Verb::Create(arguments) => create::run(&arguments, false),
        Verb::Plan(arguments) => create::run(&arguments, true),
        Verb::Status(arguments) => status::run(&arguments),
        Verb::Show(arguments) => status::show(&arguments),
        Verb::Doctor(arguments) => doctor::run(&arguments),
        Verb::Failover(arguments) => failover::run(&arguments),
        Verb::Repair(arguments) => failover::repair(&arguments),
        Verb::Objects(verb) => outside::run(&verb),
        Verb::Benefit(arguments) => outside::benefit(&arguments),
        Verb::Resume(arguments) => resume::run(&arguments),
        Verb::Script(arguments) => script::run(&arguments),
        Verb::Undo(arguments) => removing::run_undo(&arguments),
        Verb::Drop(arguments) => removing::run_drop(&arguments),
        Verb::Adopt(arguments) => removing::run_adopt(&arguments),
        Verb::Purge(arguments) => removing::run_purge(&arguments),
        Verb::History(arguments) => history::run(&arguments),
    }
}
