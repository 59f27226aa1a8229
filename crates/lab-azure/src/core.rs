//! The effectful half without the sockets: asks the instance, keeps operations, and carries them out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use crate::access::{Account, cast};
use crate::arm;
use crate::clock::{iso, now_ms};
use crate::context::{Context, Estate, Outcome, Report, Start, questions};
use crate::error::ArmError;
use crate::faults::{AzureFaults, Meets};
use crate::folder::{Folder, FolderError};
use crate::instance::{Answer, Call, InstanceError, ManagedInstance};
use crate::message::{Request, Response};
use crate::operations::{Next, Operation, Operations, Progress, Seen, Status, next};
use crate::random;
use crate::settings::InstanceSettings;
use crate::target;
use crate::token::Signer;

const STATE: &str = "state.json";
const PRINCIPALS: &str = "principals.json";

/// Operations at once: each looks at the instance again and again.
const RUNNING_MAX: usize = 100;

/// What is kept: operations that were accepted, and what Azure knows of the instance. Nothing that the instance knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    operations: Operations,
    settings: InstanceSettings,
}

/// Takes a line of what happens.
pub(crate) type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything behind the sockets.
pub(crate) struct Core {
    pub(crate) estate: Estate,
    pub(crate) faults: AzureFaults,
    pub(crate) log: Log,
    signer: Signer,
    /// The server's certificate, as the addresses of operations show it.
    certificate: String,
    instance: Arc<dyn ManagedInstance>,
    folder: Folder,
    state: Mutex<State>,
    /// Operations on one thing look and act one after the other.
    acting: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    /// Who carries operations out.
    started: UnboundedSender<String>,
}

/// What a core is opened with.
pub(crate) struct Parts {
    pub(crate) estate: Estate,
    pub(crate) faults: AzureFaults,
    pub(crate) log: Log,
    pub(crate) certificate: Vec<u8>,
    pub(crate) instance: Arc<dyn ManagedInstance>,
    pub(crate) folder: Folder,
    pub(crate) started: UnboundedSender<String>,
}

/// What has become of an operation for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advanced {
    /// It goes on at once.
    Acted,
    /// It waits for the instance.
    Waits,
    /// It has ended.
    Ended,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the accounts, making those that are missing. They keep their ids and secrets for as long as the folder is there.
pub(crate) fn accounts(folder: &Folder) -> Result<Vec<Account>, FolderError> {
    let mut known: Vec<Account> = folder.read_json(PRINCIPALS)?.unwrap_or_default();
    let mut all = Vec::new();
    let before = known.len();
    for (name, kind) in cast() {
        match known.iter().position(|a| a.name == name && a.kind == kind) {
            Some(at) => all.push(known.swap_remove(at)),
            None => all.push(new_account(name, kind).map_err(|_| {
                crate::folder::failed(&folder.file(PRINCIPALS), "there is no randomness for secrets")
            })?),
        }
    }
    if before != all.len() || !known.is_empty() {
        folder.write_json(PRINCIPALS, &all)?;
    }
    Ok(all)
}

fn new_account(name: String, kind: crate::access::RoleKind) -> Result<Account, random::NoRandomness> {
    Ok(Account {
        name,
        client_id: random::guid()?,
        object_id: random::guid()?,
        client_secret: BASE64.encode(random::bytes::<30>()?),
        kind,
    })
}

impl Core {
    /// Opens what is kept.
    ///
    /// # Errors
    /// Files cannot be read or written.
    pub(crate) fn open(parts: Parts) -> Result<Core, FolderError> {
        let signer = Signer::open(&parts.folder)?;
        let mut state: State = parts.folder.read_json(STATE)?.unwrap_or_default();
        if state.settings.created_ms == 0 {
            state.settings.created_ms = now_ms();
        }
        let core = Core {
            estate: parts.estate,
            faults: parts.faults,
            log: parts.log,
            signer,
            certificate: BASE64.encode(parts.certificate),
            instance: parts.instance,
            folder: parts.folder,
            state: Mutex::new(state),
            acting: Mutex::default(),
            started: parts.started,
        };
        core.change(|_| ())?;
        Ok(core)
    }

