targetScope = 'subscription'

metadata description = 'What a backup needs in a vault: to list, read and create. It deletes neither blobs nor versions of them.'

@description('Names of roles are unique in a tenant.')
param installation string

var subscriptionId = subscription().id
var blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'

// Azure has no right to commit a block list only where nothing was: Put Block List asks for blobs/write, which may also
// overwrite (blobs/add/action covers Put Blob alone). What was overwritten stays as a version, and no right here deletes one.
resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscriptionId, installation, 'backup-writer')
  properties: {
    type: 'CustomRole'
    roleName: 'Resguardo backup writer (${installation})'
    description: 'Lists, reads and creates blobs of a backup vault. Deletes nothing.'
    assignableScopes: [subscriptionId]
    permissions: [
      {
        actions: ['Microsoft.Storage/storageAccounts/blobServices/containers/read']
        notActions: []
        dataActions: ['${blobs}/read', '${blobs}/write']
        notDataActions: []
      }
    ]
  }
}

output id string = role.id
