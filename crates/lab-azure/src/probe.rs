//! The pure half on its own, for whoever has bytes to try on it: the text of a request in, what is decided out. There is no
//! socket, no instance and no file; what the instance would say is always the same.

use std::collections::BTreeMap;

use crate::access::{Account, cast};
use crate::arm;
use crate::config::{ManagedAddress, Names, Timing};
use crate::context::{Context, Estate, Outcome, Report, Start, questions};
use crate::error::ArmError;
use crate::instance::{
    Answer, Call, CommitMode, Database, EndpointCertificate, FailoverMode, InstanceError, InstanceFacts,
    Link, LinkDatabase, LinkMode, LinkRequest, LogPositions, Role, SeedingMode, SynchronizationState,
    TrustedCertificate,
};
use crate::message::{Method, Request, Response};
use crate::operations::{Next, Operation, Operations, Progress, Seen, Status, Work, next};
use crate::settings::InstanceSettings;
use crate::target::{self, Family};
use crate::token::{Claims, Signer};

/// When it is: 2026-11-25.
const NOW_MS: i64 = 1_795_593_600_000;
const ORIGIN: &str = "https://localhost:1";
/// How many steps an operation takes at most: it is told, looked at and ended.
const STEPS_MAX: usize = 8;

/// A world in which requests are judged. It does not change.
pub struct Probe {
    estate: Estate,
    signer: Signer,
    tokens: BTreeMap<String, String>,
    operations: Operations,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not its key and tokens.
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

/// What has become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The status of the answer.
    pub status: u16,
    /// Azure's code, if it is an error.
    pub code: Option<String>,
    /// How long its body is.
    pub body_bytes: usize,
    /// What it has with it, beside what every answer has.
    pub headers: Vec<(String, String)>,
    /// The operation that was started, by its name, and how it ended with an instance that does nothing.
    pub operation: Option<(String, String)>,
}

impl Probe {
    /// A world with links `L` (secondary), `P` (primary), `M` (of several databases) and `busy` (being failed over), and the
    /// databases `db` and `alone`.
    ///
    /// # Errors
    /// There is no randomness for a key.
    pub fn new() -> Result<Probe, String> {
        let account = |(n, (name, kind)): (usize, (String, _))| Account {
            client_id: format!("1ab00000-0000-4000-8000-0000000003{n:02x}"),
            object_id: format!("1ab00000-0000-4000-8000-0000000004{n:02x}"),
            client_secret: "secret".to_owned(),
            name,
            kind,
        };
        let estate = Estate {
            names: Names::default(),
            managed: ManagedAddress { fqdn: "mi.localhost".to_owned(), port: 1, endpoint_port: 2 },
            timing: Timing::default(),
            accounts: cast().into_iter().enumerate().map(account).collect(),
        };
        let signer = Signer::fresh()?;
        let mut tokens = BTreeMap::new();
        for account in &estate.accounts {
            let token = signer.token(&claims(&estate, account)).ok_or("a token cannot be signed")?;
            tokens.insert(account.name.clone(), token);
        }
        let mut operations = Operations::default();
        let running = Start::new(
            Family::Links,
            "DistributedAvailabilityGroupsLinkFailover",
            "busy",
            Work::FailOver { link: "busy".to_owned(), forced: false },
        );
        operations.add(operation("1ab00000-0000-4000-8000-000000000501", &running));
        Ok(Probe { estate, signer, tokens, operations })
    }

    /// Judges a request: `METHOD path`, a line each for `who: PRINCIPAL` (who has signed in) or `authorization: ...`, an empty
    /// line, and the body. `{mi}` in the path is the instance. Nothing, if that is no request.
    ///
    /// # Panics
    /// What was decided breaks a rule that always holds: an operation is lost when it is kept and read again, or does not end.
    pub fn judge(&self, bytes: &[u8]) -> Option<Judged> {
        let request = self.request(bytes)?;
        let (_, target) = target::parse(&request.segments);
        if target.is_open() {
            return Some(judged(arm::open(&self.estate, &self.signer, &request, &target, NOW_MS), None));
        }
        Some(match self.outcome(&request) {
            Err(error) => judged(error.response(), None),
            Ok(Outcome::Answer(response)) => judged(response, None),
            Ok(Outcome::Start(start)) => {
                let ended = see_through(&operation("1ab00000-0000-4000-8000-000000000502", &start));
                judged(Response::empty(202), Some((start.name.to_owned(), ended)))
            }
        })
    }

