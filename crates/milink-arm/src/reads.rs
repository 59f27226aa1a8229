//! The calls that read.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::address::{self, Address};
use crate::answer::{self, Good};
use crate::client::{ArmClient, Call, LinkView};
use crate::error::ArmError;
use crate::ids::{InstanceId, LinkId, ResourceGroupId, Scope, SubscriptionId};
use crate::models::certificates::{EndpointCertificate, TrustCertificate};
use crate::models::failover_groups::InstanceFailoverGroup;
use crate::models::instances::{ManagedDatabase, ManagedInstance};
use crate::models::links::Link;
use crate::models::operations::ManagementOperation;
use crate::models::permissions::PermissionEntry;
use crate::models::tenants::{ResourceGroup, Subscription};
use crate::operation::{OperationRef, Progress};
use crate::wire::not_sent;

/// The stable version of Microsoft.Sql.
pub(crate) const SQL: &str = "2025-01-01";
const SUBSCRIPTIONS: &str = "2022-12-01";
const GROUPS: &str = "2024-11-01";
const PERMISSIONS: &str = "2022-04-01";

/// The most pages of one list, so that a server that always has one more does not keep us for ever.
const PAGES_MAX: usize = 1000;

/// When an operation is asked for again, if Azure does not say.
const POLL: Duration = Duration::from_secs(10);

/// The longest wait between two questions that is taken over from Azure.
const POLL_MAX: Duration = Duration::from_mins(5);

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    value: Vec<T>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

impl ArmClient {
    pub(crate) fn url(&self, address: &Address, api_version: &str) -> Result<Url, ArmError> {
        address.url(&self.inner.endpoint, api_version)
    }

    async fn list<T: DeserializeOwned>(&self, address: &Address, version: &str) -> Result<Vec<T>, ArmError> {
        let mut url = self.url(address, version)?;
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let page: Page<T> = self.read(url.clone()).await?;
            all.extend(page.value);
            let Some(next) = page.next_link.filter(|next| !next.is_empty()) else { return Ok(all) };
            let unexpected = |why: String| {
                let why = format!("the list goes on at an address that is not followed: {why}");
                ArmError::Unexpected { status: 200, why, ids: Box::default() }
            };
            let next = address::given(&self.inner.endpoint, &next).map_err(unexpected)?;
            if next == url {
                return Err(unexpected("it is its own next page".to_owned()));
            }
            url = next;
        }
        let why = format!("a list of more than {PAGES_MAX} pages");
        Err(ArmError::Unexpected { status: 200, why, ids: Box::default() })
    }

    /// The subscriptions that the caller may see.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, ArmError> {
        self.list(&Address::new().add("subscriptions"), SUBSCRIPTIONS).await
    }

    /// The resource groups of a subscription.
    pub async fn resource_groups(&self, id: &SubscriptionId) -> Result<Vec<ResourceGroup>, ArmError> {
        self.list(&Address::subscription(id).add("resourcegroups"), GROUPS).await
    }

    /// The managed instances of a subscription, or of one of its groups.
    pub async fn managed_instances(
        &self,
        id: &SubscriptionId,
        group: Option<&str>,
    ) -> Result<Vec<ManagedInstance>, ArmError> {
        let place = match group {
            Some(name) => Address::group(&id.group(name)),
            None => Address::subscription(id),
        };
        self.list(&place.sql().add("managedInstances"), SQL).await
    }

    /// A managed instance.
    pub async fn managed_instance(&self, id: &InstanceId) -> Result<ManagedInstance, ArmError> {
        self.read(self.url(&Address::instance(id), SQL)?).await
    }

    /// The databases of an instance.
    pub async fn databases(&self, id: &InstanceId) -> Result<Vec<ManagedDatabase>, ArmError> {
        self.list(&Address::instance(id).add("databases"), SQL).await
    }

    /// The links of an instance.
    pub async fn links(&self, id: &InstanceId) -> Result<Vec<Link>, ArmError> {
        let address = Address::instance(id).add("distributedAvailabilityGroups");
        self.list(&address, self.view.api_version()).await
    }

    /// A link; `None` when the instance has none of that name. An instance that is not there is an error.
    pub async fn link(&self, id: &LinkId) -> Result<Option<Link>, ArmError> {
        let url = self.url(&Address::link(id), self.view.api_version())?;
        present(self.read(url).await)
    }

    /// The certificate of the instance's endpoint, with its roots.
    pub async fn endpoint_certificate(&self, id: &InstanceId) -> Result<EndpointCertificate, ArmError> {
        let address = Address::instance(id).add("endpointCertificates").add("DATABASE_MIRRORING");
        // The stable version does not give the roots.
        let version = self.view.max(LinkView::WithMode).api_version();
        self.read(self.url(&address, version)?).await
    }

    /// The certificates of SQL Server's side that the instance trusts.
    pub async fn trust_certificates(&self, id: &InstanceId) -> Result<Vec<TrustCertificate>, ArmError> {
        self.list(&Address::instance(id).add("serverTrustCertificates"), SQL).await
    }

    /// One of them; `None` when there is none of that name.
    pub async fn trust_certificate(
        &self,
        id: &InstanceId,
        name: &str,
    ) -> Result<Option<TrustCertificate>, ArmError> {
        let url = self.url(&Address::instance(id).add("serverTrustCertificates").add(name), SQL)?;
        present(self.read(url).await)
    }

    /// What is being done, and was done lately, to an instance.
    pub async fn operations(&self, id: &InstanceId) -> Result<Vec<ManagementOperation>, ArmError> {
        self.list(&Address::instance(id).add("operations"), SQL).await
    }

    /// What the caller may do there, as far as can be seen.
    pub async fn permissions(&self, scope: &Scope) -> Result<Vec<PermissionEntry>, ArmError> {
        let address =
            Address::scope(scope).add("providers").add("Microsoft.Authorization").add("permissions");
        self.list(&address, PERMISSIONS).await
    }

    /// The failover groups of a region that the group's instances are in.
    pub async fn failover_groups(
        &self,
        group: &ResourceGroupId,
        location: &str,
    ) -> Result<Vec<InstanceFailoverGroup>, ArmError> {
        let address =
            Address::group(group).sql().add("locations").add(location).add("instanceFailoverGroups");
        self.list(&address, SQL).await
    }

    /// How far an operation is. It may have been begun by another process.
    pub async fn poll(&self, operation: &OperationRef) -> Result<Progress, ArmError> {
        let (text, is_status) = match (&operation.status_url, &operation.location_url) {
            (Some(status), _) => (status, true),
            (None, Some(location)) => (location, false),
            (None, None) => return Err(not_sent("the operation has no address")),
        };
        let url = address::given(&self.inner.endpoint, text)
            .map_err(|why| not_sent(format!("the operation's address is not followed: {why}")))?;
        match self.call(&Call::get(url)).await {
            Ok(answered) => progress(answered.good, is_status),
            Err(ArmError::NotFound { .. }) => Ok(Progress::Gone),
            Err(ArmError::Refused { code, .. }) if is_gone(&code) => Ok(Progress::Gone),
            // A Location answers with the operation's own failure.
            Err(ArmError::Refused { code, message, .. }) if !is_status => {
                Ok(Progress::Failed { code, message })
            }
            Err(error) => Err(error),
        }
    }
}

