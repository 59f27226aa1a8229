//! Azure's error envelope, and the errors by their codes and wordings.

use serde_json::json;

use crate::instance::InstanceError;
use crate::message::Response;

/// What a request ends with that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArmError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// SQL Server's own numbers, and what Azure calls them. What is not here goes by its number: see docs/parity.md.
const CODES: [(i32, &str); 25] = [
    (41_042, "CloudLifterChimeraMIAgNameIsAlreadyUsed"),
    (41_947, "ManagedInstanceLinkSourceDbHasHekatonFile"),
    (41_948, "ManagedInstanceLinkSourceDbHasMultipleLogFiles"),
    (41_949, "ManagedInstanceLinkUnsupportedNumberOfFilesOnSourceDb"),
    (41_950, "ManagedInstanceLinkSourceDbHasFilestream"),
    (41_951, "ManagedInstanceLinkSourceDbHasDefunctFiles"),
    (41_962, "ManagedInstanceLinkConnectivityIsNotEstablished"),
    (41_965, "DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole"),
    (41_968, "DistributedAvailabilityGroupSetRoleChangeRoleAlreadyInProgress"),
    (41_969, "DistributedAvailabilityGroupSetRoleFailed"),
    (41_970, "DistributedAvailabilityGroupSetRolePrimaryPlannedNotSupported"),
    (41_973, "ManagedInstanceLinkCertificateNotFoundOnManagedInstance"),
    (41_974, "ManagedInstanceLinkCertificateNotFoundOnSqlServer"),
    (41_976, "CloudLifterChimeraAvailabilityGroupConnectionCannotBeEstablished"),
    (41_977, "CloudLifterChimeraEstablishDbConnectionNotEstablished"),
    (41_979, "DistributedAvailabilityGroupDbEncryptedWithSmk"),
    (41_980, "DistributedAvailabilityGroupDbCannotBeEncryptedWhenPrimaryInMiLink"),
    (41_981, "DistributedAvailabilityGroupProtectorCannotBeUpdtedToSmk"),
    (41_982, "DistributedAvailabilityGroupMiPrimaryWithGeodr"),
    (41_986, "ManagedInstanceLinkConnectivityIsNotEstablished"),
    (41_987, "CloudLifterChimeraMIAgNameIsAlreadyUsed"),
    (41_988, "CloudLifterChimeraBoxAndMiOnDifferentDbVersionsFailoverModeManual"),
    (47_515, "DistributedAvailabilityGroupFailoverLogSendQueueSizeTooBig"),
    (47_516, "DistributedAvailabilityGroupFailoverRedoQueueSizeTooBig"),
    (3702, "ConflictingDatabaseOperation"),
];

/// What Azure calls an error of the instance.
pub(crate) fn code_of(number: i32) -> String {
    CODES
        .iter()
        .find(|(n, _)| *n == number)
        .map_or_else(|| number.to_string(), |(_, code)| (*code).to_owned())
}

impl ArmError {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> ArmError {
        ArmError { status, code: code.into(), message: message.into(), headers: Vec::new() }
    }

    /// Resource Manager itself answers, not the provider.
    fn by_gateway(mut self) -> ArmError {
        self.headers.push(("x-ms-failure-cause", "gateway".to_owned()));
        self
    }

    /// The envelope's inside.
    pub(crate) fn body(&self) -> serde_json::Value {
        json!({"code": self.code, "message": self.message})
    }

    pub(crate) fn response(self) -> Response {
        let body = json!({ "error": self.body() });
        Response { status: self.status, headers: self.headers, body: Some(body) }
    }

    /// What the instance says to a question; that it does not answer is Azure's fault, not the caller's.
    pub(crate) fn of_instance(error: &InstanceError) -> ArmError {
        match error {
            InstanceError::Refused { number, text } => ArmError::new(400, code_of(*number), text.clone()),
            InstanceError::Silent => ArmError::internal(),
        }
    }

    pub(crate) fn internal() -> ArmError {
        ArmError::new(500, "InternalServerError", "An unexpected error occured while processing the request.")
    }

    pub(crate) fn throttled(retry_after_s: u32) -> ArmError {
        let mut error = ArmError::new(
            429,
            "SubscriptionTooManyRequests",
            "Requests beyond max requests that can be processed by available resources.",
        );
        error.headers.push(("Retry-After", retry_after_s.to_string()));
        error
    }

    pub(crate) fn too_many_operations(retry_after_s: u32) -> ArmError {
        let mut error = ArmError::new(
            429,
            "SubscriptionTooManyCreateUpdateRequests",
            "Requests beyond max requests that can be processed by available resources.",
        );
        error.headers.push(("Retry-After", retry_after_s.to_string()));
        error
    }

    pub(crate) fn unauthorized(tenant: &str, origin: &str, code: &str, message: &str) -> ArmError {
        let mut error = ArmError::new(401, code, message);
        error.headers.push((
            "WWW-Authenticate",
            format!(
                "Bearer authorization_uri=\"{origin}/{tenant}\", error=\"invalid_token\", error_description=\"{}\"",
                message.replace('"', "'")
            ),
        ));
        error
    }

