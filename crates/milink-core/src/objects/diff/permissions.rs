//! Server roles, and what is granted or denied on the server.

use std::collections::BTreeSet;

use super::logins::{add_member, refusal};
use super::{Difference, Kind, LEFT, Mend, Severity, both};
use crate::objects::{Objects, Permission, PermissionState, Statement};
use crate::observe::same_name;
use crate::script::tsql::{name, text};

/// Everybody is a member, and it is always there.
const PUBLIC: &str = "public";

pub(super) fn roles(source: &Objects, target: &Objects, out: &mut Vec<Difference>) {
    let Some((ours, theirs)) = both(Kind::Role, (source, &source.roles), (target, &target.roles), out) else {
        return;
    };
    for role in ours.iter().filter(|r| r.name != PUBLIC) {
        let memberships = |of: &BTreeSet<String>| -> Vec<Statement> {
            let missing = role.roles.iter().filter(|r| !of.iter().any(|o| same_name(o, r)));
            missing.map(|r| add_member(r, &role.name)).collect()
        };
        match theirs.iter().find(|r| same_name(&r.name, &role.name)) {
            None => {
                let mut statements = vec![Statement::new(format!(
                    "IF NOT EXISTS (SELECT 1 FROM sys.server_principals WHERE name = {}) CREATE SERVER ROLE {}",
                    text(&role.name),
                    name(&role.name)
                ))];
                statements.extend(memberships(&BTreeSet::new()));
                let mend = Mend::Now { statements };
                out.push(Difference::missing(Kind::Role, &role.name, Severity::Important, mend));
            }
            Some(other) => {
                let statements = memberships(&other.roles);
                if !statements.is_empty() {
                    let missing = role.roles.iter().filter(|r| !other.roles.iter().any(|o| same_name(o, r)));
                    let what = missing.map(|r| format!("it is no member of {r}")).collect();
                    let mend = Mend::Now { statements };
                    out.push(Difference::different(Kind::Role, &role.name, what, Severity::Important, mend));
                }
            }
        }
    }
    let alone = theirs.iter().filter(|r| !ours.iter().any(|o| same_name(&o.name, &r.name)));
    out.extend(alone.map(|r| Difference::only_there(Kind::Role, &r.name)));
}

/// Who has rights: logins and roles alike.
fn grantees(of: &Objects) -> Vec<(&str, &BTreeSet<Permission>)> {
    let roles = of.roles.known().into_iter().flatten().map(|r| (r.name.as_str(), &r.permissions));
    let logins = of.logins.known().into_iter().flatten().map(|l| (l.name.as_str(), &l.permissions));
    roles.chain(logins).collect()
}

/// NB: parts that are unknown have been told of with roles and logins.
pub(super) fn permissions(source: &Objects, target: &Objects, out: &mut Vec<Difference>) {
    if target.logins.known().is_none() || target.roles.known().is_none() {
        return;
    }
    let theirs = grantees(target);
    for (grantee, ours) in grantees(source) {
        let other = theirs.iter().find(|(n, _)| same_name(n, grantee)).map(|(_, permissions)| *permissions);
        let none = BTreeSet::new();
        // Nothing can be granted to a login that the target will not have.
        if other.is_none() && source.login(grantee).is_some_and(|l| refusal(l, target).is_some()) {
            continue;
        }
        // Every new login has this one.
        let implied = |p: &Permission| other.is_none() && *p == connect();
        let has = other.unwrap_or(&none);
        let missing: Vec<&Permission> = ours.iter().filter(|p| !has.contains(*p) && !implied(p)).collect();
        let mut extra: Vec<&Permission> = has.iter().filter(|p| !ours.contains(*p)).collect();
        let revoked = connect();
        if other.is_none() && source.login(grantee).is_some() && !ours.contains(&revoked) {
            extra.push(&revoked);
        }
        // A GRANT that a DENY or a grant option stands in for is not on its own too much.
        extra.retain(|e| !missing.iter().any(|m| m.name == e.name && m.on == e.on));
        if missing.is_empty() && extra.is_empty() {
            continue;
        }
        let mut what: Vec<String> = missing.iter().map(|p| format!("not {}", p.shown())).collect();
        what.extend(extra.iter().map(|p| format!("also {}", p.shown())));
        let severity = if missing.is_empty() { Severity::Note } else { Severity::Important };
        let statements = missing.iter().map(|p| p.statement(grantee)).collect();
        out.push(Difference::different(
            Kind::Permission,
            grantee,
            what,
            severity,
            Mend::by(statements, LEFT),
        ));
    }
}

fn connect() -> Permission {
    Permission { state: PermissionState::Grant, name: "CONNECT SQL".to_owned(), on: None }
}

impl Permission {
    fn shown(&self) -> String {
        let verb = match self.state {
            PermissionState::Grant => "GRANT",
            PermissionState::GrantWithGrantOption => "GRANT (with GRANT OPTION)",
            PermissionState::Deny => "DENY",
        };
        let on = self.on.as_ref().map(|on| format!(" ON {on}")).unwrap_or_default();
        format!("{verb} {}{on}", self.name)
    }

    fn statement(&self, grantee: &str) -> Statement {
        let (verb, option) = match self.state {
            PermissionState::Grant => ("GRANT", ""),
            PermissionState::GrantWithGrantOption => ("GRANT", " WITH GRANT OPTION"),
            PermissionState::Deny => ("DENY", ""),
        };
        let on = self.on.as_ref().map(|on| format!(" ON LOGIN::{}", name(on))).unwrap_or_default();
        Statement::new(format!("{verb} {}{on} TO {}{option}", self.name, name(grantee)))
    }
}
