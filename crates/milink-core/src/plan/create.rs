//! Making a link: from whatever is there to a link whose copy is complete.
//!
//! ```text
//! trust ──► endpoint ──► (recovery model, full backup) ──► availability group ──► distributed group
//!       ──► the managed instance's half ──► connected ──► seeded ──► (first log backup, commit mode)
//! ```
//!
//! Everything that can be there already is looked for, so that planning again after an interruption gives the rest of the same plan.

mod ground;
mod trust;

use super::draft::{BACKUP_MS, Draft, OPERATION_MS, of_database};
use super::{Condition, Phase, Plan, PlanError, Shared, Step, Verb};
use crate::action::{Action, ArmCall, LinkBody, Member, MemberOptions, Statement};
use crate::facts::limits::{SEEDING_DAYS, SESSION_TIMEOUT_SECONDS, START_MINUTES};
use crate::facts::version::{Release, failover_breaks_link};
use crate::moment::Moment;
use crate::names::{CommitMode, FailoverMode, LinkMode, Role, Side};
use crate::observe::{Observation, RecoveryModel};
use crate::spec::Link;
use ground::Ground;
pub(crate) use trust::ENDPOINT;

/// Keeps log that a seeding still needs, whatever is backed up meanwhile.
pub(crate) const KEEP_LOG_FOR_SEEDING: u16 = 12381;

/// The plan that makes a link. Its [`Plan::link`] has the names that were decided: of an availability group that is used again, of the
/// certificate, of the endpoint.
///
/// # Errors
/// What decides was not seen, or the link cannot be made from what is there.
pub fn create(link: &Link, seen: &Observation, now: Moment) -> Result<Plan, PlanError> {
    let mut draft = Draft::new(seen);
    let ground = Ground::survey(link, seen, now, &mut draft)?;
    trust::trust(&ground, &mut draft);
    trust::endpoint(&ground, &mut draft);
    if ground.link.link_mode == LinkMode::MultiDatabase {
        opt_in(&ground, &mut draft);
    }
    if ground.link.initial_primary == Side::SqlServer {
        backups(&ground, &mut draft);
    }
    groups(&ground, &mut draft);
    join(&ground, &mut draft);
    after_seeding(&ground, &mut draft);
    warn(&ground, &mut draft);
    Ok(Plan { verb: Verb::Create, link: ground.link, steps: draft.steps, notes: draft.notes })
}

fn opt_in(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    draft.add(
        Step::new(
            "opt-into-multi-database",
            "Allow links of several databases",
            Phase::Groups,
            Action::sql(Statement::OptIntoMultiDatabase { on: true }),
            Condition::MultiDatabase { on: true },
        )
        // The procedure asks that there be no link at all.
        .requires(Condition::UnusedByOthers { link: ground.link.name.clone(), what: Shared::Roots })
        .undo(
            Action::sql(Statement::OptIntoMultiDatabase { on: false }),
            Condition::MultiDatabase { on: false },
        ),
    );
}

fn backups(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let databases = &ground.link.databases;
    for database in databases {
        let before = ground.server.database(database).map_or(RecoveryModel::Full, |d| d.recovery_model);
        draft.add(
            Step::new(
                of_database("recovery-full", databases, database),
                format!("Set the recovery model of {database} to FULL"),
                Phase::Backup,
                Action::sql(Statement::SetRecoveryFull { database: database.clone() }),
                Condition::RecoveryFull { database: database.clone() },
            )
            .undo(
                Action::sql(Statement::SetRecovery { database: database.clone(), model: before }),
                Condition::RecoveryModel { database: database.clone(), model: before },
            ),
        );
        draft.add(
            Step::new(
                of_database("full-backup", databases, database),
                format!("Back up {database}, so that its log chain begins"),
                Phase::Backup,
                Action::sql(Statement::BackupDatabase {
                    database: database.clone(),
                    path: ground.backup_path(database, "bak"),
                    copy_only: false,
                }),
                Condition::FullBackup { side: Side::SqlServer, database: database.clone() },
            )
            .requires(Condition::RecoveryFull { database: database.clone() })
            .within(BACKUP_MS),
        );
    }
}

