//! Long-running operations: what is to be done, how it stands, and what to do next. Nothing here acts.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::iso;
use crate::config::{Names, Timing};
use crate::error::{ArmError, code_of};
use crate::instance::{
    Call, CommitMode, Database, InstanceError, Link, LinkMode, LinkRequest, Role, SeedingState,
    TrustedCertificate,
};
use crate::target::Family;

/// What an operation is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    CreateLink(LinkRequest),
    SetDatabases {
        link: String,
        databases: Vec<String>,
    },
    SetCommitMode {
        link: String,
        mode: CommitMode,
    },
    DropLink {
        link: String,
    },
    FailOver {
        link: String,
        forced: bool,
    },
    BecomeSecondary {
        link: String,
    },
    Trust {
        name: String,
        der: Vec<u8>,
    },
    Forget {
        name: String,
    },
    DropDatabase {
        name: String,
    },
    /// It was done when it was accepted.
    Nothing,
    /// It cannot be done, which Azure says only afterwards.
    Refuse {
        code: String,
        message: String,
    },
}

/// How an operation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    InProgress,
    Succeeded,
    Failed { code: String, message: String },
    Canceled,
}

/// An operation. It is kept from when it is accepted, so that no accident makes it forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) family: Family,
    /// As `operation` in the first answer has it.
    pub(crate) name: String,
    /// The link, certificate or database.
    pub(crate) subject: String,
    pub(crate) work: Work,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) status: Status,
}

impl Operation {
    pub(crate) fn is_running(&self) -> bool {
        self.status == Status::InProgress
    }

    /// What its status address shows.
    pub(crate) fn status_body(&self) -> Value {
        let word = match &self.status {
            Status::InProgress => "InProgress",
            Status::Succeeded => "Succeeded",
            Status::Failed { .. } => "Failed",
            Status::Canceled => "Canceled",
        };
        let mut body = json!({"name": self.id, "status": word, "startTime": iso(self.started_ms)});
        if let Status::Failed { code, message } = &self.status {
            body["error"] = json!({"code": code, "message": message});
        }
        body
    }

    /// What the list of an instance's operations shows.
    pub(crate) fn resource(&self, names: &Names) -> Value {
        let (state, percent) = match &self.status {
            Status::InProgress => ("InProgress", 0),
            Status::Succeeded => ("Succeeded", 100),
            Status::Failed { .. } => ("Failed", 0),
            Status::Canceled => ("Cancelled", 0),
        };
        let mut properties = json!({
            "managedInstanceName": names.instance,
            "operation": self.name,
            "operationFriendlyName": self.name,
            "percentComplete": percent,
            "startTime": iso(self.started_ms),
            "state": state,
            "isUserError": matches!(self.status, Status::Failed { .. }),
            "isCancellable": self.is_running() && matches!(self.work, Work::CreateLink(_)),
        });
        if let Status::Failed { code, message } = &self.status {
            properties["errorDescription"] = json!(format!("{code}: {message}"));
        }
        json!({
            "properties": properties,
            "id": format!("{}/operations/{}", names.instance_id(), self.id),
            "name": self.id,
            "type": "Microsoft.Sql/managedInstances/operations",
        })
    }
}

/// All operations that are remembered, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operations {
    list: Vec<Operation>,
}

/// How many that have ended are remembered.
const ENDED_MAX: usize = 500;

