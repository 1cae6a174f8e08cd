# Everything follows from the contract: a service more in it is a channel and a function more.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  subscription = "01234567-89ab-cdef-0123-456789abcdef"
  region       = "westeurope"
  contract     = "tests/contracts/two.json"
  package      = "main.tf"
}

run "one_service" {
  command = plan

  variables {
    contract = "tests/contracts/one.json"
  }

  assert {
    condition     = [keys(output.channels), keys(module.channel)] == [["rooms"], ["rooms"]]
    error_message = "There is one service: ${jsonencode(keys(output.channels))}"
  }

  assert {
    condition     = local.max_instances == 40
    error_message = "An app has a maximum of at least 40 instances: ${local.max_instances}"
  }
}

run "a_service_more" {
  command = plan

  assert {
    condition = output.channels == {
      for name in ["front_doors", "rooms"] : name => {
        channel_id     = "${split("/topics/", output.bus_id)[0]}/queues/trefoil-dev-${name}"
        dead_letter_id = "${split("/topics/", output.bus_id)[0]}/queues/trefoil-dev-${name}-dead"
        function_id    = "${trimsuffix(output.tick_id, "/functions/tick")}/functions/${name}"
      }
    }
    error_message = "Each service has a channel, dead letters and a function: ${jsonencode(output.channels)}"
  }

  assert {
    condition     = output.tick_id == "/subscriptions/${var.subscription}/resourceGroups/trefoil-dev/providers/Microsoft.Web/sites/trefoil-dev-${substr(sha256("${var.subscription}/trefoil-dev"), 0, 8)}/functions/tick"
    error_message = "The tick is ${output.tick_id}."
  }

  assert {
    condition     = local.max_instances == 49
    error_message = "The app has as many instances as the services may have together, and one for the tick: ${local.max_instances}"
  }

  assert {
    condition     = [output.bus_host, output.store_uri] == ["trefoil-dev-50e7a228.servicebus.windows.net", "https://trefoildevstore50e7a228.table.core.windows.net"]
    error_message = "`trefoil` finds the deployment at ${output.bus_host} and ${output.store_uri}."
  }
}

run "everything_lies_in_one_group" {
  command = plan

  assert {
    condition     = [azurerm_resource_group.this.name, azurerm_resource_group.this.location, azurerm_resource_group.this.tags.stage] == ["trefoil-dev", "westeurope", "dev"]
    error_message = "The resource group is ${azurerm_resource_group.this.name}."
  }
}

run "the_functions_environment" {
  command = plan

  variables {
    name        = "shop"
    stage       = "prod"
    environment = { TREFOIL_SMTP_URL = "smtp://mail.example" }
  }

  assert {
    condition     = issensitive(local.environment)
    error_message = "No plan shows what the user tells the functions."
  }

  assert {
    condition = nonsensitive(local.environment) == {
      TREFOIL_CLOUD                               = "azure"
      TREFOIL_NAME                                = "shop"
      TREFOIL_SERVICEBUS__fullyQualifiedNamespace = output.bus_host
      TREFOIL_SMTP_URL                            = "smtp://mail.example"
      TREFOIL_STAGE                               = "prod"
      TREFOIL_TABLES__tableServiceUri             = output.store_uri
    }
    error_message = "Functions know where they run, and what the user tells them: ${jsonencode(nonsensitive(local.environment))}"
  }
}
