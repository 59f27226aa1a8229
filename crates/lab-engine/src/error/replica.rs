//! Errors of databases in availability groups: who may open them, and what may not be done to them.

use super::SqlError;

errors! {
    secondary_not_readable(name) 976 14 1 "The target database, '{name}', is participating in an availability group and is currently not accessible for queries. Either data movement is suspended or the availability replica is not enabled for read access. To allow read-only access to this and other databases in the availability group, enable read access to one or more secondary availability replicas in the group.  For more information, see the ALTER AVAILABILITY GROUP statement in SQL Server Books Online.";
    read_intent_only(name) 978 14 1 "The target database ('{name}') is in an availability group and is currently accessible for connections when the application intent is set to read only. For more information about application intent, see SQL Server Books Online.";
    no_read_intent(name) 979 14 1 "The target database ('{name}') is in an availability group and currently does not allow read only connections. For more information about application intent, see SQL Server Books Online.";
    replica_resolving(name) 983 14 1 "Unable to access availability database '{name}' because the database replica is not in the PRIMARY or SECONDARY role. Connections to an availability database is permitted only when the database replica is in the PRIMARY or SECONDARY role. Try the operation again later.";
    killed() 596 21 1 "Cannot continue the execution because the session is in the kill state.";
    in_group(name) 1468 16 2 "The operation cannot be performed on database \"{name}\" because it is involved in a database mirroring session or an availability group. Some operations are not allowed on a database that is participating in a database mirroring session or in an availability group.";
    drop_in_group(name) 3752 16 1 "The database '{name}' is currently joined to an availability group.  Before you can drop the database, you need to remove it from the availability group.";
    restore_in_group(name) 3104 16 1 "RESTORE cannot operate on database '{name}' because it is configured for database mirroring or has joined an availability group. If you intend to restore the database, use ALTER DATABASE to remove mirroring or to remove the database from its availability group.";
    backup_on_secondary() 3059 16 1 "This BACKUP or RESTORE command is not supported on a database mirror or secondary replica.";
    others_use_database(name) 5070 16 2 "Database state cannot be changed while other users are using the database '{name}'";
    alter_database_failed() 5069 16 1 "ALTER DATABASE statement failed.";
    being_recovered(name) 922 14 1 "Database '{name}' is being recovered. Waiting until recovery is finished.";
    changed_beneath(name) 3961 16 1 "Snapshot isolation transaction failed in database '{name}' because the object accessed by the statement has been modified by a DDL statement in another concurrent transaction since the start of this transaction.  It is disallowed because the metadata is not versioned. A concurrent update to metadata can lead to inconsistency if mixed with snapshot isolation.";
}
