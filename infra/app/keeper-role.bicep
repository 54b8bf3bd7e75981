targetScope = 'subscription'

metadata description = 'What retention needs in a vault: to list, read, create and remove blobs. It removes no version of them.'

@description('Names of roles are unique in a tenant.')
param installation string

var subscriptionId = subscription().id
var blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'

// What it removes stays as a version and as a deleted blob for the days of the account's soft delete: no right here ends that.
resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscriptionId, installation, 'keeper')
  properties: {
    type: 'CustomRole'
    roleName: 'Resguardo keeper (${installation})'
    description: 'Lists, reads, creates and removes blobs of a backup vault, and sets their tiers. Removes no version.'
    assignableScopes: [subscriptionId]
    permissions: [
      {
        actions: ['Microsoft.Storage/storageAccounts/blobServices/containers/read']
        notActions: []
        dataActions: ['${blobs}/read', '${blobs}/write', '${blobs}/delete']
        notDataActions: []
      }
    ]
  }
}

output id string = role.id
