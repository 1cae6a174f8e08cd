# What is kept, and by which key: bus, store, timers and the schedule.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name        = "trefoil-dev"
  account     = { partition = "aws", region = "eu-central-1", id = "123456789012" }
  key_id      = "arn:aws:kms:eu-central-1:123456789012:key/the-key"
  function_id = "arn:aws:lambda:eu-central-1:123456789012:function:trefoil-dev-tick:live"
  tags        = { Stage = "dev" }
}

run "the_bus_and_its_key" {
  command = plan

  module {
    source = "../../modules/aws/bus"
  }

  assert {
    condition     = [aws_sns_topic.this.name, aws_sns_topic.this.kms_master_key_id] == ["trefoil-dev-bus", var.key_id]
    error_message = "The topic is encrypted with the key."
  }

  assert {
    condition     = [aws_kms_alias.this.name, aws_kms_key.this.enable_key_rotation, aws_kms_key.this.deletion_window_in_days] == ["alias/trefoil-dev", true, 30]
    error_message = "The key has a name, changes every year, and can be kept for a month."
  }

  assert {
    condition = [for statement in jsondecode(aws_kms_key.this.policy).Statement : statement if statement.Sid == "Bus"] == [{
      Sid       = "Bus"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "SNS may use the key for this account: ${aws_kms_key.this.policy}"
  }

  assert {
    condition = toset([for statement in jsondecode(aws_kms_key.this.policy).Statement : jsonencode(statement.Principal)]) == toset([
      jsonencode({ AWS = "arn:aws:iam::123456789012:root" }), jsonencode({ Service = "sns.amazonaws.com" })
    ])
    error_message = "Nobody else is named in the key's policy: ${aws_kms_key.this.policy}"
  }

  assert {
    condition     = output.bus_id == "arn:aws:sns:eu-central-1:123456789012:trefoil-dev-bus"
    error_message = "The bus is ${output.bus_id}."
  }

  assert {
    condition     = terraform_data.place.input == "123456789012/eu-central-1"
    error_message = "The state will be of ${terraform_data.place.input}."
  }
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
    source = "../../modules/aws/bus"
  }

  variables {
    tags = { Stage = "other" }
  }

  assert {
    condition     = aws_sns_topic.this.tags.Stage == "other"
    error_message = "The same place is let through."
  }
}

run "another_region_is_refused" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/aws/bus"
  }

  variables {
    account = { partition = "aws", region = "eu-west-1", id = "123456789012" }
  }

  expect_failures = [terraform_data.place]
}

run "another_account_is_refused" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/aws/bus"
  }

  variables {
    account = { partition = "aws", region = "eu-central-1", id = "210987654321" }
  }

  expect_failures = [terraform_data.place]
}

run "the_store" {
  command = plan

  module {
    source = "../../modules/aws/store"
  }

  assert {
    condition     = [aws_dynamodb_table.this.name, aws_dynamodb_table.this.billing_mode, aws_dynamodb_table.this.hash_key, aws_dynamodb_table.this.range_key] == ["trefoil-dev-commits", "PAY_PER_REQUEST", "stream", "version"]
    error_message = "Commits are kept by stream and version."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { stream = "S", version = "N" }
    error_message = "Streams are text, versions numbers."
  }

  assert {
    condition = [
      aws_dynamodb_table.this.server_side_encryption[0].enabled, aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn,
      aws_dynamodb_table.this.point_in_time_recovery[0].enabled, aws_dynamodb_table.this.deletion_protection_enabled,
      length(aws_dynamodb_table.this.ttl),
    ] == [true, var.key_id, true, false, 0]
    error_message = "Commits are encrypted with the key, can be restored, and never expire."
  }

  assert {
    condition     = output.store_id == "arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-commits"
    error_message = "The store is ${output.store_id}."
  }
}

run "a_protected_store" {
  command = plan

  module {
    source = "../../modules/aws/store"
  }

  variables {
    deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "The table refuses to be deleted."
  }
}

run "the_timers" {
  command = plan

  module {
    source = "../../modules/aws/timers"
  }

  variables {
    deletion_protection = true
  }

  assert {
    condition     = [aws_dynamodb_table.this.name, aws_dynamodb_table.this.hash_key, aws_dynamodb_table.this.range_key, aws_dynamodb_table.this.deletion_protection_enabled] == ["trefoil-dev-timers", "shard", "id", true]
    error_message = "Timers are kept by shard and id."
  }

  assert {
    condition = [for index in aws_dynamodb_table.this.local_secondary_index : [index.name, index.range_key, index.projection_type]] == [
      ["by-due", "due", "ALL"]
    ]
    error_message = "An index holds them by the time at which they are due."
  }

  assert {
    condition = [
      aws_dynamodb_table.this.server_side_encryption[0].enabled, aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn,
      aws_dynamodb_table.this.point_in_time_recovery[0].enabled,
    ] == [true, var.key_id, true]
    error_message = "Timers are encrypted with the key and can be restored."
  }

  assert {
    condition = [
      aws_scheduler_schedule.this.name, aws_scheduler_schedule.this.schedule_expression,
      aws_scheduler_schedule.this.flexible_time_window[0].mode, aws_scheduler_schedule.this.target[0].arn,
    ] == ["trefoil-dev-tick", "rate(1 minute)", "OFF", var.function_id]
    error_message = "The tick function is called every minute, through its alias."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      { Effect = "Allow", Action = "lambda:InvokeFunction", Resource = var.function_id }
    ]
    error_message = "The schedule may call the tick function and nothing else: ${aws_iam_role_policy.this.policy}"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:SourceAccount" = "123456789012"
      "aws:SourceArn"     = "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/default"
    }
    error_message = "Only this account's schedules take the role on: ${aws_iam_role.this.assume_role_policy}"
  }

  assert {
    condition     = output.timers_id == "arn:aws:dynamodb:eu-central-1:123456789012:table/trefoil-dev-timers"
    error_message = "The timers are ${output.timers_id}."
  }
}
