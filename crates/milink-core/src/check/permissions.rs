//! What this caller may do: on both instances and in Azure.

use super::catalogue::{
    Check, RIGHTS_CREATE, RIGHTS_DELETE, RIGHTS_FAILOVER, RIGHTS_MANAGED, RIGHTS_SQL_SERVER, RIGHTS_WATCH,
};
use super::scene::{Scene, has_permission};
use crate::facts::rbac::{BUILT_IN_ROLE, Purpose, Right, needed};
use crate::finding::{Finding, Subject};
use crate::names::Side;
use crate::observe::{AzureInstance, Instance};

/// What a login that is not in sysadmin needs on the server. Certificates in `master` need rights there too, which are not among these.
const ON_SQL_SERVER: &[&str] = &[
    "ALTER ANY AVAILABILITY GROUP",
    "ALTER ANY DATABASE",
    "ALTER ANY ENDPOINT",
    "VIEW ANY DEFINITION",
    "VIEW SERVER STATE",
];

/// What a login needs to see how a link is. From SQL Server 2022 on, and so on every managed instance, the second form is enough.
const ON_MANAGED: &[&[&str]] =
    &[&["VIEW SERVER STATE", "VIEW SERVER PERFORMANCE STATE"], &["VIEW ANY DEFINITION"]];

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    vec![
        sql_server(scene),
        managed(scene),
        azure(scene, RIGHTS_WATCH, Purpose::Watch),
        azure(scene, RIGHTS_CREATE, Purpose::Create),
        azure(scene, RIGHTS_FAILOVER, Purpose::Failover),
        azure(scene, RIGHTS_DELETE, Purpose::Delete),
    ]
}

fn is_all_powerful(instance: &Instance) -> Option<&'static str> {
    if instance.is_sysadmin == Some(true) {
        Some("member of sysadmin")
    } else if has_permission(instance, "CONTROL SERVER") {
        Some("CONTROL SERVER")
    } else {
        None
    }
}

const UNSEEN: &str = "neither the membership in sysadmin nor the permissions of this login could be read";

fn sql_server(scene: &Scene<'_>) -> Finding {
    let wanted =
        format!("sysadmin, or {} and the rights for certificates in master", ON_SQL_SERVER.join(", "));
    scene
        .on(RIGHTS_SQL_SERVER, Side::SqlServer, wanted, |judge, i| {
            if let Some(power) = is_all_powerful(i) {
                return judge.pass(power);
            }
            if i.permissions.is_empty() {
                return judge.unknown(UNSEEN);
            }
            let missing: Vec<&str> =
                ON_SQL_SERVER.iter().copied().filter(|p| !has_permission(i, p)).collect();
            if missing.is_empty() {
                judge.warn("not in sysadmin; it has the listed rights, and those for certificates in master cannot be seen")
            } else {
                judge.fail(format!("not in sysadmin, and without {}", missing.join(", ")))
            }
        })
        .advise("use a login of the sysadmin role, or grant it what is missing")
}

fn managed(scene: &Scene<'_>) -> Finding {
    let names: Vec<&str> = ON_MANAGED.iter().filter_map(|any| any.first().copied()).collect();
    let wanted = format!("sysadmin, or {}", names.join(" and "));
    scene
        .on(RIGHTS_MANAGED, Side::Managed, wanted, |judge, i| {
            if let Some(power) = is_all_powerful(i) {
                return judge.pass(power);
            }
            if i.permissions.is_empty() {
                return judge.unknown(UNSEEN);
            }
            let lacks = |any: &&&[&str]| !any.iter().any(|p| has_permission(i, p));
            let missing: Vec<&str> =
                ON_MANAGED.iter().filter(lacks).filter_map(|any| any.first().copied()).collect();
            if missing.is_empty() {
                judge.pass(names.join(", "))
            } else {
                judge.fail(format!("without {}", missing.join(", ")))
            }
        })
        .advise("use a login of the sysadmin role, or grant it what is missing")
}

/// What a purpose needs, and what of it is missing or was not told.
pub(super) struct Rights {
    pub(super) needed: usize,
    pub(super) missing: Vec<&'static Right>,
    pub(super) untold: Vec<&'static Right>,
    pub(super) unconfirmed: Vec<&'static Right>,
}

pub(super) fn rights(azure: &AzureInstance, purpose: Purpose) -> Rights {
    let may = |right: &Right| {
        azure
            .actions
            .iter()
            .find(|(action, _)| action.eq_ignore_ascii_case(right.action))
            .map(|(_, may)| *may)
    };
    let mut out = Rights { needed: 0, missing: Vec::new(), untold: Vec::new(), unconfirmed: Vec::new() };
    for right in needed(purpose) {
        match (right.standing.is_required(), may(right)) {
            (true, Some(true)) => out.needed += 1,
            (true, Some(false)) => out.missing.push(right),
            (true, None) => out.untold.push(right),
            (false, Some(false)) => out.unconfirmed.push(right),
            (false, Some(true) | None) => {}
        }
    }
    out
}

pub(super) fn names(rights: &[&Right]) -> String {
    rights.iter().map(|r| r.action).collect::<Vec<_>>().join(", ")
}

fn azure(scene: &Scene<'_>, check: Check, purpose: Purpose) -> Finding {
    let wanted: Vec<&str> = needed(purpose).filter(|r| r.standing.is_required()).map(|r| r.action).collect();
    check
        .of(Subject::Azure, wanted.join(", "))
        .look(scene.azure(), |judge, a| judge_rights(judge, &rights(a, purpose)))
        .advise(format!("assign the role {BUILT_IN_ROLE}, or add what is missing to a custom role"))
}

pub(super) fn judge_rights(judge: super::judge::Judge, rights: &Rights) -> Finding {
    if !rights.missing.is_empty() {
        let what: Vec<String> = rights.missing.iter().map(|r| format!("{} ({})", r.action, r.what)).collect();
        return judge.fail(format!("missing: {}", what.join(", ")));
    }
    if !rights.untold.is_empty() {
        return judge.unknown(format!(
            "Azure does not tell whether the caller has {} (Microsoft.Authorization/permissions/read)",
            names(&rights.untold)
        ));
    }
    let perhaps = match names(&rights.unconfirmed) {
        none if none.is_empty() => String::new(),
        some => format!("; not granted, and perhaps not needed: {some}"),
    };
    judge.pass(format!("{} actions are granted, as far as can be seen{perhaps}", rights.needed))
}
