# Changes the roles, without a loss, of link sales-link: Sales.
# Made by milink from a plan.
# Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
# The whole plan, in its order. It stops at the first error.
#Requires -Modules Az.Accounts, Az.Sql, SqlServer

param(
    [string] $SqlServer = 'SQL01',
    [string] $Subscription = '11111111-2222-3333-4444-555555555555',
    [string] $ResourceGroup = 'rg',
    [string] $Instance = 'mi-one'
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

# 1/7 Set SYNCHRONOUS_COMMIT on the SQL Server's half
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
'@

# 2/7 Set SYNCHRONOUS_COMMIT on the managed instance's half
Update-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -ReplicationMode Sync | Out-Null

# 3/7 Wait until every copy is SYNCHRONIZED
Wait-Until '3/7 Wait until every copy is SYNCHRONIZED' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }

# 4/7 Fail over from the SQL Server to the managed instance
Wait-Until '4/7 Fail over from the SQL Server to the managed instance' 60 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.role_desc = N'PRIMARY')
'@ }
Wait-Until '4/7 Fail over from the SQL Server to the managed instance' 60 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] FAILOVER
'@

# 5/7 See the SQL Server follow the new primary
Wait-Until '5/7 See the SQL Server follow the new primary' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN (N'SYNCHRONIZING', N'SYNCHRONIZED'))
'@ }

# 6/7 Set ASYNCHRONOUS_COMMIT on the SQL Server's half
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT)
'@

# 7/7 Set ASYNCHRONOUS_COMMIT on the managed instance's half
Update-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -ReplicationMode Async | Out-Null
