//! What a new link stands on: names that are decided by what is there, and what stands against it.

use super::super::draft::Draft;
use super::super::{Condition, PlanError};
use crate::facts::Answer;
use crate::facts::limits::MANAGED_PORT;
use crate::facts::version::can_start_from_managed;
use crate::moment::Moment;
use crate::names::{LinkMode, Role, Side};
use crate::observe::{AzureInstance, AzureLink, EndpointCertificate, Instance, Observation, same_name};
use crate::spec::Link;

/// What a new link stands on.
pub(super) struct Ground<'a> {
    pub(super) seen: &'a Observation,
    pub(super) now: Moment,
    /// The link with all names decided.
    pub(super) link: Link,
    pub(super) server: &'a Instance,
    pub(super) azure: &'a AzureInstance,
    /// The certificate that the managed instance shows.
    pub(super) shown: &'a EndpointCertificate,
    /// The managed instance's full name, and its certificate's on SQL Server.
    pub(super) fqdn: String,
    /// The certificate that SQL Server's endpoint shows, or will.
    pub(super) certificate: String,
    /// Where the managed instance reaches SQL Server.
    pub(super) url: String,
    /// The port that a new endpoint listens on.
    pub(super) port: u16,
    /// LISTENER_URL of the managed instance's member.
    pub(super) managed_url: String,
}

impl<'a> Ground<'a> {
    /// Decides the names.
    pub(super) fn survey(
        link: &Link,
        seen: &'a Observation,
        now: Moment,
        draft: &mut Draft<'_>,
    ) -> Result<Ground<'a>, PlanError> {
        let server = seen.sql_server.get().map_err(PlanError::side(Side::SqlServer))?;
        let azure = seen.azure.get().map_err(PlanError::azure)?;
        let shown = azure.endpoint_certificate.as_ref().ok_or_else(|| {
            PlanError::unseen(
                "the certificate of the managed instance's endpoint",
                "Azure does not give it to this caller",
            )
        })?;
        if server.certificates.is_none() || server.master_key.is_none() {
            return Err(PlanError::unseen(
                "whether master has a master key and certificates",
                "this login may not see them",
            ));
        }
        let mut link = link.clone();
        possible(&link, server, azure)?;
        link.sql_group = group(&link, server, draft)?;
        not_taken(&link, server, azure)?;
        let certificate = own_certificate(&link, server, now);
        link.sql_server.certificate = Some(certificate.clone());
        let (url, port) = address(&link, server, draft)?;
        link.sql_server.endpoint = Some(url.clone());
        let fqdn = azure.fqdn.trim_end_matches('.').to_owned();
        let managed_url = managed_url(&link, &fqdn, &azure.name);
        Ok(Ground { seen, now, link, server, azure, shown, fqdn, certificate, url, port, managed_url })
    }

    /// The distributed group stands on the link's two groups.
    pub(super) fn distributed(&self) -> Condition {
        Condition::Distributed {
            name: self.link.name.clone(),
            members: [self.link.sql_group.clone(), self.link.managed_group.clone()],
        }
    }

    /// The file of a backup. Without a folder the server puts it into its default one.
    pub(super) fn backup_path(&self, database: &str, extension: &str) -> String {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = database.chars().map(plain).collect();
        let file = format!("{name}_{}.{extension}", self.now.file_stamp());
        match self.link.sql_server.backup_folder.as_ref().or(self.server.backup_folder.as_ref()) {
            None => file,
            Some(folder) => {
                let separator = if folder.contains('/') { '/' } else { '\\' };
                format!("{}{separator}{file}", folder.trim_end_matches(['/', '\\']))
            }
        }
    }
}

fn possible(link: &Link, server: &Instance, azure: &AzureInstance) -> Result<(), PlanError> {
    if link.initial_primary == Side::Managed {
        let verdict = can_start_from_managed(server.version, azure.update_policy);
        if verdict.answer == Answer::No {
            return Err(PlanError::refused(
                format!("a link cannot begin on the managed instance: {}", verdict.why),
                format!("it needs {}; this is {}", verdict.wanted, server.version),
            ));
        }
    }
    if link.link_mode == LinkMode::MultiDatabase && server.multi_database.is_none() {
        return Err(PlanError::refused(
            "this SQL Server has no links of several databases (there is no sys.sp_multidb_milink)",
            "make a link for each database (linkMode singleDatabase), or install the cumulative update that brings them",
        ));
    }
    let missing = link.databases.iter().find(|d| match link.initial_primary {
        Side::SqlServer => server.database(d).is_none(),
        Side::Managed => azure.database(d).is_none(),
    });
    match missing {
        Some(d) => Err(PlanError::refused(
            format!("there is no database {d} on the initial primary ({})", link.initial_primary),
            "name a database that is there, or the other side as the initial primary",
        )),
        None => Ok(()),
    }
}

