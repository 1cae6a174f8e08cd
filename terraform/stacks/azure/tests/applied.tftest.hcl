# A deployment and what follows it: nothing is known before it is there, and in the end all of it is destroyed.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  subscription = "01234567-89ab-cdef-0123-456789abcdef"
  region       = "westeurope"
  contract     = "tests/contracts/one.json"
  package      = "main.tf"
  sku          = "Premium"
  key_id       = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/shop/keys/trefoil"
}

run "a_first_deployment" {
  variables {
    deletion_protection = true
  }

  assert {
    condition     = [keys(output.channels), length(module.store.store_id) > 0] == [["rooms"], true]
    error_message = "There is one service: ${jsonencode(keys(output.channels))}"
  }
}

run "a_service_more" {
  variables {
    contract            = "tests/contracts/two.json"
    deletion_protection = true
  }

  assert {
    condition     = keys(output.channels) == ["front_doors", "rooms"]
    error_message = "There are two services: ${jsonencode(keys(output.channels))}"
  }
}

# Without this, the end of the tests would be refused, and they would fail.
run "the_protection_is_turned_off" {
  variables {
    contract = "tests/contracts/two.json"
  }
}
