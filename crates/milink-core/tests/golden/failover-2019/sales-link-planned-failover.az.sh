#!/usr/bin/env bash
# Changes the roles, without a loss, of link sales-link: Sales.
# Made by milink from a plan.
# Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
# Note: SQL Server 15.0.4312.2 can only fail over to Azure by ending the link: afterwards both databases are independent, and there is no way back through it.
# Note: Stop all writes on SQL Server first: what is committed after both sides were equal would stay there.
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

# 1/6 Set SYNCHRONOUS_COMMIT on the SQL Server's half
run_plain "$sql_server" <<'SQL'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
SQL

# 2/6 Set SYNCHRONOUS_COMMIT on the managed instance's half
az sql mi link update "${at[@]}" --name 'sales-link' --replication-mode Sync

# 3/6 Wait until every copy is SYNCHRONIZED
wait_until '3/6 Wait until every copy is SYNCHRONIZED' 300 holds "$sql_server" 'EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.database_id = DB_ID(N'\''Sales'\'') AND r.is_local = 0 AND r.synchronization_state_desc = N'\''SYNCHRONIZED'\'')'

# 4/6 Wait until both sides have hardened the same log, and it stays so: no writes any more
wait_until '4/6 Wait until both sides have hardened the same log, and it stays so: no writes any more' 300 equal "$sql_server" "$managed_instance" 3 'SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'\''sales-link'\'' AND r.is_local = 1 AND r.database_id = DB_ID(N'\''Sales'\'')'

# 5/6 Remove the link in Azure: the managed instance's database becomes independent
az sql mi link delete "${at[@]}" --name 'sales-link' --yes

# 6/6 Drop the distributed availability group on SQL Server
run_plain "$sql_server" <<'SQL'
DROP AVAILABILITY GROUP [sales-link]
SQL