/// The availability group on SQL Server: the one that has the databases already, or the one that is asked for.
fn group(link: &Link, server: &Instance, draft: &mut Draft<'_>) -> Result<String, PlanError> {
    let name = group_name(link, server)?;
    if server.distributed(&name).is_some() {
        return Err(PlanError::refused(
            format!("{name} is a distributed availability group"),
            "give the link's availability group another name (sqlServer.availabilityGroup)",
        ));
    }
    let Some(there) = server.group(&name) else { return Ok(name) };
    let within = |group: &Option<String>| group.as_deref().is_some_and(|g| same_name(g, &name));
    let strangers: Vec<&str> = server
        .databases
        .iter()
        .filter(|d| within(&d.group))
        .map(|d| d.name.as_str())
        .filter(|d| !link.databases.iter().any(|wanted| same_name(wanted, d)))
        .collect();
    if !strangers.is_empty() {
        let advice = match link.link_mode {
            LinkMode::SingleDatabase => {
                "a link's group has its one database only: remove the others, or choose another group \
                 (sqlServer.availabilityGroup)"
            }
            LinkMode::MultiDatabase => "a link of several databases carries all of its group: name them too",
        };
        let others = strangers.join(", ");
        return Err(PlanError::refused(
            format!("availability group {name} has {others}, which the link is not to carry"),
            advice,
        ));
    }
    if there.role.is_some_and(|r| r != Role::Primary) {
        return Err(PlanError::refused(
            format!("this server is not the primary replica of availability group {name}"),
            "connect to the group's primary replica",
        ));
    }
    if there.replicas.len() > 1 {
        draft.note(format!(
            "availability group {name} has {} replicas: sqlServer.endpoint must be the address of its listener, and the \
             certificates must be placed on each replica, of which this plan does this one",
            there.replicas.len()
        ));
    }
    Ok(name)
}

fn group_name(link: &Link, server: &Instance) -> Result<String, PlanError> {
    let asked = link.sql_server.availability_group.is_some().then_some(&link.sql_group);
    let of = |d: &String| server.database(d).and_then(|d| d.group.clone());
    let mut has: Vec<String> = link.databases.iter().filter_map(of).collect();
    has.dedup_by(|a, b| same_name(a, b));
    match (has.as_slice(), asked) {
        ([], _) => Ok(link.sql_group.clone()),
        ([one], Some(asked)) if !same_name(asked, one) => Err(PlanError::refused(
            format!("{} is in availability group {one}, not in {asked}", link.database()),
            format!("leave sqlServer.availabilityGroup out to use {one}, or remove the database from it"),
        )),
        ([one], _) => Ok(one.clone()),
        ([one, other, ..], _) => Err(PlanError::refused(
            format!("the databases are in several availability groups ({one}, {other})"),
            "one link carries the databases of one group",
        )),
    }
}

const TAKEN: &str = "choose another name for the link, or adopt or drop the one that is there";

fn not_taken(link: &Link, server: &Instance, azure: &AzureInstance) -> Result<(), PlanError> {
    let name = &link.name;
    if let Some(there) = server.distributed(name)
        && (there.replica(&link.sql_group).is_none() || there.replica(&link.managed_group).is_none())
    {
        let members: Vec<&str> = there.replicas.iter().map(|r| r.name.as_str()).collect();
        let on = members.join(" and ");
        let why = format!("SQL Server has a distributed availability group {name} on {on}");
        return Err(PlanError::refused(why, TAKEN));
    }
    if server.group(name).is_some() {
        return Err(PlanError::refused(
            format!("SQL Server has an availability group {name}"),
            "a link's name is its distributed availability group's, which must differ from every other group's",
        ));
    }
    if let Some(there) = azure.link(name) {
        same_link(link, there)?;
    }
    let same_group =
        |l: &&AzureLink| l.instance_group.as_ref().is_some_and(|g| same_name(g, &link.managed_group));
    let other = azure.links.iter().filter(|l| !same_name(&l.name, name)).find(same_group);
    match other {
        Some(other) => Err(PlanError::refused(
            format!(
                "link {} uses availability group {} on the managed instance (error 41987)",
                other.name, link.managed_group
            ),
            "choose another name for the group there (managed.availabilityGroup)",
        )),
        None => Ok(()),
    }
}

