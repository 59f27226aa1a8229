//! What the endpoints are started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::faults::AzureFaults;
use crate::instance::ManagedInstance;

/// Everything the endpoints need. [`AzureConfig::new`] has a sensible value for all but three fields.
#[derive(Clone)]
pub struct AzureConfig {
    /// Where authority, keys, principals and operations are kept.
    pub data: PathBuf,
    /// Where HTTPS is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The name by which clients call it. `localhost`, `127.0.0.1` and `::1` are always in the certificate.
    pub host_name: String,
    /// What things are called.
    pub names: Names,
    /// How the managed instance is reached.
    pub managed: ManagedAddress,
    /// The managed instance.
    pub instance: Arc<dyn ManagedInstance>,
    /// What goes wrong.
    pub faults: AzureFaults,
    /// How long things take.
    pub timing: Timing,
    /// Takes a line for each request and each operation that has ended.
    pub log: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for AzureConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AzureConfig")
            .field("data", &self.data)
            .field("listen", &self.listen)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl AzureConfig {
    /// The endpoints of an instance, on a free port of the loopback interface.
    pub fn new(data: PathBuf, managed: ManagedAddress, instance: Arc<dyn ManagedInstance>) -> AzureConfig {
        AzureConfig {
            data,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host_name: "localhost".to_owned(),
            names: Names::default(),
            managed,
            instance,
            faults: AzureFaults::new(),
            timing: Timing::default(),
            log: Arc::new(|_| ()),
        }
    }
}

/// What things are called. Whoever signs in finds exactly these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The directory.
    pub tenant_id: String,
    /// The subscription.
    pub subscription_id: String,
    /// What it is shown as.
    pub subscription_name: String,
    /// The resource group.
    pub resource_group: String,
    /// The managed instance, as a resource.
    pub instance: String,
    /// The region.
    pub location: String,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            tenant_id: "1ab00000-0000-4000-8000-000000000001".to_owned(),
            subscription_id: "1ab00000-0000-4000-8000-000000000002".to_owned(),
            subscription_name: "milink lab".to_owned(),
            resource_group: "lab".to_owned(),
            instance: "mi".to_owned(),
            location: "westeurope".to_owned(),
        }
    }
}

impl Names {
    /// The resource id of the managed instance.
    pub fn instance_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Sql/managedInstances/{}",
            self.subscription_id, self.resource_group, self.instance
        )
    }
}

/// How the managed instance is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedAddress {
    /// Its fully qualified name.
    pub fqdn: String,
    /// Its port for clients.
    pub port: u16,
    /// The port of its endpoint for links.
    pub endpoint_port: u16,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// What `Retry-After` says. Azure says 10 or 15; clients that are told nothing wait 30.
    pub retry_after_s: u32,
    /// How long a token is good for. Azure's are good for an hour and a bit.
    pub token_lifetime: Duration,
    /// How long replication may take to begin before the creation of a link has failed. Azure waits five minutes.
    pub link_create_limit: Duration,
    /// How long a role change may take.
    pub role_change_limit: Duration,
    /// How long an operation waits for an instance that does not answer.
    pub silence_limit: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            retry_after_s: 1,
            token_lifetime: Duration::from_hours(1),
            link_create_limit: Duration::from_secs(30),
            role_change_limit: Duration::from_mins(2),
            silence_limit: Duration::from_mins(1),
        }
    }
}
