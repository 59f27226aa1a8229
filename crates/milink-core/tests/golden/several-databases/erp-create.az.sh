#!/usr/bin/env bash
# Creates link erp: O'Brien]s, Stock.
# Made by milink from a plan.
# Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
# Note: the documents advise against synchronous commit at rest: every commit waits for the other side, and a planned failover leaves the link asynchronous
# Note: trace flag 12381 keeps log backups from truncating what seeding needs; a build that does not know it ignores it, and then log backups have to be paused until seeding has ended (errors 1408, 1412)
# The whole plan, in its order, with az and sqlcmd; it stops at the first error. sqlcmd signs in with SQLCMDUSER and
# SQLCMDPASSWORD if they are set.
set -euo pipefail

sql_server='SQL01'
sql_server=${SQL_SERVER:-$sql_server}
subscription='11111111-2222-3333-4444-555555555555'
subscription=${SUBSCRIPTION:-$subscription}
resource_group='rg'
resource_group=${RESOURCE_GROUP:-$resource_group}
instance='mi-one'
instance=${INSTANCE:-$instance}
# With each ' in it doubled.
export MasterKeyPassword="${MasterKeyPassword:?set it to a strong password for the new master key}"

instance_id="/subscriptions/$subscription/resourceGroups/$resource_group/providers/Microsoft.Sql/managedInstances/$instance"
at=(--subscription "$subscription" --resource-group "$resource_group" --instance-name "$instance" --only-show-errors --output none)

# Runs standard input on a server. Variables of sqlcmd are taken from the environment.
run() { sqlcmd -S "$1" -d master -b -i /dev/stdin; }
# The same, without any variables.
run_plain() { sqlcmd -S "$1" -d master -b -x -i /dev/stdin; }
# The one value that a query on standard input gives.
value() { sqlcmd -S "$1" -d master -b -x -h -1 -W -i /dev/stdin; }

# wait_until WHAT SECONDS COMMAND...: until the command succeeds.
wait_until() {
    local what=$1 until=$((SECONDS + $2))
    shift 2
    until "$@"; do
        if [ "$SECONDS" -gt "$until" ]; then echo "$what: not so in time" >&2; exit 1; fi
        sleep 2
    done
}
holds() { [ "$(value "$1" <<<"SET NOCOUNT ON; SELECT CASE WHEN $2 THEN 1 ELSE 0 END")" = 1 ]; }
# equal SERVER SERVER SECONDS QUERY: both give the same value, and go on doing so.
equal() {
    local one two
    one=$(value "$1" <<<"SET NOCOUNT ON; $4")
    sleep "$3"
    two=$(value "$2" <<<"SET NOCOUNT ON; $4")
    [ -n "$one" ] && [ "$one" = "$two" ] && [ "$one" = "$(value "$1" <<<"SET NOCOUNT ON; $4")" ]
}

# 1/24 Create the master key of master
run "$sql_server" <<'SQL'
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)'
SQL

# 2/24 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
run_plain "$sql_server" <<'SQL'
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124'
SQL

