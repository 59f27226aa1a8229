// Creates link sales-link: Sales.
// Made by milink from a plan.
// Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
// Only what is in Azure: the statements on SQL Server have to be run as well, in the order of the plan.
// The link can be deployed when these are done on SQL Server:
// - Create the master key of master
// - Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
// - Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
// - Import the certificate of Microsoft RSA Root Certificate Authority 2017
// - Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
// - Create the endpoint on port 5022
// - Create availability group AG_Sales, empty
// - Let seeding create databases in AG_Sales
// - Create distributed availability group sales-link

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

resource link 'Microsoft.Sql/managedInstances/distributedAvailabilityGroups@2025-01-01' = {
  parent: instance
  name: 'sales-link'
  properties: {
    databases: [
      {
        databaseName: 'Sales'
      }
    ]
    instanceLinkRole: 'Primary'
    failoverMode: 'Manual'
    seedingMode: 'Automatic'
    partnerEndpoint: 'TCP://10.0.0.5:5022'
    partnerAvailabilityGroupName: 'AG_Sales'
    instanceAvailabilityGroupName: 'AG_Sales_MI'
  }
  dependsOn: [
    certificate
  ]
}
