//! What can go wrong with a call, by what the caller can do about it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The names that a request goes by, ours and Azure's. Azure's support asks for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestIds {
    /// The GUID that we sent (`x-ms-client-request-id`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_request_id: Option<String>,
    /// `x-ms-request-id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// `x-ms-correlation-request-id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub correlation_id: Option<String>,
    /// `x-ms-operation-identifier`; newer services only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operation_identifier: Option<String>,
}

impl fmt::Display for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            ("client request", &self.client_request_id),
            ("request", &self.request_id),
            ("correlation", &self.correlation_id),
        ];
        let shown: Vec<String> =
            named.iter().filter_map(|(name, id)| id.as_ref().map(|id| format!("{name} {id}"))).collect();
        f.write_str(&shown.join(", "))
    }
}

/// A call that did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArmError {
    /// The request never left this machine, or found no server: nothing has changed. Mend it, or try again.
    NotSent {
        /// Why not.
        why: String,
    },
    /// Azure said no, and why: nothing has changed.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Azure's code for it.
        code: String,
        /// Azure's words for it.
        message: String,
        /// The names of the request.
        ids: Box<RequestIds>,
    },
    /// Too many requests: nothing has changed. Try again, not before the time.
    Throttled {
        /// How long Azure wants to be left alone.
        retry_after: Option<Duration>,
        /// Azure's code for it.
        code: String,
        /// Azure's words for it.
        message: String,
        /// The names of the request.
        ids: Box<RequestIds>,
    },
    /// There is no token, or Azure does not take it: nothing has changed. Sign in.
    Unauthenticated {
        /// Why not.
        message: String,
        /// The names of the request, when there was one.
        ids: Box<RequestIds>,
    },
    /// The caller may not: nothing has changed. Get the permission.
    Forbidden {
        /// The action that is missing, when Azure names it.
        action: Option<String>,
        /// Where it is missing, when Azure names it.
        scope: Option<String>,
        /// Azure's code for it.
        code: String,
        /// Azure's words for it.
        message: String,
        /// The names of the request.
        ids: Box<RequestIds>,
    },
    /// It is not there.
    NotFound {
        /// Azure's code for it.
        code: String,
        /// Azure's words for it.
        message: String,
        /// Resource Manager itself said it: then it is the instance, the group or the subscription that is not there, and not
        /// the link or the certificate.
        by_gateway: bool,
        /// The names of the request.
        ids: Box<RequestIds>,
    },
    /// It was sent, and there is no answer that can be trusted: it may have been done. Observe, then decide.
    Uncertain {
        /// What happened.
        why: String,
        /// The names of the request.
        ids: Box<RequestIds>,
    },
    /// An answer that makes no sense. After a write it may have been done. Observe; then it is a matter for a person.
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What about it makes no sense.
        why: String,
        /// The names of the request.
        ids: Box<RequestIds>,
    },
}

/// Codes that say that something else is being done to the instance, and that later may do.
const BUSY: [&str; 9] = [
    "ConflictingServerOperation",
    "ConflictingSubscriptionOperation",
    "ManagedInstanceIsBusy",
    "ManagedInstanceOperationInProgress",
    "ManagedInstanceStarting",
    "ManagedInstanceUpdateSloInProgress",
    "OperationCanNotStartDueToMiLink",
    "AnotherOperationInProgress",
    "Conflict",
];

impl ArmError {
    /// Whether it is known that this call has changed nothing. If not, the world must be looked at before anything is done.
    pub fn is_certain(&self) -> bool {
        match self {
            ArmError::NotSent { .. }
            | ArmError::Refused { .. }
            | ArmError::Throttled { .. }
            | ArmError::Unauthenticated { .. }
            | ArmError::Forbidden { .. }
            | ArmError::NotFound { .. } => true,
            // An answer that makes no sense proves nothing.
            ArmError::Uncertain { .. } | ArmError::Unexpected { .. } => false,
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn is_busy(&self) -> bool {
        match self {
            ArmError::Refused { code, .. } => BUSY.iter().any(|busy| code.eq_ignore_ascii_case(busy)),
            ArmError::Throttled { .. } => true,
            ArmError::NotSent { .. }
            | ArmError::Unauthenticated { .. }
            | ArmError::Forbidden { .. }
            | ArmError::NotFound { .. }
            | ArmError::Uncertain { .. }
            | ArmError::Unexpected { .. } => false,
        }
    }

    /// Azure's code, when it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            ArmError::Refused { code, .. }
            | ArmError::Throttled { code, .. }
            | ArmError::Forbidden { code, .. }
            | ArmError::NotFound { code, .. } => Some(code),
            ArmError::NotSent { .. }
            | ArmError::Unauthenticated { .. }
            | ArmError::Uncertain { .. }
            | ArmError::Unexpected { .. } => None,
        }
    }

    /// The names of the request, when there was one.
    pub fn ids(&self) -> Option<&RequestIds> {
        match self {
            ArmError::NotSent { .. } => None,
            ArmError::Refused { ids, .. }
            | ArmError::Throttled { ids, .. }
            | ArmError::Unauthenticated { ids, .. }
            | ArmError::Forbidden { ids, .. }
            | ArmError::NotFound { ids, .. }
            | ArmError::Uncertain { ids, .. }
            | ArmError::Unexpected { ids, .. } => Some(ids),
        }
    }
}

impl fmt::Display for ArmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArmError::NotSent { why } => write!(f, "not sent: {why}")?,
            ArmError::Refused { status, code, message, .. } => {
                write!(f, "Azure refuses ({status} {code}): {message}")?;
            }
            ArmError::Throttled { retry_after, code, message, .. } => {
                write!(f, "Azure has too many requests ({code}): {message}")?;
                if let Some(time) = retry_after {
                    write!(f, " Try again in {} s.", time.as_secs())?;
                }
            }
            ArmError::Unauthenticated { message, .. } => write!(f, "not signed in: {message}")?,
            ArmError::Forbidden { action, scope, code, message, .. } => match (action, scope) {
                (Some(action), Some(scope)) => write!(f, "not allowed ({code}): {action} on {scope}")?,
                _ => write!(f, "not allowed ({code}): {message}")?,
            },
            ArmError::NotFound { code, message, .. } => write!(f, "not there ({code}): {message}")?,
            ArmError::Uncertain { why, .. } => write!(f, "sent, and it is not known what came of it: {why}")?,
            ArmError::Unexpected { status, why, .. } => write!(f, "an unexpected answer ({status}): {why}")?,
        }
        match self.ids().map(ToString::to_string).filter(|ids| !ids.is_empty()) {
            Some(ids) => write!(f, " [{ids}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ArmError {}
