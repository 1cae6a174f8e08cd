# The functions: the app, its code, what it may do, alarms.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name        = "trefoil-dev"
  account     = { id = "01234567-89ab-cdef-0123-456789abcdef", group = "trefoil-dev", region = "westeurope" }
  package     = { storage = "thecode", storage_id = "/the/account", uri = "https://thecode.example/code", hash = "the-hash" }
  runtime     = "python 3.13"
  memory_mib  = 2048
  instances   = { min = 0, max = 40 }
  environment = { TREFOIL_NAME = "trefoil" }
  bus_id      = "/the/bus"
  channels    = { rooms = { channel_id = "/the/rooms", dead_letter_id = "/the/rooms-dead" }, front_doors = { channel_id = "/the/doors", dead_letter_id = "/the/doors-dead" } }
  store_id    = "/the/commits"
  timers_id   = "/the/timers"
  insights    = { id = "/the/insights", connection_string = "InstrumentationKey=0" }
  tags        = { stage = "dev" }
}

run "an_app" {
  command = plan

  module {
    source = "../../modules/azure/function"
  }

  assert {
    condition = [
      azurerm_function_app_flex_consumption.this.name, azurerm_function_app_flex_consumption.this.resource_group_name,
      azurerm_function_app_flex_consumption.this.location, azurerm_service_plan.this.sku_name, azurerm_service_plan.this.os_type,
      element(split("/", azurerm_function_app_flex_consumption.this.service_plan_id), 8),
    ] == ["trefoil-dev-50e7a228", "trefoil-dev", "westeurope", "FC1", "Linux", "trefoil-dev-plan"]
    error_message = "It lies where it should, on Flex Consumption, and has a name of its own in the world."
  }

  assert {
    condition = [
      azurerm_function_app_flex_consumption.this.runtime_name, azurerm_function_app_flex_consumption.this.runtime_version,
      azurerm_function_app_flex_consumption.this.storage_container_endpoint,
      azurerm_function_app_flex_consumption.this.storage_authentication_type,
    ] == ["python", "3.13", "https://thecode.example/code", "SystemAssignedIdentity"]
    error_message = "It runs the zip in the container, which it reads as itself."
  }

  assert {
    condition = [
      azurerm_function_app_flex_consumption.this.instance_memory_in_mb,
      azurerm_function_app_flex_consumption.this.maximum_instance_count,
      length(azurerm_function_app_flex_consumption.this.always_ready),
    ] == [2048, 40, 0]
    error_message = "It has as many instances as it is told."
  }

  assert {
    condition = nonsensitive(azurerm_function_app_flex_consumption.this.app_settings) == tomap({
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "Authorization=AAD"
      AzureWebJobsStorage                       = ""
      AzureWebJobsStorage__accountName          = "thecode"
      TREFOIL_NAME                              = "trefoil"
      TREFOIL_PACKAGE                           = "the-hash"
    })
    error_message = "The app gets the environment it is given, and reaches its storage as itself."
  }

  assert {
    condition     = issensitive(azurerm_function_app_flex_consumption.this.app_settings)
    error_message = "No plan shows the environment: it may hold passwords."
  }

  assert {
    condition = [
      for site in azurerm_function_app_flex_consumption.this.site_config : [
        site.minimum_tls_version, site.scm_minimum_tls_version, site.ip_restriction_default_action,
        site.scm_ip_restriction_default_action, site.application_insights_connection_string,
      ]
    ] == [["1.2", "1.2", "Deny", "Deny", "InstrumentationKey=0"]]
    error_message = "Nobody can reach it, and it reports to Application Insights."
  }

  assert {
    condition     = [azurerm_function_app_flex_consumption.this.https_only, azurerm_function_app_flex_consumption.this.webdeploy_publish_basic_authentication_enabled] == [true, false]
    error_message = "Nobody deploys with a password."
  }

  assert {
    condition = { for name, grant in azurerm_role_assignment.this : name => [grant.scope, grant.role_definition_name] } == {
      commits              = ["/the/commits", "Storage Table Data Contributor"]
      front_doors-gives-up = ["/the/doors-dead", "Azure Service Bus Data Sender"]
      front_doors-receives = ["/the/doors", "Azure Service Bus Data Receiver"]
      front_doors-sends    = ["/the/doors", "Azure Service Bus Data Sender"]
      host                 = ["/the/account", "Storage Blob Data Owner"]
      publishes            = ["/the/bus", "Azure Service Bus Data Sender"]
      reports              = ["/the/insights", "Monitoring Metrics Publisher"]
      rooms-gives-up       = ["/the/rooms-dead", "Azure Service Bus Data Sender"]
      rooms-receives       = ["/the/rooms", "Azure Service Bus Data Receiver"]
      rooms-sends          = ["/the/rooms", "Azure Service Bus Data Sender"]
      timers               = ["/the/timers", "Storage Table Data Contributor"]
    }
    error_message = "It may do what it must, and nothing else: ${jsonencode({ for name, grant in azurerm_role_assignment.this : name => grant.role_definition_name })}"
  }

  assert {
    condition     = toset([for grant in azurerm_role_assignment.this : grant.principal_id]) == toset([output.function_account])
    error_message = "It acts in the name of its own identity."
  }

  assert {
    condition = [
      azurerm_monitor_scheduled_query_rules_alert_v2.errors.name,
      azurerm_monitor_scheduled_query_rules_alert_v2.errors.criteria[0].query,
      azurerm_monitor_scheduled_query_rules_alert_v2.errors.criteria[0].operator,
      azurerm_monitor_scheduled_query_rules_alert_v2.errors.criteria[0].threshold,
      azurerm_monitor_scheduled_query_rules_alert_v2.errors.criteria[0].dimension[0].name,
    ] == ["trefoil-dev-errors", "requests | where success == false", "GreaterThan", 0, "name"]
    error_message = "An alarm watches each function's errors."
  }

  assert {
    condition = [
      azurerm_monitor_scheduled_query_rules_alert_v2.silent.name,
      azurerm_monitor_scheduled_query_rules_alert_v2.silent.criteria[0].query,
      azurerm_monitor_scheduled_query_rules_alert_v2.silent.criteria[0].operator,
      azurerm_monitor_scheduled_query_rules_alert_v2.silent.criteria[0].threshold,
      azurerm_monitor_scheduled_query_rules_alert_v2.silent.window_duration,
      ] == [
      "trefoil-dev-tick-silent",
      "requests | where name == \"tick\" and success == true | summarize ticks = count() | where ticks == 0", "GreaterThan", 0, "PT15M",
    ]
    error_message = "An alarm goes off when no tick succeeds."
  }

  assert {
    condition = [
      azurerm_function_app_flex_consumption.this.tags.stage, azurerm_service_plan.this.tags.stage,
      azurerm_monitor_scheduled_query_rules_alert_v2.errors.tags.stage, azurerm_monitor_scheduled_query_rules_alert_v2.silent.tags.stage,
    ] == ["dev", "dev", "dev", "dev"]
    error_message = "Everything is tagged."
  }

  assert {
    condition = [output.function_id, output.function_ids] == [
      "/subscriptions/${var.account.id}/resourceGroups/trefoil-dev/providers/Microsoft.Web/sites/trefoil-dev-50e7a228",
      { for name in ["front_doors", "rooms", "tick"] : name => "${output.function_id}/functions/${name}" },
    ]
    error_message = "The outputs are ${output.function_id} and ${jsonencode(output.function_ids)}."
  }
}

