metadata description = 'One vault: a storage account reached by identity alone, where nothing that was written is lost at once.'

@minLength(3)
@maxLength(24)
param name string
param location string
param tags object
param redundancy string
param softDeleteDays int

@description('Days that no new blob can be removed or changed; 0 for none. Unlocked: lock it by hand when it has proven itself.')
param immutableDays int
param principalId string

@description('Resource id of the role that creates and reads, and deletes nothing.')
param backupRoleId string

@description('Object id of the identity that removes what is old.')
param keeperPrincipalId string

@description('Resource id of the role that removes blobs, and no version of them.')
param keeperRoleId string

var containerName = 'resguardo'
// Storage Blob Data Contributor: leases, heads and caches are rewritten all the time, and can be rebuilt from the data.
var stateRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'ba92f5b4-2d11-453d-a403-e96b0029c9fe')

// Storage Blob Delegator: signs URLs by which the other vault's service reads a blob, so that a copy need not send it. The URL
// allows no more than the identity itself may, which is to read. Azure grants this right on a whole account only.
var delegatorRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a')

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
  }
}

resource dataContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobService
  name: containerName
  properties: {
    // Can't be switched on later without a migration, and costs nothing while no blob has a policy.
    immutableStorageWithVersioning: { enabled: true }
  }
}

resource immutability 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = if (immutableDays > 0) {
  parent: dataContainer
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutableDays
    allowProtectedAppendWrites: false
  }
}

resource stateContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobService
  name: '${containerName}-state'
}

// Versioning holds for the whole account; without this rule every renewal of a lease would be kept for ever.
resource stateCleanup 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'drop-old-state'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${stateContainer.name}/'] }
            actions: { version: { delete: { daysAfterCreationGreaterThan: 1 } } }
          }
        }
      ]
    }
  }
  dependsOn: [blobService]
}

resource writesBackups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(dataContainer.id, principalId, backupRoleId)
  scope: dataContainer
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: backupRoleId
  }
}

resource signsUrls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, delegatorRole)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: delegatorRole
  }
}

resource keepsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(stateContainer.id, principalId, stateRole)
  scope: stateContainer
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: stateRole
  }
}

resource removesOld 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(dataContainer.id, keeperPrincipalId, keeperRoleId)
  scope: dataContainer
  properties: {
    principalId: keeperPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: keeperRoleId
  }
}

resource keeperKeepsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(stateContainer.id, keeperPrincipalId, stateRole)
  scope: stateContainer
  properties: {
    principalId: keeperPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: stateRole
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'keep-backups'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Backups. Whoever removes this lock decides to lose them.'
  }
}

output blobUrl string = account.properties.primaryEndpoints.blob
