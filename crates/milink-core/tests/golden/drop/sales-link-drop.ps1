# Removes link sales-link: Sales.
# Made by milink from a plan.
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

# 1/15 Remove the link in Azure
$query = @'
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales')
'@
Wait-Until '1/15 Remove the link in Azure' 60 {
    $one = (Invoke-Statement $SqlServer $query).lsn
    Start-Sleep -Milliseconds 0
    $two = (Invoke-Statement $ManagedInstance $query).lsn
    $one -and ($one -eq $two) -and ($one -eq (Invoke-Statement $SqlServer $query).lsn)
}
Wait-Until '1/15 Remove the link in Azure' 60 { Test-Predicate $SqlServer @'
NOT EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE is_user_process = 1 AND session_id <> @@SPID AND database_id = DB_ID(N'Sales'))
'@ }
Remove-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' -Force

# 2/15 Drop the distributed availability group on SQL Server
Invoke-Statement $SqlServer @'
DROP AVAILABILITY GROUP [sales-link]
'@

# 3/15 See the databases ONLINE by themselves
Wait-Until '3/15 See the databases ONLINE by themselves' 900 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.databases WHERE name = N'Sales' AND state_desc = N'ONLINE')
'@ }
Wait-Until '3/15 See the databases ONLINE by themselves' 900 { Test-Predicate $ManagedInstance @'
EXISTS (SELECT 1 FROM sys.databases WHERE name = N'Sales' AND state_desc = N'ONLINE')
'@ }

# 4/15 Drop availability group AG_Sales; its databases stay
Invoke-Statement $SqlServer @'
DROP AVAILABILITY GROUP [AG_Sales]
'@

# 5/15 Drop certificate mi-one.a1b2c3d4.database.windows.net
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [mi-one.a1b2c3d4.database.windows.net]
'@

# 6/15 Drop certificate DigiCert Global Root CA
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [DigiCert Global Root CA]
'@

# 7/15 Drop certificate DigiCert Global Root G2
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [DigiCert Global Root G2]
'@

# 8/15 Drop certificate DigiCert Global Root G3
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [DigiCert Global Root G3]
'@

# 9/15 Drop certificate DigiCert TLS ECC P384 Root G5
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [DigiCert TLS ECC P384 Root G5]
'@

# 10/15 Drop certificate DigiCert TLS RSA4096 Root G5
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [DigiCert TLS RSA4096 Root G5]
'@

# 11/15 Drop certificate Microsoft ECC Root Certificate Authority 2017
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [Microsoft ECC Root Certificate Authority 2017]
'@

# 12/15 Drop certificate Microsoft RSA Root Certificate Authority 2017
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [Microsoft RSA Root Certificate Authority 2017]
'@

# 13/15 Drop endpoint database_mirroring_endpoint
Invoke-Statement $SqlServer @'
DROP ENDPOINT [database_mirroring_endpoint]
'@

# 14/15 Drop certificate Cert_SQL01_endpoint
Invoke-Statement $SqlServer @'
DROP CERTIFICATE [Cert_SQL01_endpoint]
'@

# 15/15 Delete SQL Server's certificate Cert_SQL01_endpoint in Azure
Remove-AzSqlInstanceServerTrustCertificate -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'Cert_SQL01_endpoint' -Force
