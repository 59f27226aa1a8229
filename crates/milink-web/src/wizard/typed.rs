//! What is typed on the wizard's pages, as it was typed, and the spec that it means.

use milink_core::names::{CommitMode, FailoverMode, LinkMode, Side};
use milink_core::spec::{Link, LinkSpec, SpecError};
use serde::{Deserialize, Serialize};

use super::Page;
use crate::connect::Endpoints;

/// A longer text is cut when it comes: nothing that is asked for is half as long.
const TEXT_MAX: usize = 4096;
/// An identifier of SQL Server (sysname).
const NAME_MAX: usize = 128;

/// What was typed. Texts are as they came, right or wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) name_rule: String,
    pub(crate) initial_primary: Side,
    pub(crate) two_way: bool,
    pub(crate) synchronous: bool,
    pub(crate) multi_database: bool,
    /// "Enable connectivity troubleshooting": the endpoints are tried when the requirements are looked at.
    pub(crate) troubleshooting: bool,
    pub(crate) databases: Vec<String>,
    pub(crate) sql_endpoint: String,
    pub(crate) listener_port: String,
    pub(crate) certificate: String,
    pub(crate) certificate_days: String,
    pub(crate) backup_folder: String,
    pub(crate) managed_endpoint: String,
    pub(crate) sql_group: String,
    pub(crate) managed_group: String,
}

impl Default for Typed {
    fn default() -> Typed {
        let spec = LinkSpec::new("", &[]);
        Typed {
            name: String::new(),
            name_rule: spec.name_rule,
            initial_primary: spec.initial_primary,
            two_way: false,
            synchronous: false,
            multi_database: false,
            troubleshooting: false,
            databases: Vec::new(),
            sql_endpoint: String::new(),
            listener_port: String::new(),
            certificate: String::new(),
            certificate_days: String::new(),
            backup_folder: String::new(),
            managed_endpoint: String::new(),
            sql_group: String::new(),
            managed_group: String::new(),
        }
    }
}

/// Something that cannot be meant, at its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The page that has the field.
    pub(crate) page: Page,
    /// The field.
    pub(crate) field: &'static str,
    /// Why it cannot be.
    pub(crate) text: String,
}

impl Typed {
    /// Takes what a page's form holds. What the page does not ask for stays; a box that is not in the form is not ticked.
    pub(crate) fn take(&mut self, page: Page, fields: &[(String, String)]) {
        let text = |name: &str| {
            let found = fields.iter().find(|(n, _)| n == name);
            found.map_or_else(String::new, |(_, value)| value.trim().chars().take(TEXT_MAX).collect())
        };
        let ticked = |name: &str| fields.iter().any(|(n, _)| n == name);
        match page {
            Page::Options => {
                self.name = text("name");
                self.name_rule = text("name_rule");
                self.initial_primary =
                    if text("initial_primary") == "managed" { Side::Managed } else { Side::SqlServer };
                self.two_way = ticked("two_way");
                self.synchronous = text("commit_mode") == "synchronous";
                self.multi_database = ticked("multi_database");
                self.troubleshooting = ticked("troubleshooting");
            }
            Page::Databases => {
                let chosen = fields.iter().filter(|(n, value)| n == "database" && !value.is_empty());
                self.databases = Vec::new();
                for (_, name) in chosen {
                    // NB: not trimmed: a name may begin or end with a blank.
                    let name: String = name.chars().take(TEXT_MAX).collect();
                    if !self.databases.contains(&name) {
                        self.databases.push(name);
                    }
                }
            }
            Page::Secondary => {
                self.sql_endpoint = text("sql_endpoint");
                self.listener_port = text("listener_port");
                self.certificate = text("certificate");
                self.certificate_days = text("certificate_days");
                self.backup_folder = text("backup_folder");
                self.managed_endpoint = text("managed_endpoint");
                self.sql_group = text("sql_group");
                self.managed_group = text("managed_group");
            }
            // These ask for nothing.
            Page::Introduction
            | Page::Requirements
            | Page::Login
            | Page::Validation
            | Page::Summary
            | Page::Executing
            | Page::Results => {}
        }
    }

