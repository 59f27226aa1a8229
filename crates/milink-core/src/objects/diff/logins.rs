//! Logins: what makes a user of a linked database find its way in.

use super::{Difference, Kind, Mend, Severity, State, both, otherwise};
use crate::objects::{Login, LoginKind, Objects, Statement};
use crate::observe::same_name;
use crate::script::tsql::{name, text};

/// The default database of a login whose own is not on the target.
const MASTER: &str = "master";

pub(super) fn logins(source: &Objects, target: &Objects, databases: &[String], out: &mut Vec<Difference>) {
    let Some((ours, theirs)) = both(Kind::Login, (source, &source.logins), (target, &target.logins), out)
    else {
        return;
    };
    for login in ours {
        let severity =
            if is_used(source, login, databases) { Severity::Blocking } else { Severity::Important };
        let found = match theirs.iter().find(|l| same_name(&l.name, &login.name)) {
            Some(other) => different(login, other, target, severity),
            None => match theirs.iter().find(|l| l.sid == login.sid) {
                Some(renamed) => Some(Difference::different(
                    Kind::Login,
                    &login.name,
                    vec![format!("its SID belongs to the login {} there", renamed.name)],
                    severity,
                    Mend::by_hand(format!(
                        "users find that login, whatever its name; if it is the same one, ALTER LOGIN {} WITH NAME = {}",
                        name(&renamed.name),
                        name(&login.name)
                    )),
                )),
                None => Some(Difference::missing(Kind::Login, &login.name, severity, create(login, target))),
            },
        };
        out.extend(found);
    }
    let alone = theirs.iter().filter(|l| !ours.iter().any(|o| same_name(&o.name, &l.name) || o.sid == l.sid));
    out.extend(alone.map(|l| Difference::only_there(Kind::Login, &l.name)));
}

fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// Whether a user of a linked database stands on it.
fn is_used(source: &Objects, login: &Login, databases: &[String]) -> bool {
    let of_database = |database: &String| source.users.get(database).and_then(|users| users.known());
    databases.iter().filter_map(of_database).flatten().any(|user| user.sid == login.sid)
}

/// Whether the target can have the login by a statement; otherwise why not.
pub(super) fn refusal(login: &Login, target: &Objects) -> Option<String> {
    if login.kind.is_windows() && target.managed {
        return Some(format!(
            "a managed instance takes no Windows logins: make a Microsoft Entra login for {} there (CREATE LOGIN ... FROM EXTERNAL PROVIDER), \
             and a user for it in the database, since its SID is another one",
            login.name
        ));
    }
    match login.kind {
        LoginKind::Certificate | LoginKind::AsymmetricKey => Some(format!(
            "a {} needs its certificate or key first: copy that, then CREATE LOGIN {} FROM CERTIFICATE or FROM ASYMMETRIC KEY",
            login.kind.name(),
            name(&login.name)
        )),
        // SQL Server 2022 was the first that knows Microsoft Entra.
        LoginKind::External | LoginKind::ExternalGroup if !target.managed && target.major < 16 => Some(
            "SQL Server takes Microsoft Entra logins from SQL Server 2022 on, where Microsoft Entra is set up"
                .to_owned(),
        ),
        LoginKind::Sql
        | LoginKind::Windows
        | LoginKind::WindowsGroup
        | LoginKind::External
        | LoginKind::ExternalGroup => None,
    }
}

fn create(login: &Login, target: &Objects) -> Mend {
    if let Some(why) = refusal(login, target) {
        return Mend::by_hand(why);
    }
    let quoted = name(&login.name);
    let unless =
        format!("IF NOT EXISTS (SELECT 1 FROM sys.server_principals WHERE name = {}) ", text(&login.name));
    let database = default_database(login, target).unwrap_or(MASTER);
    let mut with = vec![format!("DEFAULT_DATABASE = {}", name(database))];
    with.extend(login.default_language.as_ref().map(|l| format!("DEFAULT_LANGUAGE = {}", name(l))));
    let with_text = with.join(", ");
    let statement = match login.kind {
        LoginKind::Sql => {
            let begin = Statement::new(format!("{unless}CREATE LOGIN {quoted} WITH PASSWORD = "));
            let begin = match &login.password {
                Some(hash) => begin.hash(hash).then(" HASHED"),
                None => begin.asked(format!("password of {}", login.name)),
            };
            begin.then(format!(
                ", SID = {}, {with_text}, CHECK_POLICY = {}, CHECK_EXPIRATION = {}",
                login.sid.tsql(),
                on_off(login.check_policy.unwrap_or(true)),
                on_off(login.check_expiration.unwrap_or(false))
            ))
        }
        LoginKind::External | LoginKind::ExternalGroup => {
            Statement::new(format!("{unless}CREATE LOGIN {quoted} FROM EXTERNAL PROVIDER"))
        }
        LoginKind::Windows | LoginKind::WindowsGroup | LoginKind::Certificate | LoginKind::AsymmetricKey => {
            Statement::new(format!("{unless}CREATE LOGIN {quoted} FROM WINDOWS WITH {with_text}"))
        }
    };
    let mut statements = vec![statement];
    if login.disabled {
        statements.push(Statement::new(format!("ALTER LOGIN {quoted} DISABLE")));
    }
    statements.extend(login.credential.iter().map(|c| add_credential(&quoted, c)));
    statements.extend(login.roles.iter().map(|role| add_member(role, &login.name)));
    Mend::Now { statements }
}

fn add_credential(quoted: &str, credential: &str) -> Statement {
    Statement::new(format!("ALTER LOGIN {quoted} ADD CREDENTIAL {}", name(credential)))
}

