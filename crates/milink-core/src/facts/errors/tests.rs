use std::collections::BTreeSet;

use super::super::sources::tests::check_source;
use super::*;

/// Every number that the documents name for links, groups and what is met on the way.
const DOCUMENTED: &[u32] = &[
    // Managed instance link errors.
    1408, 1412, 41947, 41948, 41949, 41950, 41951, 41952, 41954, 41961, 41962, 41964, 41965, 41968, 41969,
    41970, 41973, 41974, 41976, 41977, 41979, 41980, 41981, 41982, 41984, 41985, 41986, 41987, 41988, 41993,
    47521, // Availability groups and distributed ones on SQL Server.
    1475, 2812, 15151, 15581, 18452, 19494, 19495, 19496, 19497, 19498, 19499, 19501, 19502, 19503, 19504,
    19506, 19507, 19508, 19509, 19510, 19511, 19512, 19513, 35201, 35204, 35206, 35207, 35208, 35211, 35220,
    35221, 35232, 35236, 35237, 35238, 35240, 35244, 35248, 35249, 35250, 35251, 35252, 35253, 35256, 35259,
    35261, 35262, 35263, 35264, 35265, 35266, 35267, 35274, 35277, 35278, 35280, 35281, 35288, 976, 978,
    9002, 41937, 41939, // From the field.
    8992,
];

/// Every code that the documents, the recordings or the specification name.
const DOCUMENTED_CODES: &[&str] = &[
    // Of links.
    "ManagedInstanceLinkConnectivityIsNotEstablished",
    "ManagedInstanceLinkCertificateNotFoundOnManagedInstance",
    "ManagedInstanceLinkCertificateNotFoundOnSqlServer",
    "CloudLifterChimeraAvailabilityGroupConnectionCannotBeEstablished",
    "CloudLifterChimeraEstablishDbConnectionNotEstablished",
    "ManagedInstanceLinkTdeCertificateMissing",
    "ManagedInstanceLinkSourceDbHasHekatonFile",
    "ManagedInstanceLinkSourceDbHasMultipleLogFiles",
    "ManagedInstanceLinkSourceDbHasFilestream",
    "ManagedInstanceLinkSourceDbHasDefunctFiles",
    "ManagedInstanceLinkUnsupportedNumberOfFilesOnSourceDb",
    "CloudLifterChimeraMIAgNameIsAlreadyUsed",
    "CloudLifterChimeraBoxAndMiOnDifferentDbVersionsFailoverModeManual",
    "ManagedInstanceLinkForProvidedAvailabilityGroupsAlreadyExists",
    "ManagedInstanceLinkIsNotFound",
    "ManagedInstanceLinkIsNotInTheCatchupState",
    // Of requests.
    "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequest",
    "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestInstanceAvailabilityGroupName",
    "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestPartnerAvailabilityGroupName",
    "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestPartnerEndpoint",
    "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestDatabases",
    "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestSeedingMode",
    "InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch",
    "InvalidMultiDbDistributedAvailabilityGroupName",
    "InvalidMultiDbDistributedAvailabilityGroupDatabasesRequest",
    "InvalidDistributedAvailabilityGroupFailoverInstanceRole",
    "InvalidParameterValue",
    // Of failover and setRole.
    "DistributedAvailabilityGroupFailoverSecondariesNotSynchronizing",
    "DistributedAvailabilityGroupFailoverLogSendQueueSizeTooBig",
    "DistributedAvailabilityGroupFailoverRedoQueueSizeTooBig",
    "DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole",
    "DistributedAvailabilityGroupSetRoleChangeRoleAlreadyInProgress",
    "DistributedAvailabilityGroupSetRoleFailed",
    "DistributedAvailabilityGroupSetRolePrimaryPlannedNotSupported",
    "DistributedAvailabilityGroupDbEncryptedWithSmk",
    "DistributedAvailabilityGroupDbCannotBeEncryptedWhenPrimaryInMiLink",
    "DistributedAvailabilityGroupProtectorCannotBeUpdtedToSmk",
    "DistributedAvailabilityGroupMiPrimaryWithGeodr",
    // Of instances and databases.
    "OperationCanNotStartDueToMiLink",
    "ServerNotInSubscriptionResourceGroup",
    "ConflictingServerOperation",
    "ManagedInstanceIsBusy",
    "ConflictingDatabaseOperation",
    "RemoteDatabaseExists",
    "OperationCancelled",
    "ManagedDatabaseNameInUse",
    "NoMoreSpaceInManagedInstance",
    "DatabaseNumberLimitReached",
    "ManagedInstanceStoppingOrStopped",
    "ManagedInstanceStarting",
    "ManagedInstanceUpdateSloInProgress",
    "ManagedInstanceOperationInProgress",
    "UnableToResolveRemoteServer",
    "OperationTimedOut",
    "InvalidStorageSizeValue",
    "ServerDisabled",
    "OperationIdNotFound",
    // Of Azure Resource Manager.
    "ResourceNotFound",
    "ResourceGroupNotFound",
    "SubscriptionNotFound",
    "SubscriptionDisabled",
    "ConflictingSubscriptionOperation",
    "SubscriptionTooManyRequests",
    "SubscriptionTooManyCreateUpdateRequests",
    "GatewayInternalServerError",
    "TooManyRequests",
    "RequestTimeout",
    "AuthenticationFailed",
    "InvalidAuthenticationToken",
    "ExpiredAuthenticationToken",
    "AuthorizationFailed",
    "MissingApiVersionParameter",
    "NoRegisteredProviderFound",
    "InvalidApiVersionParameter",
    "InvalidResourceType",
    "ScopeLocked",
];