fn groups(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let link = &ground.link;
    let group = &link.sql_group;
    match link.initial_primary {
        Side::SqlServer => group_with_databases(ground, draft),
        Side::Managed => {
            let title = format!("Create availability group {group}, empty");
            draft.add(create_group(
                ground,
                title,
                Vec::new(),
                Condition::GroupExists { name: group.clone() },
            ));
            // Nothing shows a group's grants; what was seeded into the group had one.
            let seeded = link.databases.iter().all(|d| {
                ground
                    .server
                    .database(d)
                    .and_then(|d| d.group.as_deref())
                    .is_some_and(|g| g == group.as_str())
            });
            if !seeded {
                draft.add(
                    Step::new(
                        "grant-create-any-database",
                        format!("Let seeding create databases in {group}"),
                        Phase::Groups,
                        Action::sql(Statement::GrantCreateAnyDatabase { group: group.clone() }),
                        Condition::Confirmed,
                    )
                    .requires(Condition::GroupExists { name: group.clone() }),
                );
            }
        }
    }
    let has_group = match link.initial_primary {
        Side::SqlServer => Condition::Group { name: group.clone(), databases: link.databases.clone() },
        Side::Managed => Condition::GroupExists { name: group.clone() },
    };
    draft.add(
        Step::new(
            "create-distributed",
            format!("Create distributed availability group {}", link.name),
            Phase::Groups,
            Action::sql(Statement::CreateDistributed { name: link.name.clone(), members: members(ground) }),
            ground.distributed(),
        )
        .requires(Condition::All {
            of: vec![
                has_group,
                Condition::Endpoint { certificate: ground.certificate.clone() },
                Condition::ManagedCertificate { name: ground.fqdn.clone() },
            ],
        })
        .once()
        .undo(
            Action::sql(Statement::DropGroup { name: link.name.clone() }),
            Condition::GroupAbsent { name: link.name.clone() },
        ),
    );
}

/// A new group with all databases; or those added that are not in an existing one yet.
fn group_with_databases(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let link = &ground.link;
    let group = &link.sql_group;
    if ground.server.group(group).is_none() {
        let title = format!("Create availability group {group} with {}", link.databases.join(", "));
        let proved = Condition::Group { name: group.clone(), databases: link.databases.clone() };
        draft.add(create_group(ground, title, link.databases.clone(), proved));
        return;
    }
    for database in &link.databases {
        if ground.server.database(database).is_some_and(|d| d.group.is_some()) {
            continue;
        }
        draft.add(
            Step::new(
                of_database("add-database", &link.databases, database),
                format!("Add {database} to availability group {group}"),
                Phase::Groups,
                Action::sql(Statement::AddDatabase { group: group.clone(), database: database.clone() }),
                Condition::DatabaseInGroup { group: group.clone(), database: database.clone() },
            )
            .requires(backed_up(std::slice::from_ref(database)))
            .once()
            .undo(
                Action::sql(Statement::RemoveDatabase { group: group.clone(), database: database.clone() }),
                Condition::DatabaseInNoGroup { database: database.clone() },
            ),
        );
    }
}

fn backed_up(databases: &[String]) -> Condition {
    let of = databases
        .iter()
        .flat_map(|d| {
            [
                Condition::RecoveryFull { database: d.clone() },
                Condition::FullBackup { side: Side::SqlServer, database: d.clone() },
            ]
        })
        .collect();
    Condition::All { of }
}

fn create_group(ground: &Ground<'_>, title: String, databases: Vec<String>, proved: Condition) -> Step {
    let group = &ground.link.sql_group;
    let requires = backed_up(&databases);
    let statement = Statement::CreateGroup {
        name: group.clone(),
        // SQL Server 2016 does not know the clause; it is a cluster's node.
        without_cluster: ground.server.version.release() != Some(Release::V2016),
        databases,
        server: ground.server.server_name.clone(),
        url: ground.url.clone(),
    };
    Step::new("create-group", title, Phase::Groups, Action::sql(statement), proved)
        .requires(requires)
        .once()
        .undo(
            Action::sql(Statement::DropGroup { name: group.clone() }),
            Condition::GroupAbsent { name: group.clone() },
        )
}