pub(super) fn add_member(role: &str, member: &str) -> Statement {
    Statement::new(format!("ALTER SERVER ROLE {} ADD MEMBER {}", name(role), name(member)))
}

/// The login's default database, if the target has it.
fn default_database<'a>(login: &'a Login, target: &Objects) -> Option<&'a str> {
    login.default_database.as_deref().filter(|d| target.has_database(d))
}

fn different(login: &Login, other: &Login, target: &Objects, severity: Severity) -> Option<Difference> {
    let at = &login.name;
    if login.kind != other.kind {
        let what = vec![otherwise("kind", other.kind.name(), login.kind.name())];
        let why = "a login's kind cannot be changed: rename or drop the one on the target, then copy again";
        return Some(Difference::different(Kind::Login, at, what, severity, Mend::by_hand(why)));
    }
    if login.sid != other.sid && login.kind == LoginKind::Sql {
        let what = vec![otherwise("SID", &other.sid.tsql(), &login.sid.tsql())];
        let why = format!(
            "a login's SID cannot be changed. If no other database on the target needs it: DROP LOGIN {} there, then copy again",
            name(at)
        );
        return Some(Difference::different(Kind::Login, at, what, severity, Mend::by_hand(why)));
    }
    let mut changes = Changes { quoted: name(at), what: Vec::new(), statements: Vec::new(), left: false };
    changes.state(login, other);
    changes.options(login, other, target);
    changes.password(login, other);
    changes.credential(login, other);
    changes.roles(login, other);
    let Changes { what, statements, left, .. } = changes;
    if what.is_empty() {
        return None;
    }
    // Who is locked out is worse off than who has another language.
    let locked_out = other.disabled && !login.disabled;
    let severity = match severity {
        Severity::Blocking if locked_out => Severity::Blocking,
        _ if statements.is_empty() && left => Severity::Note,
        _ => Severity::Important,
    };
    Some(Difference {
        kind: Kind::Login,
        name: at.clone(),
        state: State::Different { what },
        severity,
        mend: Mend::by(statements, super::LEFT),
    })
}

struct Changes {
    quoted: String,
    what: Vec<String>,
    statements: Vec<Statement>,
    /// Something is only on the target.
    left: bool,
}

impl Changes {
    fn alter(&mut self, what: String, rest: &str) {
        self.what.push(what);
        self.statements.push(Statement::new(format!("ALTER LOGIN {} {rest}", self.quoted)));
    }

    fn state(&mut self, login: &Login, other: &Login) {
        let word = |disabled: bool| if disabled { "disabled" } else { "enabled" };
        if login.disabled != other.disabled {
            let what = otherwise("it", word(other.disabled), word(login.disabled));
            self.alter(what, if login.disabled { "DISABLE" } else { "ENABLE" });
        }
    }

    fn options(&mut self, login: &Login, other: &Login, target: &Objects) {
        if login.kind == LoginKind::Sql {
            // Expiration asks for the policy: it is taken off before the policy is, and put on after.
            let options = [
                ("CHECK_EXPIRATION", login.check_expiration, other.check_expiration, Some(false)),
                ("CHECK_POLICY", login.check_policy, other.check_policy, None),
                ("CHECK_EXPIRATION", login.check_expiration, other.check_expiration, Some(true)),
            ];
            for (option, ours, theirs, only) in options {
                let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
                if ours != theirs && only.is_none_or(|only| only == ours) {
                    let what = otherwise(option, on_off(theirs), on_off(ours));
                    self.alter(what, &format!("WITH {option} = {}", on_off(ours)));
                }
            }
        }
        if login.kind == LoginKind::External || login.kind == LoginKind::ExternalGroup {
            return;
        }
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let same = |one: &str, two: &Option<String>| two.as_ref().is_some_and(|two| same_name(one, two));
        if let Some(database) = default_database(login, target)
            && !same(database, &other.default_database)
        {
            let what = otherwise("default database", &shown(&other.default_database), database);
            self.alter(what, &format!("WITH DEFAULT_DATABASE = {}", name(database)));
        }
        if let Some(language) = &login.default_language
            && !same(language, &other.default_language)
        {
            let what = otherwise("default language", &shown(&other.default_language), language);
            self.alter(what, &format!("WITH DEFAULT_LANGUAGE = {}", name(language)));
        }
    }

    /// Hashes are salted: other hashes may be of the same password, and the same hash is certainly of one.
    fn password(&mut self, login: &Login, other: &Login) {
        match (&login.password, &other.password) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                self.what.push(
                    "the hash of its password is another one (whether the password is cannot be seen)"
                        .to_owned(),
                );
                let begin = format!("ALTER LOGIN {} WITH PASSWORD = ", self.quoted);
                self.statements.push(Statement::new(begin).hash(ours).then(" HASHED"));
            }
            (Some(_) | None, Some(_) | None) => {}
        }
    }

    fn credential(&mut self, login: &Login, other: &Login) {
        if let Some(ours) = &login.credential
            && other.credential.as_ref().is_none_or(|theirs| !same_name(ours, theirs))
        {
            self.what.push(format!("the credential {ours} is not mapped to it"));
            self.statements.push(add_credential(&self.quoted, ours));
        }
    }

    fn roles(&mut self, login: &Login, other: &Login) {
        for role in login.roles.iter().filter(|r| !other.roles.iter().any(|o| same_name(o, r))) {
            self.what.push(format!("it is no member of {role}"));
            self.statements.push(add_member(role, &login.name));
        }
        for role in other.roles.iter().filter(|r| !login.roles.iter().any(|o| same_name(o, r))) {
            self.what.push(format!("it is a member of {role}, which it is not on the source"));
            self.left = true;
        }
    }
}