/// A delete of what is not there is accepted, and its operation fails with this code.
fn is_gone(code: &str) -> bool {
    code.eq_ignore_ascii_case("OperationIdNotFound")
}

/// What the answer about an operation says. Whatever is not known to be an end is none.
fn progress(good: Good, is_status: bool) -> Result<Progress, ArmError> {
    let retry_after = answer::retry_after(&good.headers).unwrap_or(POLL).min(POLL_MAX);
    let running = Progress::Running { retry_after };
    if !is_status {
        return Ok(if good.status == 202 { running } else { Progress::Succeeded });
    }
    let body = match good.body {
        Ok(Some(body)) => body,
        Ok(None) => return Ok(running),
        Err(why) => return Err(ArmError::Unexpected { status: good.status, why, ids: Box::new(good.ids) }),
    };
    let status = body.get("status").and_then(Value::as_str).unwrap_or_default();
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    if is("Succeeded") {
        Ok(Progress::Succeeded)
    } else if is("Failed") {
        let (code, message) = body.get("error").map(answer::code_and_message).unwrap_or_default();
        Ok(if is_gone(&code) { Progress::Gone } else { Progress::Failed { code, message } })
    } else if is("Canceled") || is("Cancelled") {
        Ok(Progress::Canceled)
    } else {
        Ok(running)
    }
}

/// `None` for a thing that its provider does not have. If Resource Manager itself does not find it, it is the instance or
/// its group that is missing, and then nothing is known of the thing.
fn present<T>(read: Result<T, ArmError>) -> Result<Option<T>, ArmError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(ArmError::NotFound { by_gateway: false, code, .. })
            if code.eq_ignore_ascii_case("ResourceNotFound") =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
