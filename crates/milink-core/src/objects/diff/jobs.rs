//! Agent jobs.

use std::fmt::Write as _;

use super::{Difference, Kind, Mend, Severity, both, otherwise};
use crate::objects::statement::has_separator;
use crate::objects::{Job, JobSchedule, JobStep, LoginKind, Objects, Part, Statement};
use crate::observe::same_name;
use crate::script::tsql::text;

/// Subsystems of the Agent on a managed instance (T-SQL differences, SQL Server Agent).
const MANAGED_SUBSYSTEMS: [&str; 5] = ["TSQL", "SSIS", "LogReader", "Snapshot", "Distribution"];

pub(super) fn jobs(source: &Objects, target: &Objects, databases: &[String], out: &mut Vec<Difference>) {
    let Some((ours, theirs)) = both(Kind::Job, (source, &source.jobs), (target, &target.jobs), out) else {
        return;
    };
    for job in ours {
        let works_there = |step: &JobStep| {
            step.database.as_ref().is_some_and(|d| databases.iter().any(|name| same_name(name, d)))
        };
        let severity = if job.steps.iter().any(works_there) { Severity::Important } else { Severity::Note };
        match theirs.iter().find(|j| same_name(&j.name, &job.name)) {
            None => {
                out.push(Difference::missing(Kind::Job, &job.name, severity, create(job, source, target)));
            }
            Some(other) => out.extend(different(job, other, source, target, severity)),
        }
    }
    let alone = theirs.iter().filter(|j| !ours.iter().any(|o| same_name(&o.name, &j.name)));
    out.extend(alone.map(|j| Difference::only_there(Kind::Job, &j.name)));
}

/// The owner that the job can have on the target.
fn owner<'a>(job: &'a Job, source: &Objects, target: &Objects) -> Option<&'a str> {
    let owner = job.owner.as_deref()?;
    let is_sql = source.login(owner).is_none_or(|l| l.kind == LoginKind::Sql);
    (is_sql || !target.managed).then_some(owner)
}

fn create(job: &Job, source: &Objects, target: &Objects) -> Mend {
    let refused = job.steps.iter().find(|s| {
        target.managed && !MANAGED_SUBSYSTEMS.iter().any(|known| s.subsystem.eq_ignore_ascii_case(known))
    });
    if let Some(step) = refused {
        let why = format!(
            "the Agent of a managed instance runs no {} steps, as {} is: it must run elsewhere",
            step.subsystem, step.name
        );
        return Mend::ByHand { why };
    }
    if let Some(step) = job.steps.iter().find(|s| s.has_proxy) {
        return Mend::by_hand(format!("its step {} runs as a proxy, which is not copied", step.name));
    }
    let schedules = match &job.schedules {
        Part::Known(schedules) => schedules,
        Part::Unknown(why) => return Mend::by_hand(format!("its schedules could not be read: {why}")),
    };
    Mend::Now {
        statements: vec![Statement::new(body(job, owner(job, source, target), schedules)).within("msdb")],
    }
}

