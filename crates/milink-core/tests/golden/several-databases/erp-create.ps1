# Creates link erp: O'Brien]s, Stock.
# Made by milink from a plan.
# Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
# Note: the documents advise against synchronous commit at rest: every commit waits for the other side, and a planned failover leaves the link asynchronous
# Note: trace flag 12381 keeps log backups from truncating what seeding needs; a build that does not know it ignores it, and then log backups have to be paused until seeding has ended (errors 1408, 1412)
# The whole plan, in its order. It stops at the first error.
#Requires -Modules Az.Accounts, Az.Sql, SqlServer

param(
    [string] $SqlServer = 'SQL01',
    [string] $Subscription = '11111111-2222-3333-4444-555555555555',
    [string] $ResourceGroup = 'rg',
    [string] $Instance = 'mi-one',
    [Parameter(Mandatory)] [securestring] $MasterKeyPassword
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

# 1/24 Create the master key of master
$password = [System.Net.NetworkCredential]::new('', $MasterKeyPassword).Password
Invoke-Statement $SqlServer @'
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)'
'@ @("MasterKeyPassword=$($password -replace '''', '''''')")

# 2/24 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
Invoke-Statement $SqlServer @'
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124'
'@

# 3/24 Give Azure the certificate Cert_SQL01_endpoint
$key = (Invoke-Sqlcmd -ServerInstance $SqlServer -Database master -Query @'
SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'Cert_SQL01_endpoint'
'@ -MaxCharLength 65535).public_key
New-AzSqlInstanceServerTrustCertificate -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'Cert_SQL01_endpoint' -PublicKey $key | Out-Null

# 4/24 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
Invoke-Statement $SqlServer @'
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465
'@

# 5/24 Import the certificate of Microsoft RSA Root Certificate Authority 2017
Invoke-Statement $SqlServer @'
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74
'@

# 6/24 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
Invoke-Statement $SqlServer @'
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net'
'@

# 7/24 Create the endpoint on port 5022
Invoke-Statement $SqlServer @'
CREATE ENDPOINT [database_mirroring_endpoint]
    STATE = STARTED
    AS TCP (LISTENER_PORT = 5022, LISTENER_IP = ALL)
    FOR DATABASE_MIRRORING (
        ROLE = ALL,
        AUTHENTICATION = CERTIFICATE [Cert_SQL01_endpoint],
        ENCRYPTION = REQUIRED ALGORITHM AES
    )
'@

# 8/24 Allow links of several databases
Invoke-Statement $SqlServer @'
EXEC sys.sp_multidb_milink 1
'@

# 9/24 Set the recovery model of O'Brien]s to FULL
Invoke-Statement $SqlServer @'
ALTER DATABASE [O'Brien]]s] SET RECOVERY FULL
'@

# 10/24 Back up O'Brien]s, so that its log chain begins
Invoke-Statement $SqlServer @'
BACKUP DATABASE [O'Brien]]s] TO DISK = N'/var/opt/mssql/backup/O_Brien_s_20261125_030000.bak' WITH CHECKSUM
'@

# 11/24 Set the recovery model of Stock to FULL
Invoke-Statement $SqlServer @'
ALTER DATABASE [Stock] SET RECOVERY FULL
'@

# 12/24 Back up Stock, so that its log chain begins
Invoke-Statement $SqlServer @'
BACKUP DATABASE [Stock] TO DISK = N'/var/opt/mssql/backup/Stock_20261125_030000.bak' WITH CHECKSUM
'@

# 13/24 Create availability group AG_erp with O'Brien]s, Stock
Invoke-Statement $SqlServer @'
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
'@

# 14/24 Create distributed availability group erp
Invoke-Statement $SqlServer @'
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
'@

# 15/24 Keep the log that seeding needs (trace flag 12381)
Invoke-Statement $SqlServer @'
DBCC TRACEON (12381, -1)
'@

# 16/24 Create the managed instance's half of erp
New-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'erp' `
    -PartnerAvailabilityGroupName 'AG_erp' `
    -InstanceAvailabilityGroupName 'AG_erp_MI' `
    -PartnerEndpoint 'TCP://10.0.0.5:5022' `
    -Database @('O''Brien]s', 'Stock') `
    -InstanceLinkRole Secondary -FailoverMode Manual `
    -SeedingMode Automatic -ReplicationMode Async `
    -LinkMode MultiDatabase | Out-Null

# 17/24 Wait until the two halves are connected
Wait-Until '17/24 Wait until the two halves are connected' 300 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.is_local = 0 AND r.connected_state_desc = N'CONNECTED')
'@ }

# 18/24 Wait until the copy of O'Brien]s, Stock is complete
Wait-Until '18/24 Wait until the copy of O''Brien]s, Stock is complete' 518400 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.is_local = 0 AND r.synchronization_health_desc = N'HEALTHY')
'@ }

# 19/24 Let backups truncate the log again (trace flag 12381 off)
Invoke-Statement $SqlServer @'
DBCC TRACEOFF (12381, -1)
'@

# 20/24 Back up the log of O'Brien]s for the first time after seeding
Invoke-Statement $SqlServer @'
BACKUP LOG [O'Brien]]s] TO DISK = N'/var/opt/mssql/backup/O_Brien_s_20261125_030000.trn' WITH CHECKSUM
'@

# 21/24 Back up the log of Stock for the first time after seeding
Invoke-Statement $SqlServer @'
BACKUP LOG [Stock] TO DISK = N'/var/opt/mssql/backup/Stock_20261125_030000.trn' WITH CHECKSUM
'@

# 22/24 Acknowledge commits when both sides have hardened them
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [erp] MODIFY AVAILABILITY GROUP ON
    N'AG_erp' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_erp_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)
'@

# 23/24 Set the managed instance's half to synchronous commit
Update-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'erp' -ReplicationMode Sync | Out-Null

# 24/24 Wait until the primary shows the copy as SYNCHRONIZED
Wait-Until '24/24 Wait until the primary shows the copy as SYNCHRONIZED' 900 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.database_id = DB_ID(N'O''Brien]s') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }
Wait-Until '24/24 Wait until the primary shows the copy as SYNCHRONIZED' 900 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.database_id = DB_ID(N'Stock') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
'@ }
