# A channel: the queue where a service's messages wait, filled by a filter on the bus, and its dead-letter queue.
#
# Policies are arguments of the queues: as resources of their own the provider would wait half a minute for each. So the
# queues' ARNs are made here, from their names.

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = var.visibility_seconds
  message_retention_seconds  = local.retention_seconds
  kms_master_key_id          = var.key_id
  policy                     = local.queue_policies[local.queue_arn]
  tags                       = var.tags

  # Catches crashes only; what the receiver gives up, it sends to the dead-letter queue itself, with the reason.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = var.delivery_limit
  })
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = "${var.name}-dead"
  message_retention_seconds = local.retention_seconds
  kms_master_key_id         = var.key_id
  policy                    = local.queue_policies[local.dead_letter_arn]
  tags                      = var.tags
}

resource "aws_sns_topic_subscription" "this" {
  topic_arn            = var.bus_id
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this.arn
  raw_message_delivery = true
  filter_policy_scope  = "MessageAttributes"
  filter_policy        = jsonencode({ type = var.types })

  # SNS drops what a queue refuses, such as when its key is disabled, unless it has somewhere to put it.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letter.arn })
}

locals {
  retention_seconds = 14 * 24 * 60 * 60 # the longest that SQS allows

  arn_prefix      = "arn:${var.account.partition}:sqs:${var.account.region}:${var.account.id}"
  queue_arn       = "${local.arn_prefix}:${var.name}"
  dead_letter_arn = "${local.arn_prefix}:${var.name}-dead"

  queue_policies = {
    for arn in [local.queue_arn, local.dead_letter_arn] : arn => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "Bus"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = { ArnEquals = { "aws:SourceArn" = var.bus_id } }
        },
        {
          Sid       = "EncryptedTransportOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    })
  }
}