impl Operations {
    pub(crate) fn all(&self) -> &[Operation] {
        &self.list
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Operation> {
        self.list.iter().find(|o| o.id.eq_ignore_ascii_case(id))
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Operation> {
        self.list.iter().filter(|o| o.is_running())
    }

    /// One that runs on a link, certificate or database.
    pub(crate) fn running_on(&self, family: Family, subject: &str) -> Option<&Operation> {
        self.running().find(|o| o.family == family && o.subject.eq_ignore_ascii_case(subject))
    }

    /// Remembers one, and forgets the oldest that have ended, if there are too many.
    pub(crate) fn add(&mut self, operation: Operation) {
        let ended = self.list.iter().filter(|o| !o.is_running()).count();
        let mut surplus = (ended + 1).saturating_sub(ENDED_MAX);
        self.list.retain(|o| {
            let goes = surplus > 0 && !o.is_running();
            surplus -= usize::from(goes);
            !goes
        });
        self.list.push(operation);
    }

    /// Ends one; one that has ended stays as it is.
    pub(crate) fn end(&mut self, id: &str, status: Status, now_ms: i64) {
        let running = self.list.iter_mut().find(|o| o.id == id && o.is_running());
        if let Some(operation) = running {
            operation.status = status;
            operation.ended_ms = Some(now_ms);
        }
    }
}

/// What the instance shows of what an operation works on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) links: Vec<Link>,
    pub(crate) certificates: Vec<TrustedCertificate>,
    pub(crate) databases: Vec<Database>,
}

/// What has happened since an operation was taken up by this process. After a restart nothing has: what the instance shows
/// decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// The instance was told, and has not refused.
    pub(crate) acted: bool,
    /// It has refused.
    pub(crate) refusal: Option<(i32, String)>,
    /// Since when it has not answered.
    pub(crate) silent_since_ms: Option<i64>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Tell the instance.
    Act(Call),
    /// Look again, soon.
    Wait,
    /// It has ended.
    End(Status),
}

fn failed(code: impl Into<String>, message: impl Into<String>) -> Next {
    Next::End(Status::Failed { code: code.into(), message: message.into() })
}

fn timed_out() -> Next {
    failed(
        "OperationTimedOut",
        "The operation timed out and automatically rolled back. Please retry the operation.",
    )
}

fn find<'a>(links: &'a [Link], name: &str) -> Option<&'a Link> {
    links.iter().find(|l| same(&l.settings.name, name))
}

/// Names of SQL Server are the same in any case.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.to_uppercase() == b.to_uppercase()
}

/// Whether two lists name the same databases.
pub(crate) fn same_databases(a: &[String], b: &[String]) -> bool {
    let within = |these: &[String], those: &[String]| these.iter().all(|d| those.iter().any(|e| same(d, e)));
    within(a, b) && within(b, a)
}

impl Work {
    /// What it must see of the instance.
    pub(crate) fn looks_at(&self) -> Option<Call> {
        match self {
            Work::CreateLink(_)
            | Work::SetDatabases { .. }
            | Work::SetCommitMode { .. }
            | Work::DropLink { .. }
            | Work::FailOver { .. }
            | Work::BecomeSecondary { .. } => Some(Call::Links),
            Work::Trust { .. } | Work::Forget { .. } => Some(Call::TrustedCertificates),
            Work::DropDatabase { .. } => Some(Call::Databases),
            Work::Nothing | Work::Refuse { .. } => None,
        }
    }
}

/// Decides what an operation does next. `seen` is nothing if the instance did not answer.
pub(crate) fn next(
    operation: &Operation,
    progress: &Progress,
    seen: Option<&Seen>,
    now_ms: i64,
    timing: &Timing,
) -> Next {
    let Some(seen) = seen else {
        let silent = now_ms - progress.silent_since_ms.unwrap_or(now_ms);
        return if silent > timing.silence_limit.as_millis() as i64 { timed_out() } else { Next::Wait };
    };
    let elapsed = now_ms - operation.started_ms;
    let step = step(&operation.work, progress, seen, elapsed, timing);
    // What was reached was reached, whatever was said on the way.
    match (&progress.refusal, step) {
        (_, Next::End(Status::Succeeded)) => Next::End(Status::Succeeded),
        (Some((number, text)), _) => failed(code_of(*number), text.clone()),
        (None, step) => step,
    }
}

