//! The calls that change something. Each answers what was accepted; what came of it is seen by following the operation, and
//! then by looking.

use milink_core::names::Hex;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::address::{self, Address};
use crate::answer::{self, header};
use crate::client::{Answered, ArmClient, Call, LinkView};
use crate::error::ArmError;
use crate::ids::{DatabaseId, InstanceId, LinkId};
use crate::models::instances::HybridUsage;
use crate::models::links::{FailoverType, LinkBody, LinkMode, LinkPatch, LinkRole, RoleChangeType};
use crate::operation::{Accepted, OperationRef};
use crate::reads::SQL;
use crate::retry::Repeat;

impl ArmClient {
    /// Creates a link. Azure takes the same body again for a link that is there.
    pub async fn put_link(&self, id: &LinkId, body: &LinkBody) -> Result<Accepted, ArmError> {
        let several = body.link_mode.as_ref().is_some_and(|mode| *mode != LinkMode::SingleDatabase);
        let url = self.link_url(id, several, None)?;
        self.write(Method::PUT, url, Some(body.to_json()), Repeat::Safe).await
    }

    /// Changes a link.
    pub async fn patch_link(&self, id: &LinkId, patch: &LinkPatch) -> Result<Accepted, ArmError> {
        let (several, repeat) = match patch {
            LinkPatch::ReplicationMode(_) => (false, Repeat::Safe),
            // It replaces the whole list, and somebody may have changed that between two tries.
            LinkPatch::Databases(_) => (true, Repeat::Never),
        };
        let url = self.link_url(id, several, None)?;
        self.write(Method::PATCH, url, Some(patch.to_json()), repeat).await
    }

    /// Removes a link. Azure accepts that of a link that is not there, too: look first.
    pub async fn delete_link(&self, id: &LinkId) -> Result<Accepted, ArmError> {
        self.write(Method::DELETE, self.link_url(id, false, None)?, None, Repeat::Safe).await
    }

    /// Fails a link over. It is never sent twice: after an uncertain answer, look.
    pub async fn failover(&self, id: &LinkId, how: FailoverType) -> Result<Accepted, ArmError> {
        let url = self.link_url(id, false, Some("failover"))?;
        self.write(Method::POST, url, Some(json!({ "failoverType": how })), Repeat::Never).await
    }

    /// Gives the instance a role. It is never sent twice: after an uncertain answer, look.
    pub async fn set_role(
        &self,
        id: &LinkId,
        role: LinkRole,
        how: RoleChangeType,
    ) -> Result<Accepted, ArmError> {
        let url = self.link_url(id, false, Some("setRole"))?;
        let body = json!({ "instanceRole": role, "roleChangeType": how });
        self.write(Method::POST, url, Some(body), Repeat::Never).await
    }

    /// Lets the instance trust a certificate of SQL Server's side, given as DER.
    pub async fn put_trust_certificate(
        &self,
        id: &InstanceId,
        name: &str,
        der: &Hex,
    ) -> Result<Accepted, ArmError> {
        let body = json!({ "properties": { "publicBlob": der.tsql() } });
        self.write(Method::PUT, self.trust_url(id, name)?, Some(body), Repeat::Safe).await
    }

    /// Lets the instance trust a certificate no longer.
    pub async fn delete_trust_certificate(&self, id: &InstanceId, name: &str) -> Result<Accepted, ArmError> {
        self.write(Method::DELETE, self.trust_url(id, name)?, None, Repeat::Safe).await
    }

    /// Deletes a database of the instance.
    pub async fn delete_database(&self, id: &DatabaseId) -> Result<Accepted, ArmError> {
        let url = self.url(&Address::instance(&id.instance).add("databases").add(&id.name), SQL)?;
        self.write(Method::DELETE, url, None, Repeat::Safe).await
    }

    /// Makes the instance a licence-free passive replica, or a paid one again.
    pub async fn set_hybrid_usage(&self, id: &InstanceId, usage: HybridUsage) -> Result<Accepted, ArmError> {
        let body = json!({ "properties": { "hybridSecondaryUsage": usage } });
        self.write(Method::PATCH, self.url(&Address::instance(id), SQL)?, Some(body), Repeat::Never).await
    }

    fn link_url(&self, id: &LinkId, several: bool, action: Option<&str>) -> Result<Url, ArmError> {
        let needed = if several { LinkView::WithMode } else { LinkView::Stable };
        let mut address = Address::link(id);
        if let Some(action) = action {
            address = address.add(action);
        }
        self.url(&address, self.view.max(needed).api_version())
    }

    fn trust_url(&self, id: &InstanceId, name: &str) -> Result<Url, ArmError> {
        self.url(&Address::instance(id).add("serverTrustCertificates").add(name), SQL)
    }

    async fn write(
        &self,
        method: Method,
        url: Url,
        body: Option<Value>,
        repeat: Repeat,
    ) -> Result<Accepted, ArmError> {
        let answered = self.call(&Call { method, url, body, repeat }).await?;
        Ok(accepted(&self.inner.endpoint, answered))
    }
}

/// What an accepted call is followed by. It stays accepted even if its operation cannot be followed: the note then says why.
fn accepted(endpoint: &Url, answered: Answered) -> Accepted {
    let Answered { good, attempts, after_lost_try } = answered;
    let mut note = None;
    let mut address = |name: &str| {
        let text = header(&good.headers, name)?;
        match address::given(endpoint, text) {
            Ok(_) => Some(text.to_owned()),
            Err(why) => {
                note = Some(format!("the operation's address ({name}) is not followed: {why}"));
                None
            }
        }
    };
    let status_url = address("azure-asyncoperation");
    let location_url = address("location");
    let operation = (status_url.is_some() || location_url.is_some()).then(|| OperationRef {
        status_url,
        location_url,
        ids: good.ids.clone(),
        after_lost_try,
    });
    if operation.is_some() {
        note = None;
    } else if note.is_none() && good.status == 202 {
        note = Some("Azure gave no address of the operation".to_owned());
    }
    Accepted {
        status: good.status,
        // A `Location` of something that is done already names the thing itself.
        operation: operation.filter(|op| good.status == 202 || op.status_url.is_some()),
        retry_after: answer::retry_after(&good.headers),
        // Status and headers say that it was accepted. A body that was lost on the way takes nothing from that.
        body: good.body.unwrap_or_default(),
        ids: good.ids,
        attempts,
        note,
    }
}
