//! Builds of SQL Server, and what each of them can do with a link.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::policy::{self, UpdatePolicy};
use super::{Answer, Verdict};

/// A build, as `SERVERPROPERTY('ProductVersion')` tells it: `16.0.4125.3`. Builds are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    major: u16,
    minor: u16,
    build: u32,
    revision: u32,
}

impl ServerVersion {
    /// From its four numbers.
    pub const fn new(major: u16, minor: u16, build: u32, revision: u32) -> ServerVersion {
        ServerVersion { major, minor, build, revision }
    }

    /// The first number: 16 is SQL Server 2022.
    pub fn major(self) -> u16 {
        self.major
    }

    /// The release that it is a build of; `None` for releases that have no link, and for a managed instance, whose version tells nothing.
    pub fn release(self) -> Option<Release> {
        Release::ALL.into_iter().find(|r| r.major() == self.major)
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.build, self.revision)
    }
}

/// A text that is no build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoVersion(String);

impl fmt::Display for NoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no build of SQL Server: one such as 16.0.4125.3 is wanted", self.0)
    }
}

impl std::error::Error for NoVersion {}

impl FromStr for ServerVersion {
    type Err = NoVersion;

    /// Four numbers; the last may be missing, as it is in what old releases answer.
    fn from_str(text: &str) -> Result<ServerVersion, NoVersion> {
        let no = || NoVersion(text.to_owned());
        let mut parts = text.trim().split('.');
        let mut next = || parts.next().ok_or_else(no);
        let (major, minor, build) = (next()?, next()?, next()?);
        let revision = parts.next().unwrap_or("0");
        if parts.next().is_some() {
            return Err(no());
        }
        // NB: not `parse` alone, which would take a sign.
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if ![major, minor, build, revision].into_iter().all(digits) {
            return Err(no());
        }
        Ok(ServerVersion {
            major: major.parse().map_err(|_| no())?,
            minor: minor.parse().map_err(|_| no())?,
            build: build.parse().map_err(|_| no())?,
            revision: revision.parse().map_err(|_| no())?,
        })
    }
}

impl Serialize for ServerVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ServerVersion, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A release that can have a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Release {
    /// SQL Server 2016.
    #[serde(rename = "2016")]
    V2016,
    /// SQL Server 2017.
    #[serde(rename = "2017")]
    V2017,
    /// SQL Server 2019.
    #[serde(rename = "2019")]
    V2019,
    /// SQL Server 2022.
    #[serde(rename = "2022")]
    V2022,
    /// SQL Server 2025.
    #[serde(rename = "2025")]
    V2025,
}

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Release; 5] =
        [Release::V2016, Release::V2017, Release::V2019, Release::V2022, Release::V2025];

    /// The first number of its builds.
    pub fn major(self) -> u16 {
        match self {
            Release::V2016 => 13,
            Release::V2017 => 14,
            Release::V2019 => 15,
            Release::V2022 => 16,
            Release::V2025 => 17,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Release::V2016 => "SQL Server 2016",
            Release::V2017 => "SQL Server 2017",
            Release::V2019 => "SQL Server 2019",
            Release::V2022 => "SQL Server 2022",
            Release::V2025 => "SQL Server 2025",
        })
    }
}

/// A servicing pack, and the build that an instance has once it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pack {
    /// Its name: `CU10`, `Azure Connect pack`.
    pub name: &'static str,
    /// The build that it brings.
    pub build: ServerVersion,
    /// The article that it is found by; none for what is on the installation medium.
    pub kb: Option<&'static str>,
}

impl fmt::Display for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.build)?;
        self.kb.iter().try_for_each(|kb| write!(f, ", {kb}"))?;
        f.write_str(")")
    }
}

/// From which build on an instance can do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Minimum {
    /// No build of the release can.
    Never,
    /// From this pack on.
    From(Pack),
    /// The documents name the update and not its build: what is not newer than `after` cannot, for the rest `tell_tale` has to be asked.
    Unstated {
        /// The update that they name.
        name: &'static str,
        /// The newest build that is known to be older than the update.
        after: ServerVersion,
        /// How an instance itself shows that it can.
        tell_tale: &'static str,
    },
}

impl Minimum {
    /// Whether a build is enough.
    pub fn met_by(&self, version: ServerVersion) -> Answer {
        match self {
            Minimum::Never => Answer::No,
            Minimum::From(pack) => Answer::from_bool(version >= pack.build),
            Minimum::Unstated { after, .. } if version <= *after => Answer::No,
            Minimum::Unstated { .. } => Answer::Unknown,
        }
    }
}