run "instances_that_are_kept_ready" {
  command = plan

  module {
    source = "../../modules/azure/function"
  }

  variables {
    instances      = { min = 2, max = 40 }
    ingress        = "Allow"
    silent_seconds = 300
    alarm_actions  = ["/the/action"]
  }

  assert {
    condition     = { for ready in azurerm_function_app_flex_consumption.this.always_ready : ready.name => ready.instance_count } == { "function:front_doors" = 2, "function:rooms" = 2 }
    error_message = "Each service has instances of its own that are kept ready."
  }

  assert {
    condition = [
      for alarm in [azurerm_monitor_scheduled_query_rules_alert_v2.errors, azurerm_monitor_scheduled_query_rules_alert_v2.silent] : alarm.action[0].action_groups
    ] == [tolist(["/the/action"]), tolist(["/the/action"])]
    error_message = "Alarms tell the given actions."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.this.site_config[0].ip_restriction_default_action == "Allow"
    error_message = "It can be reached where that is wanted."
  }
}

run "more_instances_kept_ready_than_there_may_be_are_refused" {
  command = plan

  module {
    source = "../../modules/azure/function"
  }

  variables {
    instances = { min = 21, max = 40 }
  }

  expect_failures = [azurerm_function_app_flex_consumption.this]
}

run "values_that_azure_has_none_of_are_refused" {
  command = plan

  module {
    source = "../../modules/azure/function"
  }

  variables {
    runtime        = "python313"
    instances      = { min = 0, max = 39 }
    ingress        = "Maybe"
    silent_seconds = 90
  }

  expect_failures = [var.runtime, var.instances, var.ingress, var.silent_seconds]
}
