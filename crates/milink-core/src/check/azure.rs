//! The managed instance as Azure describes it, and its limits against all links that are wanted.

use std::collections::BTreeSet;

use super::catalogue::{
    AZURE_DATABASES, AZURE_FAILOVER_GROUP, AZURE_LINKS, AZURE_OPERATIONS, AZURE_POLICY, AZURE_REACHABLE,
    AZURE_STATE, AZURE_STORAGE,
};
use super::scene::{Scene, key, size};
use super::server::release;
use crate::facts::limits::links_max;
use crate::facts::policy;
use crate::finding::{Finding, Subject};
use crate::names::Side;
use crate::observe::{AzureInstance, RunningOperation};

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    vec![
        reachable(scene),
        state(scene),
        operations(scene),
        failover_group(scene),
        update_policy(scene),
        links(scene),
        databases(scene),
        storage(scene),
    ]
}

fn reachable(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_REACHABLE, "the managed instance's resource", |judge, a| {
            judge.pass(format!("{} ({}), {}", a.name, a.location, a.tier))
        })
        .advise("check the sign-in, the subscription, the resource group and the instance's name")
}

fn state(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_STATE, "state Ready", |judge, a| {
            judge.judge(a.state.eq_ignore_ascii_case("Ready"), format!("state {}", a.state))
        })
        .advise("start the instance, or wait until it is ready")
}

/// The operations that have not ended, for people.
pub(super) fn under_way(operations: &[RunningOperation]) -> String {
    let of = |o: &RunningOperation| {
        let percent = o.percent.map(|p| format!(", {p} %")).unwrap_or_default();
        format!("{} ({}{percent})", o.operation, o.state)
    };
    operations.iter().map(of).collect::<Vec<_>>().join("; ")
}

fn operations(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_OPERATIONS, "no operation under way", |judge, a| {
            if a.operations.is_empty() { judge.pass("none") } else { judge.fail(under_way(&a.operations)) }
        })
        .advise("wait until it has ended")
}

fn failover_group(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_FAILOVER_GROUP, "in no failover group", |judge, a| match a.in_failover_group {
            Some(within) => judge.judge(!within, if within { "in a failover group" } else { "in none" }),
            None => judge.unknown(
                "the failover groups of the region could not be read (Microsoft.Sql/locations/instanceFailoverGroups/read)",
            ),
        })
        .advise("take the instance out of its failover group, or link to another instance")
}

fn update_policy(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_POLICY, "", |judge, a| {
            if !scene.any_from(Side::SqlServer) {
                return judge
                    .skip("the managed instance is the initial primary: see server.start-from-managed");
            }
            let release = scene.sql_server().and_then(release);
            judge.look(release, |judge, release| {
                let seen = a.update_policy.map_or_else(|| "unknown".to_owned(), |p| p.to_string());
                judge.verdict(
                    &policy::to_managed(release, a.update_policy),
                    format!("{release}, update policy {seen}"),
                )
            })
        })
        .advise("change the update policy of the managed instance: upward only, and for good")
}

fn links(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_LINKS, "no more links than the tier holds", |judge, a| {
            let there = a.links.len();
            let new = scene.links.iter().filter(|l| scene.azure_link(&l.name).is_none()).count();
            fits(judge, a, there, new, "links")
        })
        .advise("spread the links over several managed instances, or use the next-gen General Purpose tier")
}

/// Databases that come with the links that are wanted.
fn new_databases(scene: &Scene<'_>) -> BTreeSet<String> {
    let names =
        scene.links.iter().filter(|l| l.initial_primary == Side::SqlServer).flat_map(|l| &l.databases);
    names.filter(|d| scene.azure_database(d).is_none()).map(|d| key(d)).collect()
}

fn databases(scene: &Scene<'_>) -> Finding {
    scene
        .in_azure(AZURE_DATABASES, "no more databases than the tier holds", |judge, a| {
            if !scene.any_from(Side::SqlServer) {
                return judge.skip("the managed instance is the initial primary: no database is added there");
            }
            fits(judge, a, a.databases.len(), new_databases(scene).len(), "databases")
        })
        .advise(
            "spread the databases over several managed instances, or use the next-gen General Purpose tier",
        )
}

fn fits(judge: super::judge::Judge, azure: &AzureInstance, there: usize, new: usize, what: &str) -> Finding {
    let limit = links_max(azure.tier);
    let good = there as u64 + new as u64 <= limit;
    judge.judge(good, format!("{there} {what} there and {new} to come, of {limit} ({})", azure.tier))
}

/// How full a managed instance's storage may get before it is worth a word.
const NEARLY_FULL_PERCENT: u64 = 90;

fn storage(scene: &Scene<'_>) -> Finding {
    let judge = AZURE_STORAGE.of(Subject::Azure, "the databases fit into the storage that is left");
    if !scene.any_from(Side::SqlServer) {
        return judge.skip("the managed instance is the initial primary: its databases are there already");
    }
    judge
        .look(space(scene), |judge, space| {
            let (total, needed) = (u64::from(space.gb) << 30, space.used.saturating_add(space.new));
            let seen =
                format!("{} used and {} to come, of {} GB", size(space.used), size(space.new), space.gb);
            if needed > total {
                judge.fail(seen)
            } else if needed > total / 100 * NEARLY_FULL_PERCENT {
                judge.warn(seen)
            } else {
                judge.pass(seen)
            }
        })
        .advise("enlarge the managed instance's storage")
}

struct Space {
    gb: u32,
    used: u64,
    new: u64,
}

fn space(scene: &Scene<'_>) -> Result<Space, String> {
    let gb = scene.azure()?.storage_gb.ok_or("Azure does not say storageSizeInGB of the managed instance")?;
    let managed = scene.managed()?;
    let used = managed.databases.iter().map(|d| d.size_bytes).fold(0, u64::saturating_add);
    let mut new = 0_u64;
    for name in new_databases(scene) {
        if let Some(database) = scene.database(Side::SqlServer, &name)? {
            if database.size_bytes == 0 {
                return Err(format!("this login may not see the files of {name} (VIEW ANY DEFINITION)"));
            }
            new = new.saturating_add(database.size_bytes);
        }
    }
    Ok(Space { gb, used, new })
}