fn members(ground: &Ground<'_>) -> [Member; 2] {
    let link = &ground.link;
    // Asynchronous until the copy is complete: a synchronous link that seeds makes every commit wait for it.
    let options = |session_timeout| MemberOptions {
        commit_mode: CommitMode::Asynchronous,
        seeding_mode: link.seeding_mode,
        session_timeout,
    };
    [
        Member {
            group: link.sql_group.clone(),
            url: ground.url.clone(),
            options: options(u32::try_from(SESSION_TIMEOUT_SECONDS).ok()),
        },
        Member { group: link.managed_group.clone(), url: ground.managed_url.clone(), options: options(None) },
    ]
}

fn join(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let link = &ground.link;
    let name = &link.name;
    let primary = link.initial_primary;
    let following = following(link);
    if primary == Side::SqlServer && !following.judge(ground.seen).holds() {
        draft.add(
            Step::new(
                "keep-log-for-seeding",
                format!("Keep the log that seeding needs (trace flag {KEEP_LOG_FOR_SEEDING})"),
                Phase::Seeding,
                Action::sql(Statement::TraceOn { flag: KEEP_LOG_FOR_SEEDING }),
                // Once the copy is complete it is off again.
                Condition::Any {
                    of: vec![
                        Condition::TraceFlag { flag: KEEP_LOG_FOR_SEEDING, on: true },
                        following.clone(),
                    ],
                },
            )
            .undo(Action::sql(Statement::TraceOff { flag: KEEP_LOG_FOR_SEEDING }), log_let_go(link)),
        );
    }
    let name_is_free = link
        .databases
        .iter()
        .map(|d| Condition::DatabaseAbsent { side: primary.other(), database: d.clone() })
        .collect();
    draft.add(
        Step::new(
            "put-link",
            format!("Create the managed instance's half of {name}"),
            Phase::Link,
            Action::arm(ArmCall::PutLink { name: name.clone(), body: body(ground) }),
            Condition::AzureLink { name: name.clone() },
        )
        .requires(Condition::All {
            of: vec![
                ground.distributed(),
                Condition::TrustCertificate { certificate: ground.certificate.clone() },
                // A call whose answer was lost may have begun the copy.
                Condition::Any {
                    of: vec![
                        Condition::All { of: name_is_free },
                        Condition::AzureLink { name: name.clone() },
                    ],
                },
            ],
        })
        .within(OPERATION_MS)
        .undo(
            Action::arm(ArmCall::DeleteLink { name: name.clone() }),
            Condition::NoAzureLink { name: name.clone() },
        ),
    );
    draft.add(
        Step::wait(
            "wait-connected",
            "Wait until the two halves are connected",
            Phase::Link,
            Condition::Connected { name: name.clone(), primary },
            START_MINUTES * 60_000,
        )
        .requires(Condition::AzureLink { name: name.clone() }),
    );
    draft.add(Step::wait(
        "wait-seeded",
        format!("Wait until the copy of {} is complete", link.databases.join(", ")),
        Phase::Seeding,
        following,
        SEEDING_DAYS * 24 * 3_600_000,
    ));
}

fn following(link: &Link) -> Condition {
    Condition::Following {
        name: link.name.clone(),
        databases: link.databases.clone(),
        primary: link.initial_primary,
    }
}

/// The flag is off; or another link, which will switch it off, needs it still.
fn log_let_go(link: &Link) -> Condition {
    Condition::Any {
        of: vec![
            Condition::TraceFlag { flag: KEEP_LOG_FOR_SEEDING, on: false },
            Condition::OtherLinkSeeds { link: link.name.clone() },
        ],
    }
}