/// All of a job in one transaction: half a job would be taken for a whole one the next time.
fn body(job: &Job, owner: Option<&str>, schedules: &[JobSchedule]) -> String {
    let at = text(&job.name);
    let mut out = format!(
        "IF NOT EXISTS (SELECT 1 FROM msdb.dbo.sysjobs WHERE name = {at})\nBEGIN\nSET XACT_ABORT ON;\nBEGIN TRANSACTION;\n"
    );
    let mut category = String::new();
    if let Some(named) = &job.category {
        let named = text(named);
        out += &format!(
            "IF NOT EXISTS (SELECT 1 FROM msdb.dbo.syscategories WHERE name = {named} AND category_class = 1) \
             EXEC msdb.dbo.sp_add_category @class = N'JOB', @type = N'LOCAL', @name = {named};\n"
        );
        category = format!(", @category_name = {named}");
    }
    let owner = owner.map(|o| format!(", @owner_login_name = {}", text(o))).unwrap_or_default();
    // Disabled: on a secondary it would fail, or do twice what the primary's does.
    out += &format!(
        "EXEC msdb.dbo.sp_add_job @job_name = {at}, @enabled = 0, @description = {}{category}{owner};\n",
        text(&job.description)
    );
    for step in &job.steps {
        let mut command = text(&step.command);
        if has_separator(&step.command) {
            let declared = command.replace('\n', "' + NCHAR(10) + N'").replace('\r', "' + NCHAR(13) + N'");
            command = format!("@command{}", step.id);
            out += &format!("DECLARE {command} nvarchar(max) = {declared};\n");
        }
        out +=
            &format!("EXEC msdb.dbo.sp_add_jobstep @job_name = {at}, {};\n", step_parameters(step, &command));
    }
    if job.start_step > 1 {
        out +=
            &format!("EXEC msdb.dbo.sp_update_job @job_name = {at}, @start_step_id = {};\n", job.start_step);
    }
    for schedule in schedules {
        let mut parameters =
            format!("@name = {}, @enabled = {}", text(&schedule.name), u8::from(schedule.enabled));
        for (parameter, value) in JobSchedule::NUMBERS.iter().zip(&schedule.numbers) {
            // Writing to a string cannot fail.
            write!(parameters, ", @{parameter} = {value}").unwrap_or(());
        }
        out += &format!("EXEC msdb.dbo.sp_add_jobschedule @job_name = {at}, {parameters};\n");
    }
    out += &format!("EXEC msdb.dbo.sp_add_jobserver @job_name = {at}, @server_name = N'(local)';\n");
    out + "COMMIT TRANSACTION;\nEND"
}

fn step_parameters(step: &JobStep, command: &str) -> String {
    let mut out = format!(
        "@step_id = {}, @step_name = {}, @subsystem = {}, @command = {command}, @on_success_action = {}, @on_success_step_id = {}, \
         @on_fail_action = {}, @on_fail_step_id = {}, @retry_attempts = {}, @retry_interval = {}",
        step.id,
        text(&step.name),
        text(&step.subsystem),
        step.on_success_action,
        step.on_success_step,
        step.on_fail_action,
        step.on_fail_step,
        step.retry_attempts,
        step.retry_interval
    );
    out += &step.database.as_ref().map(|d| format!(", @database_name = {}", text(d))).unwrap_or_default();
    out +=
        &step.output_file.as_ref().map(|f| format!(", @output_file_name = {}", text(f))).unwrap_or_default();
    out
}

fn different(
    job: &Job,
    other: &Job,
    source: &Objects,
    target: &Objects,
    severity: Severity,
) -> Option<Difference> {
    let mut what = Vec::new();
    if job.description != other.description || job.category != other.category {
        what.push("its description or category is another one".to_owned());
    }
    if let Some(wanted) = owner(job, source, target) {
        let theirs = other.owner.as_deref().unwrap_or("nobody");
        if !same_name(wanted, theirs) {
            what.push(otherwise("owner", theirs, wanted));
        }
    }
    if job.start_step != other.start_step || job.steps.len() != other.steps.len() {
        what.push(otherwise("number of steps", &other.steps.len().to_string(), &job.steps.len().to_string()));
    }
    let steps = job.steps.iter().zip(&other.steps).filter(|(ours, theirs)| ours != theirs);
    what.extend(steps.map(|(step, _)| format!("step {} ({}) is another one", step.id, step.name)));
    if let (Part::Known(ours), Part::Known(theirs)) = (&job.schedules, &other.schedules)
        && ours != theirs
    {
        what.push("its schedules are others".to_owned());
    }
    if !what.is_empty() {
        let why = "a job is not replaced, because its history would go with it: sp_delete_job on the target, then copy again";
        return Some(Difference::different(Kind::Job, &job.name, what, severity, Mend::by_hand(why)));
    }
    let update = |enabled: u8| {
        let update =
            format!("EXEC msdb.dbo.sp_update_job @job_name = {}, @enabled = {enabled}", text(&job.name));
        vec![Statement::new(update).within("msdb")]
    };
    match (job.enabled, other.enabled) {
        // As copied: it waits for the failover.
        (true, false) => Some(Difference::different(
            Kind::Job,
            &job.name,
            vec!["it is disabled, until the failover".to_owned()],
            Severity::Note,
            Mend::AfterFailover { statements: update(1) },
        )),
        (false, true) => Some(Difference::different(
            Kind::Job,
            &job.name,
            vec!["it is enabled, and disabled on the source".to_owned()],
            severity,
            Mend::Now { statements: update(0) },
        )),
        (true, true) | (false, false) => None,
    }
}
