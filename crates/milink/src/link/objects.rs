//! `milink objects`: what lives outside of a linked database and does not follow it. The source is the side whose objects are right, the
//! primary as a rule; the target is the side that is to have them too.

use milink_core::objects::{self, Difference, Kind, Mend, Severity, State, Statement};
use milink_ops::objects::{Copied, Outcome};
use milink_sql::{Client, SqlError};
use serde::Serialize;

use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Table, Tone};

/// What differs: the answer of `objects diff`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diff {
    /// `@@SERVERNAME` of both.
    source: String,
    target: String,
    databases: Vec<String>,
    pub(crate) differences: Vec<Difference>,
}

/// A script that mends the target: the answer of `objects script`. Its text has hashes only if they were asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Script {
    target: String,
    statements: usize,
    /// How many times it stops until something is filled in.
    pub(crate) stops: usize,
    /// How many differences it leaves to be mended by hand or later.
    pub(crate) left: usize,
    has_password_hashes: bool,
    pub(crate) text: String,
}

/// What was copied: the answer of `objects copy`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Copy {
    source: String,
    target: String,
    copied: Vec<Copied>,
    /// What still differs afterwards; nothing if that could not be seen any more.
    remaining: Option<Vec<Difference>>,
}

/// The databases that the verbs are about: those that were named, or all that are in an availability group on the source.
///
/// # Errors
/// The source cannot be asked, or has none.
pub(crate) async fn databases(source: &Client, named: &[String]) -> Result<Vec<String>, Failure> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let found = milink_ops::objects::linked_databases(source).await.map_err(|e| failed(source, &e))?;
    if found.is_empty() {
        return Err(Failure::not_found(
            "no database is in an availability group, so that it is not known whose users matter",
            source.target().server.to_string(),
            "name the databases with --database",
        ));
    }
    Ok(found)
}

/// What the target lacks or has otherwise.
///
/// # Errors
/// A side cannot be asked. What only the login may not see is a difference of its own.
pub(crate) async fn diff(source: &Client, target: &Client, databases: &[String]) -> Result<Diff, Failure> {
    let (ours, theirs) = tokio::join!(
        milink_ops::objects::objects(source, databases),
        // Users are read on the source, where the databases can always be read.
        milink_ops::objects::objects(target, &[]),
    );
    let ours = ours.map_err(|e| failed(source, &e))?;
    let theirs = theirs.map_err(|e| failed(target, &e))?;
    let differences = objects::diff(&ours, &theirs, databases);
    Ok(Diff { source: ours.server, target: theirs.server, databases: databases.to_vec(), differences })
}

/// The script that mends the target. With hashes it is as secret as the passwords are.
///
/// # Errors
/// As [`diff`].
pub(crate) async fn script(
    source: &Client,
    target: &Client,
    databases: &[String],
    with_password_hashes: bool,
) -> Result<Script, Failure> {
    let Diff { target, differences, .. } = diff(source, target, databases).await?;
    Ok(Script::of(target, &differences, with_password_hashes))
}

/// Mends the target, and looks again.
///
/// # Errors
/// As [`diff`], and then nothing was changed. What the target refuses is in the document: see [`Copy::failure`].
pub(crate) async fn copy(source: &Client, target: &Client, databases: &[String]) -> Result<Copy, Failure> {
    let Diff { source: source_name, target: target_name, differences, .. } =
        diff(source, target, databases).await?;
    let copied = milink_ops::objects::copy(target, &differences).await;
    let remaining = diff(source, target, databases).await.ok().map(|after| after.differences);
    Ok(Copy { source: source_name, target: target_name, copied, remaining })
}

fn failed(client: &Client, e: &SqlError) -> Failure {
    Failure {
        code: Exit::Error,
        what: e.to_string(),
        where_: client.target().server.to_string(),
        now_true: NOTHING_CHANGED.to_owned(),
        next: "see that the server answers, and that the login may read master and msdb; then ask again"
            .to_owned(),
    }
}

