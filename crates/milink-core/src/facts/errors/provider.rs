//! Codes of the SQL resource provider: about links, their databases and their instance.

use super::Phase::{Any, Create, Drop, Failover, Run};
use super::Severity::{Critical, Failure, Information, Transient};
use super::{CodeFact, code, same};

const LINK: &str = "REST, errors of links";
const BODY: &str = "REST, errors of links; Recorded, refused requests";
const INSTANCE: &str = "REST, errors of managed instances";
const FAILOVER: &str = "REST, errors of failover and set role";

/// Sorted by code, without case.
pub(super) const FACTS: &[CodeFact] = &[
    code("CloudLifterChimera", None, Create, Failure)
        .of_family()
        .says("Azure's internal name of links precedes a code that these tables do not have")
        .because("the rest of the code, and the message, say what it is about")
        .mend("read the message; look at the link's mostRecentLinkError, whose number may be known")
        .run("az sql mi link show --resource-group <rg> --instance-name <mi> --name <link>")
        .per(LINK),
    same("CloudLifterChimeraAvailabilityGroupConnectionCannotBeEstablished", None, 41976),
    same("CloudLifterChimeraBoxAndMiOnDifferentDbVersionsFailoverModeManual", None, 41988),
    same("CloudLifterChimeraEstablishDbConnectionNotEstablished", None, 41977),
    same("CloudLifterChimeraMIAgNameIsAlreadyUsed", None, 41987),
    code("ConflictingDatabaseOperation", Some(409), Any, Transient)
        .says("another operation on the database is running")
        .because("one at a time is possible")
        .mend("wait until it has ended, look what it did, ask again")
        .run("az sql mi op list --resource-group <rg> --managed-instance <mi>")
        .per(INSTANCE),
    code("ConflictingServerOperation", Some(409), Any, Transient)
        .says("another operation on the managed instance is running")
        .because("one at a time is possible; scaling takes hours")
        .mend("wait until it has ended, then ask again")
        .run("az sql mi op list --resource-group <rg> --managed-instance <mi>")
        .per(INSTANCE),
    code("DatabaseNumberLimitReached", Some(400), Create, Failure)
        .says("the managed instance cannot hold another database")
        .because("its tier's number of databases is reached, system databases aside")
        .mend("drop databases or use another instance; next-generation General Purpose holds 500 instead of 100")
        .run("az sql midb list --resource-group <rg> --managed-instance <mi> --query \"length(@)\"")
        .per(INSTANCE),
    same("DistributedAvailabilityGroupDbCannotBeEncryptedWhenPrimaryInMiLink", Some(409), 41980),
    same("DistributedAvailabilityGroupDbEncryptedWithSmk", Some(409), 41979),
    code("DistributedAvailabilityGroupFailover", None, Failover, Failure)
        .of_family()
        .says("the failover is refused")
        .because("the rest of the code names the condition that does not hold")
        .mend("observe both sides; mend what the message names; ask again")
        .per(FAILOVER),
    code("DistributedAvailabilityGroupFailoverLogSendQueueSizeTooBig", Some(409), Failover, Failure)
        .says("the planned failover is refused: too much log has not been sent yet")
        .because("the primary writes more than the network takes; the limit is not published")
        .mend("stop the workload, wait until log_send_queue_size is near 0, ask again")
        .run("SELECT DB_NAME(database_id), log_send_queue_size, log_send_rate FROM sys.dm_hadr_database_replica_states")
        .per(FAILOVER),
    code("DistributedAvailabilityGroupFailoverRedoQueueSizeTooBig", Some(409), Failover, Failure)
        .says("the planned failover is refused: the secondary has too much log that it has not redone")
        .because("it is weaker than the primary, or a long query holds its redo back; the limit is not published")
        .mend("stop the workload and long queries on the secondary, wait until redo_queue_size is near 0, ask again")
        .run("SELECT DB_NAME(database_id), redo_queue_size, redo_rate FROM sys.dm_hadr_database_replica_states")
        .per(FAILOVER),
    code("DistributedAvailabilityGroupFailoverSecondariesNotSynchronizing", Some(409), Failover, Failure)
        .says("the planned failover is refused: the secondary does not synchronise")
        .because("it is disconnected, suspended, or still being seeded")
        .mend("bring it to SYNCHRONIZING first; if the primary is lost for good, only a forced failover is left")
        .run("SELECT DB_NAME(database_id), synchronization_state_desc, suspend_reason_desc FROM sys.dm_hadr_database_replica_states")
        .per(FAILOVER),
    same("DistributedAvailabilityGroupMiPrimaryWithGeodr", Some(409), 41982),
    same("DistributedAvailabilityGroupProtectorCannotBeUpdtedToSmk", Some(409), 41981),
    code("DistributedAvailabilityGroupSetRole", None, Failover, Failure)
        .of_family()
        .says("the role change is refused")
        .because("the rest of the code names the condition that does not hold")
        .mend("observe the roles of both sides; mend what the message names; ask again")
        .per(FAILOVER),
    same("DistributedAvailabilityGroupSetRoleChangeRoleAlreadyInProgress", Some(409), 41968),
    same("DistributedAvailabilityGroupSetRoleFailed", Some(409), 41969),
    same("DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole", Some(409), 41965),
    same("DistributedAvailabilityGroupSetRolePrimaryPlannedNotSupported", Some(409), 41970),
    code("InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch", Some(400), Create, Failure)
        .says("the two availability groups have the same name")
        .because("the group on the managed instance and the one on SQL Server must differ")
        .mend("name them apart, such as AG_<db> and AG_<db>_MI")
        .per(LINK),
    code("InvalidDistributedAvailabilityGroupFailoverInstanceRole", Some(400), Failover, Failure)
        .says("the planned failover is refused: the managed instance is the secondary")
        .because("a planned failover is asked of the side that is primary, which is SQL Server now")
        .mend("run it on SQL Server")
        .run("ALTER AVAILABILITY GROUP [<link>] FAILOVER  -- on SQL Server")
        .per("REST, failover; Recorded, refused requests"),
    code("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequest", Some(400), Create, Failure)
        .of_family()
        .says("the request for the link is refused")
        .because("a property of its body is empty or not valid; the rest of the code names it, where there is a rest")
        .mend("correct that property")
        .per(BODY),
    code("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestDatabases", Some(400), Create, Failure)
        .says("the request for the link is refused because of its databases")
        .because("the list is empty, or has several databases without linkMode MultiDatabase")
        .mend("name one database for each link, or ask for a multiple-database link")
        .run("az sql mi link create ... --link-mode MultiDatabase")
        .per(BODY),
    code("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestInstanceAvailabilityGroupName", Some(400), Create, Failure)
        .says("the request for the link is refused: the name of the managed instance's group is empty or not valid")
        .because("instanceAvailabilityGroupName is missing or malformed")
        .mend("give it, such as AG_<db>_MI")
        .per(BODY),
    code("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestPartnerAvailabilityGroupName", Some(400), Create, Failure)
        .says("the request for the link is refused: the name of SQL Server's group is empty or not valid")
        .because("partnerAvailabilityGroupName is missing or malformed")
        .mend("give the exact name of the availability group on SQL Server")
        .run("SELECT name FROM sys.availability_groups WHERE is_distributed = 0")
        .per(BODY),
    code("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestPartnerEndpoint", Some(400), Create, Failure)
        .says("the request for the link is refused: SQL Server's address is empty or not valid")
        .because("partnerEndpoint is not of the form tcp://host:port")
        .mend("give the address at which the managed instance reaches SQL Server's endpoint")
        .per(LINK),
    code("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestSeedingMode", Some(400), Create, Failure)
        .says("the request for the link is refused because of its seeding mode")
        .because("Azure takes Automatic only, today")
        .mend("ask for seedingMode Automatic")
        .per(LINK),
    code("InvalidMultiDbDistributedAvailabilityGroup", Some(400), Create, Failure)
        .of_family()
        .says("the request for a multiple-database link is refused")
        .because("the rest of the code names what is not valid")
        .mend("correct it")
        .per(BODY),
    code("InvalidMultiDbDistributedAvailabilityGroupDatabasesRequest", Some(400), Run, Failure)
        .says("the change of a link's databases is refused")
        .because("the list is empty or missing: an update carries the whole new list")
        .mend("send the whole list; what it leaves out leaves the link")
        .per(BODY),
    code("InvalidMultiDbDistributedAvailabilityGroupName", Some(400), Create, Failure)
        .says("the name of a multiple-database link is refused")
        .because("it may have lowercase letters a to z, digits and inner hyphens only")
        .mend("choose such a name; the distributed group on SQL Server must have the same")
        .per(BODY),
    code("InvalidStorageSizeValue", Some(405), Any, Failure)
        .of_family()
        .says("a change of the managed instance's size is refused")
        .because("the storage size does not fit its tier and its vCores")
        .mend("choose a size that the tier offers")
        .per(INSTANCE),
    code("ManagedDatabaseNameInUse", Some(400), Create, Failure)
        .says("the managed instance has a database of that name")
        .because("the copy gets the source's name, and the name is taken there, perhaps by the copy of an earlier link")
        .mend("make sure that nobody needs it, then drop or rename it, or choose another instance")
        .run("az sql midb show --resource-group <rg> --managed-instance <mi> --name <db>")
        .per(INSTANCE),
    code("ManagedInstanceIsBusy", Some(409), Any, Transient)
        .says("the managed instance is busy with another operation")
        .because("one at a time is possible")
        .mend("wait until it has ended, then ask again")
        .run("az sql mi op list --resource-group <rg> --managed-instance <mi>")
        .per(INSTANCE),
    code("ManagedInstanceLink", None, Any, Failure)
        .of_family()
        .says("the link has a fault that these tables do not have by name")
        .because("the rest of the code, and the message, say what it is about")
        .mend("read the message; look at the link's mostRecentLinkError, whose number may be known")
        .run("az sql mi link show --resource-group <rg> --instance-name <mi> --name <link>")
        .per(LINK),
    same("ManagedInstanceLinkCertificateNotFoundOnManagedInstance", None, 41973),
    same("ManagedInstanceLinkCertificateNotFoundOnSqlServer", None, 41974),
    same("ManagedInstanceLinkConnectivityIsNotEstablished", None, 41986),
    code("ManagedInstanceLinkForProvidedAvailabilityGroupsAlreadyExists", None, Create, Failure)
        .says("a link between these two availability groups exists")
        .because("in single-database mode each link has its own database and its own pair of groups")
        .mend("use that link, or give the second database its own groups")
        .run("az sql mi link list --resource-group <rg> --instance-name <mi>")
        .per(LINK),
    code("ManagedInstanceLinkIsNotFound", None, Any, Information)
        .says("the managed instance has no such link")
        .because("it was deleted, never came to be, or the name is misspelt")
        .mend("when deleting, nothing: it is gone there; look whether SQL Server's half is still there")
        .run("az sql mi link list --resource-group <rg> --instance-name <mi>")
        .per(LINK),
    code("ManagedInstanceLinkIsNotInTheCatchupState", None, Any, Failure)
        .says("the operation is refused: the link has not caught up")
        .because("seeding has not ended, or the sides are not connected")
        .mend("wait until replicaState is LinkSynchronizing, then ask again")
        .run("az sql mi link show --resource-group <rg> --instance-name <mi> --name <link> --query databases[].replicaState")
        .per(LINK),
    code("ManagedInstanceLinkSourceDbHas", None, Create, Failure)
        .of_family()
        .says("the database has something that a managed instance cannot take")
        .because("the rest of the code names it")
        .mend("remove it from the database, then create the link again")
        .per(LINK),
    same("ManagedInstanceLinkSourceDbHasDefunctFiles", None, 41951),
    same("ManagedInstanceLinkSourceDbHasFilestream", None, 41950),
    same("ManagedInstanceLinkSourceDbHasHekatonFile", None, 41947),
    same("ManagedInstanceLinkSourceDbHasMultipleLogFiles", None, 41948),
    code("ManagedInstanceLinkTdeCertificateMissing", None, Create, Failure)
        .says("the database is encrypted, and the managed instance has not its key")
        .because("the certificate or key of transparent data encryption was not brought there before the link")
        .mend("upload the certificate with its private key, or use a key vault with the same key as the instance's protector, then create the link again")
        .run("Add-AzSqlManagedInstanceTransparentDataEncryptionCertificate -ResourceGroupName <rg> -ManagedInstanceName <mi> -PrivateBlob <pfx> -Password <password>")
        .per("Overview, limitations; REST, errors of links"),
    same("ManagedInstanceLinkUnsupportedNumberOfFilesOnSourceDb", None, 41949),
    code("ManagedInstanceOperationInProgress", Some(400), Any, Transient)
        .says("an operation of the managed instance is in progress")
        .because("it scales, is updated, or is being changed")
        .mend("wait until it has ended, then ask again")
        .run("az sql mi op list --resource-group <rg> --managed-instance <mi>")
        .per(INSTANCE),
    code("ManagedInstanceStarting", Some(400), Any, Transient)
        .says("the managed instance is starting")
        .because("it was stopped, and somebody has started it")
        .mend("wait until its state is Ready")
        .run("az sql mi show --resource-group <rg> --name <mi> --query state")
        .per(INSTANCE),
    code("ManagedInstanceStoppingOrStopped", Some(400), Any, Failure)
        .says("the managed instance is stopped, or is stopping")
        .because("somebody, or a schedule, has stopped it; meanwhile the log of a linked primary grows")
        .mend("start it, and take linked instances off the schedule")
        .run("az sql mi start --resource-group <rg> --mi <mi>")
        .per(INSTANCE),
    code("ManagedInstanceUpdateSloInProgress", Some(400), Any, Transient)
        .says("the managed instance is being scaled")
        .because("its tier, vCores or storage are being changed, which can take hours")
        .mend("wait until it has ended, then ask again")
        .run("az sql mi op list --resource-group <rg> --managed-instance <mi>")
        .per(INSTANCE),
    code("NoMoreSpaceInManagedInstance", Some(400), Create, Failure)
        .says("the managed instance has no room for the database")
        .because("its reserved storage is smaller than what its databases and this one need")
        .mend("enlarge the instance's storage, then create the link again")
        .run("az sql mi update --resource-group <rg> --name <mi> --storage <size>GB")
        .per(INSTANCE),
    code("OperationCancelled", Some(409), Any, Failure)
        .says("the operation was cancelled")
        .because("somebody cancelled it, or a later one displaced it")
        .mend("observe both sides: a part of it may have been done; then ask again")
        .run("az sql mi op list --resource-group <rg> --managed-instance <mi>")
        .per(INSTANCE),
    code("OperationCanNotStartDueToMiLink", Some(400), Any, Transient)
        .says("an operation of the managed instance is refused while a link is being created")
        .because("seeding would not survive it")
        .mend("wait until seeding has ended, or delete the link that is being created")
        .per(INSTANCE),
    code("OperationIdNotFound", None, Drop, Information)
        .says("a deletion that was accepted has ended as failed")
        .because("there was no such link: deleting nothing is accepted (202) and fails afterwards")
        .mend("nothing: it is gone already; look whether SQL Server's half is still there")
        .run("az sql mi link list --resource-group <rg> --instance-name <mi>")
        .per("Recorded, deletion of a missing link"),
    code("OperationTimedOut", Some(500), Any, Failure)
        .says("the operation took too long and was rolled back")
        .because("the service gave it up")
        .mend("observe both sides before asking again: SQL Server's half is not rolled back")
        .per(INSTANCE),
    code("RemoteDatabaseExists", Some(409), Create, Failure)
        .says("the other side has a database of that name")
        .because("the copy gets the source's name, and the name is taken there")
        .mend("make sure that nobody needs it, then drop or rename it there")
        .run("SELECT name, state_desc FROM sys.databases WHERE name = N'<db>'")
        .per(INSTANCE),
    code("ServerDisabled", Some(409), Any, Critical)
        .says("the managed instance is disabled")
        .because("Azure has disabled it, mostly with its subscription or because of its key")
        .mend("look at the subscription's state and the key vault; ask Azure's support")
        .per(INSTANCE),
    code("ServerNotInSubscriptionResourceGroup", Some(404), Any, Failure)
        .says("the managed instance is not in this resource group and subscription")
        .because("the group, the subscription or the name is wrong")
        .mend("look for the instance in all subscriptions that the caller sees")
        .run("az sql mi list --query \"[].{name:name, group:resourceGroup}\"")
        .per(INSTANCE),
    code("UnableToResolveRemoteServer", Some(400), Create, Failure)
        .says("the managed instance cannot resolve SQL Server's name")
        .because("the name in partnerEndpoint is not known to the DNS that the instance's subnet uses")
        .mend("give an address instead of a name, or add the name to the virtual network's DNS")
        .per(INSTANCE),
];
