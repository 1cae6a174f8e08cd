# One channel: queue, dead letters, filter, policies, alarms.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name               = "trefoil-dev-rooms"
  account            = { partition = "aws", region = "eu-central-1", id = "123456789012" }
  bus_id             = "arn:aws:sns:eu-central-1:123456789012:trefoil-dev-bus"
  key_id             = "arn:aws:kms:eu-central-1:123456789012:key/the-key"
  types              = ["rooms.book-room.v1", "doors.door-opened.v1"]
  visibility_seconds = 240
  delivery_limit     = 13
  oldest_seconds     = 300
  alarm_actions      = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  tags               = { Stage = "dev" }
}

run "a_channel" {
  command = plan

  module {
    source = "../../modules/aws/channel"
  }

  override_resource {
    target          = aws_sqs_queue.this
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms" }
  }

  override_resource {
    target          = aws_sqs_queue.dead_letter
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms-dead" }
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 240
    error_message = "A received message stays hidden for ${aws_sqs_queue.this.visibility_timeout_seconds} s."
  }

  assert {
    condition     = toset([aws_sqs_queue.this.message_retention_seconds, aws_sqs_queue.dead_letter.message_retention_seconds]) == toset([1209600])
    error_message = "Messages and dead letters are kept for 14 days."
  }

  assert {
    condition     = toset([aws_sqs_queue.this.kms_master_key_id, aws_sqs_queue.dead_letter.kms_master_key_id]) == toset([var.key_id])
    error_message = "Both queues are encrypted with the stack's key."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms-dead"
      maxReceiveCount     = 13
    }
    error_message = "What kills its function goes to the dead-letter queue: ${aws_sqs_queue.this.redrive_policy}"
  }

  assert {
    condition = [
      aws_sns_topic_subscription.this.topic_arn,
      aws_sns_topic_subscription.this.protocol,
      aws_sns_topic_subscription.this.endpoint,
      aws_sns_topic_subscription.this.raw_message_delivery,
      aws_sns_topic_subscription.this.filter_policy_scope,
    ] == [var.bus_id, "sqs", "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms", true, "MessageAttributes"]
    error_message = "The bus delivers the bytes as they are to the queue, by the messages' attributes."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.this.filter_policy) == { type = ["rooms.book-room.v1", "doors.door-opened.v1"] }
    error_message = "The filter lets in what the service handles: ${aws_sns_topic_subscription.this.filter_policy}"
  }

  assert {
    condition = jsondecode(aws_sns_topic_subscription.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms-dead"
    }
    error_message = "What the queue refuses goes to the dead-letter queue: ${aws_sns_topic_subscription.this.redrive_policy}"
  }

  assert {
    condition = {
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dead_letter] : queue.name => jsondecode(queue.policy).Statement
      } == {
      for name in ["trefoil-dev-rooms", "trefoil-dev-rooms-dead"] : name => [
        {
          Sid       = "Bus"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = "arn:aws:sqs:eu-central-1:123456789012:${name}"
          Condition = { ArnEquals = { "aws:SourceArn" = var.bus_id } }
        },
        {
          Sid       = "EncryptedTransportOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = "arn:aws:sqs:eu-central-1:123456789012:${name}"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
    error_message = "Only the bus may send from outside, and nobody without TLS: ${aws_sqs_queue.this.policy}"
  }

  assert {
    condition = {
      for alarm in [aws_cloudwatch_metric_alarm.dead_letters, aws_cloudwatch_metric_alarm.oldest] :
      alarm.alarm_name => [alarm.dimensions.QueueName, alarm.metric_name, alarm.comparison_operator, alarm.threshold]
      } == {
      trefoil-dev-rooms-dead-letters = ["trefoil-dev-rooms-dead", "ApproximateNumberOfMessagesVisible", "GreaterThanThreshold", 0]
      trefoil-dev-rooms-oldest       = ["trefoil-dev-rooms", "ApproximateAgeOfOldestMessage", "GreaterThanThreshold", 300]
    }
    error_message = "One alarm watches the dead letters, one the age of the oldest message."
  }

  assert {
    condition = toset([
      for alarm in [aws_cloudwatch_metric_alarm.dead_letters, aws_cloudwatch_metric_alarm.oldest] :
      join(" ", concat(tolist(alarm.alarm_actions), tolist(alarm.ok_actions)))
    ]) == toset(["arn:aws:sns:eu-central-1:123456789012:on-call arn:aws:sns:eu-central-1:123456789012:on-call"])
    error_message = "Alarms tell the given actions, when they begin and when they end."
  }

  assert {
    condition = toset([
      for resource in [aws_sqs_queue.this, aws_sqs_queue.dead_letter, aws_cloudwatch_metric_alarm.dead_letters, aws_cloudwatch_metric_alarm.oldest] :
      resource.tags.Stage
    ]) == toset(["dev"])
    error_message = "Everything is tagged."
  }

  assert {
    condition = [output.channel_id, output.dead_letter_id] == [
      "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms",
      "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms-dead",
    ]
    error_message = "The outputs are ${output.channel_id} and ${output.dead_letter_id}."
  }
}

run "a_channel_without_types_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/channel"
  }

  variables {
    types = []
  }

  expect_failures = [var.types]
}

run "a_name_too_long_for_the_dead_letter_queue_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/channel"
  }

  variables {
    name = join("", [for _ in range(76) : "a"])
  }

  expect_failures = [var.name]
}

run "a_message_hidden_for_longer_than_sqs_can_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/channel"
  }

  variables {
    visibility_seconds = 43201
  }

  expect_failures = [var.visibility_seconds]
}

run "a_limit_of_no_delivery_is_refused" {
  command = plan

  module {
    source = "../../modules/aws/channel"
  }

  variables {
    delivery_limit = 0
  }

  expect_failures = [var.delivery_limit]
}
