#!/usr/bin/env bash
# Changes the roles, without a loss, of link sales-link: Sales.
# Made by milink from a plan.
# Note: managed instance gives the primary role to SQL Server. Writes that are under way at the change fail and have to be repeated there.
# Note: From the demotion to the promotion nobody is primary, and nothing can be written.
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

# 1/8 Set SYNCHRONOUS_COMMIT on the SQL Server's half
run_plain "$sql_server" <<'SQL'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
SQL

# 2/8 Set SYNCHRONOUS_COMMIT on the managed instance's half
az sql mi link update "${at[@]}" --name 'sales-link' --replication-mode Sync

# 3/8 Wait until every copy is SYNCHRONIZED
wait_until '3/8 Wait until every copy is SYNCHRONIZED' 300 holds "$managed_instance" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.database_id = DB_ID(N'\''Sales'\'') AND r.is_local = 0 AND r.synchronization_state_desc = N'\''SYNCHRONIZED'\'')'

# 4/8 Demote the managed instance: from here on nobody is primary
wait_until '4/8 Demote the managed instance: from here on nobody is primary' 60 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.role_desc = N'\''SECONDARY'\'')'
wait_until '4/8 Demote the managed instance: from here on nobody is primary' 60 holds "$managed_instance" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.database_id = DB_ID(N'\''Sales'\'') AND r.is_local = 0 AND r.synchronization_state_desc = N'\''SYNCHRONIZED'\'')'
az rest --only-show-errors --output none --method post --url "$instance_id"'/distributedAvailabilityGroups/sales-link/setRole?api-version=2025-01-01' --body '{"instanceRole":"Secondary","roleChangeType":"Planned"}'

# 5/8 Wait until both sides have hardened the same log, and it stays so
wait_until '5/8 Wait until both sides have hardened the same log, and it stays so' 300 holds "$managed_instance" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.role_desc = N'\''SECONDARY'\'')'
wait_until '5/8 Wait until both sides have hardened the same log, and it stays so' 300 equal "$sql_server" "$managed_instance" 1 'SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.database_id = DB_ID(N'\''Sales'\'')'

# 6/8 Make the SQL Server primary
wait_until '6/8 Make the SQL Server primary' 60 holds "$managed_instance" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.role_desc = N'\''SECONDARY'\'')'
wait_until '6/8 Make the SQL Server primary' 60 equal "$sql_server" "$managed_instance" 0 'SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.database_id = DB_ID(N'\''Sales'\'')'
run_plain "$sql_server" <<'SQL'
ALTER AVAILABILITY GROUP [sales-link] FORCE_FAILOVER_ALLOW_DATA_LOSS
SQL

# 7/8 See the managed instance follow the new primary
wait_until '7/8 See the managed instance follow the new primary' 300 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 0 AND r.synchronization_health_desc = N'\''HEALTHY'\'')'

# 8/8 Set ASYNCHRONOUS_COMMIT on the SQL Server's half
run_plain "$sql_server" <<'SQL'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT)
SQL
