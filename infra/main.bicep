targetScope = 'subscription'

metadata description = 'Resguardo on Azure: the function app, two vaults in two regions, the keys, and the alarm that watches from outside.'

@description('Short name of this installation; it becomes part of every resource name.')
@minLength(3)
@maxLength(20)
param name string

@description('The same text as "environment" in the policy.')
@minLength(1)
param environment string

@description('Region of the function app, the keys and the primary vault.')
@minLength(1)
param primaryLocation string

@description('Region of the offsite vault and of the alarm. Another one than primaryLocation.')
@minLength(1)
param offsiteLocation string

@description('Who is told when a source is no longer fresh, or when the app does not answer.')
@minLength(1)
param alertEmails string[]

@description('Redundancy of each vault within its region.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param vaultRedundancy string = 'Standard_ZRS'

@description('Days that deleted and overwritten blobs of the vaults can still be brought back.')
@minValue(7)
@maxValue(365)
param softDeleteDays int = 30

@description('Days that nobody can remove or change a new blob of the vaults; 0 for none. Not longer than the shortest retention.')
@minValue(0)
@maxValue(3650)
param immutableDays int = 0

@description('Lets the app unwrap data keys. Restore tests need it; an app without it can back up and cannot read a backup.')
param allowRestoreTests bool = true

@allowed(['22', '24'])
param nodeVersion string = '24'

@description('Memory of one instance. CPU and network grow with it.')
@allowed([2048, 4096])
param instanceMemoryMB int = 2048

@description('Instances that work at the same time, at most.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('The deployed commit; manifests and receipts name it.')
@maxLength(100)
param commit string = ''

param tags object = {}

var sameRegion = toLower(replace(primaryLocation, ' ', '')) == toLower(replace(offsiteLocation, ' ', ''))
var otherLocation = sameRegion ? fail('offsiteLocation must not be primaryLocation') : offsiteLocation
var token = uniqueString(subscription().id, name, primaryLocation)
var allTags = union(tags, { application: 'resguardo', environment: environment })

// Each vault has a group of its own, so that nobody deletes both, or one together with the app, in a single step.
resource appGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${name}-app'
  location: primaryLocation
  tags: allTags
}

resource primaryGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${name}-vault-primary'
  location: primaryLocation
  tags: allTags
}

resource offsiteGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${name}-vault-offsite'
  location: otherLocation
  tags: allTags
}

// The alarm stands outside the region that it watches.
resource monitorGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${name}-monitor'
  location: otherLocation
  tags: allTags
}

module identity 'app/identity.bicep' = {
  name: 'resguardo-identity'
  scope: appGroup
  params: {
    name: 'id-${name}-${token}'
    location: primaryLocation
    tags: allTags
  }
}

// Whoever steals the app that backs up must not be able to remove a backup: that is another app's, with an identity of its own.
module keeperIdentity 'app/identity.bicep' = {
  name: 'resguardo-keeper-identity'
  scope: appGroup
  params: {
    name: 'id-${name}-keeper-${token}'
    location: primaryLocation
    tags: allTags
  }
}

module keeperRole 'app/keeper-role.bicep' = {
  name: 'resguardo-keeper-role'
  params: {
    installation: name
  }
}

module backupRole 'app/backup-role.bicep' = {
  name: 'resguardo-backup-role'
  params: {
    installation: name
  }
}

module primaryVault 'app/vault-storage.bicep' = {
  name: 'resguardo-vault-primary'
  scope: primaryGroup
  params: {
    name: 'stprimary${token}'
    location: primaryLocation
    tags: allTags
    redundancy: vaultRedundancy
    softDeleteDays: softDeleteDays
    immutableDays: immutableDays
    principalId: identity.outputs.principalId
    backupRoleId: backupRole.outputs.id
    keeperPrincipalId: keeperIdentity.outputs.principalId
    keeperRoleId: keeperRole.outputs.id
  }
}

module offsiteVault 'app/vault-storage.bicep' = {
  name: 'resguardo-vault-offsite'
  scope: offsiteGroup
  params: {
    name: 'stoffsite${token}'
    location: otherLocation
    tags: allTags
    redundancy: vaultRedundancy
    softDeleteDays: softDeleteDays
    immutableDays: immutableDays
    principalId: identity.outputs.principalId
    backupRoleId: backupRole.outputs.id
    keeperPrincipalId: keeperIdentity.outputs.principalId
    keeperRoleId: keeperRole.outputs.id
  }
}