    fn request(&self, bytes: &[u8]) -> Option<Request> {
        let end = bytes.windows(2).position(|w| w == b"\n\n");
        let (head, body) = match end {
            Some(at) => (bytes.get(..at)?, bytes.get(at + 2..)?),
            None => (bytes, &[][..]),
        };
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let (method, path) = lines.next()?.split_once(' ')?;
        let path = path.replace("{mi}", &self.estate.names.instance_id());
        let mut request = Request::new(Method::parse(method)?, &path, ORIGIN.to_owned());
        request.body = body.to_vec();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            request.authorization = match (name, value.trim()) {
                ("who", who) => self.tokens.get(who).map(|token| format!("Bearer {token}")),
                ("authorization", value) => Some(value.to_owned()),
                _ => continue,
            };
        }
        Some(request)
    }

    fn outcome(&self, request: &Request) -> Result<Outcome, ArmError> {
        let admitted = arm::admit(&self.estate, &self.signer, request, NOW_MS)?;
        let calls = questions(&admitted.target, request.method);
        let report = Report { answers: calls.iter().map(|call| Ok(said(call))).collect() };
        let context = Context {
            estate: &self.estate,
            request,
            account: admitted.account,
            version: &admitted.version,
            report: &report,
            operations: &self.operations,
            settings: &InstanceSettings::default(),
        };
        arm::answer(&context, &admitted.target)
    }
}

fn claims(estate: &Estate, account: &Account) -> Claims {
    Claims {
        aud: ORIGIN.to_owned(),
        iss: format!("{ORIGIN}/{}/", estate.names.tenant_id),
        iat: NOW_MS / 1000,
        nbf: NOW_MS / 1000,
        exp: NOW_MS / 1000 + 3600,
        appid: account.client_id.clone(),
        oid: account.object_id.clone(),
        sub: account.object_id.clone(),
        tid: estate.names.tenant_id.clone(),
        ver: "1.0".to_owned(),
        idtyp: "app".to_owned(),
    }
}

fn operation(id: &str, start: &Start) -> Operation {
    Operation {
        id: id.to_owned(),
        family: start.family,
        name: start.name.to_owned(),
        subject: start.subject.clone(),
        work: start.work.clone(),
        started_ms: NOW_MS,
        ended_ms: None,
        status: Status::InProgress,
    }
}

fn judged(response: Response, operation: Option<(String, String)>) -> Judged {
    let error = response.body.as_ref().and_then(|body| body["error"]["code"].as_str());
    Judged {
        status: response.status,
        code: error.map(str::to_owned),
        body_bytes: response.body.as_ref().map_or(0, |body| body.to_string().len()),
        headers: response.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        operation,
    }
}

/// Carries an operation out with an instance that does nothing of what it is told: it is kept and read again, and it ends.
fn see_through(operation: &Operation) -> String {
    let kept = serde_json::to_string(operation).expect("an operation is plain data");
    let read: Operation = serde_json::from_str(&kept).expect("what was kept can be read");
    assert_eq!(&read, operation, "an operation is lost when it is kept");
    let seen = Seen { links: links(), certificates: certificates(), databases: databases() };
    let (mut progress, mut now) = (Progress::default(), NOW_MS);
    for _ in 0..STEPS_MAX {
        match next(&read, &progress, Some(&seen), now, &Timing::default()) {
            Next::Act(_) => progress.told(Ok::<(), InstanceError>(()), now),
            Next::Wait => now += 600_000,
            Next::End(Status::Failed { code, .. }) => return code,
            Next::End(status) => return format!("{status:?}"),
        }
    }
    panic!("it does not end: {operation:?}");
}

/// What the instance says.
fn said(call: &Call) -> Answer {
    match call {
        Call::Facts => Answer::Facts(InstanceFacts {
            collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
            database_format: "SQLServer2022".to_owned(),
        }),
        Call::EndpointCertificate => {
            Answer::EndpointCertificate(EndpointCertificate { der: vec![0x30], roots: vec![vec![0x30]] })
        }
        Call::TrustedCertificates => Answer::TrustedCertificates(certificates()),
        Call::Links => Answer::Links(links()),
        Call::Databases => Answer::Databases(databases()),
        Call::TrustCertificate { .. }
        | Call::ForgetCertificate { .. }
        | Call::CreateLink(_)
        | Call::SetDatabases { .. }
        | Call::FailOver { .. }
        | Call::BecomeSecondary { .. }
        | Call::SetCommitMode { .. }
        | Call::DropLink { .. }
        | Call::DropDatabase { .. } => Answer::Done,
    }
}

