// Creates link erp: O'Brien]s, Stock.
// Made by milink from a plan.
// Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
// Note: the documents advise against synchronous commit at rest: every commit waits for the other side, and a planned failover leaves the link asynchronous
// Note: trace flag 12381 keeps log backups from truncating what seeding needs; a build that does not know it ignores it, and then log backups have to be paused until seeding has ended (errors 1408, 1412)
// Only what is in Azure: the statements on SQL Server have to be run as well, in the order of the plan.
// The link can be deployed when these are done on SQL Server:
// - Create the master key of master
// - Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
// - Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
// - Import the certificate of Microsoft RSA Root Certificate Authority 2017
// - Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
// - Create the endpoint on port 5022
// - Allow links of several databases
// - Set the recovery model of O'Brien]s to FULL
// - Back up O'Brien]s, so that its log chain begins
// - Set the recovery model of Stock to FULL
// - Back up Stock, so that its log chain begins
// - Create availability group AG_erp with O'Brien]s, Stock
// - Create distributed availability group erp
// - Keep the log that seeding needs (trace flag 12381)

@description('The managed instance.')
param instanceName string = 'mi-one'

@description('The public key of the certificate that SQL Server\'s endpoint shows: SELECT CERTENCODED(CERT_ID(name)), in master.')
param sqlServerCertificate string

resource instance 'Microsoft.Sql/managedInstances@2025-01-01' existing = {
  name: instanceName
}

resource certificate 'Microsoft.Sql/managedInstances/serverTrustCertificates@2025-01-01' = {
  parent: instance
  name: 'Cert_SQL01_endpoint'
  properties: {
    publicBlob: sqlServerCertificate
  }
}

resource link 'Microsoft.Sql/managedInstances/distributedAvailabilityGroups@2025-08-01-preview' = {
  parent: instance
  name: 'erp'
  properties: {
    databases: [
      {
        databaseName: 'O\'Brien]s'
      }
      {
        databaseName: 'Stock'
      }
    ]
    instanceLinkRole: 'Secondary'
    failoverMode: 'Manual'
    seedingMode: 'Automatic'
    partnerEndpoint: 'TCP://10.0.0.5:5022'
    partnerAvailabilityGroupName: 'AG_erp'
    instanceAvailabilityGroupName: 'AG_erp_MI'
    linkMode: 'MultiDatabase'
  }
  dependsOn: [
    certificate
  ]
}