impl Script {
    fn of(target: String, differences: &[Difference], with_password_hashes: bool) -> Script {
        let script = objects::script(&target, differences, with_password_hashes);
        Script {
            target,
            statements: script.statements,
            stops: script.stops,
            left: script.left,
            has_password_hashes: with_password_hashes,
            text: script.text.expose().to_owned(),
        }
    }
}

impl Copy {
    /// Why the verb has failed, if it has: something was refused, or an answer was lost.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let count = |test: fn(&Outcome) -> bool| self.copied.iter().filter(|c| test(&c.outcome)).count();
        let done = count(|o| matches!(o, Outcome::Done));
        let refused = count(|o| matches!(o, Outcome::Failed { .. }));
        let lost = count(|o| matches!(o, Outcome::Uncertain { .. }));
        let (code, what) = match (lost, refused) {
            (0, 0) => return None,
            (0, _) => (Exit::Error, format!("{refused} statements were refused")),
            (_, _) => (Exit::Uncertain, "the answer to a statement was lost".to_owned()),
        };
        Some(Failure {
            code,
            what,
            where_: self.target.clone(),
            now_true: format!("{done} statements are done, and stay so; none is undone"),
            next: "mend what the answers say, then run milink objects copy again: each statement can be run twice"
                .to_owned(),
        })
    }
}

impl Document for Diff {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let same = format!("{} has all that {} has outside of its databases", self.target, self.source);
        differences(&self.differences).or_say(same)
    }
}

impl Document for Script {
    const SCHEMA_VERSION: u32 = 1;

    /// NB: a script is printed as it is, by [`crate::output::Output::print`]; this is what is said about it.
    fn table(&self) -> Table {
        let mut table = Table::pairs();
        table.pair("target", &self.target);
        table.pair("statements", self.statements);
        table.pair("stops", self.stops);
        table.pair("left", self.left);
        table
    }
}

impl Document for Copy {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["Result", "Kind", "Name", "Statement", "Why"]);
        for copied in &self.copied {
            let (word, tone, why) = match &copied.outcome {
                Outcome::Done => ("done", Tone::Good, None),
                Outcome::Failed { error } => ("failed", Tone::Bad, Some(error)),
                Outcome::Uncertain { error } => ("uncertain", Tone::Bad, Some(error)),
                Outcome::Left { why } => ("left", Tone::Warning, Some(why)),
            };
            table.row([
                Cell::toned(word, tone),
                copied.kind.name().into(),
                Cell::from(&copied.name),
                copied.statement.as_ref().map(Statement::shown).into(),
                why.map(String::as_str).into(),
            ]);
        }
        let table = table.or_say(format!("{} lacked nothing", self.target));
        match &self.remaining {
            Some(remaining) if remaining.is_empty() => table,
            Some(remaining) => table.and(differences(remaining).under("What still differs")),
            None => table,
        }
    }
}

fn differences(all: &[Difference]) -> Table {
    let mut table = Table::new(["Severity", "Kind", "Name", "Difference", "Mended by"]);
    for difference in all {
        let tone = match difference.severity {
            Severity::Note => Tone::Faint,
            Severity::Important => Tone::Warning,
            Severity::Blocking => Tone::Bad,
        };
        table.row([
            Cell::toned(difference.severity.to_string(), tone),
            Kind::name(difference.kind).into(),
            Cell::from(&difference.name),
            state(&difference.state).into(),
            mend(&difference.mend).into(),
        ]);
    }
    table
}

fn state(state: &State) -> String {
    match state {
        State::Missing => "missing".to_owned(),
        State::Different { what } => what.join("; "),
        State::OnlyThere => "only there".to_owned(),
        State::Unknown { why } => format!("unknown: {why}"),
    }
}

