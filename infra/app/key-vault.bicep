metadata description = 'The encryption key, the signing key, and the credentials of the sources.'

@minLength(3)
@maxLength(24)
param name string
param location string
param tags object
param principalId string

@description('Object id of the identity that removes what is old: it signs what it removes, and reads neither secrets nor backups.')
param keeperPrincipalId string

@description('Lets the identity unwrap data keys, that is: read backups.')
param allowUnwrap bool

var roles = 'Microsoft.Authorization/roleDefinitions'
var secretsUser = subscriptionResourceId(roles, '4633458b-17de-408a-b875-0445c86b69e6')
var vaultReader = subscriptionResourceId(roles, '21090545-7ca7-4776-b22c-e363652d74d2')
var cryptoUser = subscriptionResourceId(roles, '12338af0-0e69-4776-bea7-57ae8d297424')

// A new version each year. An expired one still unwraps and verifies, so old backups stay readable.
var rotation = {
  attributes: { expiryTime: 'P2Y' }
  lifetimeActions: [
    { trigger: { timeAfterCreate: 'P1Y' }, action: { type: 'rotate' } }
    { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'notify' } }
  ]
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
  }
}

resource encryptKey 'Microsoft.KeyVault/vaults/keys@2023-07-01' = {
  parent: vault
  name: 'resguardo-encrypt'
  properties: {
    kty: 'RSA'
    keySize: 3072
    keyOps: ['wrapKey', 'unwrapKey']
    rotationPolicy: rotation
  }
}

resource signKey 'Microsoft.KeyVault/vaults/keys@2023-07-01' = {
  parent: vault
  name: 'resguardo-sign'
  properties: {
    kty: 'EC'
    curveName: 'P-256'
    keyOps: ['sign', 'verify']
    rotationPolicy: rotation
  }
}

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, secretsUser)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: secretsUser
  }
}

resource signs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(signKey.id, principalId, cryptoUser)
  scope: signKey
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: cryptoUser
  }
}

resource keeperSigns 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(signKey.id, keeperPrincipalId, cryptoUser)
  scope: signKey
  properties: {
    principalId: keeperPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: cryptoUser
  }
}

resource readsPublicKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(encryptKey.id, principalId, vaultReader)
  scope: encryptKey
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: vaultReader
  }
}

resource unwraps 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (allowUnwrap) {
  name: guid(encryptKey.id, principalId, cryptoUser)
  scope: encryptKey
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: cryptoUser
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'keep-keys'
  scope: vault
  properties: {
    level: 'CanNotDelete'
    notes: 'Without these keys only the break-glass key opens the backups.'
  }
}

output vaultUrl string = vault.properties.vaultUri
output encryptKeyUrl string = encryptKey.properties.keyUri
output signKeyUrl string = signKey.properties.keyUri
