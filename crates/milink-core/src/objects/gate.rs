//! Whether the target's objects are ready for a failover.

use super::{Difference, Kind, Severity, State};
use crate::finding::{Finding, Fix, Status, Subject};
use crate::names::Side;

/// How many differences a finding names.
const NAMED: usize = 5;

/// Findings for a gate before a failover to `target`: one for each kind of object. What blocks is that users cannot log in; everything else is
/// a warning, because whoever fails over at night wants the data back first.
pub fn gate(target: Side, differences: &[Difference]) -> Vec<Finding> {
    Kind::ALL.into_iter().map(|kind| finding(kind, target, differences)).collect()
}

/// Whether a finding says that users cannot log in, or may not be able to: what refuses a failover where objects are required.
pub fn keeps_users_out(finding: &Finding) -> bool {
    matches!(finding.status, Status::Failed | Status::Unknown)
}

fn finding(kind: Kind, target: Side, differences: &[Difference]) -> Finding {
    // What only the target has is in nobody's way, and what waits for the failover is as it should be.
    let counted = |d: &&Difference| d.kind == kind && d.severity > Severity::Note;
    let all: Vec<&Difference> = differences.iter().filter(counted).collect();
    let is_unknown = |d: &&Difference| matches!(d.state, State::Unknown { .. });
    let status = if all.iter().any(|d| d.severity == Severity::Blocking) {
        Status::Failed
    } else if all.iter().any(is_unknown) {
        // NB: not [`Status::Unknown`] for what could only have been a warning: that would stop a failover.
        if kind == Kind::User || kind == Kind::Login { Status::Unknown } else { Status::Warning }
    } else if all.is_empty() {
        Status::Pass
    } else {
        Status::Warning
    };
    let fix = (!all.is_empty()).then(|| fix(&all, target));
    Finding {
        check: check(kind),
        subject: Subject::Instance { side: target },
        status,
        seen: seen(kind, &all),
        wanted: format!("each {kind} that the other side has"),
        why: why(kind),
        fix,
        source: "Overview, server-level objects",
    }
}

fn seen(kind: Kind, all: &[&Difference]) -> String {
    if all.is_empty() {
        return format!("no {kind} that matters is missing or different");
    }
    let named: Vec<String> = all.iter().take(NAMED).map(|d| shown(d)).collect();
    let more = all.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}: {}{more}", all.len(), named.join(", "))
}

fn shown(difference: &Difference) -> String {
    let how = match &difference.state {
        State::Missing => "missing",
        State::Different { .. } => "different",
        State::OnlyThere => "only there",
        State::Unknown { why } => return format!("unknown ({why})"),
    };
    format!("{} {how}", difference.name)
}

fn fix(all: &[&Difference], target: Side) -> Fix {
    let mended = all.iter().filter(|d| !d.mend.now().is_empty()).count();
    let advice = format!(
        "milink objects copy makes {mended} of {} on the {target}; milink objects diff says what to do about each",
        all.len()
    );
    Fix { advice, actions: Vec::new(), safe: false }
}

fn check(kind: Kind) -> &'static str {
    match kind {
        Kind::Role => "objects.roles",
        Kind::Credential => "objects.credentials",
        Kind::Login => "objects.logins",
        Kind::Permission => "objects.permissions",
        Kind::User => "objects.users",
        Kind::LinkedServer => "objects.linked-servers",
        Kind::Setting => "objects.settings",
        Kind::Job => "objects.jobs",
        Kind::Owner => "objects.owners",
    }
}

fn why(kind: Kind) -> &'static str {
    match kind {
        Kind::Role => "members of a role that is not there lose the rights that it gives",
        Kind::Credential => "what runs with a credential, backups to a URL above all, fails without it",
        Kind::Login => {
            "a link copies databases and no logins: applications are refused with 18456 after a failover"
        }
        Kind::Permission => "what needs a right on the server is refused",
        Kind::User => {
            "a user whose SID no login has is an orphan: its application cannot open the database (4060)"
        }
        Kind::LinkedServer => "queries with four-part names fail with 7202",
        Kind::Setting => "queries run otherwise, or are refused (15281)",
        Kind::Job => "what the Agent did every night is not done any more",
        Kind::Owner => {
            "modules that run as the owner fail with 33009 or 15517, and ownership chains across databases break"
        }
    }
}
