# Changes the roles, without a loss, of link sales-link: Sales.
# Made by milink from a plan.
# Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
# Note: SQL Server 15.0.4312.2 can only fail over to Azure by ending the link: afterwards both databases are independent, and there is no way back through it.
# Note: Stop all writes on SQL Server first: what is committed after both sides were equal would stay there.
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

# 1/6 Set SYNCHRONOUS_COMMIT on the SQL Server's half
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
'@

# 2/6 Set SYNCHRONOUS_COMMIT on the managed instance's half
Update-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -ReplicationMode Sync | Out-Null

# 3/6 Wait until every copy is SYNCHRONIZED
Wait-Until '3/6 Wait until every copy is SYNCHRONIZED' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }

# 4/6 Wait until both sides have hardened the same log, and it stays so: no writes any more
$query = @'
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales')
'@
Wait-Until '4/6 Wait until both sides have hardened the same log, and it stays so: no writes any more' 300 {
    $one = (Invoke-Statement $SqlServer $query).lsn
    Start-Sleep -Milliseconds 3000
    $two = (Invoke-Statement $ManagedInstance $query).lsn
    $one -and ($one -eq $two) -and ($one -eq (Invoke-Statement $SqlServer $query).lsn)
}

# 5/6 Remove the link in Azure: the managed instance's database becomes independent
Remove-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -Force

# 6/6 Drop the distributed availability group on SQL Server
Invoke-Statement $SqlServer @'
DROP AVAILABILITY GROUP [sales-link]
'@
