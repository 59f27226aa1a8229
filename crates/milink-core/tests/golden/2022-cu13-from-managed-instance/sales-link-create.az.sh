#!/usr/bin/env bash
# Creates link sales-link: Sales.
# Made by milink from a plan.
# Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
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
managed_instance='mi-one.a1b2c3d4.database.windows.net'
managed_instance=${MANAGED_INSTANCE:-$managed_instance}
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

# 1/13 Create the master key of master
run "$sql_server" <<'SQL'
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)'
SQL

# 2/13 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
run_plain "$sql_server" <<'SQL'
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124'
SQL

# 3/13 Give Azure the certificate Cert_SQL01_endpoint
key=$(value "$sql_server" <<<'SET NOCOUNT ON; SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'\''Cert_SQL01_endpoint'\''')
az sql mi partner-cert create "${at[@]}" --name 'Cert_SQL01_endpoint' --public-blob "$key"

# 4/13 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
run_plain "$sql_server" <<'SQL'
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465
SQL

# 5/13 Import the certificate of Microsoft RSA Root Certificate Authority 2017
run_plain "$sql_server" <<'SQL'
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74
SQL

# 6/13 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
run_plain "$sql_server" <<'SQL'
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net'
SQL

# 7/13 Create the endpoint on port 5022
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

# 8/13 Create availability group AG_Sales, empty
run_plain "$sql_server" <<'SQL'
CREATE AVAILABILITY GROUP [AG_Sales]
    WITH (CLUSTER_TYPE = NONE)
    FOR REPLICA ON
    N'SQL01' WITH (
        ENDPOINT_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    )
SQL

# 9/13 Let seeding create databases in AG_Sales
run_plain "$sql_server" <<'SQL'
ALTER AVAILABILITY GROUP [AG_Sales] GRANT CREATE ANY DATABASE
SQL

# 10/13 Create distributed availability group sales-link
run_plain "$sql_server" <<'SQL'
CREATE AVAILABILITY GROUP [sales-link]
    WITH (DISTRIBUTED)
    AVAILABILITY GROUP ON
    N'AG_Sales' WITH (
        LISTENER_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC,
        SESSION_TIMEOUT = 20
    ),
    N'AG_Sales_MI' WITH (
        LISTENER_URL = N'tcp://mi-one.a1b2c3d4.database.windows.net:5022;Server=[mi-one];Database=[Sales]',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    )
SQL

# 11/13 Create the managed instance's half of sales-link
az sql mi link create "${at[@]}" --name 'sales-link' \
    --partner-availability-group-name 'AG_Sales' \
    --instance-availability-group-name 'AG_Sales_MI' \
    --partner-endpoint 'TCP://10.0.0.5:5022' \
    --databases '[{"database-name":"Sales"}]' \
    --instance-link-role Primary --failover-mode Manual \
    --seeding-mode Automatic

# 12/13 Wait until the two halves are connected
wait_until '12/13 Wait until the two halves are connected' 300 holds "$managed_instance" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 0 AND r.connected_state_desc = N'\''CONNECTED'\'')'

# 13/13 Wait until the copy of Sales is complete
wait_until '13/13 Wait until the copy of Sales is complete' 518400 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.database_id = DB_ID(N'\''Sales'\'') AND r.is_local = 1 AND r.database_state_desc = N'\''ONLINE'\'' AND r.synchronization_state_desc IN (N'\''SYNCHRONIZING'\'', N'\''SYNCHRONIZED'\''))'