impl fmt::Display for Minimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Minimum::Never => f.write_str("no build"),
            Minimum::From(pack) => write!(f, "{pack} or later"),
            Minimum::Unstated { name, tell_tale, .. } => {
                write!(f, "{name} or later (its build is not documented: {tell_tale})")
            }
        }
    }
}

/// Where an instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Platform {
    /// Windows Server 2012 or later. Client Windows cannot: its SQL Server has no availability groups.
    Windows,
    /// Linux, in a container or not.
    Linux,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Platform::Windows => "Windows Server",
            Platform::Linux => "Linux",
        })
    }
}

/// What an edition can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edition {
    /// Enterprise.
    Enterprise,
    /// Developer with the features of Enterprise.
    Developer,
    /// Standard, and Developer with its features (from SQL Server 2025 on).
    Standard,
    /// Evaluation, which no document names.
    Evaluation,
    /// Another one, such as Express or Web.
    Other,
}

impl Edition {
    /// The edition that `SERVERPROPERTY('Edition')` names, such as `Enterprise Edition: Core-based Licensing (64-bit)`.
    pub fn of(property: &str) -> Edition {
        let text = property.to_ascii_lowercase();
        let has = |word| text.contains(word);
        if has("evaluation") {
            Edition::Evaluation
        } else if has("standard") {
            Edition::Standard
        } else if has("developer") {
            Edition::Developer
        } else if has("enterprise") {
            Edition::Enterprise
        } else {
            Edition::Other
        }
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Edition::Enterprise => "Enterprise",
            Edition::Developer => "Developer",
            Edition::Standard => "Standard",
            Edition::Evaluation => "Evaluation",
            Edition::Other => "another edition",
        })
    }
}

/// Editions that can have a link of one database.
pub const EDITIONS: &[Edition] = &[Edition::Enterprise, Edition::Developer, Edition::Standard];

/// Editions that can have a link of several databases: a basic availability group, which is all that Standard has, holds one.
pub const MULTI_DATABASE_EDITIONS: &[Edition] = &[Edition::Enterprise, Edition::Developer];

/// What a release can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSupport {
    /// The release.
    pub release: Release,
    /// What has to be installed for a link, in this order. The last one's build is the minimum, and implies the others.
    pub packs: &'static [Pack],
    /// Where it may run.
    pub platforms: &'static [Platform],
    /// Whether the instance must be a node of a Windows Server failover cluster (one node is enough).
    pub needs_cluster: bool,
    /// Whether a link can begin with the data on SQL Server.
    pub starts_from_sql_server: bool,
    /// From which build a link can begin with the data on the managed instance, and can fail back from there.
    pub starts_from_managed: Minimum,
    /// Whether any failover ends the link, and leaves two databases that go their own ways.
    pub failover_breaks_link: bool,
    /// From which build a planned failover is one T-SQL statement.
    pub failover_by_tsql: Minimum,
    /// From which build one link can carry several databases.
    pub multi_database: Minimum,
    /// Where it is written.
    pub source: &'static str,
}

impl ReleaseSupport {
    /// The pack whose build is the minimum for a link.
    pub fn minimum(&self) -> Pack {
        *self.packs.last().expect("a test proves that each release has a pack")
    }
}

const BOTH: &[Platform] = &[Platform::Windows, Platform::Linux];
const SOURCE: &str = "Overview, version support";
const MULTI_DATABASE_SOURCE: &str = "Extend AG, requirements";
const EDITION_SOURCE: &str = "Overview, version support; Extend AG, requirements";
const TSQL_SOURCE: &str = "Fail over, planned failover by T-SQL";
const START_SOURCE: &str = "Overview, version support; Scripts how-to, managed instance as initial primary";

/// The procedure that turns multiple-database links on, and so tells whether a build has them.
const MULTI_DATABASE_TELL_TALE: &str = "the procedure sys.sp_multidb_milink exists";

const fn pack(name: &'static str, build: (u16, u32, u32), kb: Option<&'static str>) -> Pack {
    Pack { name, build: ServerVersion::new(build.0, 0, build.1, build.2), kb }
}

/// CU13 of SQL Server 2022.
const CU13_2022: Pack = pack("CU13", (16, 4125, 3), Some("KB5036432"));
/// SQL Server 2025 as released.
const RTM_2025: Pack = pack("RTM", (17, 1000, 7), None);

