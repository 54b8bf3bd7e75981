metadata description = 'Asks the app from five places whether every source is fresh, and tells people when it says no or says nothing.'

param name string
param location string
param tags object

@description('Resource id of the Application Insights component that keeps the results.')
param componentId string
param url string

@minLength(1)
param emails string[]

@minLength(5)
@maxLength(16)
param testLocations string[] = [
  'emea-nl-ams-azr'
  'emea-gb-db3-azr'
  'us-va-ash-azr'
  'us-ca-sjc-azr'
  'latam-br-gru-edge'
]

// Anything but 200 fails, so breached and unknown (both 503) alarm in the same way as an app that is down.
resource test 'Microsoft.Insights/webtests@2022-06-15' = {
  name: 'freshness-${name}'
  location: location
  tags: union(tags, { 'hidden-link:${componentId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: 'freshness-${name}'
    Name: 'freshness-${name}'
    Description: 'Is every source within its RPO?'
    Enabled: true
    Kind: 'standard'
    Frequency: 300
    Timeout: 60
    RetryEnabled: true
    Locations: map(testLocations, place => { Id: place })
    Request: {
      RequestUrl: url
      HttpVerb: 'GET'
      FollowRedirects: false
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'resguardo'
    emailReceivers: map(emails, email => { name: email, emailAddress: email, useCommonAlertSchema: true })
  }
}

// The failing places that alarm: all but two, so that trouble on the way from one or two of them wakes nobody.
resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'not-fresh-${name}'
  location: 'global'
  tags: union(tags, { 'hidden-link:${componentId}': 'Resource', 'hidden-link:${test.id}': 'Resource' })
  properties: {
    description: 'A source is breached or unknown, or the app does not answer. Look at ${url}'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [test.id, componentId]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: test.id
      componentId: componentId
      failedLocationCount: length(testLocations) - 2
    }
    actions: [{ actionGroupId: people.id }]
  }
}
