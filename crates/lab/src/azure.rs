//! The local Azure of a lab: what it is called here, and its faults.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lab_azure::{AzureConfig, AzureFaults, ManagedAddress, ManagedInstance, Names};

use crate::faults::AzureFault;
use crate::folder::Folder;
use crate::log::Log;
use crate::ports::{Ports, loopback};
use crate::settings::Side;
use crate::status::{AzureStatus, Principal};

/// How long whoever takes over a port waits for the one before.
const PATIENCE: Duration = Duration::from_secs(2);

/// The local Azure, which runs.
#[derive(Debug)]
pub(crate) struct Azure {
    running: lab_azure::Azure,
    faults: AzureFaults,
}

/// The fully qualified name of the managed instance: one that leads to this machine on any machine (RFC 6761, section 6.3).
pub(crate) fn fqdn() -> String {
    format!("{}.localhost", Side::Managed.server_name())
}

fn names() -> Names {
    Names { instance: Side::Managed.server_name().to_owned(), ..Names::default() }
}

/// The managed instance as a resource.
pub(crate) fn resource_id() -> String {
    names().instance_id()
}

/// What is known of the local Azure while it does not run: for a moment, when the lab is copied.
pub(crate) fn nothing(folder: &Folder, ports: &Ports) -> AzureStatus {
    let base = format!("https://localhost:{}", ports.azure);
    status(&base, Vec::new(), &folder.azure().join("ca.pem"), &folder.azure().join("ca-bundle.pem"))
}

fn status(base: &str, principals: Vec<Principal>, ca: &Path, bundle: &Path) -> AzureStatus {
    let names = names();
    AzureStatus {
        arm_endpoint: base.to_owned(),
        authority: base.to_owned(),
        tenant_id: names.tenant_id,
        subscription_id: names.subscription_id,
        resource_group: names.resource_group,
        instance_name: names.instance,
        principals,
        ca_file: ca.to_owned(),
        ca_bundle_file: bundle.to_owned(),
    }
}

impl Azure {
    /// Serves at the lab's port.
    pub(crate) fn start(
        folder: &Folder,
        ports: &Ports,
        instance: Arc<dyn ManagedInstance>,
        faults: AzureFaults,
    ) -> Result<Azure, String> {
        let managed =
            ManagedAddress { fqdn: fqdn(), port: ports.managed, endpoint_port: ports.managed_endpoint };
        let log = Log::open(&folder.azure_log(), Box::new(|_| ())).map_err(|e| format!("its log: {e}"))?;
        let config = AzureConfig {
            listen: loopback(ports.azure),
            names: names(),
            faults: faults.clone(),
            log: Arc::new(move |line| log.say(line)),
            ..AzureConfig::new(folder.azure(), managed, instance)
        };
        let until = std::time::Instant::now() + PATIENCE;
        let running = loop {
            match lab_azure::Azure::start(config.clone()) {
                Err(lab_azure::StartError::Listen(..)) if std::time::Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => break other.map_err(|e| format!("the local Azure: {e}"))?,
            }
        };
        Ok(Azure { running, faults })
    }

    pub(crate) fn status(&self) -> AzureStatus {
        let principals = self.running.principals().iter().map(|p| Principal {
            name: p.name.clone(),
            client_id: p.client_id.clone(),
            client_secret: p.client_secret.clone(),
            role: p.role.clone(),
        });
        status(
            &self.running.endpoint(),
            principals.collect(),
            self.running.ca_file(),
            self.running.bundle_file(),
        )
    }

    /// Has it do wrong.
    pub(crate) fn set_fault(&self, kind: AzureFault, n: u32) {
        self.faults.change(|settings| match kind {
            AzureFault::TooManyRequests => settings.throttle = n,
            AzureFault::ServerError => settings.fail = n,
            AzureFault::Slow => settings.slow_ms = n.into(),
            AzureFault::LostAnswer => settings.lost_answer = n,
            AzureFault::Duplicate => settings.duplicate = n,
        });
    }

    /// What is left of that.
    pub(crate) fn fault_left(&self, kind: AzureFault) -> u32 {
        let settings = self.faults.settings();
        match kind {
            AzureFault::TooManyRequests => settings.throttle,
            AzureFault::ServerError => settings.fail,
            AzureFault::Slow => settings.slow_ms as u32,
            AzureFault::LostAnswer => settings.lost_answer,
            AzureFault::Duplicate => settings.duplicate,
        }
    }

    /// Forgets what it keeps of operations and settings; who signs in, and by which authority, stays.
    pub(crate) fn forget(folder: &Path) -> io::Result<()> {
        match std::fs::remove_file(folder.join("state.json")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.running.stop();
    }
}