/// All releases, oldest first. SQL Server 2014 and earlier have no link at all.
pub const RELEASES: &[ReleaseSupport] = &[
    ReleaseSupport {
        release: Release::V2016,
        packs: &[
            pack("SP3", (13, 6300, 2), Some("KB5003279")),
            pack("Azure Connect pack", (13, 7000, 253), Some("KB5014242")),
        ],
        platforms: &[Platform::Windows],
        needs_cluster: true,
        starts_from_sql_server: true,
        starts_from_managed: Minimum::Never,
        failover_breaks_link: true,
        failover_by_tsql: Minimum::Never,
        multi_database: Minimum::Never,
        source: "Overview, version support; Prepare 2016, cluster",
    },
    ReleaseSupport {
        release: Release::V2017,
        packs: &[
            pack("CU31", (14, 3456, 2), Some("KB5016884")),
            pack("Azure Connect pack", (14, 3490, 10), Some("KB5050533")),
        ],
        platforms: BOTH,
        needs_cluster: false,
        starts_from_sql_server: true,
        starts_from_managed: Minimum::Never,
        failover_breaks_link: true,
        failover_by_tsql: Minimum::Never,
        multi_database: Minimum::Never,
        source: "Overview, version support; Walkthrough, missing Connect pack",
    },
    ReleaseSupport {
        release: Release::V2019,
        // Older copies name CU15 (Enterprise, Developer) and CU17 (Standard); the newest names CU20 for all.
        packs: &[pack("CU20", (15, 4312, 2), Some("KB5024276"))],
        platforms: BOTH,
        needs_cluster: false,
        starts_from_sql_server: true,
        starts_from_managed: Minimum::Never,
        failover_breaks_link: true,
        failover_by_tsql: Minimum::Never,
        multi_database: Minimum::Never,
        source: SOURCE,
    },
    ReleaseSupport {
        release: Release::V2022,
        packs: &[pack("RTM", (16, 1000, 6), None)],
        platforms: BOTH,
        needs_cluster: false,
        starts_from_sql_server: true,
        starts_from_managed: Minimum::From(pack("CU10", (16, 4095, 4), Some("KB5031778"))),
        failover_breaks_link: false,
        failover_by_tsql: Minimum::From(CU13_2022),
        multi_database: Minimum::Unstated {
            name: "CU27",
            after: CU13_2022.build,
            tell_tale: MULTI_DATABASE_TELL_TALE,
        },
        source: "Overview, version support; Fail over, planned failover by T-SQL; Extend AG, requirements",
    },
    ReleaseSupport {
        release: Release::V2025,
        packs: &[RTM_2025],
        platforms: BOTH,
        needs_cluster: false,
        starts_from_sql_server: true,
        starts_from_managed: Minimum::From(RTM_2025),
        failover_breaks_link: false,
        // NB: the document says "SQL Server 2022 CU13 and later", which is read as all of 2025.
        failover_by_tsql: Minimum::From(RTM_2025),
        multi_database: Minimum::Unstated {
            name: "CU9",
            after: RTM_2025.build,
            tell_tale: MULTI_DATABASE_TELL_TALE,
        },
        source: "Overview, version support; Fail over, planned failover by T-SQL; Extend AG, requirements",
    },
];

/// How an instance shows that the servicing update for links is missing, whatever its build number: SQL Server 2016 and 2017 have several
/// branches of builds, and a security update may have a higher number without the Connect pack. Errors 2812 and 19499 are the same news.
pub const SERVICING_TELL_TALE: &str = "the procedure sp_certificate_add_issuer exists in master";

/// The row of a release.
pub fn support(release: Release) -> &'static ReleaseSupport {
    let row = RELEASES.iter().find(|r| r.release == release);
    row.expect("a test proves that each release has a row")
}

/// The row of a build's release.
pub fn support_of(version: ServerVersion) -> Option<&'static ReleaseSupport> {
    version.release().map(support)
}

const TOO_OLD: &str = "SQL Server 2014 and earlier have no link";
const TOO_NEW: &str = "this release came after these tables: the documents that were read do not name it";

/// The answer for a build of a release that has no row.
fn without_row(version: ServerVersion, source: &'static str) -> Verdict {
    let wanted = "SQL Server 2016 to 2025".to_owned();
    let newest = Release::ALL.map(Release::major).into_iter().max();
    if newest.is_some_and(|newest| version.major > newest) {
        Verdict::new(Answer::Unknown, wanted, TOO_NEW, source)
    } else {
        Verdict::new(Answer::No, wanted, TOO_OLD, source)
    }
}

