//! Errors of what prepares an instance for a link: Always On, keys, certificates, endpoints.

use super::SqlError;

errors! {
    group_ddl_outside_master() 35208 16 1 "Availability-group DDL operations are permitted only when you are using the master database. Run the USE MASTER command, and retry your availability-group DDL command.";
    hadr_disabled() 35221 16 1 "Could not process the operation. Always On Availability Groups replica manager is disabled on this instance of SQL Server. Enable Always On Availability Groups, by using the SQL Server Configuration Manager. Then, restart the SQL Server service, and retry the currently operation. For information about how to enable and disable Always On Availability Groups, see SQL Server Books Online.";
    cannot_alter_database(name) 5011 14 5 "User does not have permission to alter database '{name}', the database does not exist, or the database is not in a state that allows access checks.";
}
