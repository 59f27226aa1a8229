//! What the service that owns a managed instance does with it: links, and the certificates of their partners.
//!
//! None of it is T-SQL. The local Azure calls it; the groups decide, as they do for statements.

use std::sync::Arc;

use lab_engine::{Server, SqlError};
use lab_hadr::{
    Alteration, Command, CommitMode, DistributedGroup, GivenMember, GivenOption, GivenValue, Group,
    LiveGroup, LiveSeeding, Origin, Refusal, Role, SeedingMode,
};

use crate::hadr::Hadr;

/// The control interface of an instance.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) server: Arc<Server>,
    hadr: Arc<Hadr>,
}

/// A link that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRequest {
    /// The link's name, which is that of its distributed group.
    pub name: String,
    /// The group of the partner.
    pub partner_group: String,
    /// The partner's endpoint: `TCP://address:port`.
    pub partner_endpoint: String,
    /// The group to be made here.
    pub instance_group: String,
    /// The databases; on a secondary they come by seeding.
    pub databases: Vec<String>,
    /// What this instance is to be in it.
    pub role: Role,
    /// Whether commits wait for the other side.
    pub commit_mode: CommitMode,
    /// Whether copies are made by themselves.
    pub seeding_mode: SeedingMode,
}

/// A link as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The distributed group.
    pub group: Group,
    /// The databases of the group on this side.
    pub databases: Vec<String>,
    /// What goes on in it.
    pub live: Option<LiveGroup>,
    /// The copies that are and were made through it, oldest first.
    pub seedings: Vec<LiveSeeding>,
    /// Why it does not work, as the service says it (`mostRecentLinkError`).
    pub error: Option<Refusal>,
}

/// What the service makes of how a link stands. Connections speak in numbers of the transport; a link's error says which of
/// the steps to create it was left out.
fn link_error(group: &DistributedGroup, live: &LiveGroup) -> Option<Refusal> {
    let there = &group.there;
    let peer = live.peers.get(&there.id)?;
    if peer.connected {
        // Connected, but the database does not come; nor does it where both sides are primary.
        let both = live.role == Role::Primary && peer.role == Some(Role::Primary);
        let fails = both || live.databases.values().any(|d| d.error.is_some());
        return fails.then(|| Refusal::database_not_responding(&there.name, &there.url.text));
    }
    Some(match peer.last_error.as_ref()?.number {
        // What this side says of the partner's certificate.
        28_035 | 28_038 | 28_045 => Refusal::sql_server_certificate_missing(),
        // What the partner says of this side's.
        28_028 => Refusal::managed_certificate_missing(),
        // Somebody is there, and knows nothing of the group or of the way back.
        33_319 | 33_320 | 33_324 | 35_250 => Refusal::group_not_responding(&there.name, &there.url.text),
        _ => Refusal::sql_server_not_responding(),
    })
}

fn option(name: &str, value: GivenValue) -> GivenOption {
    GivenOption { name: name.to_owned(), value }
}

fn word(word: &str) -> GivenValue {
    GivenValue::Word(word.to_owned())
}

impl LinkRequest {
    fn mode(&self) -> &'static str {
        match self.commit_mode {
            CommitMode::Synchronous => "SYNCHRONOUS_COMMIT",
            CommitMode::Asynchronous => "ASYNCHRONOUS_COMMIT",
        }
    }

    fn seeding(&self) -> &'static str {
        match self.seeding_mode {
            SeedingMode::Automatic => "AUTOMATIC",
            SeedingMode::Manual => "MANUAL",
        }
    }

    fn member(&self, name: &str, url: &str) -> GivenMember {
        GivenMember {
            name: name.to_owned(),
            options: vec![
                option("LISTENER_URL", GivenValue::Text(url.to_owned())),
                option("AVAILABILITY_MODE", word(self.mode())),
                option("FAILOVER_MODE", word("MANUAL")),
                option("SEEDING_MODE", word(self.seeding())),
            ],
        }
    }
}

impl Control {
    pub(crate) fn new(server: Arc<Server>, hadr: Arc<Hadr>) -> Control {
        Control { server, hadr }
    }

    /// The certificate that this instance's endpoint shows: what a partner imports.
    pub fn endpoint_certificate(&self) -> Option<Vec<u8>> {
        Some(self.server.mirroring_endpoint()?.certificate?.der)
    }

    /// Accepts a partner's certificate under a name.
    ///
    /// # Errors
    /// It is no certificate, or there is another one of that name.
    pub fn trust_certificate(&self, name: &str, der: &[u8]) -> Result<(), SqlError> {
        self.server.import_certificate(name, der)
    }