fn certificates() -> Vec<TrustedCertificate> {
    vec![TrustedCertificate {
        name: "SQL1".to_owned(),
        der: vec![0x30, 0x82],
        thumbprint: [7; 20],
        not_after_ms: NOW_MS,
    }]
}

fn databases() -> Vec<Database> {
    let database = |name: &str| Database {
        name: name.to_owned(),
        state: "ONLINE".to_owned(),
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        created_ms: NOW_MS,
        seeding: false,
    };
    vec![database("db"), database("alone")]
}

fn links() -> Vec<Link> {
    let several = LinkMode::MultiDatabase;
    vec![
        link("L", Role::Secondary, LinkMode::SingleDatabase),
        link("P", Role::Primary, LinkMode::SingleDatabase),
        link("M", Role::Primary, several),
        link("busy", Role::Primary, LinkMode::SingleDatabase),
    ]
}

fn link(name: &str, role: Role, link_mode: LinkMode) -> Link {
    let partner = if role == Role::Primary { Role::Secondary } else { Role::Primary };
    Link {
        settings: LinkRequest {
            name: name.to_owned(),
            partner_group: format!("AG_{name}"),
            partner_endpoint: "tcp://10.0.0.1:5022".to_owned(),
            instance_group: format!("AG_{name}_MI"),
            databases: vec!["db".to_owned()],
            role,
            commit_mode: CommitMode::Asynchronous,
            seeding_mode: SeedingMode::Automatic,
            failover_mode: FailoverMode::Manual,
            link_mode,
        },
        id: "1AB00000-0000-4000-8000-000000000009".to_owned(),
        partner_role: Some(partner),
        connected: true,
        changing_role: false,
        databases: vec![LinkDatabase {
            name: "db".to_owned(),
            instance_replica_id: "1AB00000-0000-4000-8000-00000000000A".to_owned(),
            partner_replica_id: "1AB00000-0000-4000-8000-00000000000B".to_owned(),
            synchronization: Some(SynchronizationState::Synchronizing),
            suspended: false,
            seeding: None,
            log: LogPositions {
                last_hardened_lsn: Some("36000000112000926".to_owned()),
                ..LogPositions::default()
            },
            lag_seconds: Some(0),
            redo_queue_kb: Some(0),
        }],
        problem: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds of the fuzz target get as deep as they are meant to.
    #[test]
    fn seeds_reach_what_they_are_for() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/arm");
        let probe = Probe::new().unwrap();
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let judged = probe.judge(&std::fs::read(entry.path()).unwrap()).unwrap();
            let mut line = format!("{} {}", entry.file_name().display(), judged.status);
            for word in
                judged.code.into_iter().chain(judged.operation.map(|(name, end)| format!("{name} {end}")))
            {
                line.push(' ');
                line.push_str(&word);
            }
            lines.push(line);
        }
        lines.sort();
        assert_eq!(lines, SEEDS);
    }

    const SEEDS: &[&str] = &[
        "cancel 400 OperationNotCancellable",
        "create_link 202 DistributedAvailabilityGroupsLinkCreate Canceled",
        "create_link_of_several 202 CreateManagedFailoverGroup Canceled",
        "delete_busy 409 ConflictingServerOperation",
        "delete_database 202 DropManagedDatabase OperationTimedOut",
        "delete_link 202 DistributedAvailabilityGroupsDropLink OperationTimedOut",
        "endpoint_certificate 200",
        "fail_over 202 DistributedAvailabilityGroupsLinkFailover OperationTimedOut",
        "force 202 DistributedAvailabilityGroupsLinkFailover OperationTimedOut",
        "forget 202 DeleteManagedInstanceServerTrustCertificate OperationTimedOut",
        "instance 200",
        "links 200",
        "metadata 200",
        "not_allowed 403 AuthorizationFailed",
        "openid 200",
        "permissions 200",
        "restore_details 200",
        "role_definitions 200",
        "set_role 202 DistributedAvailabilityGroupsSetRole OperationTimedOut",
        "status 200",
        "token 200",
        "trust 202 UploadManagedInstanceServerTrustCertificate OperationTimedOut",
        "update_databases 202 UpdateManagedFailoverGroup OperationTimedOut",
        "update_instance 202 UpsertManagedServer Succeeded",
        "update_link 202 DistributedAvailabilityGroupsModifyLink OperationTimedOut",
    ];
}
