//! Management operations of an instance: what else is being done to it.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{Rest, or_empty, text};

words! {
    /// How far a management operation is. Here `Cancelled` has two l's; in a long-running operation it has one.
    OperationState {
        Pending = "Pending",
        InProgress = "InProgress",
        Succeeded = "Succeeded",
        Failed = "Failed",
        CancelInProgress = "CancelInProgress",
        Cancelled = "Cancelled",
    }
}

/// A management operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagementOperation {
    /// Its GUID.
    pub name: String,
    /// What is known of it.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: ManagementOperationProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

impl ManagementOperation {
    /// Whether it is not over. One whose state is unknown or absent counts as running: nothing is to be built on its end.
    pub fn is_running(&self) -> bool {
        match &self.properties.state {
            Some(OperationState::Succeeded | OperationState::Failed | OperationState::Cancelled) => false,
            Some(
                OperationState::Pending
                | OperationState::InProgress
                | OperationState::CancelInProgress
                | OperationState::Other(_),
            )
            | None => true,
        }
    }
}

/// What is known of a management operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagementOperationProperties {
    /// Which one, in Azure's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Which one, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_friendly_name: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<OperationState>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_complete: Option<f64>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When it may end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_completion_time: Option<String>,
    /// The number of its error.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What its error says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// Whether it can be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_cancellable: Option<bool>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}
