//! Plans as text that others run. What is shown is what `milink` runs: statements and bodies come from the same functions.
//!
//! - [`tsql`]: a statement; [`rest`]: a call;
//! - [`render`]: a whole plan, as T-SQL for each side, as PowerShell or for az with all of the plan in its order, or the declarative part of it
//!   as Bicep.
//!
//! A script does what the plan does, and waits for what the plan waits for as far as a script can see it. It does not look what is there
//! already, keeps no journal and takes nothing back.

mod az;
mod bicep;
mod powershell;
pub mod rest;
mod sheet;
pub mod tsql;
mod wait;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::action::{Action, PublicKey, Statement};
use crate::names::{Hex, Side};
use crate::observe::Observation;
use crate::plan::{Plan, Step, Verb};

/// What an action sends, as text: the statement with its side, or the call with its body.
pub fn sent(action: &Action) -> String {
    match action {
        Action::Sql { side, statement } => {
            format!("-- {side}\n{}", tsql::statement(statement, &tsql::Fill::default()))
        }
        Action::Arm { call } => {
            let call = rest::call(call, None);
            let body = call.body.map_or_else(String::new, |b| format!("\n{b}"));
            format!("{} {}?api-version={}{body}", call.method, call.path, call.api_version)
        }
    }
}

/// What a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// T-SQL: a file for each side, and another one where a side has to wait for what it cannot see.
    Tsql,
    /// PowerShell with Az.Sql and SqlServer.
    PowerShell,
    /// A shell script with az and sqlcmd.
    Az,
    /// Bicep: certificates and links in Azure.
    Bicep,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 4] = [Form::Tsql, Form::PowerShell, Form::Az, Form::Bicep];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Tsql => "tsql",
            Form::PowerShell => "powershell",
            Form::Az => "az",
            Form::Bicep => "bicep",
        })
    }
}

/// A text that names no form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoForm(String);

impl fmt::Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no form of a script: tsql, powershell, az or bicep is wanted", self.0)
    }
}

impl std::error::Error for NoForm {}

impl FromStr for Form {
    type Err = NoForm;

    fn from_str(text: &str) -> Result<Form, NoForm> {
        let same = |form: &Form| form.to_string().eq_ignore_ascii_case(text.trim());
        Form::ALL.into_iter().find(same).ok_or_else(|| NoForm(text.to_owned()))
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Script {
    /// Its name.
    pub file_name: String,
    /// What is in it.
    pub text: String,
}

/// A plan as scripts, with what was seen when it was made: public keys come from there. Nothing where a form has nothing of the plan.
pub fn render(plan: &Plan, seen: &Observation, form: Form) -> Vec<Script> {
    match form {
        Form::Tsql => sheet::scripts(plan, seen),
        Form::PowerShell => powershell::script(plan, seen).into_iter().collect(),
        Form::Az => az::script(plan, seen).into_iter().collect(),
        Form::Bicep => bicep::script(plan, seen).into_iter().collect(),
    }
}

/// `sales-link-create`: what files of a plan begin with.
fn base_name(plan: &Plan) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = plan.link.name.chars().map(plain).collect();
    format!("{}-{}", name.trim_start_matches('.'), verb(plan.verb))
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::PlannedFailover => "planned-failover",
        Verb::ForcedFailover => "forced-failover",
        Verb::Repair => "repair",
        Verb::Drop => "drop",
        Verb::Undo => "undo",
        Verb::Fix => "fix",
        Verb::Purge => "purge",
    }
}

fn purpose(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "Creates link",
        Verb::PlannedFailover => "Changes the roles, without a loss, of link",
        Verb::ForcedFailover => "Forces a failover of link",
        Verb::Repair => "Ends a state with two primaries of link",
        Verb::Drop => "Removes link",
        Verb::Undo => "Takes back what was done for link",
        Verb::Fix => "Mends what checks have found for link",
        Verb::Purge => "Removes what is left over of links",
    }
}

