# What is kept, and by which key: bus, log, code, store, timers.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name     = "trefoil-dev"
  account  = { id = "01234567-89ab-cdef-0123-456789abcdef", group = "trefoil-dev", region = "westeurope" }
  package  = "main.tf"
  deployer = "11111111-1111-1111-1111-111111111111"
  log_id   = "/the/log"
  store_id = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/trefoil-dev/providers/Microsoft.Storage/storageAccounts/trefoildevstore50e7a228/tableServices/default/tables/trefoildevcommits"
  tags     = { stage = "dev" }
}

run "the_bus" {
  command = plan

  module {
    source = "../../modules/azure/bus"
  }

  assert {
    condition = [
      azurerm_servicebus_namespace.this.name, azurerm_servicebus_namespace.this.resource_group_name,
      azurerm_servicebus_namespace.this.location, azurerm_servicebus_namespace.this.sku, azurerm_servicebus_namespace.this.capacity,
    ] == ["trefoil-dev-50e7a228", "trefoil-dev", "westeurope", "Standard", 0]
    error_message = "The namespace has a name of its own in the world."
  }

  assert {
    condition     = [azurerm_servicebus_namespace.this.minimum_tls_version, azurerm_servicebus_namespace.this.local_auth_enabled] == ["1.2", false]
    error_message = "Nobody comes in with a key, or with an old TLS."
  }

  assert {
    condition     = length(azurerm_servicebus_namespace.this.customer_managed_key) + length(azurerm_servicebus_namespace.this.identity) + length(azurerm_role_assignment.key) == 0 && output.key == null && output.key_id == null
    error_message = "Azure uses keys of its own."
  }

  assert {
    condition = [
      azurerm_servicebus_topic.this.name, azurerm_servicebus_topic.this.default_message_ttl,
      azurerm_servicebus_topic.this.auto_delete_on_idle, azurerm_servicebus_topic.this.requires_duplicate_detection,
    ] == ["trefoil-dev-bus", "P10675199DT2H48M5.4775807S", "P10675199DT2H48M5.4775807S", false]
    error_message = "The topic and what it holds never expire."
  }

  assert {
    condition = [
      azurerm_monitor_diagnostic_setting.this.target_resource_id, azurerm_monitor_diagnostic_setting.this.log_analytics_workspace_id,
      join(" ", [for log in azurerm_monitor_diagnostic_setting.this.enabled_log : log.category_group]),
      join(" ", [for metric in azurerm_monitor_diagnostic_setting.this.enabled_metric : metric.category]),
    ] == [split("/topics/", output.bus_id)[0], "/the/log", "allLogs", "AllMetrics"]
    error_message = "What is done to the namespace is in the log."
  }

  assert {
    condition = [output.bus_id, output.bus_host] == [
      "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.ServiceBus/namespaces/trefoil-dev-50e7a228/topics/trefoil-dev-bus",
      "trefoil-dev-50e7a228.servicebus.windows.net",
    ]
    error_message = "The bus is ${output.bus_id} at ${output.bus_host}."
  }

  assert {
    condition     = terraform_data.place.input == "01234567-89ab-cdef-0123-456789abcdef/westeurope"
    error_message = "The state will be of ${terraform_data.place.input}."
  }

  assert {
    condition     = azurerm_servicebus_namespace.this.tags.stage == "dev"
    error_message = "It is tagged."
  }
}

run "a_bus_with_a_key_and_an_operator" {
  command = plan

  module {
    source = "../../modules/azure/bus"
  }

  variables {
    sku       = "Premium"
    key_id    = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/shop/keys/trefoil"
    operators = ["44444444-4444-4444-4444-444444444444"]
  }

  assert {
    condition = [
      for key in azurerm_servicebus_namespace.this.customer_managed_key : [key.key_vault_key_id, key.identity_id]
    ] == [[output.key.uri, output.key.identity_id]]
    error_message = "The namespace is encrypted with the key."
  }

  assert {
    condition = output.key == {
      uri         = "https://shop.vault.azure.net/keys/trefoil"
      identity_id = "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.ManagedIdentity/userAssignedIdentities/trefoil-dev-key"
    }
    error_message = "The key is ${jsonencode(output.key)}."
  }

  assert {
    condition = [
      for grant in azurerm_role_assignment.key : [grant.scope, grant.role_definition_name, grant.principal_id]
    ] == [[var.key_id, "Key Vault Crypto Service Encryption User", "33333333-3333-3333-3333-333333333333"]]
    error_message = "One identity may use the key, that key only."
  }

  assert {
    condition = [
      for grant in azurerm_role_assignment.operator : [grant.scope, grant.role_definition_name, grant.principal_id]
    ] == [[split("/topics/", output.bus_id)[0], "Azure Service Bus Data Owner", "44444444-4444-4444-4444-444444444444"]]
    error_message = "Operators may work with the channels, of this namespace only."
  }

  assert {
    condition     = [azurerm_servicebus_namespace.this.capacity, azurerm_servicebus_namespace.this.premium_messaging_partitions] == [1, 1]
    error_message = "A namespace of the tier Premium has a unit of it."
  }
}

