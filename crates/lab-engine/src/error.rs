//! Errors as SQL Server numbers and words them.

use lab_store::StoreError;
use lab_tsql::ParseError;

/// An error or a message: what TDS's ERROR and INFO tokens carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The message number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its severity.
    pub class: u8,
    /// The text.
    pub message: String,
    /// The line in the batch or procedure, 0 while it is not known.
    pub line: u32,
    /// The procedure it was raised in.
    pub procedure: Option<String>,
    /// What is reported in front of it: 1776 before 1750, 5074 before 4922. A CATCH sees the last one only.
    pub preceded_by: Vec<SqlError>,
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Msg {}, Level {}, State {}, Line {}: {}",
            self.number, self.class, self.state, self.line, self.message
        )
    }
}

impl std::error::Error for SqlError {}

/// Declares constructors: name, arguments, number, severity, state and text.
macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),*) $number:literal $class:literal $state:literal $text:literal;)*) => {
        impl SqlError {
            $(
                #[doc = concat!("Error ", stringify!($number), ".")]
                pub(crate) fn $name($($arg: &str),*) -> SqlError {
                    SqlError::new($number, $class, $state, format!($text))
                }
            )*
        }
    };
}

mod managed;
mod preparation;
mod replica;

errors! {
    nested_too_deeply() 191 15 1 "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
    undeclared_variable(name) 137 15 2 "Must declare the scalar variable \"{name}\".";
    undeclared_table_variable(name) 1087 15 2 "Must declare the table variable \"{name}\".";
    duplicate_variable(name) 134 15 2 "The variable name '{name}' has already been declared. Variable names must be unique within a query batch or stored procedure.";
    missing_parameter(procedure, name) 201 16 4 "Procedure or function '{procedure}' expects parameter '{name}', which was not supplied.";
    type_clash(from, to) 206 16 2 "Operand type clash: {from} is incompatible with {to}";
    invalid_column(name) 207 16 1 "Invalid column name '{name}'.";
    invalid_object(name) 208 16 1 "Invalid object name '{name}'.";
    ambiguous_column(name) 209 16 1 "Ambiguous column name '{name}'.";
    insert_count_mismatch() 213 16 1 "Column name or number of supplied values does not match table definition.";
    more_columns_than_values() 109 15 1 "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.";
    fewer_columns_than_values() 110 15 1 "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.";
    select_list_shorter() 120 15 1 "The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must match the number of INSERT columns.";
    select_list_longer() 121 15 1 "The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must match the number of INSERT columns.";
    one_expression_only() 116 16 1 "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
    set_operation_count() 205 16 1 "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.";
    overflow_small(to, value) 220 16 1 "Arithmetic overflow error for data type {to}, value = {value}.";
    text_to_money() 235 16 0 "Cannot convert a char value to money. The char value has incorrect syntax.";
    text_to_date(_to) 241 16 1 "Conversion failed when converting date and/or time from character string.";
    date_out_of_range(from, to) 242 16 3 "The conversion of a {from} data type to a {to} data type resulted in an out-of-range value.";
    conversion_failed(from, value, to) 245 16 1 "Conversion failed when converting the {from} value '{value}' to data type {to}.";
    text_overflow(from, value, to) 248 16 1 "The conversion of the {from} value '{value}' overflowed an {to} column.";
    implicit_conversion_not_allowed(from, to) 257 16 3 "Implicit conversion from data type {from} to {to} is not allowed. Use the CONVERT function to run this query.";
    cannot_modify_column(name) 271 16 1 "The column \"{name}\" cannot be modified because it is either a computed column or is the result of a UNION operator.";
    cannot_insert_timestamp() 273 16 1 "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.";
    bad_style_text(style, from) 281 16 1 "{style} is not a valid style number when converting from {from} to a character string.";
    incompatible_types(a, b, op) 402 16 1 "The data types {a} and {b} are incompatible in the {op} operator.";
    collation_conflict(a, b, op) 468 16 9 "Cannot resolve the collation conflict between \"{a}\" and \"{b}\" in the {op} operation.";
    invalid_collation(name) 448 16 3 "Invalid collation '{name}'.";
    subquery_more_than_one() 512 16 1 "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.";
    null_not_allowed(column, table, verb) 515 16 2 "Cannot insert the value NULL into column '{column}', table '{table}'; column does not allow nulls. {verb} fails.";
    explicit_conversion_not_allowed(from, to) 529 16 2 "Explicit conversion from data type {from} to {to} is not allowed.";
    recursion_exhausted(max) 530 16 1 "The statement terminated. The maximum recursion {max} has been exhausted before statement completion.";
    identity_insert_off(table) 544 16 1 "Cannot insert explicit value for identity column in table '{table}' when IDENTITY_INSERT is set to OFF.";
    identity_insert_needs_value(table) 545 16 1 "Explicit value must be specified for identity column in table '{table}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.";
    database_not_found(name) 911 16 1 "Database '{name}' does not exist. Make sure that the name is entered correctly.";
    lock_timeout() 1222 16 51 "Lock request time out period exceeded.";
    no_column_name(n, table) 8155 16 2 "No column name was specified for column {n} of '{table}'.";
    duplicate_column_name(name, table) 8156 16 1 "The column '{name}' was specified multiple times for '{table}'.";
    more_columns_than_list(table) 8158 16 1 "'{table}' has more columns than were specified in the column list.";
    fewer_columns_than_list(table) 8159 16 1 "'{table}' has fewer columns than were specified in the column list.";
    text_to_guid() 8169 16 2 "Conversion failed when converting from a character string to uniqueidentifier.";
    database_exists(name) 1801 16 3 "Database '{name}' already exists. Choose a different database name.";
    two_primary_keys(table) 1779 16 0 "Table '{table}' already has a primary key defined on it.";
    nullable_primary_key(table) 8111 16 1 "Cannot define PRIMARY KEY constraint on nullable column in table '{table}'.";
    foreign_key_bad_table(name, table) 1767 16 0 "Foreign key '{name}' references invalid table '{table}'.";
    foreign_key_bad_column(name, column, table) 1769 16 1 "Foreign key '{name}' references invalid column '{column}' in referencing table '{table}'.";
    foreign_key_no_key(table, name) 1776 16 0 "There are no primary or candidate keys in the referenced table '{table}' that match the referencing column list in the foreign key '{name}'.";
    index_exists(name, table) 1913 16 1 "The operation failed because an index or statistics with name '{name}' already exists on table '{table}'.";
    duplicate_index_key(index, table, key) 2601 14 1 "Cannot insert duplicate key row in object '{table}' with unique index '{index}'. The duplicate key value is {key}.";
    key_violation(kind, name, table, key) 2627 14 1 "Violation of {kind} constraint '{name}'. Cannot insert duplicate key in object '{table}'. The duplicate key value is {key}.";
    truncated(value) 2628 16 1 "String or binary data would be truncated in table '', column ''. Truncated value: '{value}'.";
    truncated_in(table, column, value) 2628 16 1 "String or binary data would be truncated in table '{table}', column '{column}'. Truncated value: '{value}'.";
    duplicate_table_column(name, table) 2705 16 3 "Column names in each table must be unique. Column name '{name}' in table '{table}' is specified more than once.";
    object_exists(name) 2714 16 6 "There is already an object named '{name}' in the database.";
    type_not_found(name) 2715 16 6 "Column, parameter, or variable #1: Cannot find data type {name}.";
    schema_not_found(name) 2760 16 1 "The specified schema name \"{name}\" either does not exist or you do not have permission to use it.";
    procedure_not_found(name) 2812 16 62 "Could not find stored procedure '{name}'.";
    cannot_drop(kind, name) 3701 11 5 "Cannot drop the {kind} '{name}', because it does not exist or you do not have permission.";
    database_in_use(name) 3702 16 4 "Cannot drop database \"{name}\" because it is currently in use.";
    schema_bound(verb, name, by) 3729 16 1 "Cannot {verb} '{name}' because it is being referenced by object '{by}'.";
    dependent(object, kind, column) 5074 16 1 "The {kind} '{object}' is dependent on column '{column}'.";
    alter_column_in_use(column) 4922 16 9 "ALTER TABLE ALTER COLUMN {column} failed because one or more objects access this column.";
    cascade_cycle(name, table) 1785 16 0 "Introducing FOREIGN KEY constraint '{name}' on table '{table}' may cause cycles or multiple cascade paths. Specify ON DELETE NO ACTION or ON UPDATE NO ACTION, or modify other FOREIGN KEY constraints.";
    set_null_not_nullable(name) 1761 16 0 "Cannot create the foreign key \"{name}\" with the SET NULL referential action, because one or more referencing columns are not nullable.";
    set_default_without(name) 1762 16 0 "Cannot create the foreign key \"{name}\" with the SET DEFAULT referential action, because one or more referencing not-nullable columns lack a default constraint.";
    foreign_key_across(name) 1763 16 0 "Cross-database foreign key references are not supported. Foreign key '{name}'.";
    foreign_key_temporary(name) 1766 16 0 "Foreign key references to temporary tables are not supported. Foreign key '{name}'.";
    two_timestamps(table, column) 2738 16 2 "A table can only have one timestamp column. Because table '{table}' already has one, the column '{column}' cannot be added.";
    no_key_type(column, table) 1919 16 1 "Column '{column}' in table '{table}' is of a type that is invalid for use as a key column in an index.";
    duplicate_key_column(column) 1909 16 1 "Cannot use duplicate column names in index. Column name '{column}' listed more than once.";
    index_table_not_found(name) 1088 16 12 "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    not_deterministic(column, table) 2729 16 1 "Column '{column}' in table '{table}' cannot be used in an index or statistics or as a partition key because it is non-deterministic.";
    computed_not_persistable(column, table) 4936 16 1 "Computed column '{column}' in table '{table}' cannot be persisted because the column is non-deterministic.";
    drop_referenced(name) 3726 16 1 "Could not drop object '{name}' because it is referenced by a FOREIGN KEY constraint.";
    not_a_constraint(name) 3728 16 1 "'{name}' is not a constraint.";
    commit_without_begin() 3902 16 1 "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.";
    rollback_without_begin() 3903 16 1 "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.";
    read_only_database(name) 3906 16 1 "Failed to update database \"{name}\" because the database is read-only.";
    uncommittable() 3930 16 1 "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.";
    snapshot_not_allowed(name) 3952 16 1 "Snapshot isolation transaction failed accessing database '{name}' because snapshot isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.";
    snapshot_conflict() 3960 16 2 "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access a table that was changed by another transaction since the snapshot was taken. Retry the transaction or change the isolation level for the update/delete statement.";
    cannot_open_database(name) 4060 11 1 "Cannot open database \"{name}\" requested by the login. The login failed.";
    unbound_identifier(name) 4104 16 1 "The multi-part identifier \"{name}\" could not be bound.";
    no_function(name) 4121 16 1 "Cannot find either column \"dbo\" or the user-defined function or aggregate \"{name}\", or the name is ambiguous.";
    not_a_condition(near) 4145 15 1 "An expression of non-boolean type specified in a context where a condition is expected, near '{near}'.";
    truncate_referenced(table) 4712 16 1 "Cannot truncate table '{table}' because it is being referenced by a FOREIGN KEY constraint.";
    table_not_found(name) 4701 16 1 "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    alter_table_not_found(name) 4902 16 1 "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    column_in_use(column) 4922 16 9 "ALTER TABLE DROP COLUMN {column} failed because one or more objects access this column.";
    drop_column_missing(column, table) 4924 16 1 "ALTER TABLE DROP COLUMN failed because column '{column}' does not exist in table '{table}'.";
    not_null_needs_default(column, table) 4901 16 1 "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column, or alternatively if none of the previous conditions are satisfied the table must be empty to allow addition of this column. Column '{column}' cannot be added to non-empty table '{table}' because it does not satisfy these conditions.";
    identity_column_list(table) 8101 16 1 "An explicit value for the identity column in table '{table}' can only be specified when a column list is used and IDENTITY_INSERT is ON.";
    update_identity(column) 8102 16 1 "Cannot update identity column '{column}'.";
    two_identities(table) 2744 16 2 "Multiple identity columns specified for table '{table}'. Only one identity column per table is allowed.";
    no_identity(table) 8106 16 1 "Table '{table}' does not have the identity property. Cannot perform SET operation.";
    error_converting(from, to) 8114 16 5 "Error converting data type {from} to {to}.";
    overflow(from, to) 8115 16 2 "Arithmetic overflow error converting {from} to data type {to}.";
    overflow_to(to) 8115 16 2 "Arithmetic overflow error converting expression to data type {to}.";
    invalid_operand(ty, op) 8117 16 1 "Operand data type {ty} is invalid for {op} operator.";
    ungrouped_column(name) 8120 16 1 "Column '{name}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.";
    ungrouped_having(name) 8121 16 1 "Column '{name}' is invalid in the HAVING clause because it is not contained in either an aggregate function or the GROUP BY clause.";
    aggregate_in_where() 147 15 1 "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.";
    divide_by_zero() 8134 16 1 "Divide by zero error encountered.";
    too_many_arguments(procedure) 8144 16 2 "Procedure or function {procedure} has too many arguments specified.";
    no_such_parameter(name, procedure) 8145 16 1 "{name} is not a parameter for procedure {procedure}.";
    no_parameters(procedure) 8146 16 2 "Procedure {procedure} has no parameters and arguments were supplied.";
    not_output(name) 8162 16 2 "The formal parameter \"{name}\" was not declared as an OUTPUT parameter, but the actual parameter passed in requested output.";
    missing_parameter_value(statement, name) 8178 16 1 "The parameterized query '{statement}' expects the parameter '{name}', which was not supplied.";
    no_prepared_handle(handle) 8179 16 2 "Could not find prepared statement with handle {handle}.";
    distinct_order() 145 15 1 "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.";
    order_position(n) 108 16 1 "The ORDER BY position number {n} is out of range of the number of items in the select list.";
    order_without_top() 1033 15 1 "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.";
    mixed_assignment() 141 15 1 "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.";
    missing_name() 1038 15 4 "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. Change the alias to a valid name.";
    duplicate_exposed(name) 1011 16 1 "The correlation name '{name}' is specified multiple times in a FROM clause.";
    assigned_twice(name) 264 16 1 "The column name '{name}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code.";
    same_exposed(a, b) 1013 16 1 "The objects \"{a}\" and \"{b}\" in the FROM clause have the same exposed names. Use correlation names to distinguish them.";
    ungrouped_order(name) 8127 16 1 "Column \"{name}\" is invalid in the ORDER BY clause because it is not contained in either an aggregate function or the GROUP BY clause.";
    star_without_from() 263 16 1 "Must specify table to select from.";
    login_not_found(name) 15007 16 1 "'{name}' is not a valid login or you do not have permission.";
    principal_exists(name) 15023 16 1 "User, group, or role '{name}' already exists in the current database.";
    login_exists(name) 15025 16 1 "The server principal '{name}' already exists.";
    principal_not_found(kind, name) 15151 16 1 "Cannot find the {kind} '{name}', because it does not exist or you do not have permission.";
    cannot_alter(kind, name) 15151 16 1 "Cannot alter the {kind} '{name}', because it does not exist or you do not have permission.";
    cannot_drop_principal(kind, name) 15151 16 1 "Cannot drop the {kind} '{name}', because it does not exist or you do not have permission.";
    cannot_add_member(name) 15151 16 1 "Cannot add the principal '{name}', because it does not exist or you do not have permission.";
    no_permission() 15247 16 1 "User does not have permission to perform this action.";
    transaction_not_allowed(statement) 226 16 6 "{statement} statement not allowed within multi-statement transaction.";
    no_index(name) 3701 11 6 "Cannot drop the index '{name}', because it does not exist or you do not have permission.";
    cancelled_text() 0 11 0 "Operation cancelled by user.";
    bad_top() 1060 15 1 "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.";
    invalid_parameter(n, function) 174 15 1 "The {function} function requires {n} argument(s).";
    not_a_builtin(name) 195 15 10 "'{name}' is not a recognized built-in function name.";
    return_outside() 178 15 1 "A RETURN statement with a return value cannot be used in this context.";
    transaction_count(before, after) 266 16 2 "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. Previous count = {before}, current count = {after}.";
    nesting_exceeded() 217 16 1 "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
    log_backup_simple() 4208 16 1 "The statement BACKUP LOG is not allowed while the recovery model is SIMPLE. Use BACKUP DATABASE or change the recovery model using ALTER DATABASE.";
    log_backup_no_full() 4214 16 1 "BACKUP LOG cannot be performed because there is no current database backup.";
    log_backup_master() 4212 16 1 "Cannot back up the log of the master database. Use BACKUP DATABASE instead.";
    backup_terminating(operation) 3013 16 1 "{operation} is terminating abnormally.";
    backup_in_transaction() 3021 16 0 "Cannot perform a backup or restore operation within a transaction.";
    backup_not_allowed(name) 3147 16 1 "Backup and restore operations are not allowed on database {name}.";
    backup_denied(operation, database) 262 14 1 "{operation} permission denied in database '{database}'.";
    restore_denied(name) 3110 14 1 "User does not have permission to RESTORE database '{name}'.";
    restore_master() 3108 16 1 "To restore the master database, the server must be running in single-user mode. For information on starting in single-user mode, see \"How to: Start an Instance of SQL Server (sqlservr.exe)\" in Books Online.";
    no_logical_device(name) 3206 16 1 "Backup device '{name}' does not exist. To view existing backup devices, use the sys.backup_devices catalog view. To create a new backup device use either sp_addumpdevice or SQL Server Management Studio.";
    device_open(path, why) 3201 16 2 "Cannot open backup device '{path}'. Operating system error {why}.";
    device_write(path, why) 3202 16 1 "Write on \"{path}\" failed: {why}";
    device_read(path, why) 3203 16 1 "Read on \"{path}\" failed: {why}";
    device_not_media(path) 3241 16 0 "The media family on device '{path}' is incorrectly formed. SQL Server cannot process this media family.";
    device_tail(path) 3266 16 1 "The backup data at the end of \"{path}\" is incorrectly formatted. Backup sets on the media might be damaged and unusable. To determine the backup sets on the media, use RESTORE HEADERONLY. To determine the usability of the backup sets, run RESTORE VERIFYONLY. If all of the backup sets are incomplete, reformat the media using BACKUP WITH FORMAT, which destroys all the backup sets.";
    backup_damaged() 3189 16 1 "Damage to the backup set was detected.";
    backup_newer(version, ours) 3169 16 1 "The database was backed up on a server running version {version}. That version is incompatible with this server, which is running version {ours}. Either restore the database on a server that supports the backup, or use a backup that is compatible with this server.";
    no_backup_set(number, path) 4038 16 1 "Cannot find file ID {number} on device '{path}'.";
    no_backup_checksums() 3187 16 1 "RESTORE WITH CHECKSUM cannot be specified because the backup set does not contain checksum information.";
    backup_of_other_kind(path, statement) 3135 16 2 "The backup set in file '{path}' was created by {statement} and cannot be used for this restore operation.";
    backup_of_other_database(name) 3154 16 4 "The backup set holds a backup of a database other than the existing '{name}' database.";
    tail_not_backed_up(name) 3159 16 1 "The tail of the log for the database \"{name}\" has not been backed up. Use BACKUP LOG WITH NORECOVERY to backup the log if it contains work you do not want to lose. Use the WITH REPLACE or WITH STOPAT clause of the RESTORE statement to just overwrite the contents of the log.";
    no_exclusive_access() 3101 16 1 "Exclusive access could not be obtained because the database is in use.";
    used_by_this_session(name) 3102 16 1 "RESTORE cannot process database '{name}' because it is in use by this session. It is recommended that the master database be used when performing this operation.";
    nothing_to_roll_forward() 3117 16 1 "The log or differential backup cannot be restored because no files are ready to rollforward.";
    restore_needs_database(name) 3118 16 1 "The database \"{name}\" does not exist. RESTORE can only create a database when restoring either a full backup or a file backup of the primary file.";
    already_recovered() 3153 16 2 "The database is already fully recovered.";
    no_logical_file(file, database) 3234 16 2 "Logical file '{file}' is not part of database '{database}'. Use RESTORE FILELISTONLY to list the logical file names.";
    log_too_late(first, at) 4305 16 1 "The log in this backup set begins at LSN {first}, which is too recent to apply to the database. An earlier log backup that includes LSN {at} can be restored.";
    log_too_early(last, at) 4326 16 1 "The log in this backup set terminates at LSN {last}, which is too early to apply to the database. A more recent log backup that includes LSN {at} can be restored.";
    log_of_other_fork() 4330 16 1 "This backup set cannot be applied because it is on a recovery path that is inconsistent with the database. The recovery path is the sequence of data and log backups that have brought the database to a particular recovery point. Find a compatible backup to restore, or restore the rest of the database to match a recovery point within this backup set, which will restore the database to a different point in time. For more information about recovery paths, see SQL Server Books Online.";
    stop_too_early() 4338 16 1 "The STOPAT clause specifies a point too early to allow this backup set to be restored. Choose a different stop point or use RESTORE DATABASE WITH RECOVERY to recover at the current point.";
    restored_damage(what) 3183 16 1 "RESTORE detected an error: {what}";
    unknown_option(option, statement) 155 15 1 "'{option}' is not a recognized {statement} option.";
    no_alter_missing(name) 208 16 6 "Invalid object name '{name}'.";
}