# 3/24 Give Azure the certificate Cert_SQL01_endpoint
key=$(value "$sql_server" <<<'SET NOCOUNT ON; SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'\''Cert_SQL01_endpoint'\''')
az sql mi partner-cert create "${at[@]}" --name 'Cert_SQL01_endpoint' --public-blob "$key"

# 4/24 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
run_plain "$sql_server" <<'SQL'
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465
SQL

# 5/24 Import the certificate of Microsoft RSA Root Certificate Authority 2017
run_plain "$sql_server" <<'SQL'
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74
SQL

# 6/24 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
run_plain "$sql_server" <<'SQL'
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net'
SQL

# 7/24 Create the endpoint on port 5022
run_plain "$sql_server" <<'SQL'
CREATE ENDPOINT [database_mirroring_endpoint]
    STATE = STARTED
    AS TCP (LISTENER_PORT = 5022, LISTENER_IP = ALL)
    FOR DATABASE_MIRRORING (
        ROLE = ALL,
        AUTHENTICATION = CERTIFICATE [Cert_SQL01_endpoint],
        ENCRYPTION = REQUIRED ALGORITHM AES
    )
SQL

# 8/24 Allow links of several databases
run_plain "$sql_server" <<'SQL'
EXEC sys.sp_multidb_milink 1
SQL

# 9/24 Set the recovery model of O'Brien]s to FULL
run_plain "$sql_server" <<'SQL'
ALTER DATABASE [O'Brien]]s] SET RECOVERY FULL
SQL

# 10/24 Back up O'Brien]s, so that its log chain begins
run_plain "$sql_server" <<'SQL'
BACKUP DATABASE [O'Brien]]s] TO DISK = N'/var/opt/mssql/backup/O_Brien_s_20261125_030000.bak' WITH CHECKSUM
SQL

# 11/24 Set the recovery model of Stock to FULL
run_plain "$sql_server" <<'SQL'
ALTER DATABASE [Stock] SET RECOVERY FULL
SQL

# 12/24 Back up Stock, so that its log chain begins
run_plain "$sql_server" <<'SQL'
BACKUP DATABASE [Stock] TO DISK = N'/var/opt/mssql/backup/Stock_20261125_030000.bak' WITH CHECKSUM
SQL

# 13/24 Create availability group AG_erp with O'Brien]s, Stock
run_plain "$sql_server" <<'SQL'
CREATE AVAILABILITY GROUP [AG_erp]
    WITH (CLUSTER_TYPE = NONE)
    FOR DATABASE [O'Brien]]s], [Stock]
    REPLICA ON
    N'SQL01' WITH (
        ENDPOINT_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    )
SQL

# 14/24 Create distributed availability group erp
run_plain "$sql_server" <<'SQL'
CREATE AVAILABILITY GROUP [erp]
    WITH (DISTRIBUTED)
    AVAILABILITY GROUP ON
    N'AG_erp' WITH (
        LISTENER_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC,
        SESSION_TIMEOUT = 20
    ),
    N'AG_erp_MI' WITH (
        LISTENER_URL = N'tcp://mi-one.a1b2c3d4.database.windows.net:5022;Server=[mi-one]',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    )
SQL

# 15/24 Keep the log that seeding needs (trace flag 12381)
run_plain "$sql_server" <<'SQL'
DBCC TRACEON (12381, -1)
SQL

# 16/24 Create the managed instance's half of erp
az sql mi link create "${at[@]}" --name 'erp' \
    --partner-availability-group-name 'AG_erp' \
    --instance-availability-group-name 'AG_erp_MI' \
    --partner-endpoint 'TCP://10.0.0.5:5022' \
    --databases '[{"database-name":"O'\''Brien]s"},{"database-name":"Stock"}]' \
    --instance-link-role Secondary --failover-mode Manual \
    --seeding-mode Automatic \
    --link-mode MultiDatabase

# 17/24 Wait until the two halves are connected
wait_until '17/24 Wait until the two halves are connected' 300 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''erp'\'' AND r.is_local = 0 AND r.connected_state_desc = N'\''CONNECTED'\'')'

# 18/24 Wait until the copy of O'Brien]s, Stock is complete
wait_until '18/24 Wait until the copy of O'\''Brien]s, Stock is complete' 518400 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''erp'\'' AND r.is_local = 0 AND r.synchronization_health_desc = N'\''HEALTHY'\'')'

# 19/24 Let backups truncate the log again (trace flag 12381 off)
run_plain "$sql_server" <<'SQL'
DBCC TRACEOFF (12381, -1)
SQL

# 20/24 Back up the log of O'Brien]s for the first time after seeding
run_plain "$sql_server" <<'SQL'
BACKUP LOG [O'Brien]]s] TO DISK = N'/var/opt/mssql/backup/O_Brien_s_20261125_030000.trn' WITH CHECKSUM
SQL

# 21/24 Back up the log of Stock for the first time after seeding
run_plain "$sql_server" <<'SQL'
BACKUP LOG [Stock] TO DISK = N'/var/opt/mssql/backup/Stock_20261125_030000.trn' WITH CHECKSUM
SQL

# 22/24 Acknowledge commits when both sides have hardened them
run_plain "$sql_server" <<'SQL'
ALTER AVAILABILITY GROUP [erp] MODIFY AVAILABILITY GROUP ON
    N'AG_erp' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_erp_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
SQL

# 23/24 Set the managed instance's half to synchronous commit
az sql mi link update "${at[@]}" --name 'erp' --replication-mode Sync

# 24/24 Wait until the primary shows the copy as SYNCHRONIZED
wait_until '24/24 Wait until the primary shows the copy as SYNCHRONIZED' 900 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''erp'\'' AND r.database_id = DB_ID(N'\''O'\'''\''Brien]s'\'') AND r.is_local = 0 AND r.synchronization_state_desc = N'\''SYNCHRONIZED'\'')'
wait_until '24/24 Wait until the primary shows the copy as SYNCHRONIZED' 900 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''erp'\'' AND r.database_id = DB_ID(N'\''Stock'\'') AND r.is_local = 0 AND r.synchronization_state_desc = N'\''SYNCHRONIZED'\'')'