    /// The spec that is meant, with what the context says of endpoints.
    ///
    /// # Errors
    /// Everything that cannot be meant.
    pub(crate) fn spec(&self, endpoints: &Endpoints) -> Result<LinkSpec, Vec<Wrong>> {
        let mut wrong = self.wrong_texts();
        let listener_port = number(&self.listener_port, 1..=u32::from(u16::MAX), "a port");
        let listener_port = at(&mut wrong, "listener_port", listener_port);
        let days = at(
            &mut wrong,
            "certificate_days",
            number(&self.certificate_days, 1..=36_500, "a number of days"),
        );
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let given = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        let mut spec = LinkSpec::new(&self.name, &[]);
        spec.databases.clone_from(&self.databases);
        if let Some(rule) = given(&self.name_rule) {
            spec.name_rule = rule;
        }
        spec.initial_primary = self.initial_primary;
        spec.failover_mode = if self.two_way { FailoverMode::TwoWay } else { FailoverMode::OneWay };
        spec.commit_mode = if self.synchronous { CommitMode::Synchronous } else { CommitMode::Asynchronous };
        spec.link_mode = if self.multi_database { LinkMode::MultiDatabase } else { LinkMode::SingleDatabase };
        spec.sql_server.availability_group = given(&self.sql_group);
        spec.sql_server.endpoint = given(&self.sql_endpoint);
        spec.sql_server.listener_port = listener_port.and_then(|p| u16::try_from(p).ok());
        spec.sql_server.certificate = given(&self.certificate);
        spec.sql_server.certificate_days = days.unwrap_or(spec.sql_server.certificate_days);
        spec.sql_server.backup_folder = given(&self.backup_folder);
        spec.managed.availability_group = given(&self.managed_group);
        spec.managed.endpoint = given(&self.managed_endpoint);
        endpoints.complete(&mut spec);
        Ok(spec)
    }

    /// The spec and its links.
    ///
    /// # Errors
    /// Everything that cannot be meant.
    pub(crate) fn links(&self, endpoints: &Endpoints) -> Result<(LinkSpec, Vec<Link>), Vec<Wrong>> {
        let spec = self.spec(endpoints)?;
        let links = spec.links().map_err(|e| vec![placed(&e)])?;
        let name = |name: &String| name.chars().count() > NAME_MAX;
        match links.iter().find(|l| name(&l.name) || name(&l.sql_group) || name(&l.managed_group)) {
            Some(link) => Err(vec![Wrong {
                page: Page::Options,
                field: "name",
                text: format!(
                    "The names that follow from it for {} are longer than {NAME_MAX} characters",
                    link.database()
                ),
            }]),
            None => Ok((spec, links)),
        }
    }

    /// The links as far as the databases are known: for what is asked of the instances before.
    pub(crate) fn links_so_far(&self, endpoints: &Endpoints) -> Vec<Link> {
        self.links(endpoints).map(|(_, links)| links).unwrap_or_default()
    }

    /// A link of one database, as it would be made: to see whether the database can be chosen.
    pub(crate) fn link_of(&self, database: &str, endpoints: &Endpoints) -> Option<Link> {
        let name = if self.name.is_empty() { "link".to_owned() } else { self.name.clone() };
        let one = Typed { databases: vec![database.to_owned()], name, ..self.clone() };
        one.links(endpoints).ok()?.1.into_iter().next()
    }

    fn wrong_texts(&self) -> Vec<Wrong> {
        let texts = [
            (Page::Options, "name", &self.name),
            (Page::Options, "name_rule", &self.name_rule),
            (Page::Secondary, "sql_endpoint", &self.sql_endpoint),
            (Page::Secondary, "certificate", &self.certificate),
            (Page::Secondary, "backup_folder", &self.backup_folder),
            (Page::Secondary, "managed_endpoint", &self.managed_endpoint),
            (Page::Secondary, "sql_group", &self.sql_group),
            (Page::Secondary, "managed_group", &self.managed_group),
        ];
        let control = |(page, field, text): (Page, &'static str, &String)| {
            let text = text
                .chars()
                .any(char::is_control)
                .then(|| "It may not hold line breaks or other control characters".to_owned());
            text.map(|text| Wrong { page, field, text })
        };
        let mut wrong: Vec<Wrong> = texts.into_iter().filter_map(control).collect();
        if self.name.chars().count() > NAME_MAX {
            let text = format!("A name has at most {NAME_MAX} characters");
            wrong.push(Wrong { page: Page::Options, field: "name", text });
        }
        wrong
    }
}

/// Where an error of a spec belongs.
fn placed(e: &SpecError) -> Wrong {
    let (page, field) = match e {
        SpecError::NoName => (Page::Options, "name"),
        SpecError::NoDatabase | SpecError::Twice(_) => (Page::Databases, "database"),
        SpecError::SameName { setting, .. } => match *setting {
            "nameRule" => (Page::Options, "name_rule"),
            "managed.availabilityGroup" => (Page::Secondary, "managed_group"),
            _ => (Page::Secondary, "sql_group"),
        },
        SpecError::SameGroups(_) => (Page::Secondary, "managed_group"),
    };
    let text = match e {
        SpecError::NoName => "The link needs a name".to_owned(),
        SpecError::NoDatabase => "No database is ticked".to_owned(),
        other => other.to_string(),
    };
    Wrong { page, field, text }
}

fn number(text: &str, range: std::ops::RangeInclusive<u32>, what: &str) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(format!("{what} from {} to {} is wanted", range.start(), range.end())),
    }
}

fn at(wrong: &mut Vec<Wrong>, field: &'static str, read: Result<Option<u32>, String>) -> Option<u32> {
    read.unwrap_or_else(|text| {
        wrong.push(Wrong { page: Page::Secondary, field, text });
        None
    })
}
