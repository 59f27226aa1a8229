//! What every verb of the link needs: connections to both sides and Azure, the journal, and where its answer goes.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use milink_arm::{ArmClient, ArmError, Cloud, InstanceId, LinkView, Options, SubscriptionId};
use milink_core::observe::Observation;
use milink_core::probe::Told;
use milink_core::spec::Link;
use milink_ops::journal::{Journal, JournalError};
use milink_ops::sides::{AzureSide, Sides};
use milink_sql::{Client, Target};

use super::entra::{self, Authority};
use super::learnt;
use crate::connect::{AzureSettings, CloudName, ConnectArguments, Settings, SideSettings};
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Output, OutputArguments};

/// Flags that all verbs of the link have.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) connect: ConnectArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// The journal's file; MILINK_JOURNAL says it too. By default it is in the platform's folder for the state of programs.
    #[arg(long, value_name = "FILE", env = "MILINK_JOURNAL", help_heading = "Journal")]
    pub(crate) journal: Option<PathBuf>,
}

/// A verb's connections and output.
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) sides: Sides,
    pub(crate) output: Output,
    journal: Option<PathBuf>,
}

/// Runs a verb's body with a session, and ends as it ended.
pub(crate) fn with<F: Future<Output = Result<(), Failure>>>(
    common: &Common,
    body: impl FnOnce(Session) -> F + Send,
) -> ExitCode {
    let output = Output::of(&common.output);
    let failed = |why: String| Failure {
        code: Exit::Error,
        what: format!("this machine does not let milink work: {why}"),
        where_: "the process".to_owned(),
        now_true: NOTHING_CHANGED.to_owned(),
        next: "see whether it is out of files or memory".to_owned(),
    };
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| failed(e.to_string()))?.block_on(async {
            let session = Session::open(common, output.clone()).await?;
            body(session).await
        })
    };
    // A look asks everything at once, and without optimization the state of that does not fit into a main thread's stack.
    let done = std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match worker {
            Ok(worker) => worker.join().unwrap_or_else(|_| Err(failed("milink panicked".to_owned()))),
            Err(e) => Err(failed(e.to_string())),
        }
    });
    output.end(done)
}

/// The stack of the thread that a verb works on.
const STACK_BYTES: usize = 32 << 20;

impl Session {
    async fn open(common: &Common, output: Output) -> Result<Session, Failure> {
        let settings = Settings::of(&common.connect)?;
        for warning in &settings.warnings {
            output.warn(warning);
        }
        let (sides, warnings) = sides(&settings).await?;
        for warning in &warnings {
            output.warn(warning);
        }
        Ok(Session { settings, sides, output, journal: common.journal.clone() })
    }

    /// Looks at everything, and says who did not answer.
    pub(crate) async fn look(&self) -> Observation {
        self.sides.look().await
    }

    /// Tries the endpoints from this machine: a link's, and where it says none, those that flags and environment name.
    pub(crate) async fn probe(&self, link: Option<&Link>, seen: &mut Observation) {
        let told = |of: Option<&SideSettings>, endpoint: Option<&String>| Told {
            endpoint: endpoint.cloned().or_else(|| of?.endpoint().map(str::to_owned)),
            host: of.and_then(SideSettings::server).map(|s| s.host.clone()),
        };
        let settings = &self.settings;
        let sql_server =
            told(settings.sql_server.as_ref(), link.and_then(|l| l.sql_server.endpoint.as_ref()));
        let managed = told(settings.managed.as_ref(), link.and_then(|l| l.managed.endpoint.as_ref()));
        Sides::probe(&sql_server, &managed, seen).await;
    }

    /// The journal.
    ///
    /// # Errors
    /// It cannot be used, or nobody knows where it should be.
    pub(crate) fn journal(&self) -> Result<Journal, Failure> {
        journal_at(self.journal.as_deref())
    }
}