fn by_minimum(version: ServerVersion, row: &ReleaseSupport, minimum: &Minimum, ask: &Question) -> Verdict {
    let wanted = format!("{}: {minimum}", row.release);
    Verdict::new(minimum.met_by(version), wanted, ask.why, ask.source)
}

struct Question {
    why: &'static str,
    source: &'static str,
}

/// Whether an instance of this build can have a link that begins on SQL Server.
///
/// For SQL Server 2016 and 2017, [`SERVICING_TELL_TALE`] should be asked as well.
pub fn can_link(version: ServerVersion) -> Verdict {
    let Some(row) = support_of(version) else {
        return without_row(version, SOURCE);
    };
    let packs: Vec<String> = row.packs.iter().map(Pack::to_string).collect();
    Verdict::new(
        Answer::from_bool(version >= row.minimum().build),
        format!("{}: {} or later", row.release, packs.join(" and ")),
        "an older build lacks sp_certificate_add_issuer (error 2812) or refuses the link's LISTENER_URL (error 19499)",
        row.source,
    )
}

/// Whether an edition (`SERVERPROPERTY('Edition')`) can have a link, of one database or of several.
pub fn can_link_edition(edition: &str, several_databases: bool) -> Verdict {
    let (editions, why) = if several_databases {
        (
            MULTI_DATABASE_EDITIONS,
            "the availability groups of Standard edition are basic: they hold one database",
        )
    } else {
        (EDITIONS, "other editions have no availability groups that a link could stand on")
    };
    let edition = Edition::of(edition);
    let answer = match edition {
        Edition::Evaluation => Answer::Unknown,
        _ => Answer::from_bool(editions.contains(&edition)),
    };
    let names: Vec<String> = editions.iter().map(Edition::to_string).collect();
    Verdict::new(answer, format!("edition {}", names.join(", ")), why, EDITION_SOURCE)
}

/// Whether a link can begin with the data on the managed instance.
pub fn can_start_from_managed(version: ServerVersion, policy: Option<UpdatePolicy>) -> Verdict {
    both_ways(
        version,
        policy,
        &Question {
            why: "the managed instance's database would have to flow down to an older engine, or to a build that cannot \
                  receive it",
            source: START_SOURCE,
        },
    )
}

/// Whether a database can come back to SQL Server by a failover, once the managed instance is primary.
pub fn can_fail_back(version: ServerVersion, policy: Option<UpdatePolicy>) -> Verdict {
    both_ways(
        version,
        policy,
        &Question {
            why: "this build cannot take a database back through a link; with the right update policy a native backup can \
                  still be restored there",
            source: START_SOURCE,
        },
    )
}

/// What flows from a managed instance needs a build that can take it, and a policy of exactly its format.
fn both_ways(version: ServerVersion, policy: Option<UpdatePolicy>, ask: &Question) -> Verdict {
    let Some(row) = support_of(version) else {
        return without_row(version, ask.source);
    };
    let by_build = by_minimum(version, row, &row.starts_from_managed, ask);
    let by_policy = policy::from_managed(row.release, policy);
    // The worse of the two answers is the answer, with its own reason.
    let mut verdict = if by_build.answer == Answer::No || by_policy.is_yes() { by_build } else { by_policy };
    verdict.wanted = format!("{}: {}", row.release, policy::way_back(row.release, &row.starts_from_managed));
    verdict
}

/// Whether `ALTER AVAILABILITY GROUP [link] FAILOVER` fails a link over. Otherwise the roles are changed one after the other.
pub fn failover_by_tsql(version: ServerVersion) -> Verdict {
    let ask = Question {
        why: "this build refuses FAILOVER on a distributed availability group (error 19504): the roles have to be changed \
              one side after the other",
        source: TSQL_SOURCE,
    };
    match support_of(version) {
        None => without_row(version, ask.source),
        Some(row) => by_minimum(version, row, &row.failover_by_tsql, &ask),
    }
}

/// Whether one link can carry several databases. `Unknown` where the documents name an update without its build: then the instance has to be
/// asked for its `sys.sp_multidb_milink`.
pub fn can_multi_database(version: ServerVersion) -> Verdict {
    let ask = Question {
        why: "one link carries one database before that; several databases are several links",
        source: MULTI_DATABASE_SOURCE,
    };
    match support_of(version) {
        None => without_row(version, ask.source),
        Some(row) => by_minimum(version, row, &row.multi_database, &ask),
    }
}

/// Whether any failover of a release's links, planned or forced, ends the link: the distributed group is dropped, and two databases that can
/// both be written to are left.
pub fn failover_breaks_link(release: Release) -> bool {
    support(release).failover_breaks_link
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
