# Everything follows from the contract: a service more in it is a channel and a function more.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project  = "shop-412345"
  region   = "europe-west3"
  contract = "tests/contracts/two.json"
  package  = "main.tf"
}

run "one_service" {
  command = plan

  variables {
    contract = "tests/contracts/one.json"
  }

  assert {
    condition     = [keys(output.channels), keys(module.channel), keys(module.function)] == [["rooms"], ["rooms"], ["rooms"]]
    error_message = "There is one service: ${jsonencode(keys(output.channels))}"
  }

  assert {
    condition     = [keys(output.filters), length(output.draining)] == [["rooms"], 0]
    error_message = "There is one filter, and nothing is draining: ${jsonencode(output.filters)}"
  }
}

run "a_service_more" {
  command = plan

  assert {
    condition = output.channels == {
      rooms = {
        channel_id     = "projects/shop-412345/subscriptions/trefoil-dev-rooms-60ab8486"
        dead_letter_id = "projects/shop-412345/topics/trefoil-dev-rooms-dead"
        function_id    = "projects/shop-412345/locations/europe-west3/functions/trefoil-dev-rooms"
      }
      front_doors = {
        channel_id     = "projects/shop-412345/subscriptions/trefoil-dev-front_doors-6ac4b0ab"
        dead_letter_id = "projects/shop-412345/topics/trefoil-dev-front_doors-dead"
        function_id    = "projects/shop-412345/locations/europe-west3/functions/trefoil-dev-front-doors"
      }
    }
    error_message = "Each service has a channel, dead letters and a function: ${jsonencode(output.channels)}"
  }

  assert {
    condition     = output.tick_id == "projects/shop-412345/locations/europe-west3/functions/trefoil-dev-tick"
    error_message = "The tick is ${output.tick_id}."
  }
}

run "an_older_filter_is_drained" {
  command = plan

  variables {
    draining = {
      rooms = { "413e291e" = "attributes.to=\"rooms\" OR (NOT attributes:to AND attributes.type=\"rooms.book-room.v1\")" }
      gone  = { "4ec3be7a" = "attributes.to=\"gone\"" }
    }
  }

  assert {
    condition     = output.draining == ["trefoil-dev-rooms-413e291e"]
    error_message = "What is draining is ${jsonencode(output.draining)}: a service that is gone has no function any more that could."
  }

  assert {
    condition     = { for name, filters in output.filters : name => length(filters) } == { rooms = 2, front_doors = 1 }
    error_message = "The state knows of each filter that has a subscription: ${jsonencode(output.filters)}"
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
      GOOGLE_CLOUD_PROJECT = "shop-412345"
      TREFOIL_CLOUD        = "gcp"
      TREFOIL_NAME         = "shop"
      TREFOIL_SMTP_URL     = "smtp://mail.example"
      TREFOIL_STAGE        = "prod"
    }
    error_message = "Functions know where they run, and what the user tells them: ${jsonencode(nonsensitive(local.environment))}"
  }
}