impl SqlError {
    /// An error by its parts.
    pub fn new(number: i32, class: u8, state: u8, message: impl Into<String>) -> SqlError {
        SqlError {
            number,
            state,
            class,
            message: message.into(),
            line: 0,
            procedure: None,
            preceded_by: Vec::new(),
        }
    }

    /// A statement, clause or function that the engine does not carry out.
    pub(crate) fn unsupported(what: &str) -> SqlError {
        SqlError::new(
            40510,
            16,
            1,
            format!("Statement '{what}' is not supported in this version of SQL Server."),
        )
    }

    /// A function that the engine does not have.
    pub(crate) fn unsupported_function(what: &str) -> SqlError {
        SqlError::new(
            40511,
            16,
            1,
            format!("Built-in function '{what}' is not supported in this version of SQL Server."),
        )
    }

    /// Something that must not happen; the text says what did.
    pub fn internal(what: impl std::fmt::Display) -> SqlError {
        SqlError::new(8630, 16, 1, format!("Internal Query Processor Error: {what}"))
    }

    /// What a store says, as the error of the statement that met it. A store that has no room refuses and goes on; after
    /// any other failure it answers nothing any more, and the session ends.
    pub(crate) fn storage(database: &str, e: &StoreError) -> SqlError {
        if *e.cause() == StoreError::ReadOnly {
            // Its role says so, too, but the store has the last word.
            return SqlError::read_only_database(database);
        }
        if let StoreError::Full(why) = e {
            return SqlError::new(
                9002,
                17,
                2,
                format!("The transaction log for database '{database}' is full due to 'NOTHING'. {why}"),
            );
        }
        SqlError::new(
            9001,
            21,
            1,
            format!(
                "The log for database '{database}' is not available. Check the operating system error log for related error messages. Resolve any errors and restart the database. {}",
                e.cause()
            ),
        )
    }

