//! Users of linked databases without a login on the target, and the databases' owners.

use super::logins::refusal;
use super::{Difference, Kind, Mend, Severity, both, otherwise};
use crate::names::Hex;
use crate::objects::{Objects, Statement, User, UserKind};
use crate::observe::same_name;
use crate::script::tsql::name;

/// The SID of `sa`, which every instance has.
const SA: &[u8] = &[1];

pub(super) fn users(source: &Objects, target: &Objects, databases: &[String], out: &mut Vec<Difference>) {
    for database in databases {
        let users = match source.users.get(database) {
            Some(users) => users.get(),
            None => Err("nobody asked for its users"),
        };
        match users {
            Ok(users) => out.extend(users.iter().filter_map(|u| orphan(source, target, database, u))),
            Err(why) => out.push(Difference::unknown(Kind::User, database, &source.server, why)),
        }
    }
}

fn orphan(source: &Objects, target: &Objects, database: &str, user: &User) -> Option<Difference> {
    let (ours, theirs) = (source.logins.known()?, target.logins.known()?);
    if user.sid.bytes() == SA || theirs.iter().any(|l| l.sid == user.sid) {
        return None;
    }
    let at = format!("{database}: {}", user.name);
    if let Some(login) = ours.iter().find(|l| l.sid == user.sid) {
        let mend = match refusal(login, target) {
            Some(why) => Mend::ByHand { why },
            None => Mend::Along { with: format!("the login {}", login.name) },
        };
        let what = vec![format!("no login on the target has its SID, which is that of {}", login.name)];
        return Some(Difference::different(Kind::User, &at, what, Severity::Blocking, mend));
    }
    // Windows and Entra users come in by groups that the database does not know of.
    if user.kind != UserKind::Sql {
        return None;
    }
    let what = vec!["no login has its SID, on neither side".to_owned()];
    let quoted = name(&user.name);
    let why = format!(
        "it cannot log in today either. Where a login is meant for it, on the primary, in {database}: ALTER USER {quoted} WITH LOGIN = {quoted}"
    );
    Some(Difference::different(Kind::User, &at, what, Severity::Note, Mend::by_hand(why)))
}

pub(super) fn owners(source: &Objects, target: &Objects, databases: &[String], out: &mut Vec<Difference>) {
    let parts = (source, &source.databases);
    let Some((ours, theirs)) = both(Kind::Owner, parts, (target, &target.databases), out) else { return };
    for database in ours.iter().filter(|d| databases.iter().any(|n| same_name(n, &d.name))) {
        let Some(other) = theirs.iter().find(|d| same_name(&d.name, &database.name)) else { continue };
        if database.owner_sid == other.owner_sid {
            continue;
        }
        let shown = |login: &Option<String>, sid: &Option<Hex>| match (login, sid) {
            (Some(login), _) => login.clone(),
            (None, Some(sid)) => format!("nobody ({})", sid.tsql()),
            (None, None) => "unknown".to_owned(),
        };
        let what = otherwise(
            "owner",
            &shown(&other.owner, &other.owner_sid),
            &shown(&database.owner, &database.owner_sid),
        );
        let mend = match &database.owner {
            Some(owner) if source.login(owner).is_none_or(|l| refusal(l, target).is_none()) => {
                let text =
                    format!("ALTER AUTHORIZATION ON DATABASE::{} TO {}", name(&database.name), name(owner));
                Mend::AfterFailover { statements: vec![Statement::new(text)] }
            }
            Some(_) => Mend::by_hand(
                "the target cannot have the owner's login: name another owner after the failover",
            ),
            None => Mend::by_hand("the owner has no login on the source either: name one there first"),
        };
        out.push(Difference::different(Kind::Owner, &database.name, vec![what], Severity::Important, mend));
    }
}