fn step(work: &Work, progress: &Progress, seen: &Seen, elapsed: i64, timing: &Timing) -> Next {
    let done = Next::End(Status::Succeeded);
    // Told once, then waited for.
    let act = |call: Call, limit: i64| {
        if !progress.acted {
            Next::Act(call)
        } else if elapsed > limit {
            timed_out()
        } else {
            Next::Wait
        }
    };
    let role_limit = timing.role_change_limit.as_millis() as i64;
    match work {
        Work::CreateLink(request) => match find(&seen.links, &request.name) {
            None if progress.acted => Next::End(Status::Canceled),
            None => Next::Act(Call::CreateLink(request.clone())),
            Some(link) => created(request, link, elapsed, timing.link_create_limit.as_millis() as i64),
        },
        Work::DropLink { link } => match find(&seen.links, link) {
            None => done,
            Some(_) => act(Call::DropLink { link: link.clone() }, role_limit),
        },
        Work::SetDatabases { link, databases } => match find(&seen.links, link) {
            None => gone(link),
            Some(found) if same_databases(&found.settings.databases, databases) => done,
            Some(_) => {
                act(Call::SetDatabases { link: link.clone(), databases: databases.clone() }, role_limit)
            }
        },
        Work::SetCommitMode { link, mode } => match find(&seen.links, link) {
            None => gone(link),
            Some(found) if found.settings.commit_mode == *mode => done,
            Some(_) => act(Call::SetCommitMode { link: link.clone(), mode: *mode }, role_limit),
        },
        Work::FailOver { link, forced } => {
            let wanted = if *forced { Role::Primary } else { Role::Secondary };
            match find(&seen.links, link) {
                None => gone(link),
                Some(found) if found.settings.role == wanted && !found.changing_role => done,
                Some(_) => act(Call::FailOver { link: link.clone(), forced: *forced }, role_limit),
            }
        }
        Work::BecomeSecondary { link } => match find(&seen.links, link) {
            None => gone(link),
            Some(found) if found.settings.role == Role::Secondary && !found.changing_role => done,
            Some(_) => act(Call::BecomeSecondary { link: link.clone() }, role_limit),
        },
        Work::Trust { name, der } => {
            let there = seen.certificates.iter().any(|c| same(&c.name, name) && c.der == *der);
            let call = Call::TrustCertificate { name: name.clone(), der: der.clone() };
            if there { done } else { act(call, role_limit) }
        }
        Work::Forget { name } => {
            let there = seen.certificates.iter().any(|c| same(&c.name, name));
            if there { act(Call::ForgetCertificate { name: name.clone() }, role_limit) } else { done }
        }
        Work::DropDatabase { name } => {
            let there = seen.databases.iter().any(|d| same(&d.name, name));
            if there { act(Call::DropDatabase { name: name.clone() }, role_limit) } else { done }
        }
        Work::Nothing => done,
        Work::Refuse { code, message } => failed(code.clone(), message.clone()),
    }
}

/// A link is created when replication has begun, not when the copy is there; one of many databases earlier still, as soon
/// as it exists: both as recorded.
fn created(request: &LinkRequest, link: &Link, elapsed: i64, limit: i64) -> Next {
    let begun = link.connected
        && link.databases.iter().all(|d| {
            let seeds = d.seeding.is_some_and(|s| s.state != SeedingState::Failed);
            d.synchronization.is_some() || seeds
        });
    if begun || request.link_mode == LinkMode::MultiDatabase {
        return Next::End(Status::Succeeded);
    }
    if elapsed <= limit {
        return Next::Wait;
    }
    match &link.problem {
        Some(problem) => failed(code_of(problem.number), problem.text.clone()),
        None => failed(
            code_of(41_962),
            format!(
                "Operation was aborted as replication to Azure SQL Managed Instance did not start within {} minutes since \
                 it was initiated. Please verify the network connectivity and firewall rules are configured according to \
                 the guidelines described at https://aka.ms/mi-link-troubleshooting, and retry the operation.",
                (limit as f64 / 60_000.0).ceil()
            ),
        ),
    }
}

fn gone(link: &str) -> Next {
    let error = ArmError::no_resource("managedInstances/distributedAvailabilityGroups", link);
    failed("ManagedInstanceLinkIsNotFound", error.message)
}

impl Progress {
    /// What came of telling the instance.
    pub(crate) fn told(&mut self, result: Result<(), InstanceError>, now_ms: i64) {
        match result {
            Ok(()) => self.acted = true,
            Err(InstanceError::Refused { number, text }) => {
                self.acted = true;
                self.refusal = Some((number, text));
            }
            // It may have done it: what it shows when it is back will tell.
            Err(InstanceError::Silent) => self.seen(false, now_ms),
        }
    }

    /// Whether the instance has answered.
    pub(crate) fn seen(&mut self, answered: bool, now_ms: i64) {
        if answered {
            self.silent_since_ms = None;
        } else {
            // What it was told before it fell silent is worth nothing.
            self.acted = false;
            self.refusal = None;
            self.silent_since_ms.get_or_insert(now_ms);
        }
    }
}