    pub(crate) fn forbidden(client: &str, object: &str, action: &str, scope: &str) -> ArmError {
        let message = format!(
            "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' \
             over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
        );
        ArmError::new(403, "AuthorizationFailed", message)
    }

    pub(crate) fn no_api_version() -> ArmError {
        ArmError::new(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
        .by_gateway()
    }

    pub(crate) fn bad_api_version(version: &str, supported: &str) -> ArmError {
        let message =
            format!("The api-version '{version}' is invalid. The supported versions are '{supported}'.");
        ArmError::new(400, "InvalidApiVersionParameter", message).by_gateway()
    }

    pub(crate) fn no_registered_provider(
        location: &str,
        version: &str,
        kind: &str,
        supported: &str,
    ) -> ArmError {
        let message = format!(
            "No registered resource provider found for location '{location}' and API version '{version}' for type \
             '{kind}'. The supported api-versions are '{supported}'. The supported locations are '{location}'."
        );
        ArmError::new(400, "NoRegisteredProviderFound", message).by_gateway()
    }

    pub(crate) fn no_type(kind: &str, namespace: &str, version: &str, supported: &str) -> ArmError {
        let message = format!(
            "The resource type '{kind}' could not be found in the namespace '{namespace}' for api version '{version}'. \
             The supported api-versions are '{supported}'."
        );
        ArmError::new(404, "InvalidResourceType", message).by_gateway()
    }

    pub(crate) fn no_subscription(id: &str) -> ArmError {
        let message = format!("The subscription '{id}' could not be found.");
        ArmError::new(404, "SubscriptionNotFound", message).by_gateway()
    }

    pub(crate) fn bad_subscription(id: &str) -> ArmError {
        let message = format!("The provided subscription identifier '{id}' is malformed or invalid.");
        ArmError::new(400, "InvalidSubscriptionId", message).by_gateway()
    }

    pub(crate) fn no_group(name: &str) -> ArmError {
        let message = format!("Resource group '{name}' could not be found.");
        ArmError::new(404, "ResourceGroupNotFound", message).by_gateway()
    }

    /// Resource Manager does not know the instance.
    pub(crate) fn no_instance(name: &str, group: &str) -> ArmError {
        let message = format!(
            "The Resource 'Microsoft.Sql/managedInstances/{name}' under resource group '{group}' was not found. For more \
             details please go to https://aka.ms/ARMResourceNotFoundFix"
        );
        ArmError::new(404, "ResourceNotFound", message).by_gateway()
    }

    /// The provider does not know what is in the instance.
    pub(crate) fn no_resource(kind: &str, name: &str) -> ArmError {
        let message = format!(
            "The requested resource of type 'Microsoft.Sql/{kind}' with name '{name}' was not found."
        );
        ArmError::new(404, "ResourceNotFound", message)
    }

    /// Nothing is known at such a path.
    pub(crate) fn no_path(path: &str) -> ArmError {
        let message = format!("No HTTP resource was found that matches the request path '{path}'.");
        ArmError::new(404, "NotFound", message).by_gateway()
    }

    pub(crate) fn no_method(method: &str, path: &str) -> ArmError {
        let message = format!("The requested resource '{path}' does not support http method '{method}'.");
        ArmError::new(405, "MethodNotAllowed", message)
    }

    /// Azure has it, the lab has not.
    pub(crate) fn not_in_lab(what: &str) -> ArmError {
        ArmError::new(501, "NotImplemented", format!("The lab does not have '{what}'."))
    }

    pub(crate) fn bad_content(why: &str) -> ArmError {
        let message = format!("The request content was invalid and could not be deserialized: '{why}'.");
        ArmError::new(400, "InvalidRequestContent", message).by_gateway()
    }

    /// Of a type that the provider did not expect.
    pub(crate) fn bad_body(property: &str) -> ArmError {
        let message = format!(
            "The resource or resource properties in the request body is empty or invalid: property '{property}'."
        );
        ArmError::new(400, "InvalidResourceRequestBody", message)
    }

    pub(crate) fn bad_value(parameter: &str) -> ArmError {
        let message =
            format!("Invalid value given for parameter {parameter}. Specify a valid parameter value.");
        ArmError::new(400, "InvalidParameterValue", message)
    }

    pub(crate) fn bad_name(name: &str, longest: usize) -> ArmError {
        let shown: String = name.chars().take(64).collect();
        let message = format!(
            "The provided resource name '{shown}' is invalid: it must have between 1 and {longest} characters and none of \
             '<>%&\\?/' or control characters."
        );
        ArmError::new(400, "InvalidResourceName", message)
    }

    pub(crate) fn conflicting() -> ArmError {
        ArmError::new(
            409,
            "ConflictingServerOperation",
            "An operation is currently in progress for the server.",
        )
    }
}