run "a_key_in_the_tier_that_takes_none_is_refused" {
  command = plan

  module {
    source = "../../modules/azure/bus"
  }

  variables {
    key_id = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/shop/keys/trefoil"
  }

  expect_failures = [azurerm_servicebus_namespace.this]
}

run "something_else_than_a_key_or_a_tier_is_refused" {
  command = plan

  module {
    source = "../../modules/azure/bus"
  }

  variables {
    key_id = "https://shop.vault.azure.net/keys/trefoil"
    sku    = "Basic"
  }

  expect_failures = [var.key_id, var.sku]
}

run "a_state_is_of_one_place" {
  state_key = "placed"

  module {
    source = "./tests/placed"
  }
}

run "there_it_may_be_changed" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/azure/bus"
  }

  variables {
    tags = { stage = "other" }
  }

  assert {
    condition     = azurerm_servicebus_namespace.this.tags.stage == "other"
    error_message = "The same place is let through."
  }
}

run "another_region_is_refused" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/azure/bus"
  }

  variables {
    account = { id = "01234567-89ab-cdef-0123-456789abcdef", group = "trefoil-dev", region = "northeurope" }
  }

  expect_failures = [terraform_data.place]
}

run "another_subscription_is_refused" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/azure/bus"
  }

  variables {
    account = { id = "76543210-89ab-cdef-0123-456789abcdef", group = "trefoil-dev", region = "westeurope" }
  }

  expect_failures = [terraform_data.place]
}

run "the_log" {
  command = plan

  module {
    source = "../../modules/azure/log"
  }

  assert {
    condition     = [azurerm_log_analytics_workspace.this.name, azurerm_log_analytics_workspace.this.retention_in_days] == ["trefoil-dev-log", 30]
    error_message = "The log is kept for a month."
  }

  assert {
    condition = [
      azurerm_application_insights.this.workspace_id, azurerm_application_insights.this.local_authentication_disabled,
    ] == [output.log_id, true]
    error_message = "What functions report goes to the log, and nobody reports without an identity."
  }

  assert {
    condition = [output.log_id, output.insights] == [
      "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.OperationalInsights/workspaces/trefoil-dev-log",
      { id = "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.Insights/components/trefoil-dev-log", connection_string = "InstrumentationKey=0" },
    ]
    error_message = "The log is ${output.log_id}, for functions ${jsonencode(output.insights)}."
  }

  assert {
    condition     = [azurerm_log_analytics_workspace.this.tags.stage, azurerm_application_insights.this.tags.stage] == ["dev", "dev"]
    error_message = "Everything is tagged."
  }
}

run "the_code" {
  command = plan

  module {
    source = "../../modules/azure/code"
  }

  assert {
    condition = [
      azurerm_storage_account.this.name, azurerm_storage_account.this.location, azurerm_storage_account.this.min_tls_version,
      azurerm_storage_account.this.shared_access_key_enabled, azurerm_storage_account.this.allow_nested_items_to_be_public,
      azurerm_storage_account.this.local_user_enabled, azurerm_storage_account.this.https_traffic_only_enabled,
    ] == ["trefoildevcode50e7a228", "westeurope", "TLS1_2", false, false, false, true]
    error_message = "The zip lies in an account that nobody comes into with a key."
  }

  assert {
    condition     = [azurerm_storage_container.this.name, azurerm_storage_container.this.container_access_type, azurerm_storage_container.this.storage_account_id] == ["code", "private", output.package.storage_id]
    error_message = "Nobody else can read the container."
  }

  assert {
    condition = [
      azurerm_storage_blob.this.name, azurerm_storage_blob.this.source, azurerm_storage_blob.this.content_md5,
      azurerm_storage_blob.this.storage_account_name, azurerm_storage_blob.this.storage_container_name,
    ] == ["released-package.zip", "main.tf", filemd5("main.tf"), "trefoildevcode50e7a228", "code"]
    error_message = "The zip is the one that Flex Consumption runs, and a changed one is noticed."
  }

  assert {
    condition     = [azurerm_role_assignment.this.scope, azurerm_role_assignment.this.role_definition_name, azurerm_role_assignment.this.principal_id] == ["${output.package.storage_id}/blobServices/default/containers/code", "Storage Blob Data Contributor", var.deployer]
    error_message = "Who deploys may write into the container, and into nothing else."
  }

  assert {
    condition = output.package == {
      storage    = "trefoildevcode50e7a228"
      storage_id = "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.Storage/storageAccounts/trefoildevcode50e7a228"
      uri        = "https://trefoildevcode50e7a228.blob.core.windows.net/code"
      hash       = filesha256("main.tf")
    }
    error_message = "The package is ${jsonencode(output.package)}."
  }

  assert {
    condition     = [azurerm_storage_account.this.tags.stage, length(azurerm_storage_account.this.customer_managed_key)] == ["dev", 0]
    error_message = "It is tagged, and Azure uses keys of its own."
  }
}

