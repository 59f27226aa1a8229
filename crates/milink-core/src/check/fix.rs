//! A plan that mends what was found and may be mended without asking twice.

use crate::action::{Action, ArmCall, PublicKey, Statement};
use crate::finding::Finding;
use crate::names::Side;
use crate::observe::{Observation, RecoveryModel};
use crate::plan::{Condition, Phase, Plan, Repeat, Step, Undo, Verb};
use crate::spec::Link;

/// How long a statement's effect may take to be seen.
const STATEMENT_MS: u64 = 60_000;
/// How long Azure may take.
const OPERATION_MS: u64 = 15 * 60_000;
/// How long a backup may take.
const BACKUP_MS: u64 = 24 * 3_600_000;

/// The plan that mends what is safe to mend, in the order of the findings. An action that several findings ask for is done once. Findings that
/// are not safe to mend, and what cannot be proved done, are left out, and named in the plan's notes.
pub fn fixes(link: &Link, findings: &[Finding], seen: &Observation) -> Plan {
    let mut steps: Vec<Step> = Vec::new();
    let mut notes = Vec::new();
    for finding in findings {
        let Some(fix) = &finding.fix else { continue };
        if !fix.safe || fix.actions.is_empty() {
            notes.push(format!("{} ({}) is left to you: {}", finding.check, finding.subject, fix.advice));
            continue;
        }
        for action in &fix.actions {
            if steps.iter().any(|s| s.action.as_ref() == Some(action)) {
                continue;
            }
            match remedy(seen, action) {
                Some(remedy) => steps.push(step(remedy, action.clone(), steps.len())),
                None => notes
                    .push(format!("{} ({}) is left to you: {}", finding.check, finding.subject, fix.advice)),
            }
        }
    }
    Plan { verb: Verb::Fix, link: link.clone(), steps, notes }
}

struct Remedy {
    id: &'static str,
    title: String,
    phase: Phase,
    requires: Condition,
    proved_by: Condition,
    timeout_ms: u64,
    undo: Undo,
}

fn step(remedy: Remedy, action: Action, at: usize) -> Step {
    Step {
        // Several databases need the same kind of step.
        id: format!("{}-{}", remedy.id, at + 1),
        title: remedy.title,
        phase: remedy.phase,
        action: Some(action),
        requires: remedy.requires,
        proved_by: remedy.proved_by,
        stable_ms: 0,
        timeout_ms: remedy.timeout_ms,
        undo: remedy.undo,
        repeat: Repeat::Safe,
        irreversible: false,
    }
}

fn taken_back(action: Action, proved_by: Condition) -> Undo {
    Undo::By { action: Box::new(action), proved_by }
}

/// How an action is proved and taken back.
fn remedy(seen: &Observation, action: &Action) -> Option<Remedy> {
    match action {
        Action::Sql { side: Side::SqlServer, statement } => on_sql_server(seen, statement),
        Action::Arm {
            call: ArmCall::PutTrustCertificate { name, public: PublicKey::SqlServer { certificate } },
        } => Some(Remedy {
            id: "upload-certificate",
            title: format!("Give Azure the certificate {certificate}"),
            phase: Phase::Trust,
            requires: Condition::OwnCertificate { name: certificate.clone() },
            proved_by: Condition::TrustCertificate { certificate: certificate.clone() },
            timeout_ms: OPERATION_MS,
            undo: taken_back(
                Action::arm(ArmCall::DeleteTrustCertificate { name: name.clone() }),
                Condition::TrustCertificateAbsent { name: name.clone() },
            ),
        }),
        // NB: whatever is not listed here is not safe until somebody has thought about its proof.
        Action::Sql { .. } | Action::Arm { .. } => None,
    }
}

fn back_to(database: &str, model: RecoveryModel) -> Undo {
    taken_back(
        Action::sql(Statement::SetRecovery { database: database.to_owned(), model }),
        Condition::RecoveryModel { database: database.to_owned(), model },
    )
}

fn on_sql_server(seen: &Observation, statement: &Statement) -> Option<Remedy> {
    let trust = |id, title, proved_by, undo| Remedy {
        id,
        title,
        phase: Phase::Trust,
        requires: Condition::Always,
        proved_by,
        timeout_ms: STATEMENT_MS,
        undo,
    };
    Some(match statement {
        Statement::SetRecoveryFull { database } => Remedy {
            phase: Phase::Backup,
            ..trust(
                "recovery-full",
                format!("Set the recovery model of {database} to FULL"),
                Condition::RecoveryFull { database: database.clone() },
                back_to(database, seen.sql_server.known()?.database(database)?.recovery_model),
            )
        },
        Statement::BackupDatabase { database, copy_only: false, .. } => Remedy {
            phase: Phase::Backup,
            requires: Condition::RecoveryFull { database: database.clone() },
            timeout_ms: BACKUP_MS,
            ..trust(
                "full-backup",
                format!("Back up {database}, so that its log chain begins"),
                Condition::FullBackup { side: Side::SqlServer, database: database.clone() },
                Undo::Nothing,
            )
        },
        Statement::StartEndpoint { name } => trust(
            "start-endpoint",
            format!("Start endpoint {name}"),
            // It is offered only where starting is all that the endpoint needs.
            Condition::Endpoint {
                certificate: seen.sql_server.known()?.endpoint.as_ref()?.certificate.clone()?,
            },
            Undo::Nothing,
        ),
        Statement::ImportCertificate { name, public } => trust(
            "import-certificate",
            format!("Import the certificate {name}"),
            match public {
                PublicKey::ManagedEndpoint => Condition::ManagedCertificate { name: name.clone() },
                PublicKey::Known { .. } | PublicKey::SqlServer { .. } | PublicKey::BundledRoot { .. } => {
                    Condition::CertificateExists { name: name.clone() }
                }
            },
            taken_back(
                Action::sql(Statement::DropCertificate { name: name.clone() }),
                Condition::CertificateAbsent { name: name.clone() },
            ),
        ),
        Statement::AddIssuer { certificate, names } => Remedy {
            requires: Condition::CertificateExists { name: certificate.clone() },
            ..trust(
                "add-issuer",
                format!("Let {certificate} vouch for {names}"),
                Condition::Confirmed,
                Undo::Nothing,
            )
        },
        Statement::TraceOn { flag } => trust(
            "trace-on",
            format!("Switch trace flag {flag} on"),
            Condition::TraceFlag { flag: *flag, on: true },
            taken_back(
                Action::sql(Statement::TraceOff { flag: *flag }),
                Condition::TraceFlag { flag: *flag, on: false },
            ),
        ),
        Statement::TraceOff { flag } => trust(
            "trace-off",
            format!("Switch trace flag {flag} off"),
            Condition::TraceFlag { flag: *flag, on: false },
            taken_back(
                Action::sql(Statement::TraceOn { flag: *flag }),
                Condition::TraceFlag { flag: *flag, on: true },
            ),
        ),
        _ => return None,
    })
}
