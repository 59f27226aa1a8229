//! The object tree: instances, databases with state and role, links.

use askama::Template;
use milink_core::names::{Role, Side};
use milink_core::observe::{Database, Instance, SyncState};
use milink_core::status::LinkState;

use super::{path, piece};
use crate::connect::ContextInfo;
use crate::state::{Snapshot, Watched};

/// The objects of a context.
#[derive(Debug, Template)]
#[template(path = "parts/tree.html")]
pub(crate) struct Tree {
    pub(crate) context: String,
    /// The context's own page.
    pub(crate) href: String,
    /// The two instances.
    pub(crate) instances: Vec<InstanceItem>,
    /// All links.
    pub(crate) links: Vec<LinkItem>,
    pub(crate) links_href: String,
}

/// An instance.
#[derive(Debug)]
pub(crate) struct InstanceItem {
    /// The instance as it calls itself, or as it is configured.
    pub(crate) name: String,
    /// `SQL Server 16.0.4125.3` or `managed instance`.
    pub(crate) kind: String,
    /// Why it is not seen now.
    pub(crate) silent: Option<String>,
    pub(crate) databases: Vec<DatabaseItem>,
}

/// A database.
#[derive(Debug)]
pub(crate) struct DatabaseItem {
    pub(crate) name: String,
    /// What stands in brackets behind it, as in Object Explorer: `Synchronized`, `Restoring...`.
    pub(crate) state: String,
    /// The role of this copy in its link.
    pub(crate) role: Option<&'static str>,
    /// Its Properties.
    pub(crate) href: String,
}

/// A link.
#[derive(Debug)]
pub(crate) struct LinkItem {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) tone: &'static str,
    pub(crate) state: String,
}

impl Tree {
    /// Of a snapshot. Who does not answer keeps its last known objects, which are marked.
    pub(crate) fn of(info: &ContextInfo, snapshot: &Snapshot) -> Tree {
        let context = &info.name;
        let instance = |side: Side| {
            let (configured, kind) = match side {
                Side::SqlServer => (&info.sql_server, "SQL Server"),
                Side::Managed => (&info.managed, "managed instance"),
            };
            let known = snapshot.last_known(side);
            let name = known.map(|i| i.server_name.clone()).or_else(|| configured.clone());
            InstanceItem {
                name: name.unwrap_or_else(|| kind.to_owned()),
                kind: match (side, known) {
                    (Side::SqlServer, Some(known)) => format!("{kind} {}", known.version),
                    _ => kind.to_owned(),
                },
                silent: snapshot.stamp(side).why.clone(),
                databases: known.map(|i| databases(context, side, i)).unwrap_or_default(),
            }
        };
        let link = |l: &milink_core::status::LinkStatus| LinkItem {
            name: l.name.clone(),
            href: path(&["c", context, "links", &l.name]),
            tone: tone(l.state),
            state: l.state.to_string(),
        };
        Tree {
            context: context.clone(),
            href: path(&["c", context]),
            instances: Side::BOTH.map(instance).into(),
            links: snapshot.links.iter().map(link).collect(),
            links_href: path(&["c", context, "links"]),
        }
    }
}

/// The live piece.
pub(crate) fn fragment(watched: &Watched, snapshot: &Snapshot) -> String {
    piece(&Tree::of(&watched.info, snapshot))
}

/// The tone of a link's state, for badges.
pub(crate) fn tone(state: LinkState) -> &'static str {
    match state {
        LinkState::Healthy => "good",
        LinkState::Seeding | LinkState::Degraded | LinkState::HalfMade | LinkState::Unknown => "warning",
        LinkState::Broken | LinkState::NoPrimary | LinkState::TwoPrimaries => "bad",
    }
}

/// A side in addresses: the word of its JSON form.
pub(crate) fn side_word(side: Side) -> &'static str {
    match side {
        Side::SqlServer => "sql-server",
        Side::Managed => "managed",
    }
}

fn databases(context: &str, side: Side, instance: &Instance) -> Vec<DatabaseItem> {
    let item = |d: &Database| DatabaseItem {
        name: d.name.clone(),
        state: shown_state(instance, d),
        role: role(instance, d).map(|role| match role {
            Role::Primary => "primary",
            Role::Secondary => "secondary",
            Role::Resolving => "resolving",
        }),
        href: path(&["c", context, "databases", side_word(side), &d.name]),
    };
    instance.databases.iter().map(item).collect()
}

/// What Object Explorer writes behind a database's name.
pub(crate) fn shown_state(instance: &Instance, database: &Database) -> String {
    let group = database.group.as_deref().and_then(|g| instance.group(g));
    let synchronization = group.and_then(|g| g.local_database(&database.name)).and_then(|d| d.state);
    match synchronization {
        Some(SyncState::Synchronized) => "Synchronized".to_owned(),
        Some(SyncState::Synchronizing) => "Synchronizing".to_owned(),
        Some(SyncState::NotSynchronizing) => "Not Synchronizing".to_owned(),
        Some(SyncState::Reverting) => "Reverting".to_owned(),
        Some(SyncState::Initializing) => "Initializing".to_owned(),
        None if database.state == "ONLINE" && database.read_only => "Read-Only".to_owned(),
        None if database.state == "ONLINE" => String::new(),
        None if database.state == "RESTORING" => "Restoring...".to_owned(),
        None => database.state.clone(),
    }
}

/// The role of an instance's copy in the link that carries the database.
pub(crate) fn role(instance: &Instance, database: &Database) -> Option<Role> {
    let of_link = instance.groups.iter().filter(|g| g.distributed);
    of_link.filter(|g| g.local_database(&database.name).is_some()).find_map(|g| g.role)
}
