# A deployment and what follows it: nothing is known before it is there, and in the end all of it is destroyed.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project  = "shop-412345"
  region   = "europe-west3"
  contract = "tests/contracts/one.json"
  package  = "main.tf"
  key_id   = "projects/shop-412345/locations/europe-west3/keyRings/shop/cryptoKeys/trefoil"
}

run "a_first_deployment" {
  assert {
    condition     = { for name, filters in output.filters : name => join(" ", keys(filters)) } == { rooms = "413e291e" }
    error_message = "There is one filter: ${jsonencode(output.filters)}"
  }
}

run "a_service_more_and_another_filter" {
  variables {
    contract = "tests/contracts/two.json"
    draining = run.a_first_deployment.filters
  }

  assert {
    condition = { for name, filters in output.filters : name => join(" ", keys(filters)) } == {
      rooms = "413e291e 60ab8486", front_doors = "6ac4b0ab"
    }
    error_message = "The old filter has its subscription yet: ${jsonencode(output.filters)}"
  }

  assert {
    condition     = output.draining == ["trefoil-dev-rooms-413e291e"]
    error_message = "What is draining is ${jsonencode(output.draining)}."
  }
}

run "all_is_drained" {
  variables {
    contract = "tests/contracts/two.json"
    draining = {}
  }

  assert {
    condition     = { for name, filters in output.filters : name => length(filters) } == { rooms = 1, front_doors = 1 } && length(output.draining) == 0
    error_message = "The old one is gone: ${jsonencode(output.filters)}"
  }
}
