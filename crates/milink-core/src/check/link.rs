//! Each link: its names and options, and what of it is there already.

use super::catalogue::{
    Check, LINK_COMMIT_MODE, LINK_DATABASES, LINK_GROUP_NAMES, LINK_LISTENER, LINK_MANAGED_GROUP, LINK_MODE,
    LINK_NAME, LINK_NAME_FREE, LINK_SEEDING_MODE, LINK_SQL_GROUP,
};
use super::judge::Judge;
use super::scene::{Scene, sees_definitions};
use crate::facts::limits::{check_group_names, check_link_name};
use crate::finding::{Finding, Subject};
use crate::names::{CommitMode, LinkMode, Role, SeedingMode};
use crate::observe::same_name;
use crate::spec::Link;

pub(super) fn checks(scene: &Scene<'_>, link: &Link) -> Vec<Finding> {
    vec![
        name(link),
        group_names(link),
        databases(link),
        seeding_mode(link),
        commit_mode(link),
        super::endpoint::address(scene, link),
        name_free(scene, link),
        sql_group(scene, link),
        listener(scene, link),
        managed_group(scene, link),
        mode(scene, link),
    ]
}

fn of(check: Check, link: &Link, wanted: impl Into<String>) -> Judge {
    check.of(Subject::Link { name: link.name.clone() }, wanted)
}

fn name(link: &Link) -> Finding {
    let judge = of(LINK_NAME, link, "128 characters at most, none that an address cannot have");
    match check_link_name(&link.name, link.link_mode) {
        Ok(()) => judge.pass(link.name.clone()),
        Err(fault) => judge
            .fail(format!("{}: {fault}", link.name))
            .advise("give the link another name (name, nameRule)"),
    }
}

fn group_names(link: &Link) -> Finding {
    let judge = of(LINK_GROUP_NAMES, link, "two different names");
    let seen = format!("{} and {}", link.sql_group, link.managed_group);
    match check_group_names(&link.sql_group, &link.managed_group) {
        Ok(()) => judge.pass(seen),
        Err(fault) => judge
            .fail(format!("{seen}: {fault}"))
            .advise("give the groups other names (sqlServer.availabilityGroup, managed.availabilityGroup)"),
    }
}

fn databases(link: &Link) -> Finding {
    let count = link.databases.len();
    let (wanted, good) = match link.link_mode {
        LinkMode::SingleDatabase => ("one database", count == 1),
        LinkMode::MultiDatabase => ("one database at least", count >= 1),
    };
    of(LINK_DATABASES, link, wanted)
        .judge(good, format!("{count} databases"))
        .advise("make a link for each database, or a multiple-database link")
}

fn seeding_mode(link: &Link) -> Finding {
    of(LINK_SEEDING_MODE, link, "Automatic")
        .judge(link.seeding_mode == SeedingMode::Automatic, link.seeding_mode.rest())
        .advise("leave the seeding mode away")
}

fn commit_mode(link: &Link) -> Finding {
    of(LINK_COMMIT_MODE, link, "Async")
        .judge(link.commit_mode == CommitMode::Asynchronous, link.commit_mode.rest())
        .advise("leave the commit mode away, unless every commit may wait for the network")
}

const TAKEN: &str = "give the link another name, or adopt or drop the one that is there";

fn name_free(scene: &Scene<'_>, link: &Link) -> Finding {
    let judge =
        of(LINK_NAME_FREE, link, "no distributed availability group of that name, or this link's own");
    let name = &link.name;
    let instance = match scene.sql_server() {
        Ok(instance) => instance,
        Err(why) => return judge.unknown(why),
    };
    if let Some(there) = scene.distributed(name).filter(|_| !scene.is_on_sql_server(link)) {
        let on: Vec<&str> = there.replicas.iter().map(|r| r.name.as_str()).collect();
        return judge
            .fail(format!("SQL Server has {name}, which stands on {}", on.join(" and ")))
            .advise(TAKEN);
    }
    if instance.group(name).is_some() {
        return judge.fail(format!("SQL Server has an availability group {name}")).advise(TAKEN);
    }
    match scene.azure() {
        Err(why) => return judge.unknown(why),
        Ok(_) if scene.azure_link(name).is_some() && !scene.is_in_azure(link) => {
            return judge.fail(format!("Azure has a link {name} between other groups")).advise(TAKEN);
        }
        Ok(_) => {}
    }
    match (scene.is_on_sql_server(link), scene.is_in_azure(link)) {
        (true, true) => judge.pass("this link is there on both sides"),
        (true, false) => judge.pass("SQL Server has this link's half"),
        (false, true) => judge.pass("Azure has this link's half"),
        (false, false) => match sees_definitions(instance) {
            Ok(()) => judge.pass("free on both sides"),
            Err(why) => judge.unknown(format!("Azure has no such link; of SQL Server, {why}")),
        },
    }
}

