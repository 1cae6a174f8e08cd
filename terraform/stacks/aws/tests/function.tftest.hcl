# One function: version, alias, role, log, event source, alarms.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name            = "trefoil-dev-rooms"
  account         = { partition = "aws", region = "eu-central-1", id = "123456789012" }
  key_id          = "arn:aws:kms:eu-central-1:123456789012:key/the-key"
  package         = "main.tf"
  handler         = "functions.aws.handler.handler"
  runtime         = "python3.13"
  timeout_seconds = 40
  environment     = { TREFOIL_SERVICE = "rooms" }
  tags            = { Stage = "dev" }

  permissions = [
    { actions = ["sns:Publish"], resources = ["arn:aws:sns:eu-central-1:123456789012:trefoil-dev-bus"] },
    { actions = ["dynamodb:Query"], resources = ["table"], condition = { StringEquals = { "aws:SourceAccount" = ["1"] } } },
    { actions = ["sqs:SendMessage"], resources = [] },
  ]

  channels = {
    rooms = { id = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms", batch = 10, concurrency = 1 }
    doors = { id = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-doors", batch = 11, concurrency = 7 }
  }
}

run "a_function" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  assert {
    condition     = aws_lambda_function.this.publish && length(aws_lambda_function.this.snap_start) == 0
    error_message = "A version is published, without a snapshot."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("main.tf")
    error_message = "The code's hash is ${aws_lambda_function.this.source_code_hash}: a changed zip would not be noticed."
  }

  assert {
    condition = [
      aws_lambda_function.this.handler, aws_lambda_function.this.runtime, aws_lambda_function.this.timeout,
      aws_lambda_function.this.memory_size, aws_lambda_function.this.architectures[0], aws_lambda_function.this.kms_key_arn,
    ] == ["functions.aws.handler.handler", "python3.13", 40, 512, "x86_64", var.key_id]
    error_message = "The function runs what it is told to, on x86_64, its environment encrypted."
  }

  assert {
    condition     = nonsensitive(aws_lambda_function.this.environment[0].variables) == tomap({ TREFOIL_SERVICE = "rooms" })
    error_message = "The function gets the environment it is given."
  }

  assert {
    condition     = issensitive(aws_lambda_function.this.environment[0].variables)
    error_message = "No plan shows the environment: it may hold passwords."
  }

  assert {
    condition     = [for config in aws_lambda_function_recursion_config.this : [config.function_name, config.recursive_loop]] == [["trefoil-dev-rooms", "Allow"]]
    error_message = "Lambda does not take a deferral for a loop."
  }

  assert {
    condition     = [aws_lambda_alias.live.name, aws_lambda_alias.live.function_name] == ["live", "trefoil-dev-rooms"]
    error_message = "It is called through the alias `live`."
  }

  assert {
    condition     = output.function_id == "arn:aws:lambda:eu-central-1:123456789012:function:trefoil-dev-rooms:live"
    error_message = "The function's id is ${output.function_id}."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{ Action = "sts:AssumeRole", Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" } }]
    error_message = "Only Lambda takes the role on: ${aws_iam_role.this.assume_role_policy}"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      {
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = ["arn:aws:sns:eu-central-1:123456789012:trefoil-dev-bus"]
      },
      {
        Effect    = "Allow"
        Action    = ["dynamodb:Query"]
        Resource  = ["table"]
        Condition = { StringEquals = { "aws:SourceAccount" = ["1"] } }
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/trefoil-dev-rooms:*"]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.key_id]
      },
    ]
    error_message = "The role may do what it is told, write its own log and use the key: ${aws_iam_role_policy.this.policy}"
  }

  assert {
    condition = {
      for name, mapping in aws_lambda_event_source_mapping.this : name => [
        mapping.event_source_arn, mapping.batch_size, mapping.maximum_batching_window_in_seconds,
        mapping.scaling_config[0].maximum_concurrency,
      ]
      } == {
      rooms = ["arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms", 10, 0, 2]
      doors = ["arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-doors", 11, 1, 7]
    }
    error_message = "Batches above ten have a window, and no concurrency is below two."
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.this :
      mapping.function_response_types == toset(["ReportBatchItemFailures"]) && mapping.function_name == aws_lambda_alias.live.arn
    ])
    error_message = "The alias reads the channels, and settles each message on its own."
  }

  assert {
    condition     = [aws_cloudwatch_log_group.this.name, aws_cloudwatch_log_group.this.retention_in_days] == ["/aws/lambda/trefoil-dev-rooms", 30]
    error_message = "Logs are kept for ${aws_cloudwatch_log_group.this.retention_in_days} days."
  }

  assert {
    condition = {
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_name => [alarm.metric_name, alarm.dimensions.FunctionName, alarm.statistic, alarm.threshold]
      } == {
      trefoil-dev-rooms-errors    = ["Errors", "trefoil-dev-rooms", "Sum", 0]
      trefoil-dev-rooms-throttles = ["Throttles", "trefoil-dev-rooms", "Sum", 0]
    }
    error_message = "One alarm watches errors, one throttles."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.silent) == 0
    error_message = "A service that has nothing to do is no reason for an alarm."
  }

  assert {
    condition = toset([
      for resource in concat(
        [aws_lambda_function.this, aws_iam_role.this, aws_cloudwatch_log_group.this],
        values(aws_cloudwatch_metric_alarm.this),
        values(aws_lambda_event_source_mapping.this),
      ) : resource.tags.Stage
    ]) == toset(["dev"])
    error_message = "Everything is tagged."
  }
}

