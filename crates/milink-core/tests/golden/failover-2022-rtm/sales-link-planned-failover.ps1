# Changes the roles, without a loss, of link sales-link: Sales.
# Made by milink from a plan.
# Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
# Note: From the demotion to the promotion nobody is primary, and nothing can be written.
# The whole plan, in its order. It stops at the first error.
#Requires -Modules Az.Accounts, Az.Sql, SqlServer

param(
    [string] $SqlServer = 'SQL01',
    [string] $Subscription = '11111111-2222-3333-4444-555555555555',
    [string] $ResourceGroup = 'rg',
    [string] $Instance = 'mi-one',
    [string] $ManagedInstance = 'mi-one.a1b2c3d4.database.windows.net'
)

$ErrorActionPreference = 'Stop'
Set-AzContext -Subscription $Subscription | Out-Null
$id = (Get-AzSqlInstance -ResourceGroupName $ResourceGroup -Name $Instance).Id

function Invoke-Statement([string] $Server, [string] $Text, [string[]] $Variable) {
    if ($Variable) {
        Invoke-Sqlcmd -ServerInstance $Server -Database master -Query $Text -Variable $Variable -QueryTimeout 65535 -AbortOnError
    } else {
        Invoke-Sqlcmd -ServerInstance $Server -Database master -Query $Text -DisableVariables -QueryTimeout 65535 -AbortOnError
    }
}

function Wait-Until([string] $What, [int] $Seconds, [scriptblock] $Test) {
    $until = (Get-Date).AddSeconds($Seconds)
    while (-not (& $Test)) {
        if ((Get-Date) -gt $until) { throw "$What`: not so after $Seconds seconds" }
        Start-Sleep -Seconds 2
    }
}

function Test-Predicate([string] $Server, [string] $Predicate) {
    (Invoke-Statement $Server "SELECT CASE WHEN $Predicate THEN 1 ELSE 0 END AS holds").holds -eq 1
}

function Invoke-Azure([string] $Method, [string] $Path, [string] $Payload) {
    $answer = if ($Payload) { Invoke-AzRestMethod -Method $Method -Path $Path -Payload $Payload -WaitForCompletion }
              else { Invoke-AzRestMethod -Method $Method -Path $Path -WaitForCompletion }
    if ($answer.StatusCode -ge 400) { throw $answer.Content }
}

# 1/9 Set SYNCHRONOUS_COMMIT on the SQL Server's half
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
'@

# 2/9 Set SYNCHRONOUS_COMMIT on the managed instance's half
Update-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -ReplicationMode Sync | Out-Null

# 3/9 Wait until every copy is SYNCHRONIZED
Wait-Until '3/9 Wait until every copy is SYNCHRONIZED' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }

# 4/9 Demote the SQL Server: from here on nobody is primary
Wait-Until '4/9 Demote the SQL Server: from here on nobody is primary' 60 { Test-Predicate $ManagedInstance @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.role_desc = N'SECONDARY')
'@ }
Wait-Until '4/9 Demote the SQL Server: from here on nobody is primary' 60 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] SET (ROLE = SECONDARY)
'@

# 5/9 Wait until both sides have hardened the same log, and it stays so
Wait-Until '5/9 Wait until both sides have hardened the same log, and it stays so' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.role_desc = N'SECONDARY')
'@ }
$query = @'
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales')
'@
Wait-Until '5/9 Wait until both sides have hardened the same log, and it stays so' 300 {
    $one = (Invoke-Statement $SqlServer $query).lsn
    Start-Sleep -Milliseconds 1000
    $two = (Invoke-Statement $ManagedInstance $query).lsn
    $one -and ($one -eq $two) -and ($one -eq (Invoke-Statement $SqlServer $query).lsn)
}

# 6/9 Make the managed instance primary
Wait-Until '6/9 Make the managed instance primary' 60 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.role_desc = N'SECONDARY')
'@ }
$query = @'
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales')
'@
Wait-Until '6/9 Make the managed instance primary' 60 {
    $one = (Invoke-Statement $SqlServer $query).lsn
    Start-Sleep -Milliseconds 0
    $two = (Invoke-Statement $ManagedInstance $query).lsn
    $one -and ($one -eq $two) -and ($one -eq (Invoke-Statement $SqlServer $query).lsn)
}
Invoke-Azure POST ($id + '/distributedAvailabilityGroups/sales-link/setRole?api-version=2025-01-01') '{"instanceRole":"Primary","roleChangeType":"Forced"}'

# 7/9 See the SQL Server follow the new primary
Wait-Until '7/9 See the SQL Server follow the new primary' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN (N'SYNCHRONIZING', N'SYNCHRONIZED'))
'@ }

# 8/9 Set ASYNCHRONOUS_COMMIT on the SQL Server's half
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT)
'@

# 9/9 Set ASYNCHRONOUS_COMMIT on the managed instance's half
Update-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -ReplicationMode Async | Out-Null