fn mend(mend: &Mend) -> String {
    match mend {
        Mend::Now { statements } if statements.iter().any(|s| s.asks().is_some()) => {
            "objects script, where a secret is filled in".to_owned()
        }
        Mend::Now { .. } => "objects copy".to_owned(),
        Mend::AfterFailover { statements } => {
            let shown: Vec<String> = statements.iter().map(Statement::shown).collect();
            format!("after the failover: {}", shown.join("; "))
        }
        Mend::Along { with } => with.clone(),
        Mend::ByHand { why } => format!("by hand: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milink_core::names::Hex;
    use milink_core::objects::{Login, LoginKind, Objects, Part, PasswordHash};

    /// A part of the hash that must not be seen.
    const CANARY: &str = "CAFE";

    fn objects_with(logins: Vec<Login>, managed: bool) -> Objects {
        Objects {
            server: if managed { "MI" } else { "BOX" }.to_owned(),
            managed,
            major: 16,
            logins: Part::Known(logins),
            roles: Part::Known(Vec::new()),
            credentials: Part::Known(Vec::new()),
            linked_servers: Part::Known(Vec::new()),
            jobs: Part::Unknown("229".to_owned()),
            settings: Part::Known(Vec::new()),
            databases: Part::Known(Vec::new()),
            users: std::collections::BTreeMap::default(),
        }
    }

    fn sample() -> Diff {
        let login = Login {
            name: "app".to_owned(),
            sid: Hex::new(vec![7; 16]),
            kind: LoginKind::Sql,
            disabled: false,
            default_database: None,
            default_language: None,
            check_policy: Some(true),
            check_expiration: Some(false),
            credential: None,
            password: Some(PasswordHash::new(
                [0x02, 0x00].into_iter().chain([0xca, 0xfe].repeat(34)).collect(),
            )),
            roles: ["dbcreator".to_owned()].into(),
            permissions: std::collections::BTreeSet::default(),
        };
        let (ours, theirs) = (objects_with(vec![login], false), objects_with(Vec::new(), true));
        let differences = objects::diff(&ours, &theirs, &[]);
        Diff { source: ours.server, target: theirs.server, databases: Vec::new(), differences }
    }

    #[test]
    fn no_surface_shows_a_hash_that_was_not_asked_for() {
        let diff = sample();
        let copy = Copy {
            source: "BOX".to_owned(),
            target: "MI".to_owned(),
            copied: diff
                .differences
                .iter()
                .flat_map(|d| d.mend.now().iter().map(move |s| (d, s)))
                .map(|(d, s)| Copied {
                    kind: d.kind,
                    name: d.name.clone(),
                    statement: Some(s.clone()),
                    outcome: Outcome::Failed { error: "no".to_owned() },
                })
                .collect(),
            remaining: Some(sample().differences),
        };
        assert_eq!(copy.copied.len(), 2);
        let without = Script::of("MI".to_owned(), &diff.differences, false);
        let surfaces = [
            format!("{:?}", diff.table()),
            serde_json::to_string(&diff).unwrap(),
            format!("{diff:?}"),
            format!("{:?}", copy.table()),
            serde_json::to_string(&copy).unwrap(),
            format!("{copy:?}"),
            without.text.clone(),
            serde_json::to_string(&without).unwrap(),
        ];
        for surface in &surfaces {
            assert!(!surface.contains(CANARY) && surface.contains("app"), "{surface}");
        }
        assert_eq!(without.stops, 1);
        let with = Script::of("MI".to_owned(), &diff.differences, true);
        assert!(with.text.contains(CANARY) && with.stops == 0, "{}", with.text);
    }

    #[test]
    fn what_was_refused_or_lost_is_a_failure() {
        let copied = |outcome| Copied { kind: Kind::Login, name: "app".to_owned(), statement: None, outcome };
        let copy = |copied| Copy { source: "A".to_owned(), target: "B".to_owned(), copied, remaining: None };
        let error = || "no".to_owned();
        assert_eq!(copy(vec![copied(Outcome::Left { why: error() })]).failure(), None);
        let refused = copy(vec![copied(Outcome::Done), copied(Outcome::Failed { error: error() })]);
        assert_eq!(refused.failure().unwrap().code, Exit::Error);
        let lost = copy(vec![
            copied(Outcome::Failed { error: error() }),
            copied(Outcome::Uncertain { error: error() }),
        ]);
        assert_eq!(lost.failure().unwrap().code, Exit::Uncertain);
    }
}