fn body(ground: &Ground<'_>) -> LinkBody {
    let link = &ground.link;
    LinkBody {
        databases: link.databases.clone(),
        partner_group: link.sql_group.clone(),
        instance_group: link.managed_group.clone(),
        partner_endpoint: ground.url.clone(),
        instance_role: match link.initial_primary {
            Side::SqlServer => Role::Secondary,
            Side::Managed => Role::Primary,
        },
        failover_mode: link.failover_mode,
        seeding_mode: link.seeding_mode,
        commit_mode: CommitMode::Asynchronous,
        link_mode: link.link_mode,
    }
}

fn after_seeding(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let link = &ground.link;
    if link.initial_primary == Side::SqlServer {
        let flag_is_ours = draft.steps.iter().any(|s| s.id == "keep-log-for-seeding");
        let off = Step::new(
            "let-log-go",
            format!("Let backups truncate the log again (trace flag {KEEP_LOG_FOR_SEEDING} off)"),
            Phase::Seeding,
            Action::sql(Statement::TraceOff { flag: KEEP_LOG_FOR_SEEDING }),
            log_let_go(link),
        )
        .requires(following(link));
        // The flag is off before the plan switches it on: that proves nothing of this step.
        if flag_is_ours {
            draft.steps.push(off);
        } else {
            draft.add(off);
        }
        for database in &link.databases {
            draft.add(
                Step::new(
                    of_database("first-log-backup", &link.databases, database),
                    format!("Back up the log of {database} for the first time after seeding"),
                    Phase::Backup,
                    Action::sql(Statement::BackupLog {
                        database: database.clone(),
                        path: ground.backup_path(database, "trn"),
                    }),
                    Condition::All {
                        of: vec![following(link), Condition::LogBackup { database: database.clone() }],
                    },
                )
                .requires(following(link))
                .within(BACKUP_MS),
            );
        }
    }
    if link.commit_mode == CommitMode::Synchronous {
        synchronous(ground, draft);
    }
}

fn synchronous(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let link = &ground.link;
    let mode = CommitMode::Synchronous;
    let on = |side| Condition::CommitModeOn { name: link.name.clone(), side, mode };
    // Each side keeps a commit mode of its own, and the copy is SYNCHRONIZED only where both say SYNCHRONOUS_COMMIT, whoever is primary.
    draft.add(
        Step::new(
            "synchronous-on-sql-server",
            "Acknowledge commits when both sides have hardened them",
            Phase::Verify,
            Action::sql(Statement::SetCommitMode {
                name: link.name.clone(),
                members: [link.sql_group.clone(), link.managed_group.clone()],
                mode,
            }),
            on(Side::SqlServer),
        )
        .requires(following(link)),
    );
    draft.add(
        Step::new(
            "synchronous-in-azure",
            "Set the managed instance's half to synchronous commit",
            Phase::Verify,
            Action::arm(ArmCall::SetCommitMode { name: link.name.clone(), mode }),
            on(Side::Managed),
        )
        .requires(following(link))
        .within(OPERATION_MS),
    );
    draft.add(Step::wait(
        "wait-synchronized",
        "Wait until the primary shows the copy as SYNCHRONIZED",
        Phase::Verify,
        Condition::Synchronized {
            name: link.name.clone(),
            databases: link.databases.clone(),
            primary: link.initial_primary,
        },
        OPERATION_MS,
    ));
}

fn warn(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let link = &ground.link;
    if let Some(release) = ground.server.version.release()
        && failover_breaks_link(release)
    {
        draft.note(format!(
            "{release} links go one way: a failover to the managed instance ends the link, and there is no way back through it"
        ));
    } else if link.failover_mode == FailoverMode::OneWay {
        draft.note("the link is made one-way (failoverMode None): its roles cannot be changed back");
    }
    if link.commit_mode == CommitMode::Synchronous {
        draft.note(
            "the documents advise against synchronous commit at rest: every commit waits for the other side, and a planned \
             failover leaves the link asynchronous",
        );
    }
    if draft.steps.iter().any(|s| s.id == "keep-log-for-seeding") {
        draft.note(format!(
            "trace flag {KEEP_LOG_FOR_SEEDING} keeps log backups from truncating what seeding needs; a build that does not know it \
             ignores it, and then log backups have to be paused until seeding has ended (errors 1408, 1412)"
        ));
    }
}