fn sql_group(scene: &Scene<'_>, link: &Link) -> Finding {
    let wanted = match link.link_mode {
        LinkMode::SingleDatabase => "a new group, or one with this database alone, led by this server",
        LinkMode::MultiDatabase => "a new group, or one with these databases alone, led by this server",
    };
    let judge = of(LINK_SQL_GROUP, link, wanted);
    let name = &link.sql_group;
    let instance = match scene.sql_server() {
        Ok(instance) => instance,
        Err(why) => return judge.unknown(why),
    };
    if scene.distributed(name).is_some() {
        return judge
            .fail(format!("{name} is a distributed availability group"))
            .advise("give the availability group another name (sqlServer.availabilityGroup)");
    }
    let Some(group) = instance.group(name) else {
        return match sees_definitions(instance) {
            Ok(()) => judge.pass(format!("{name} is free")),
            Err(why) => judge.unknown(format!("no group {name} is seen, and {why}")),
        };
    };
    let strangers: Vec<&str> = scene
        .members(name)
        .iter()
        .copied()
        .filter(|d| !link.databases.iter().any(|wanted| same_name(wanted, d)))
        .collect();
    if !strangers.is_empty() {
        return judge.fail(format!("{name} has {} too", strangers.join(", "))).advise(
            "take the others out of the group, name them too (multiple-database link), or use another group",
        );
    }
    // Once the link runs, its own role changes are no obstacle.
    match group.role {
        Some(Role::Secondary | Role::Resolving) if !scene.is_on_sql_server(link) => judge
            .fail(format!(
                "this server is {} in {name}",
                group.role.map_or_else(String::new, |r| r.to_string())
            ))
            .advise("connect to the group's primary replica"),
        Some(_) | None => {
            let count = scene.members(name).len();
            judge.pass(format!("{name} is there, with {count} of {} databases", link.databases.len()))
        }
    }
}

fn listener(scene: &Scene<'_>, link: &Link) -> Finding {
    of(LINK_LISTENER, link, "the listener's address with the endpoint's port, for a group of several replicas").look(
        scene.sql_server(),
        |judge, i| match i.group(&link.sql_group) {
            None => judge.skip("the group is new: it has one replica"),
            Some(group) if group.replicas.len() <= 1 => judge.pass("the group has one replica"),
            Some(group) => {
                let given = link.sql_server.endpoint.as_deref().unwrap_or("no address");
                judge
                    .fail(format!("{} has {} replicas, and {given} is given", group.name, group.replicas.len()))
                    .advise(
                        "give the address of the group's listener with the endpoint's port (sqlServer.endpoint), and place the \
                         certificates on each replica",
                    )
            }
        },
    )
}

fn managed_group(scene: &Scene<'_>, link: &Link) -> Finding {
    of(LINK_MANAGED_GROUP, link, "used by no other link").look(scene.azure(), |judge, _| {
        let name = &link.managed_group;
        let uses = |group: &Option<String>| group.as_ref().is_some_and(|g| same_name(g, name));
        let other = scene.azure_links().find(|l| uses(&l.instance_group) && !same_name(&l.name, &link.name));
        match other {
            None => judge.pass(format!("{name} is free")),
            Some(other) => judge
                .fail(format!("link {} uses {name}", other.name))
                .advise("choose another name for the group there (managed.availabilityGroup)"),
        }
    })
}

/// All links on a server are of the mode that it has opted into: it cannot be switched while there is one.
fn mode(scene: &Scene<'_>, link: &Link) -> Finding {
    of(LINK_MODE, link, link.link_mode.rest()).look(scene.sql_server(), |judge, i| {
        let others: Vec<&str> = i
            .groups
            .iter()
            .filter(|g| g.distributed && !same_name(&g.name, &link.name))
            .map(|g| g.name.as_str())
            .collect();
        let of_other_mode = others.iter().find_map(|name| {
            let there = scene.azure_link(name)?.link_mode?;
            (there != link.link_mode).then(|| format!("link {name} is {}", there.rest()))
        });
        if let Some(seen) = of_other_mode {
            return judge
                .fail(seen)
                .advise("remove the links of the other mode, or make this one of the same mode");
        }
        match (link.link_mode, i.multi_database) {
            (LinkMode::SingleDatabase, Some(true)) => judge
                .fail("links of several databases are opted in, which excludes links of one")
                .advise("EXEC sys.sp_multidb_milink 0, while there is no link on the server"),
            (LinkMode::MultiDatabase, Some(false)) if !others.is_empty() => judge
                .fail(format!(
                    "{} links are there, and several databases are opted in only without any",
                    others.len()
                ))
                .advise("remove the links of one database first"),
            (LinkMode::MultiDatabase, None) => {
                judge.unknown("whether links of several databases are opted in could not be read")
            }
            (LinkMode::SingleDatabase, Some(false) | None) | (LinkMode::MultiDatabase, Some(_)) => {
                judge.pass("no link of the other mode")
            }
        }
    })
}