fn check_texts(row: &str, e: &Explanation) {
    for text in [e.symptom, e.cause, e.fix] {
        assert!(text.len() >= 7 && !text.ends_with('.'), "{row}: {text:?}");
        assert!(text == text.trim() && !text.contains("  "), "{row}: {text:?}");
    }
    assert!(e.command.is_none_or(|c| c.len() >= 10 && c == c.trim()), "{row}: {:?}", e.command);
    check_source(e.source, row);
}

#[test]
fn every_documented_number_is_explained() {
    let missing: Vec<&u32> = DOCUMENTED.iter().filter(|n| lookup(**n).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let known: BTreeSet<u32> = DOCUMENTED.iter().copied().collect();
    let extra: Vec<u32> = numbers().map(|f| f.number).filter(|n| !known.contains(n)).collect();
    assert!(extra.is_empty(), "these are in the table and not in the documents' list: {extra:?}");
    assert_eq!(lookup(50000), None);
}

#[test]
fn every_documented_code_is_explained_by_its_own_row() {
    for wanted in DOCUMENTED_CODES {
        let found = lookup_code(wanted).map(|f| f.code);
        assert_eq!(found, Some(*wanted));
    }
    let known: BTreeSet<&str> = DOCUMENTED_CODES.iter().copied().collect();
    let extra: Vec<&str> = codes().filter(|f| !f.family && !known.contains(f.code)).map(|f| f.code).collect();
    assert!(extra.is_empty(), "these are in the table and not in the documents' list: {extra:?}");
}

#[test]
fn rows_are_sorted_and_whole() {
    for table in [engine::FACTS, group::FACTS, link::FACTS] {
        assert!(table.is_sorted_by(|a, b| a.number < b.number), "lookup searches by halves");
    }
    for fact in numbers() {
        check_texts(&fact.number.to_string(), &fact.explanation);
        assert_eq!(lookup(fact.number), Some(fact), "no number twice");
    }
    for table in [provider::FACTS, azure::FACTS] {
        assert!(table.is_sorted_by(|a, b| a.code.to_lowercase() < b.code.to_lowercase()));
    }
    for fact in codes() {
        // This also proves that each number which a code names has a row.
        check_texts(fact.code, &fact.explanation());
        assert_eq!(lookup_code(fact.code), Some(fact), "no code twice");
        assert!(fact.http.is_none_or(|status| (400..600).contains(&status)), "{}", fact.code);
    }
    assert!(SYMPTOMS.is_sorted_by(|a, b| a.name < b.name));
    for s in SYMPTOMS {
        check_source(s.source, s.name);
        assert!(!s.symptom.is_empty() && !s.cause.is_empty() && !s.fix.is_empty());
        assert!(s.text.is_none_or(|t| t == t.to_ascii_lowercase()), "{}", s.name);
    }
}

#[test]
fn codes_are_found_without_case_and_by_their_family() {
    let found = |code| lookup_code(code).map(|f| (f.code, f.family));
    assert_eq!(found("resourcenotfound"), Some(("ResourceNotFound", false)));
    assert_eq!(
        found("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestLinkMode"),
        Some(("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequest", true))
    );
    assert_eq!(found("ManagedInstanceLinkSourceDbHasLedger"), Some(("ManagedInstanceLinkSourceDbHas", true)));
    assert_eq!(found("ManagedInstanceLinkSomethingNew"), Some(("ManagedInstanceLink", true)));
    assert_eq!(
        found("distributedavailabilitygroupsetroleSomething"),
        Some(("DistributedAvailabilityGroupSetRole", true))
    );
    // A code that only begins like an ordinary row is not that row.
    assert_eq!(found("ResourceNotFoundAtAll"), None);
    assert_eq!(found("Kühlschrank"), None);
    assert_eq!(found(""), None);
}

#[test]
fn a_code_that_says_what_a_number_says_is_explained_once() {
    let fact = lookup_code("ManagedInstanceLinkCertificateNotFoundOnManagedInstance").unwrap();
    assert_eq!(fact.number(), Some(41973));
    assert_eq!(fact.explanation(), lookup(41973).unwrap().explanation);
}

#[test]
fn a_log_s_line_shows_its_symptom() {
    let line = "Tried to send redirect request but the Redirect String is empty";
    assert_eq!(symptom_in(line).map(|s| s.name), Some("redirect-string-empty"));
    assert_eq!(symptom_in("Recovery is complete."), None);
}