/// Azure's link of that name is the one that is wanted, as far as Azure describes it.
fn same_link(link: &Link, there: &AzureLink) -> Result<(), PlanError> {
    let name = &link.name;
    let differs = |has: &Option<String>, wanted: &str| has.as_ref().is_some_and(|h| !same_name(h, wanted));
    let wanted = match link.initial_primary {
        Side::SqlServer => Role::Secondary,
        Side::Managed => Role::Primary,
    };
    if differs(&there.partner_group, &link.sql_group) || differs(&there.instance_group, &link.managed_group) {
        let why = format!("Azure has a link {name} between other availability groups");
        return Err(PlanError::refused(why, TAKEN));
    }
    match there.instance_role.filter(|r| *r != wanted) {
        Some(role) => {
            let why = format!("Azure has the link {name} with the managed instance as {role}");
            Err(PlanError::refused(why, TAKEN))
        }
        None => Ok(()),
    }
}

/// The certificate that the endpoint shows already, if it can go on being used; otherwise the one of the conventional name, or of the first
/// name after it that is free or can be used.
fn own_certificate(link: &Link, server: &Instance, now: Moment) -> String {
    let usable = |name: &str| {
        server.certificate(name).is_some_and(|c| c.private_key && c.expiry.is_none_or(|e| e > now))
    };
    let shown = server.endpoint.as_ref().and_then(|e| e.certificate.clone());
    if let (None, Some(shown)) = (&link.sql_server.certificate, shown)
        && usable(&shown)
    {
        return shown;
    }
    // A certificate's name must not have the backslash of a named instance.
    let convention = || format!("Cert_{}_endpoint", server.server_name.replace('\\', "_"));
    let base = link.sql_server.certificate.clone().unwrap_or_else(convention);
    let later = (2..).map(|n| format!("{base}_{n}"));
    let mut names = std::iter::once(base.clone()).chain(later);
    names.find(|name| server.certificate(name).is_none() || usable(name)).unwrap_or(base)
}

/// Where the managed instance reaches SQL Server's endpoint, and the port that a new endpoint listens on.
fn address(link: &Link, server: &Instance, draft: &mut Draft<'_>) -> Result<(String, u16), PlanError> {
    let there = server.endpoint.as_ref().map(|e| e.port);
    if let Some(url) = &link.sql_server.endpoint {
        let port = port_of(url).ok_or_else(|| {
            PlanError::refused(
                format!("'{url}' is no address of an endpoint (error 35232)"),
                "write TCP://host:port, with a host that the managed instance can reach",
            )
        })?;
        return Ok((url.clone(), there.or(link.sql_server.listener_port).unwrap_or(port)));
    }
    let port = there.or(link.sql_server.listener_port).unwrap_or(MANAGED_PORT);
    let host = server.server_name.split('\\').next().unwrap_or(&server.server_name);
    let url = format!("TCP://{host}:{port}");
    draft.note(format!(
        "no address of SQL Server's endpoint was given: {url} is taken, which the managed instance must be able to resolve and \
         reach (sqlServer.endpoint)"
    ));
    Ok((url, port))
}

fn port_of(url: &str) -> Option<u16> {
    let scheme = url.get(..6).filter(|s| s.eq_ignore_ascii_case("tcp://"))?;
    let (host, port) = url.get(scheme.len()..)?.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (!host.is_empty() && port > 0).then_some(port)
}

/// Without `Server` the managed instance's gateway cannot redirect; `Database` is asked for where it is the initial primary.
fn managed_url(link: &Link, fqdn: &str, name: &str) -> String {
    let given = link.managed.endpoint.clone();
    let mut url = given.unwrap_or_else(|| format!("tcp://{fqdn}:{MANAGED_PORT}"));
    if !url.to_ascii_lowercase().contains(";server=") {
        url.push_str(&format!(";Server=[{name}]"));
    }
    if link.initial_primary == Side::Managed && link.link_mode == LinkMode::SingleDatabase {
        url.push_str(&format!(";Database=[{}]", link.database()));
    }
    url
}