run "a_zip_that_is_not_there_is_named" {
  command = plan

  module {
    source = "../../modules/azure/code"
  }

  variables {
    package = "none.zip"
    key     = { uri = "https://shop.vault.azure.net/keys/trefoil", identity_id = "/the/identity" }
  }

  expect_failures = [azurerm_storage_blob.this]
}

run "the_store" {
  command = plan

  module {
    source = "../../modules/azure/store"
  }

  assert {
    condition = [
      azurerm_storage_account.this.name, azurerm_storage_account.this.location, azurerm_storage_account.this.account_replication_type,
      azurerm_storage_account.this.min_tls_version, azurerm_storage_account.this.shared_access_key_enabled,
      azurerm_storage_account.this.allow_nested_items_to_be_public, azurerm_storage_account.this.local_user_enabled,
      azurerm_storage_account.this.https_traffic_only_enabled,
    ] == ["trefoildevstore50e7a228", "westeurope", "ZRS", "TLS1_2", false, false, false, true]
    error_message = "The store lies in an account that nobody comes into with a key."
  }

  assert {
    condition     = [azurerm_storage_account.this.table_encryption_key_type, length(azurerm_storage_account.this.customer_managed_key)] == ["Account", 0]
    error_message = "Azure uses keys of its own, and tables could be encrypted with another one day."
  }

  assert {
    condition     = length(azurerm_management_lock.this) + length(azurerm_role_assignment.operator) == 0
    error_message = "It can be deleted, and nobody looks into it by hand."
  }

  assert {
    condition = [output.store_id, output.store_uri] == [
      "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.Storage/storageAccounts/trefoildevstore50e7a228/tableServices/default/tables/trefoildevcommits",
      "https://trefoildevstore50e7a228.table.core.windows.net",
    ]
    error_message = "The store is ${output.store_id} at ${output.store_uri}."
  }

  assert {
    condition     = azurerm_storage_account.this.tags.stage == "dev"
    error_message = "It is tagged."
  }
}

run "a_protected_store_with_a_key" {
  command = plan

  module {
    source = "../../modules/azure/store"
  }

  variables {
    deletion_protection = true
    replication         = "GZRS"
    key                 = { uri = "https://shop.vault.azure.net/keys/trefoil", identity_id = "/the/identity" }
    operators           = ["44444444-4444-4444-4444-444444444444"]
  }

  assert {
    condition = [
      for lock in azurerm_management_lock.this : [lock.lock_level, lock.scope]
    ] == [["CanNotDelete", split("/tableServices/", output.store_id)[0]]]
    error_message = "Azure refuses to delete the account."
  }

  assert {
    condition = [
      for key in azurerm_storage_account.this.customer_managed_key :
      [key.key_vault_key_id, key.user_assigned_identity_id, azurerm_storage_account.this.account_replication_type]
    ] == [["https://shop.vault.azure.net/keys/trefoil", "/the/identity", "GZRS"]]
    error_message = "It is encrypted with the key."
  }

  assert {
    condition = [
      for grant in azurerm_role_assignment.operator : [grant.scope, grant.role_definition_name]
    ] == [[split("/tableServices/", output.store_id)[0], "Storage Table Data Contributor"]]
    error_message = "Operators may look into it."
  }
}

run "another_replication_is_refused" {
  command = plan

  module {
    source = "../../modules/azure/store"
  }

  variables {
    replication = "RAGRS"
  }

  expect_failures = [var.replication]
}

run "a_table" {
  command = plan

  module {
    source = "../../modules/azure/table"
  }

  variables {
    name    = "trefoildevcommits"
    storage = "trefoildevstore50e7a228"
  }

  assert {
    condition = [
      azurerm_resource_group_template_deployment.this.name, azurerm_resource_group_template_deployment.this.deployment_mode,
      azurerm_resource_group_template_deployment.this.resource_group_name, azurerm_resource_group_template_deployment.this.tags.stage,
    ] == ["trefoildevcommits", "Incremental", "trefoil-dev", "dev"]
    error_message = "Its template leaves alone what else is in the group."
  }

  assert {
    condition = [
      for resource in jsondecode(azurerm_resource_group_template_deployment.this.template_content).resources : [resource.type, resource.name]
    ] == [["Microsoft.Storage/storageAccounts/tableServices/tables", "trefoildevstore50e7a228/default/trefoildevcommits"]]
    error_message = "The template makes the table in its account."
  }
}

run "a_table_with_a_dash_is_refused" {
  command = plan

  module {
    source = "../../modules/azure/table"
  }

  variables {
    name    = "trefoil-devcommits"
    storage = "trefoildevstore50e7a228"
  }

  expect_failures = [var.name]
}

run "the_timers" {
  command = plan

  module {
    source = "../../modules/azure/timers"
  }

  assert {
    condition     = output.timers_id == "${split("/tables/", var.store_id)[0]}/tables/trefoildevtimers"
    error_message = "The timers are ${output.timers_id}."
  }
}
