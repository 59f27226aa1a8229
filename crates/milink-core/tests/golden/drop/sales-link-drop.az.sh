#!/usr/bin/env bash
# Removes link sales-link: Sales.
# Made by milink from a plan.
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

# 1/15 Remove the link in Azure
wait_until '1/15 Remove the link in Azure' 60 equal "$sql_server" "$managed_instance" 0 'SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.database_id = DB_ID(N'\''Sales'\'')'
wait_until '1/15 Remove the link in Azure' 60 holds "$sql_server" 'NOT EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE is_user_process = 1 AND session_id <> @@SPID AND database_id = DB_ID(N'\''Sales'\''))'
az sql mi link delete "${at[@]}" --name 'sales-link' --yes

# 2/15 Drop the distributed availability group on SQL Server
run_plain "$sql_server" <<'SQL'
DROP AVAILABILITY GROUP [sales-link]
SQL

# 3/15 See the databases ONLINE by themselves
wait_until '3/15 See the databases ONLINE by themselves' 900 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.databases WHERE name = N'\''Sales'\'' AND state_desc = N'\''ONLINE'\'')'
wait_until '3/15 See the databases ONLINE by themselves' 900 holds "$managed_instance" 'EXISTS (SELECT 1 FROM sys.databases WHERE name = N'\''Sales'\'' AND state_desc = N'\''ONLINE'\'')'

# 4/15 Drop availability group AG_Sales; its databases stay
run_plain "$sql_server" <<'SQL'
DROP AVAILABILITY GROUP [AG_Sales]
SQL

# 5/15 Drop certificate mi-one.a1b2c3d4.database.windows.net
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [mi-one.a1b2c3d4.database.windows.net]
SQL

# 6/15 Drop certificate DigiCert Global Root CA
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [DigiCert Global Root CA]
SQL

# 7/15 Drop certificate DigiCert Global Root G2
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [DigiCert Global Root G2]
SQL

# 8/15 Drop certificate DigiCert Global Root G3
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [DigiCert Global Root G3]
SQL

# 9/15 Drop certificate DigiCert TLS ECC P384 Root G5
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [DigiCert TLS ECC P384 Root G5]
SQL

# 10/15 Drop certificate DigiCert TLS RSA4096 Root G5
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [DigiCert TLS RSA4096 Root G5]
SQL

# 11/15 Drop certificate Microsoft ECC Root Certificate Authority 2017
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [Microsoft ECC Root Certificate Authority 2017]
SQL

# 12/15 Drop certificate Microsoft RSA Root Certificate Authority 2017
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [Microsoft RSA Root Certificate Authority 2017]
SQL

# 13/15 Drop endpoint database_mirroring_endpoint
run_plain "$sql_server" <<'SQL'
DROP ENDPOINT [database_mirroring_endpoint]
SQL

# 14/15 Drop certificate Cert_SQL01_endpoint
run_plain "$sql_server" <<'SQL'
DROP CERTIFICATE [Cert_SQL01_endpoint]
SQL

# 15/15 Delete SQL Server's certificate Cert_SQL01_endpoint in Azure
az sql mi partner-cert delete "${at[@]}" --name 'Cert_SQL01_endpoint' --yes