    pub(crate) fn cancelled() -> SqlError {
        SqlError::cancelled_text()
    }

    /// Whether this is the mark of a cancelled request, which the client is not shown as an error.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.number == 0 && self.class == 11
    }

    pub(crate) fn bad_style(style: i32, from: &str) -> SqlError {
        SqlError::bad_style_text(&style.to_string(), from)
    }

    pub(crate) fn deadlock_victim(session: u16) -> SqlError {
        SqlError::new(
            1205,
            13,
            51,
            format!(
                "Transaction (Process ID {session}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction."
            ),
        )
    }

    pub(crate) fn check_violation(
        verb: &str,
        name: &str,
        database: &str,
        table: &str,
        column: Option<&str>,
    ) -> SqlError {
        SqlError::conflict(verb, "CHECK", name, database, table, column)
    }

    pub(crate) fn foreign_key_violation(
        verb: &str,
        kind: &str,
        name: &str,
        database: &str,
        table: &str,
        column: Option<&str>,
    ) -> SqlError {
        SqlError::conflict(verb, kind, name, database, table, column)
    }

    fn conflict(
        verb: &str,
        kind: &str,
        name: &str,
        database: &str,
        table: &str,
        column: Option<&str>,
    ) -> SqlError {
        let column = column.map(|c| format!(", column '{c}'")).unwrap_or_default();
        SqlError::new(
            547,
            16,
            0,
            format!(
                "The {verb} statement conflicted with the {kind} constraint \"{name}\". The conflict occurred in database \"{database}\", table \"{table}\"{column}."
            ),
        )
    }

    /// What SQLite reports: an error of ours that one of our functions raised, or one of its own.
    pub(crate) fn sqlite(e: &rusqlite::Error) -> SqlError {
        if let rusqlite::Error::SqliteFailure(code, message) = e {
            if let Some(ours) = message.as_deref().and_then(SqlError::from_carrier) {
                return ours;
            }
            match code.code {
                rusqlite::ErrorCode::OperationInterrupted => return SqlError::cancelled(),
                rusqlite::ErrorCode::DatabaseBusy => return SqlError::snapshot_conflict(),
                rusqlite::ErrorCode::DiskFull => {
                    return SqlError::new(
                        1105,
                        17,
                        2,
                        "Could not allocate space for the database because the disk is full.",
                    );
                }
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase => {
                    return SqlError::new(
                        824,
                        24,
                        2,
                        format!("SQL Server detected a logical consistency-based I/O error: {e}."),
                    );
                }
                _ => {}
            }
            if message.as_deref().is_some_and(|m| m.contains("integer overflow")) {
                return SqlError::overflow_to("bigint");
            }
        }
        SqlError::internal(e)
    }

    /// The error as the message of a SQLite function's failure.
    pub(crate) fn to_carrier(&self) -> rusqlite::Error {
        let text = format!("\u{1}{}\u{1}{}\u{1}{}\u{1}{}", self.number, self.class, self.state, self.message);
        rusqlite::Error::UserFunctionError(text.into())
    }

    fn from_carrier(message: &str) -> Option<SqlError> {
        let mut parts = message.get(message.find('\u{1}')? + 1..)?.splitn(4, '\u{1}');
        let number = parts.next()?.parse().ok()?;
        let class = parts.next()?.parse().ok()?;
        let state = parts.next()?.parse().ok()?;
        Some(SqlError::new(number, class, state, parts.next()?))
    }

    /// The same with another error reported in front of it.
    pub(crate) fn after(mut self, first: SqlError) -> SqlError {
        self.preceded_by.push(first);
        self
    }

    /// 1750 behind the error that tells why.
    pub(crate) fn no_constraint(why: SqlError) -> SqlError {
        let line = why.line;
        SqlError::new(1750, 16, 0, "Could not create constraint or index. See previous errors.")
            .after(why)
            .at(line)
    }

    /// Sets the line if it is not known yet.
    pub(crate) fn at(mut self, line: u32) -> SqlError {
        if self.line == 0 {
            self.line = line;
        }
        self
    }
}

impl From<ParseError> for SqlError {
    fn from(e: ParseError) -> SqlError {
        SqlError { line: e.line, ..SqlError::new(e.number, e.class, e.state, e.message) }
    }
}