module keys 'app/key-vault.bicep' = {
  name: 'resguardo-keys'
  scope: appGroup
  params: {
    name: 'kv-${token}'
    location: primaryLocation
    tags: allTags
    principalId: identity.outputs.principalId
    keeperPrincipalId: keeperIdentity.outputs.principalId
    allowUnwrap: allowRestoreTests
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'resguardo-monitoring'
  scope: monitorGroup
  params: {
    name: name
    location: otherLocation
    tags: allTags
    principalIds: [identity.outputs.principalId, keeperIdentity.outputs.principalId]
  }
}

module hostStorage 'app/host-storage.bicep' = {
  name: 'resguardo-host-storage'
  scope: appGroup
  params: {
    name: 'sthost${token}'
    location: primaryLocation
    tags: allTags
    principalId: identity.outputs.principalId
  }
}

module functionApp 'app/function-app.bicep' = {
  name: 'resguardo-function-app'
  scope: appGroup
  params: {
    name: 'func-${name}-${token}'
    location: primaryLocation
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostStorageName: hostStorage.outputs.name
    packageContainerUrl: hostStorage.outputs.packageContainerUrl
    nodeVersion: nodeVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    telemetryConnectionString: monitoring.outputs.connectionString
    settings: {
      RESGUARDO_POLICY: hostStorage.outputs.policyUrl
      RESGUARDO_COMMIT: commit
      RESGUARDO_ROLE: 'backup'
      PRIMARY_BLOB_URL: primaryVault.outputs.blobUrl
      OFFSITE_BLOB_URL: offsiteVault.outputs.blobUrl
    }
  }
}

// A host storage of its own: who can put a message on a queue can ask for any job of the app that reads it.
module keeperHostStorage 'app/host-storage.bicep' = {
  name: 'resguardo-keeper-host-storage'
  scope: appGroup
  params: {
    name: 'stkeep${token}'
    location: primaryLocation
    tags: allTags
    principalId: keeperIdentity.outputs.principalId
  }
}

module keeperApp 'app/function-app.bicep' = {
  name: 'resguardo-keeper-app'
  scope: appGroup
  params: {
    name: 'func-${name}-keeper-${token}'
    location: primaryLocation
    tags: allTags
    identityId: keeperIdentity.outputs.id
    identityClientId: keeperIdentity.outputs.clientId
    hostStorageName: keeperHostStorage.outputs.name
    packageContainerUrl: keeperHostStorage.outputs.packageContainerUrl
    nodeVersion: nodeVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    telemetryConnectionString: monitoring.outputs.connectionString
    settings: {
      RESGUARDO_POLICY: keeperHostStorage.outputs.policyUrl
      RESGUARDO_COMMIT: commit
      RESGUARDO_ROLE: 'keeper'
      PRIMARY_BLOB_URL: primaryVault.outputs.blobUrl
      OFFSITE_BLOB_URL: offsiteVault.outputs.blobUrl
    }
  }
}

module freshnessAlert 'app/freshness-alert.bicep' = {
  name: 'resguardo-freshness-alert'
  scope: monitorGroup
  params: {
    name: name
    location: otherLocation
    tags: allTags
    componentId: monitoring.outputs.componentId
    url: 'https://${functionApp.outputs.hostName}/api/freshness'
    emails: alertEmails
  }
}

@description('Where to publish the compiled app: func azure functionapp publish NAME.')
output functionAppName string = functionApp.outputs.name

@description('Where to publish the same app once more: it removes what is old.')
output keeperAppName string = keeperApp.outputs.name

output freshnessUrl string = 'https://${functionApp.outputs.hostName}/api/freshness'

@description('Where the app reads its policy. Upload it there before the first start.')
output policyUrl string = hostStorage.outputs.policyUrl

@description('Where the keeper reads the policy. Upload the same document there.')
output keeperPolicyUrl string = keeperHostStorage.outputs.policyUrl

@description('For "keyVault" in the policy.')
output keyVaultUrl string = keys.outputs.vaultUrl

@description('For "keys.encrypt.keyUrl" in the policy.')
output encryptKeyUrl string = keys.outputs.encryptKeyUrl

@description('For "keys.sign.keyUrl" in the policy.')
output signKeyUrl string = keys.outputs.signKeyUrl

output primaryBlobUrl string = primaryVault.outputs.blobUrl
output offsiteBlobUrl string = offsiteVault.outputs.blobUrl

@description('The database account of this identity, where a source is reached by Entra ID.')
output identityName string = identity.outputs.name
