//! What the service that owns a managed instance asks and does beside its links: databases, backups, and what it keeps of
//! its own with the instance.

use std::time::{Duration, Instant};

use lab_engine::{Flavor, SqlError, UpdatePolicy};
use lab_hadr::Alteration;

use crate::control::{Control, no_link};

/// A user's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedDatabase {
    /// Its name.
    pub name: String,
    /// `state_desc`.
    pub state: String,
    /// The collation's name.
    pub collation: String,
    /// `create_date`, in seconds since 1970.
    pub created: i64,
    /// Whether its first copy is on its way.
    pub seeding: bool,
}

/// Where the last backup ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastBackup {
    /// `last_lsn`, as `backupset` prints it.
    pub lsn: String,
    /// When it was finished, in seconds since 1970.
    pub finished: i64,
}

/// Cannot drop database because it is currently in use.
const IN_USE: i32 = 3702;
/// How long sessions are given to roll back what they have begun and go, and how often it is seen whether they have.
const END_LIMIT: Duration = Duration::from_secs(10);
const END_EVERY: Duration = Duration::from_millis(10);

/// Days from 1900, with which `datetime` begins, to 1970.
const DAYS_1900_TO_1970: i64 = 25_567;
/// `datetime` counts 300ths of a second.
const DATETIME_SECOND: i64 = 300;

fn unix_seconds(datetime: i64) -> i64 {
    datetime.div_euclid(DATETIME_SECOND) - DAYS_1900_TO_1970 * 86_400
}

/// A name as a literal.
fn literal(name: &str) -> String {
    format!("N'{}'", name.replace('\'', "''"))
}

/// The document that keeps what the service notes of a link.
fn note_of(link: &str) -> String {
    format!("managed instance link {}", link.to_uppercase())
}

impl Control {
    /// The databases of users, in the order of their ids.
    pub fn databases(&self) -> Vec<ManagedDatabase> {
        let names = self.server.database_names();
        let facts = names.iter().filter_map(|name| self.server.database_facts(name)).filter(|d| !d.system);
        facts
            .map(|d| ManagedDatabase {
                name: d.name,
                state: d.state.to_owned(),
                collation: d.collation,
                created: unix_seconds(d.created),
                seeding: d.seeding,
            })
            .collect()
    }

    /// Deletes a database, whoever uses it: the service does not ask its users to leave.
    ///
    /// # Errors
    /// As DROP DATABASE says it: 3752 of one in a group, whose sessions go on then; 3702 of one that is being seeded, or whose
    /// sessions do not end within [`END_LIMIT`].
    pub fn drop_database(&self, name: &str) -> Result<(), SqlError> {
        let batch = format!("DROP DATABASE [{}]", name.replace(']', "]]"));
        let until = Instant::now() + END_LIMIT;
        let mut empty = false;
        loop {
            let dropped = self.server.run_as_service(&batch).map(|_| ());
            match &dropped {
                Err(e) if e.number == IN_USE && !empty && Instant::now() < until => {
                    // Those that left between the two are no reason to give up; nobody at all is.
                    empty = self.server.end_sessions(name) == 0;
                    std::thread::sleep(END_EVERY);
                }
                _ => return dropped,
            }
        }
    }

    /// The last backup of a database that this instance has made.
    ///
    /// # Errors
    /// `msdb` cannot be read.
    pub fn last_backup(&self, database: &str) -> Result<Option<LastBackup>, SqlError> {
        let rows = self.server.run_as_service(&format!(
            "SELECT TOP (1) last_lsn, DATEDIFF(second, '19700101', backup_finish_date) FROM msdb.dbo.backupset \
             WHERE database_name = {} ORDER BY backup_set_id DESC",
            literal(database)
        ))?;
        let backup = rows.into_iter().next().and_then(|row| {
            let mut row = row.into_iter();
            Some(LastBackup { lsn: row.next()??, finished: row.next()??.parse().ok()? })
        });
        Ok(backup)
    }

    /// Makes the databases of a link these, where its primary is: what is missing is added, what is too much is removed.
    ///
    /// # Errors
    /// There is no such link; otherwise as `ALTER AVAILABILITY GROUP ... ADD DATABASE` says it.
    pub fn set_databases(&self, link: &str, databases: &[String]) -> Result<(), SqlError> {
        let link = self.link(link).ok_or_else(|| no_link(link))?;
        let group = link.group.as_distributed().map(|d| d.here.name.clone()).unwrap_or_default();
        let lacks = |of: &[String], name: &String| !of.iter().any(|d| lab_hadr::same_name(d, name));
        let added: Vec<String> = databases.iter().filter(|d| lacks(&link.databases, d)).cloned().collect();
        let removed: Vec<String> = link.databases.iter().filter(|d| lacks(databases, d)).cloned().collect();
        if !added.is_empty() {
            self.alter(&group, Alteration::AddDatabase(added))?;
        }
        if !removed.is_empty() {
            self.alter(&group, Alteration::RemoveDatabase(removed))?;
        }
        Ok(())
    }

    /// What the service has noted of a link.
    pub fn note(&self, link: &str) -> Option<String> {
        self.server.documents().remove(&note_of(link))
    }

    /// Notes something of a link, durably; `None` forgets it. It is kept with the instance, so that nobody else can
    /// remember a link that the instance does not have.
    ///
    /// # Errors
    /// `master` cannot be written.
    pub fn set_note(&self, link: &str, text: Option<String>) -> Result<(), SqlError> {
        self.server.put_document(&note_of(link), text)
    }

    /// `SERVERPROPERTY('Collation')`.
    pub fn collation(&self) -> &'static str {
        self.server.collation_name()
    }

    /// The update policy; nothing if this is no managed instance.
    pub fn update_policy(&self) -> Option<UpdatePolicy> {
        match self.server.flavor() {
            Flavor::Managed(policy) => Some(policy),
            Flavor::SqlServer(_) => None,
        }
    }

    /// The root that vouches for the endpoint's certificate.
    pub fn root_certificate(&self) -> Option<Vec<u8>> {
        self.server.managed_root_certificate()
    }
}
