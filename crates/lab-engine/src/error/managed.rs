//! Errors that only a managed instance has.

use super::SqlError;

errors! {
    alter_database_unsupported() 5008 16 14 "This ALTER DATABASE statement is not supported. Correct the syntax and execute the statement again.";
    managed_no_option(options) 41901 16 2 "One or more of the options ({options}) are not supported for this statement in SQL Database Managed Instance. Review the documentation for supported options.";
    managed_restore_device() 41902 16 1 "Unsupported device type. SQL Database Managed Instance supports database restore from URI backup device only.";
    managed_copy_only() 41904 16 1 "BACKUP DATABASE failed. SQL Database Managed Instance supports only COPY_ONLY full database backups which are initiated by user.";
    managed_no_statement(statement) 41906 16 1 "Statement '{statement}' is not supported in SQL Database Managed Instance.";
    managed_no_files() 41918 16 1 "Specifying files and filegroups in CREATE DATABASE statement is not supported on SQL Database Managed Instance.";
    managed_no_feature() 41920 16 1 "This feature is not supported through T-SQL on SQL Database Managed Instance.";
}