/// Connections as the settings say, with what has to be said about them. Nothing is asked yet but Azure: where the managed instance is.
///
/// # Errors
/// Something is missing or wrong, or nobody has said anything.
pub(crate) async fn sides(settings: &Settings) -> Result<(Sides, Vec<String>), Failure> {
    let mut warnings = Vec::new();
    let sql_server = settings.sql_server.as_ref().map(|_| settings.sql_server()).transpose()?;
    let authority = authority(settings.azure.as_ref()).await?;
    let azure = match &settings.azure {
        Some(azure) => Some(azure_side(azure, &authority).await?),
        None => None,
    };
    let managed = match &settings.managed {
        Some(side) if side.server().is_some() => Some(settings.managed()?),
        Some(side) => managed_of_azure(side, azure.as_ref(), &mut warnings).await?,
        None => None,
    };
    let sql_server = sql_server.map(|t| authority.sign_in(t)).transpose()?;
    let managed = managed.map(|t| authority.sign_in(t)).transpose()?;
    if sql_server.is_none() && managed.is_none() && azure.is_none() {
        return Err(Failure::arguments(
            "nobody has said where the two sides are",
            "-S or SQLCMDSERVER, --managed-server or MILINK_MANAGED_SERVER, --instance-name or MILINK_INSTANCE_NAME",
            "give them, or name a context (milink context add); in a lab: eval \"$(milink lab env)\"",
        ));
    }
    let client = |target: Option<Target>| {
        target.map(|mut target| {
            target.application_name = "milink".to_owned();
            Client::new(target)
        })
    };
    Ok((Sides { sql_server: client(sql_server), managed: client(managed), azure }, warnings))
}

/// The journal at a place, or where journals are by default. No connection is needed for it.
///
/// # Errors
/// It cannot be used, or nobody knows where it should be.
pub(crate) fn journal_at(place: Option<&Path>) -> Result<Journal, Failure> {
    Journal::open(&journal_path(place)?).map_err(|e| journal_failure(&e))
}

/// The journal's file: at a place, or where journals are by default.
///
/// # Errors
/// Nobody knows where it should be.
pub(crate) fn journal_path(place: Option<&Path>) -> Result<PathBuf, Failure> {
    place.map(Path::to_owned).or_else(default_journal).ok_or_else(|| {
        Failure::arguments(
            "nobody has said where the journal is, and this user has no home folder",
            "--journal or MILINK_JOURNAL",
            "say where it should be",
        )
    })
}

/// Where journals are by default: the platform's place for what programs keep.
fn default_journal() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = set("XDG_STATE_HOME")
        .or_else(|| set("LOCALAPPDATA"))
        .or_else(|| set("HOME").map(|home| home.join(".local").join("state")))?;
    Some(folder.join("milink").join("journal.db"))
}

/// The journal says no. Nothing is done that is not in it.
pub(crate) fn journal_failure(e: &JournalError) -> Failure {
    let (code, next) = match e {
        JournalError::Io { .. } => (Exit::Error, "mend that, or give another file with --journal"),
        JournalError::Newer { .. } => {
            (Exit::Error, "use the release that wrote it, or another file with --journal")
        }
        JournalError::Busy { .. } => {
            (Exit::Refused, "wait for the other one, or look at it with milink history")
        }
        JournalError::Broken { .. } => {
            (Exit::Error, "keep the file, and look at both sides with milink doctor")
        }
        JournalError::NoRun { .. } => (Exit::NotFound, "milink history shows the runs that there are"),
    };
    Failure {
        code,
        what: e.to_string(),
        where_: "the journal".to_owned(),
        now_true: "nothing was done that is not in the journal".to_owned(),
        next: next.to_owned(),
    }
}

/// The cloud that gives tokens: Azure's own settings say which; without any it is the public one.
async fn authority(settings: Option<&AzureSettings>) -> Result<Authority<'_>, Failure> {
    let ca_file = settings.and_then(AzureSettings::ca_file).map(PathBuf::from);
    // Links say in that view whether they may have several databases.
    let options = Options { ca_file, link_view: LinkView::WithMode, ..Options::default() };
    let mut cloud = match settings.and_then(AzureSettings::arm_endpoint) {
        Some(endpoint) => Cloud::discover(endpoint, &options).await.map_err(|e| azure_failure(&e))?,
        None => match settings.map(AzureSettings::cloud).unwrap_or_default() {
            CloudName::Public => Cloud::public(),
            CloudName::UsGovernment => Cloud::government(),
            CloudName::China => Cloud::china(),
        },
    };
    if let Some(authority) = settings.and_then(AzureSettings::authority) {
        authority.clone_into(&mut cloud.authority);
    }
    Ok(Authority { cloud, options, settings })
}

