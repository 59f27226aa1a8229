# Creates link sales-link: Sales.
# Made by milink from a plan.
# Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
# The whole plan, in its order. It stops at the first error.
#Requires -Modules Az.Accounts, Az.Sql, SqlServer

param(
    [string] $SqlServer = 'SQL01',
    [string] $Subscription = '11111111-2222-3333-4444-555555555555',
    [string] $ResourceGroup = 'rg',
    [string] $Instance = 'mi-one',
    [string] $ManagedInstance = 'mi-one.a1b2c3d4.database.windows.net',
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

# 1/13 Create the master key of master
$password = [System.Net.NetworkCredential]::new('', $MasterKeyPassword).Password
Invoke-Statement $SqlServer @'
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)'
'@ @("MasterKeyPassword=$($password -replace '''', '''''')")

# 2/13 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
Invoke-Statement $SqlServer @'
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124'
'@

# 3/13 Give Azure the certificate Cert_SQL01_endpoint
$key = (Invoke-Sqlcmd -ServerInstance $SqlServer -Database master -Query @'
SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'Cert_SQL01_endpoint'
'@ -MaxCharLength 65535).public_key
New-AzSqlInstanceServerTrustCertificate -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'Cert_SQL01_endpoint' -PublicKey $key | Out-Null

# 4/13 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
Invoke-Statement $SqlServer @'
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465
'@

# 5/13 Import the certificate of Microsoft RSA Root Certificate Authority 2017
Invoke-Statement $SqlServer @'
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74
'@

# 6/13 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
Invoke-Statement $SqlServer @'
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net'
'@

# 7/13 Create the endpoint on port 5022
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

# 8/13 Create availability group AG_Sales, empty
Invoke-Statement $SqlServer @'
CREATE AVAILABILITY GROUP [AG_Sales]
    WITH (CLUSTER_TYPE = NONE)
    FOR REPLICA ON
    N'SQL01' WITH (
        ENDPOINT_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    )
'@

# 9/13 Let seeding create databases in AG_Sales
Invoke-Statement $SqlServer @'
ALTER AVAILABILITY GROUP [AG_Sales] GRANT CREATE ANY DATABASE
'@

# 10/13 Create distributed availability group sales-link
Invoke-Statement $SqlServer @'
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
'@

# 11/13 Create the managed instance's half of sales-link
New-AzSqlInstanceLink -ResourceGroupName $ResourceGroup -InstanceName $Instance -Name 'sales-link' `
    -PartnerAvailabilityGroupName 'AG_Sales' `
    -InstanceAvailabilityGroupName 'AG_Sales_MI' `
    -PartnerEndpoint 'TCP://10.0.0.5:5022' `
    -Database @('Sales') `
    -InstanceLinkRole Primary -FailoverMode Manual `
    -SeedingMode Automatic -ReplicationMode Async | Out-Null

# 12/13 Wait until the two halves are connected
Wait-Until '12/13 Wait until the two halves are connected' 300 { Test-Predicate $ManagedInstance @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 0 AND r.connected_state_desc = N'CONNECTED')
'@ }

# 13/13 Wait until the copy of Sales is complete
Wait-Until '13/13 Wait until the copy of Sales is complete' 518400 { Test-Predicate $SqlServer @'
EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN (N'SYNCHRONIZING', N'SYNCHRONIZED'))
'@ }