/// What every script says at its beginning: lines without the mark of a comment.
fn heading(plan: &Plan) -> Vec<String> {
    let link = &plan.link;
    let what = match plan.verb {
        Verb::Purge => format!("{}.", purpose(plan.verb)),
        _ => format!("{} {}: {}.", purpose(plan.verb), link.name, link.databases.join(", ")),
    };
    let mut lines = vec![one_line(&what), "Made by milink from a plan.".to_owned()];
    lines.extend(plan.notes.iter().map(|note| one_line(&format!("Note: {note}"))));
    lines
}

/// A name may have a line's end in it; a comment may not.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `3/25 Create the endpoint`.
fn label(plan: &Plan, at: usize) -> String {
    let title = plan.steps.get(at).map_or("", |s| s.title.as_str());
    one_line(&format!("{}/{} {title}", at + 1, plan.steps.len()))
}

/// The side on which a step's statement is run.
fn side_of(step: &Step) -> Option<Side> {
    match &step.action {
        Some(Action::Sql { side, .. }) => Some(*side),
        Some(Action::Arm { .. }) | None => None,
    }
}

/// A statement as it stands in a script.
struct Written {
    text: String,
    /// Variables of sqlcmd that it has.
    variables: Vec<&'static str>,
}

/// Writes a statement for a script. Tools that run scripts read more into a text than the server does: where a name would be taken for a
/// command of theirs there is no script of it.
fn written(statement: &Statement, seen: &Observation) -> Result<Written, &'static str> {
    let public = public_key(statement).and_then(|key| key.resolve(seen).ok());
    let text = tsql::statement(statement, &tsql::Fill { password: None, public: public.as_ref() });
    let known = [tsql::PASSWORD_VARIABLE, "SqlServerCertificate", "ManagedInstanceCertificate"];
    let variables: Vec<&str> = known.into_iter().filter(|v| text.contains(&format!("$({v})"))).collect();
    let is_command = |line: &str| {
        let line = line.trim();
        line.eq_ignore_ascii_case("GO") || line.starts_with(':') || line.starts_with("!!")
    };
    if text.matches("$(").count() != variables.len() || text.lines().skip(1).any(is_command) {
        return Err(
            "a name in this statement would be taken for a command of sqlcmd: milink itself can run it, a script cannot",
        );
    }
    Ok(Written { text, variables })
}

fn public_key(statement: &Statement) -> Option<&PublicKey> {
    match statement {
        Statement::ImportCertificate { public, .. } => Some(public),
        _ => None,
    }
}

/// The managed instance, as scripts name it.
struct Target {
    subscription: String,
    resource_group: String,
    instance: String,
    fqdn: String,
    server: String,
}

impl Target {
    fn of(seen: &Observation) -> Target {
        let azure = seen.azure.known();
        let part = |name: &str| {
            let id = azure.map_or("", |a| a.id.as_str());
            let mut parts = id.split('/').skip_while(|p| !p.eq_ignore_ascii_case(name));
            parts.nth(1).map_or_else(|| format!("<{name}>"), str::to_owned)
        };
        Target {
            subscription: part("subscriptions"),
            resource_group: part("resourceGroups"),
            instance: azure.map_or_else(|| "<instance>".to_owned(), |a| a.name.clone()),
            fqdn: azure.map_or_else(|| "<managed instance>".to_owned(), |a| a.fqdn.clone()),
            server: seen.sql_server.known().map_or_else(|| "<server>".to_owned(), |i| i.server_name.clone()),
        }
    }
}

/// The query that gives a certificate's public key as text; not as `varchar(max)`, of which sqlcmd shows 256 characters.
fn public_key_query(certificate: &str) -> String {
    format!(
        "SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = {}",
        tsql::text(certificate)
    )
}

/// The public key in a call, if it is known while the script is written.
fn known_key(public: &PublicKey, seen: &Observation) -> Option<Hex> {
    match public {
        // It may not be there yet, or be another one by then.
        PublicKey::SqlServer { .. } => None,
        PublicKey::Known { .. } | PublicKey::ManagedEndpoint | PublicKey::BundledRoot { .. } => {
            public.resolve(seen).ok()
        }
    }
}
