//! What the target lacks or has otherwise.

mod jobs;
mod linked;
mod logins;
mod permissions;
mod settings;
mod users;

use std::fmt;

use serde::Serialize;

use super::{Objects, Part, Statement};

/// A kind of object, in the order in which they are made: each may need those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A server role.
    Role,
    /// A credential.
    Credential,
    /// A login.
    Login,
    /// What is granted or denied on the server.
    Permission,
    /// A user of a linked database.
    User,
    /// A linked server.
    LinkedServer,
    /// A setting of the server.
    Setting,
    /// An Agent job.
    Job,
    /// A database's owner.
    Owner,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::Role,
        Kind::Credential,
        Kind::Login,
        Kind::Permission,
        Kind::User,
        Kind::LinkedServer,
        Kind::Setting,
        Kind::Job,
        Kind::Owner,
    ];

    /// In words, for one.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Role => "server role",
            Kind::Credential => "credential",
            Kind::Login => "login",
            Kind::Permission => "permission",
            Kind::User => "user",
            Kind::LinkedServer => "linked server",
            Kind::Setting => "setting",
            Kind::Job => "job",
            Kind::Owner => "database owner",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the target differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum State {
    /// The target has none of that name.
    Missing,
    /// The target has it, but not as the source does.
    Different {
        /// What is otherwise.
        what: Vec<String>,
    },
    /// Only the target has it.
    OnlyThere,
    /// It could not be compared.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What comes of it after a failover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Something runs otherwise, or not at all.
    Important,
    /// Users of a linked database cannot log in.
    Blocking,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Important => "important",
            Severity::Blocking => "blocking",
        })
    }
}

/// How a difference is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "when")]
pub enum Mend {
    /// By these statements on the target, in their order. Each can be run twice.
    Now {
        /// The statements.
        statements: Vec<Statement>,
    },
    /// By these, once the target is the primary: they write into the database, or begin what only the primary should do.
    AfterFailover {
        /// The statements.
        statements: Vec<Statement>,
    },
    /// Along with another difference, which is named.
    Along {
        /// The other one.
        with: String,
    },
    /// By no statement that may be run unasked.
    ByHand {
        /// Why, and what can be done.
        why: String,
    },
}

impl Mend {
    /// The statements that can be run now.
    pub fn now(&self) -> &[Statement] {
        match self {
            Mend::Now { statements } => statements,
            Mend::AfterFailover { .. } | Mend::Along { .. } | Mend::ByHand { .. } => &[],
        }
    }

    /// By hand.
    fn by_hand(why: impl Into<String>) -> Mend {
        Mend::ByHand { why: why.into() }
    }

    /// By statements, if there are any; by hand otherwise.
    fn by(statements: Vec<Statement>, otherwise: &str) -> Mend {
        if statements.is_empty() { Mend::by_hand(otherwise) } else { Mend::Now { statements } }
    }
}

/// One object that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What it is.
    pub kind: Kind,
    /// Its name; of a user with its database in front.
    pub name: String,
    /// How it differs.
    pub state: State,
    /// What comes of it.
    pub severity: Severity,
    /// How it is mended.
    pub mend: Mend,
}

/// Why nothing is done about what only the target has.
const LEFT: &str = "milink takes nothing away from the target: remove it there if it should not be";

impl Difference {
    fn only_there(kind: Kind, name: &str) -> Difference {
        let state = State::OnlyThere;
        Difference { kind, name: name.to_owned(), state, severity: Severity::Note, mend: Mend::by_hand(LEFT) }
    }

    fn missing(kind: Kind, name: &str, severity: Severity, mend: Mend) -> Difference {
        Difference { kind, name: name.to_owned(), state: State::Missing, severity, mend }
    }

    fn different(kind: Kind, name: &str, what: Vec<String>, severity: Severity, mend: Mend) -> Difference {
        Difference { kind, name: name.to_owned(), state: State::Different { what }, severity, mend }
    }

    fn unknown(kind: Kind, name: &str, side: &str, why: &str) -> Difference {
        let state = State::Unknown { why: format!("{side}: {why}") };
        let mend = Mend::by_hand("give the login the right to see it, or compare it by hand");
        Difference { kind, name: name.to_owned(), state, severity: Severity::Important, mend }
    }
}

/// What the target lacks or has otherwise, in the order in which it is mended. `databases` are those of the links; users of others are not
/// looked at.
pub fn diff(source: &Objects, target: &Objects, databases: &[String]) -> Vec<Difference> {
    let mut out = Vec::new();
    permissions::roles(source, target, &mut out);
    linked::credentials(source, target, &mut out);
    logins::logins(source, target, databases, &mut out);
    permissions::permissions(source, target, &mut out);
    users::users(source, target, databases, &mut out);
    linked::linked_servers(source, target, &mut out);
    settings::settings(source, target, &mut out);
    jobs::jobs(source, target, databases, &mut out);
    users::owners(source, target, databases, &mut out);
    out
}

/// Both parts, or a difference that says which could not be read.
fn both<'a, T>(
    kind: Kind,
    source: (&Objects, &'a Part<T>),
    target: (&Objects, &'a Part<T>),
    out: &mut Vec<Difference>,
) -> Option<(&'a T, &'a T)> {
    match (source.1.get(), target.1.get()) {
        (Ok(one), Ok(two)) => Some((one, two)),
        (one, two) => {
            let sides = [(source.0, one.err()), (target.0, two.err())];
            let unknown = sides.into_iter().filter_map(|(side, why)| Some((side, why?)));
            out.extend(unknown.map(|(side, why)| Difference::unknown(kind, "all", &side.server, why)));
            None
        }
    }
}

/// "x, not y": what it is on the target and what it should be.
fn otherwise(what: &str, target: &str, source: &str) -> String {
    format!("{what} is {target}, not {source}")
}
