//! The two sides and Azure, as far as they can be reached: who looks at them and acts on them.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use milink_arm::{ArmClient, ArmError, InstanceId};
use milink_core::action::Action;
use milink_core::moment::Moment;
use milink_core::names::Side;
use milink_core::observe::{Observation, Seen};
use milink_core::probe::{Told, targets};
use milink_core::run::{OperationState, Outcome};
use milink_sql::{Client, SqlError};

use crate::driver::Hands;
use crate::look;
use crate::probe::{Patience, probe};

/// How long one look at a side may take. A side that does not answer in that time is unknown, and the look at the others is not held up.
const LOOK_MAX: Duration = Duration::from_secs(20);

/// The clock of whoever looks.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The managed instance in Azure.
#[derive(Debug, Clone)]
pub struct AzureSide {
    /// Who is asked.
    pub client: ArmClient,
    /// For which instance.
    pub instance: InstanceId,
}

/// The two sides and Azure. What is not configured is `None`, and is unknown in every observation.
#[derive(Debug, Clone, Default)]
pub struct Sides {
    /// SQL Server.
    pub sql_server: Option<Client>,
    /// The managed instance.
    pub managed: Option<Client>,
    /// The managed instance in Azure.
    pub azure: Option<AzureSide>,
}

impl Sides {
    /// The client of a side.
    pub fn client(&self, side: Side) -> Option<&Client> {
        match side {
            Side::SqlServer => self.sql_server.as_ref(),
            Side::Managed => self.managed.as_ref(),
        }
    }

    /// Looks at everything.
    pub async fn look(&self) -> Observation {
        let one = |side| async move {
            match self.client(side) {
                Some(client) => seen(Box::pin(look::instance(client)), SqlError::to_string).await,
                None => not_configured(side),
            }
        };
        let azure = async {
            match &self.azure {
                Some(azure) => {
                    seen(Box::pin(look::azure(&azure.client, &azure.instance)), ArmError::to_string).await
                }
                None => {
                    Seen::Unknown { at: now(), why: "no managed instance in Azure is configured".to_owned() }
                }
            }
        };
        let (sql_server, managed, azure) = tokio::join!(one(Side::SqlServer), one(Side::Managed), azure);
        Observation { at: now(), sql_server, managed, azure, probes: Vec::new() }
    }

    /// Tries the endpoints of both sides from this machine, all at once, and adds to a look what came of it.
    pub async fn probe(sql_server: &Told, managed: &Told, seen: &mut Observation) {
        let mut tasks = tokio::task::JoinSet::new();
        for target in targets(sql_server, managed, seen) {
            tasks.spawn(async move { probe(&target, Patience::default()).await });
        }
        seen.probes = tasks.join_all().await;
        seen.probes.sort_by_key(|p| p.to);
    }

    /// Looks at what changes by itself, and takes the rest from the look before. Whoever was unknown is looked at as a whole.
    pub async fn look_again(&self, before: &Observation) -> Observation {
        let one = |side| async move {
            match (self.client(side), before.side(side).known()) {
                (Some(client), Some(known)) => {
                    seen(Box::pin(look::live(client, known)), SqlError::to_string).await
                }
                (Some(client), None) => seen(Box::pin(look::instance(client)), SqlError::to_string).await,
                (None, _) => not_configured(side),
            }
        };
        let azure = async {
            match (&self.azure, before.azure.known()) {
                (Some(azure), Some(known)) => {
                    seen(
                        Box::pin(look::azure_live(&azure.client, &azure.instance, known)),
                        ArmError::to_string,
                    )
                    .await
                }
                (Some(azure), None) => {
                    seen(Box::pin(look::azure(&azure.client, &azure.instance)), ArmError::to_string).await
                }
                (None, _) => before.azure.clone(),
            }
        };
        let (sql_server, managed, azure) = tokio::join!(one(Side::SqlServer), one(Side::Managed), azure);
        Observation { at: now(), sql_server, managed, azure, probes: before.probes.clone() }
    }
}

fn not_configured<T>(side: Side) -> Seen<T> {
    Seen::Unknown { at: now(), why: format!("no connection to the {side} is configured") }
}

/// A look at one side: large, so it is on the heap, and without its type, which is too deep for callers to look into.
type Looked<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

async fn seen<T, E>(looked: Looked<'_, T, E>, why: impl FnOnce(&E) -> String) -> Seen<T> {
    match tokio::time::timeout(LOOK_MAX, looked).await {
        Ok(Ok(value)) => Seen::At { at: now(), value },
        Ok(Err(e)) => Seen::Unknown { at: now(), why: why(&e) },
        Err(_) => Seen::Unknown { at: now(), why: format!("no answer within {} s", LOOK_MAX.as_secs()) },
    }
}

impl Hands for Sides {
    fn look(&self) -> impl Future<Output = Observation> + Send {
        Sides::look(self)
    }

    fn act(&self, action: &Action, seen: &Observation) -> impl Future<Output = Outcome> + Send {
        self.give(action, seen)
    }

    fn poll(&self, operation: &str) -> impl Future<Output = OperationState> + Send {
        self.ask(operation)
    }
}