async fn azure_side(settings: &AzureSettings, authority: &Authority<'_>) -> Result<AzureSide, Failure> {
    let login = entra::login(settings.sign_in()?);
    let client = ArmClient::new(authority.cloud.clone(), login, authority.options.clone())
        .map_err(|e| azure_failure(&e))?;
    let instance = instance(&client, settings).await?;
    Ok(AzureSide { client, instance })
}

/// The managed instance at the address that Azure says it has. If Azure does not say so, the rest goes on without it.
///
/// # Errors
/// Its login lacks something.
async fn managed_of_azure(
    side: &SideSettings,
    azure: Option<&AzureSide>,
    warnings: &mut Vec<String>,
) -> Result<Option<Target>, Failure> {
    let Some(azure) = azure else { return Ok(None) };
    let learnt = match azure.client.managed_instance(&azure.instance).await {
        Ok(described) => learnt::server(&described.properties, side.wants_public()),
        Err(e) => Err(e.to_string()),
    };
    match learnt {
        Ok(server) => side.target_at(server).map(Some),
        Err(why) => {
            warnings.push(format!(
                "where the managed instance answers cannot be learnt from Azure: {why}; --managed-server says it"
            ));
            Ok(None)
        }
    }
}

/// The instance that is meant: by its full address, or found among what the caller may see.
async fn instance(client: &ArmClient, settings: &AzureSettings) -> Result<InstanceId, Failure> {
    let name = settings.instance()?;
    let subscription = match settings.subscription() {
        Some(text) => match SubscriptionId::parse(text) {
            Ok(id) => id,
            Err(_) => subscription(client, |s| s.display_name == text, text).await?,
        },
        None => subscription(client, |_| true, "that you may see").await?,
    };
    if let Some(group) = settings.resource_group() {
        return Ok(InstanceId::new(subscription, group, name));
    }
    let all = client.managed_instances(&subscription, None).await.map_err(|e| azure_failure(&e))?;
    let mut named = all.iter().filter(|i| i.name.eq_ignore_ascii_case(name));
    match (named.next(), named.next()) {
        (Some(one), None) => one.instance_id().map_err(|e| {
            Failure::not_found(
                format!("Azure answers with an id that is none: {}", e.text),
                "Azure",
                "say --resource-group too",
            )
        }),
        (None, _) => Err(Failure::not_found(
            format!("there is no managed instance {name} that you may see"),
            "--instance-name or MILINK_INSTANCE_NAME",
            "see its spelling, the subscription, and your rights",
        )),
        (Some(_), Some(_)) => Err(Failure::arguments(
            format!("there are several managed instances {name}"),
            "--resource-group or MILINK_RESOURCE_GROUP",
            "say in which resource group it is",
        )),
    }
}

async fn subscription(
    client: &ArmClient,
    is: impl Fn(&milink_arm::models::tenants::Subscription) -> bool,
    said: &str,
) -> Result<SubscriptionId, Failure> {
    let all = client.subscriptions().await.map_err(|e| azure_failure(&e))?;
    let mut found = all.iter().filter(|s| is(s));
    let wrong = |what: String| {
        Failure::arguments(what, "--subscription or AZURE_SUBSCRIPTION_ID", "say which, by its name or id")
    };
    match (found.next(), found.next()) {
        (Some(one), None) => SubscriptionId::parse(&one.subscription_id)
            .map_err(|e| wrong(format!("'{}' is no subscription", e.text))),
        (None, _) => Err(wrong(format!("there is no subscription {said}"))),
        (Some(_), Some(_)) => Err(wrong(format!("there are several subscriptions {said}"))),
    }
}

/// Azure says no before anything was begun.
pub(crate) fn azure_failure(e: &ArmError) -> Failure {
    Failure {
        code: match e {
            ArmError::NotFound { .. } => Exit::NotFound,
            _ => Exit::Error,
        },
        what: e.to_string(),
        where_: "Azure".to_owned(),
        now_true: NOTHING_CHANGED.to_owned(),
        next: match e.code() {
            Some(code) => format!("milink explain {code}"),
            None => "see --arm-endpoint, --authority, --ca-file and how you sign in (--azure-authentication)"
                .to_owned(),
        },
    }
}