run "a_function_that_must_be_called" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    channels       = {}
    silent_seconds = 300
    alarm_actions  = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  }

  assert {
    condition = [
      for alarm in aws_cloudwatch_metric_alarm.silent :
      [alarm.alarm_name, alarm.metric_name, alarm.dimensions.FunctionName, alarm.statistic, alarm.comparison_operator, alarm.threshold, alarm.period, alarm.treat_missing_data]
    ] == [["trefoil-dev-rooms-silent", "Invocations", "trefoil-dev-rooms", "Sum", "LessThanThreshold", 1, 300, "breaching"]]
    error_message = "An alarm goes off when it is not called; no data means no calls."
  }

  assert {
    condition = [for alarm in aws_cloudwatch_metric_alarm.silent : [alarm.alarm_actions, alarm.ok_actions, alarm.tags]] == [
      [toset(var.alarm_actions), toset(var.alarm_actions), tomap(var.tags)]
    ]
    error_message = "It tells the given actions when it begins and when it ends, and is tagged."
  }

  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 0
    error_message = "Lambda's guard against loops is left to a function that reads no channel."
  }
}

run "an_alarm_of_half_a_minute_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    silent_seconds = 90
  }

  expect_failures = [var.silent_seconds]
}

# An event source that `trefoil pause` has turned off, in the state of the next run.
run "a_paused_channel" {
  state_key = "paused"

  module {
    source = "./tests/paused"
  }
}

run "a_deployment_does_not_resume_it" {
  command   = plan
  state_key = "paused"

  module {
    source = "../../modules/aws/function"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this["rooms"].enabled == false
    error_message = "What an operator has paused stays paused."
  }
}

run "a_snapshot_is_one_variable_away" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    snap_start = true
  }

  assert {
    condition     = aws_lambda_function.this.snap_start[0].apply_on == "PublishedVersions"
    error_message = "Published versions start from a snapshot."
  }
}

run "a_zip_that_is_not_there_is_named" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    package = "none.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_wildcard_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    permissions = [{ actions = ["sqs:*"], resources = ["queue"] }]
  }

  expect_failures = [var.permissions]
}

run "a_timeout_above_a_quarter_of_an_hour_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    timeout_seconds = 901
  }

  expect_failures = [var.timeout_seconds]
}

run "a_name_too_long_for_lambda_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/function"
  }

  variables {
    name = join("", [for _ in range(65) : "a"])
  }

  expect_failures = [var.name]
}