    /// The operations that have not ended: after a start, those that somebody waits for still.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        lock(&self.state).operations.running().map(|o| o.id.clone()).collect()
    }

    /// Changes what is kept, durably.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, FolderError> {
        let mut state = lock(&self.state);
        let mut new = state.clone();
        let out = change(&mut new);
        self.folder.write_json(STATE, &new)?;
        *state = new;
        Ok(out)
    }

    /// What goes wrong with a request. Signing in is never disturbed.
    pub(crate) fn meet(&self, request: &Request) -> Meets {
        if target::parse(&request.segments).1.is_open() {
            return Meets::default();
        }
        self.faults.meet(request.method.changes_something())
    }

    /// Answers a request. It blocks while the instance is asked.
    pub(crate) fn handle(&self, request: &Request, meets: Meets) -> Response {
        let (_, target) = target::parse(&request.segments);
        if target.is_open() {
            return arm::open(&self.estate, &self.signer, request, &target, now_ms());
        }
        if let Some(retry_after_s) = meets.throttle {
            return ArmError::throttled(retry_after_s).response();
        }
        if meets.fail {
            return ArmError::internal().response();
        }
        if meets.duplicate {
            let first = self.carry_out(request);
            (self.log)(&format!("fault duplicate: carried out once with {}, and again", first.status));
        }
        self.carry_out(request)
    }

    fn carry_out(&self, request: &Request) -> Response {
        self.try_carry_out(request).unwrap_or_else(ArmError::response)
    }

    fn try_carry_out(&self, request: &Request) -> Result<Response, ArmError> {
        let admitted = arm::admit(&self.estate, &self.signer, request, now_ms())?;
        let report = self.ask(&questions(&admitted.target, request.method));
        let mut state = lock(&self.state);
        let context = Context {
            estate: &self.estate,
            request,
            account: admitted.account,
            version: &admitted.version,
            report: &report,
            operations: &state.operations,
            settings: &state.settings,
        };
        match arm::answer(&context, &admitted.target)? {
            Outcome::Answer(response) => Ok(response),
            Outcome::Start(_) if state.operations.running().count() >= RUNNING_MAX => {
                Err(ArmError::too_many_operations(self.estate.timing.retry_after_s))
            }
            Outcome::Start(start) => {
                let mut new = state.clone();
                let operation = accept(&mut new, *start, now_ms()).map_err(|_| ArmError::internal())?;
                // What was accepted is kept before anybody is told.
                self.folder.write_json(STATE, &new).map_err(|e| {
                    (self.log)(&format!("an operation cannot be kept: {e}"));
                    ArmError::internal()
                })?;
                *state = new;
                drop(state);
                if self.started.send(operation.id.clone()).is_err() {
                    let id = &operation.id;
                    (self.log)(&format!("the endpoint stops: operation {id} is taken up at the next start"));
                }
                Ok(self.accepted(request, &admitted.version, &operation))
            }
        }
    }

    /// Asks until something is not answered: what is silent once is not waited for again.
    fn ask(&self, calls: &[Call]) -> Report {
        let mut report = Report::default();
        for call in calls {
            let answer = self.instance.ask(call);
            let silent = answer == Err(InstanceError::Silent);
            report.answers.push(answer);
            if silent {
                break;
            }
        }
        report
    }

    fn accepted(&self, request: &Request, version: &str, operation: &Operation) -> Response {
        let body = json!({"operation": operation.name, "startTime": iso(operation.started_ms)});
        let url = |kind: &str| self.signed_url(request, version, kind, &operation.id);
        Response::json(202, body)
            .with("Azure-AsyncOperation", url(operation.family.status_type()))
            .with("Location", url(operation.family.results_type()))
            .with("Retry-After", self.estate.timing.retry_after_s.to_string())
    }

    /// The address of an operation, with a query as long and as odd as Azure's: clients are to use it as it is.
    fn signed_url(&self, request: &Request, version: &str, kind: &str, id: &str) -> String {
        let names = &self.estate.names;
        let path = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Sql/locations/{}/{kind}/{id}",
            names.subscription_id, names.resource_group, names.location
        );
        // 100 ns since 0001-01-01.
        let ticks = ((now_ms() + 62_135_596_800_000) * 10_000).to_string();
        let text = arm::signed_text(&path, version, &ticks);
        let signature = self.signer.sign(&text).unwrap_or_default();
        let hash = ring::digest::digest(&ring::digest::SHA256, format!("{text}{signature}").as_bytes());
        format!(
            "{}{text}&c={}&s={signature}&h={}",
            request.origin,
            self.certificate,
            BASE64.encode(hash.as_ref())
        )
    }

    /// Takes an operation one step further.
    pub(crate) fn advance(&self, id: &str, progress: &mut Progress) -> Advanced {
        let Some(operation) = self.operation(id) else { return Advanced::Ended };
        let key = format!("{:?} {}", operation.family, operation.subject.to_uppercase());
        let turn = {
            let mut acting = lock(&self.acting);
            // Those that nobody holds are of operations that have ended.
            acting.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(acting.entry(key).or_default())
        };
        let _turn = lock(&turn);
        // Another may have put an end to it while it waited for its turn.
        if self.operation(id).is_none_or(|o| !o.is_running()) {
            return Advanced::Ended;
        }
        let seen = self.look(&operation, progress);
        match next(&operation, progress, seen.as_ref(), now_ms(), &self.estate.timing) {
            Next::Wait => Advanced::Waits,
            Next::Act(call) => {
                let told = self.instance.ask(&call).map(|_| ());
                if let Err(e) = &told {
                    (self.log)(&format!("{} {}: {e}", operation.name, operation.subject));
                }
                progress.told(told, now_ms());
                if progress.silent_since_ms.is_some() { Advanced::Waits } else { Advanced::Acted }
            }
            Next::End(status) => self.end(&operation, status),
        }
    }

    fn operation(&self, id: &str) -> Option<Operation> {
        lock(&self.state).operations.get(id).cloned()
    }

    fn look(&self, operation: &Operation, progress: &mut Progress) -> Option<Seen> {
        let mut seen = Seen::default();
        let Some(call) = operation.work.looks_at() else { return Some(seen) };
        let answer = self.instance.ask(&call);
        progress.seen(answer.is_ok(), now_ms());
        match answer.ok()? {
            Answer::Links(links) => seen.links = links,
            Answer::TrustedCertificates(certificates) => seen.certificates = certificates,
            Answer::Databases(databases) => seen.databases = databases,
            Answer::Done | Answer::Facts(_) | Answer::EndpointCertificate(_) => return None,
        }
        Some(seen)
    }

    fn end(&self, operation: &Operation, status: Status) -> Advanced {
        let said = format!("{} {}: {status:?}", operation.name, operation.subject);
        match self.change(|state| state.operations.end(&operation.id, status, now_ms())) {
            Ok(()) => {
                (self.log)(&said);
                Advanced::Ended
            }
            // It is decided again, and kept when that is possible.
            Err(e) => {
                (self.log)(&format!("{said}, which cannot be kept: {e}"));
                Advanced::Waits
            }
        }
    }
}

/// Makes an operation of what a request starts.
fn accept(state: &mut State, start: Start, now_ms: i64) -> Result<Operation, random::NoRandomness> {
    let operation = Operation {
        id: random::guid()?,
        family: start.family,
        name: start.name.to_owned(),
        subject: start.subject,
        work: start.work,
        started_ms: now_ms,
        ended_ms: None,
        status: Status::InProgress,
    };
    if let Some(other) = &start.cancels {
        state.operations.end(other, Status::Canceled, now_ms);
    }
    if let Some(settings) = start.settings {
        state.settings = settings;
    }
    state.operations.add(operation.clone());
    Ok(operation)
}
