# Everything follows from the contract: a service more in it is a channel, a function and its permissions more.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
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
    condition     = flatten([for permission in local.tick_permissions : permission.resources if contains(permission.actions, "sqs:SendMessage")]) == ["arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms"]
    error_message = "A tick may send to a service that sets no timers today: it may have set some before."
  }
}

run "a_service_more" {
  command = plan

  assert {
    condition = output.channels == {
      for name in ["rooms", "doors"] : name => {
        channel_id     = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-${name}"
        dead_letter_id = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-${name}-dead"
        function_id    = "arn:aws:lambda:eu-central-1:123456789012:function:trefoil-dev-${name}:live"
      }
    }
    error_message = "Each service has a channel, dead letters and a function: ${jsonencode(output.channels)}"
  }

  assert {
    condition = jsonencode(local.permissions["doors"]) == jsonencode([
      {
        actions = [
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl", "sqs:SendMessage",
        ]
        resources = ["arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-doors"]
      },
      {
        actions   = ["sqs:SendMessage", "sqs:GetQueueUrl"]
        resources = ["arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-doors-dead"]
      },
      { actions = ["sns:Publish"], resources = ["arn:aws:sns:eu-central-1:123456789012:trefoil-dev-bus"] },
      {
        actions   = ["dynamodb:PutItem", "dynamodb:Query"]
        resources = ["arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-commits"]
        condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["doors/*"] } }
      },
      {
        actions   = ["dynamodb:PutItem"]
        resources = ["arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-timers"]
      },
    ])
    error_message = "A service uses its own queues and streams, the bus, and the timers that it sets: ${jsonencode(local.permissions["doors"])}"
  }

  assert {
    condition     = !strcontains(jsonencode([for permission in local.permissions["rooms"] : permission if permission.resources != []]), "timers")
    error_message = "A service that sets no timers can't write any: ${jsonencode(local.permissions["rooms"])}"
  }

  assert {
    condition = jsonencode(local.tick_permissions) == jsonencode([
      {
        actions = ["dynamodb:Query"]
        resources = [
          "arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-timers",
          "arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-timers/index/by-due",
        ]
      },
      { actions = ["dynamodb:DeleteItem"], resources = ["arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-timers"] },
      {
        actions   = ["sqs:SendMessage", "sqs:GetQueueUrl"]
        resources = [for name in ["doors", "rooms"] : "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-${name}"]
      },
    ])
    error_message = "A tick reads and deletes timers, and sends to every service: ${jsonencode(local.tick_permissions)}"
  }
}

run "the_functions_of_an_emulator" {
  command = plan

  variables {
    name         = "shop"
    stage        = "prod"
    runtime      = "provided.al2023"
    package      = null
    endpoint_url = "http://127.0.0.1:4566"
    environment  = { TREFOIL_SMTP_URL = "smtp://mail.example" }
  }

  # The zip need not be there.
  override_module {
    target  = module.function
    outputs = { function_id = "" }
  }

  override_module {
    target  = module.tick
    outputs = { function_id = "arn:aws:lambda:eu-central-1:123456789012:function:shop-prod-tick:live" }
  }

  assert {
    condition     = issensitive(local.environment)
    error_message = "No plan shows what the user tells the functions."
  }

  assert {
    condition = nonsensitive(local.environment) == {
      AWS_ENDPOINT_URL             = "http://127.0.0.1:4566"
      POWERTOOLS_METRICS_NAMESPACE = "Trefoil"
      TREFOIL_BUS_ARN              = "arn:aws:sns:eu-central-1:123456789012:shop-prod-bus"
      TREFOIL_CLOUD                = "aws"
      TREFOIL_NAME                 = "shop"
      TREFOIL_SMTP_URL             = "smtp://mail.example"
      TREFOIL_STAGE                = "prod"
    }
    error_message = "Functions know where they run, and what the user tells them: ${jsonencode(nonsensitive(local.environment))}"
  }

  assert {
    condition     = endswith(local.package, "/build/aws-provided.zip")
    error_message = "The zip is ${local.package}."
  }
}