    /// Accepts a partner's certificate no longer.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn forget_certificate(&self, name: &str) -> Result<(), SqlError> {
        self.server.drop_imported_certificate(name)
    }

    /// The certificates of partners.
    pub fn trusted_certificates(&self) -> Vec<lab_engine::TrustedCertificate> {
        self.server.trusted_certificates()
    }

    /// Makes this side of a link. As a secondary it is seeded from then on.
    ///
    /// # Errors
    /// What the statements of Always On would say; nothing is left of the link then.
    pub fn create_link(&self, request: &LinkRequest) -> Result<(), SqlError> {
        let endpoint = self.server.mirroring_endpoint().ok_or_else(|| {
            SqlError::new(35204, 16, 1, "The instance has no database mirroring endpoint.".to_owned())
        })?;
        let here = format!("TCP://{}:{}", self.server.host_name(), endpoint.port);
        let databases = if request.role == Role::Primary { request.databases.clone() } else { Vec::new() };
        let replica = GivenMember {
            name: self.server.name().to_owned(),
            options: vec![
                option("ENDPOINT_URL", GivenValue::Text(here.clone())),
                option("AVAILABILITY_MODE", word("SYNCHRONOUS_COMMIT")),
                option("FAILOVER_MODE", word("MANUAL")),
                option("SEEDING_MODE", word(request.seeding())),
            ],
        };
        self.run(&Command::Create {
            group: request.instance_group.clone(),
            options: vec![option("CLUSTER_TYPE", word("NONE"))],
            databases,
            replicas: vec![replica],
            listener: false,
        })?;
        let made = self.join(request, &here);
        if made.is_err() {
            let undone = self.run(&Command::Drop { group: request.instance_group.clone() });
            if let Err(e) = undone {
                self.hadr.log(&format!("What is left of the link '{}': {}", request.name, e.message));
            }
        }
        made
    }

    fn join(&self, request: &LinkRequest, here: &str) -> Result<(), SqlError> {
        let members = vec![
            request.member(&request.partner_group, &request.partner_endpoint),
            request.member(&request.instance_group, &format!("{here};Server=[{}]", self.server.name())),
        ];
        if request.role == Role::Primary {
            return self.run(&Command::CreateDistributed {
                group: request.name.clone(),
                options: vec![option("DISTRIBUTED", GivenValue::Nothing)],
                members,
            });
        }
        self.alter(&request.instance_group, Alteration::Grant)?;
        self.alter(&request.name, Alteration::JoinDistributed(members))
    }

    /// Hands the primary role over, or takes it: a planned failover is run where the primary is, a forced one where it is
    /// not.
    ///
    /// # Errors
    /// As `ALTER AVAILABILITY GROUP` says it.
    pub fn fail_over(&self, name: &str, forced: bool) -> Result<(), SqlError> {
        self.alter(name, if forced { Alteration::ForceFailover } else { Alteration::Failover })
    }

    /// Gives the primary role up: nobody has it until somebody takes it.
    ///
    /// # Errors
    /// As `ALTER AVAILABILITY GROUP ... SET (ROLE = SECONDARY)` says it.
    pub fn become_secondary(&self, name: &str) -> Result<(), SqlError> {
        self.alter(name, Alteration::Set(vec![option("ROLE", word("SECONDARY"))]))
    }

    /// Changes whether commits wait for the other side.
    ///
    /// # Errors
    /// There is no such link.
    pub fn set_commit_mode(&self, name: &str, mode: CommitMode) -> Result<(), SqlError> {
        let link = self.link(name).ok_or_else(|| no_link(name))?;
        let word_of =
            if mode == CommitMode::Synchronous { "SYNCHRONOUS_COMMIT" } else { "ASYNCHRONOUS_COMMIT" };
        let members = link.group.as_distributed().map(|d| d.members().map(|m| m.name.clone()));
        let member =
            |name: String| GivenMember { name, options: vec![option("AVAILABILITY_MODE", word(word_of))] };
        self.alter(name, Alteration::ModifyMembers(members.into_iter().flatten().map(member).collect()))
    }

    /// Ends this side of a link. The database stays, and is written to here from then on.
    ///
    /// # Errors
    /// There is no such link.
    pub fn drop_link(&self, name: &str) -> Result<(), SqlError> {
        let link = self.link(name).ok_or_else(|| no_link(name))?;
        self.run(&Command::Drop { group: name.to_owned() })?;
        let here = link.group.as_distributed().map(|d| d.here.name.clone());
        match here {
            Some(group) => self.run(&Command::Drop { group }),
            None => Ok(()),
        }
    }

    /// A link, by its name.
    pub fn link(&self, name: &str) -> Option<Link> {
        self.links().into_iter().find(|link| lab_hadr::same_name(&link.group.name, name))
    }

    /// The links of this instance, as they are now.
    pub fn links(&self) -> Vec<Link> {
        let (groups, mut live) = (self.hadr.groups(), self.hadr.live());
        let link = |group: &Group| {
            let distributed = group.as_distributed()?;
            let here = groups.named(&distributed.here.name)?.as_local()?;
            let now = live.groups.remove(&group.id);
            Some(Link {
                group: group.clone(),
                databases: here.databases.iter().map(|d| d.name.clone()).collect(),
                seedings: live.seedings.iter().filter(|s| s.group == group.id).cloned().collect(),
                error: now.as_ref().and_then(|now| link_error(distributed, now)),
                live: now,
            })
        };
        groups.groups.iter().filter(|g| g.as_distributed().is_some()).filter_map(link).collect()
    }

    pub(crate) fn alter(&self, group: &str, alteration: Alteration) -> Result<(), SqlError> {
        self.run(&Command::Alter { group: group.to_owned(), alteration })
    }

    fn run(&self, command: &Command) -> Result<(), SqlError> {
        self.hadr.carry_out(command, Origin::Control).map(|_| ())
    }
}

pub(crate) fn no_link(name: &str) -> SqlError {
    SqlError::new(19510, 16, 1, format!("The distributed availability group '{name}' does not exist."))
}
