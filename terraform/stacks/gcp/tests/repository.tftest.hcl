# The services of this repository. tests/deploy looks into such a plan, resource by resource.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project = "shop-412345"
  region  = "europe-west3"
  package = "main.tf"
}

run "the_services_of_this_repository" {
  command = plan

  assert {
    condition     = length(output.channels) == length(regexall("\"role\": \"service\"", file("../../../shared/asyncapi.json")))
    error_message = "Each service in the contract is deployed: ${jsonencode(keys(output.channels))}"
  }
}
