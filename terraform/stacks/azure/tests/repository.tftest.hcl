# The services of this repository. tests/deploy looks into such a plan, resource by resource.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  subscription = "01234567-89ab-cdef-0123-456789abcdef"
  region       = "westeurope"
  package      = "main.tf"
}

run "the_services_of_this_repository" {
  command = plan

  assert {
    condition     = length(output.channels) == length(regexall("\"role\": \"service\"", file("../../../shared/asyncapi.json")))
    error_message = "Each service in the contract is deployed: ${jsonencode(keys(output.channels))}"
  }
}
