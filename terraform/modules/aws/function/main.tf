# A function: the code, published and called through the alias `live`, with its role, its log, its alarms and the
# channels it reads.

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Messages carry their own trace (correlation, causation, traceparent); X-Ray would need a role for all resources
  #checkov:skip=CKV_AWS_115:A channel's maximum concurrency bounds it; a reservation would take from the account's other functions
  #checkov:skip=CKV_AWS_116:Its channel has a dead-letter queue; a tick that failed is made up for by the next
  #checkov:skip=CKV_AWS_117:It speaks to SQS, SNS and DynamoDB only, which are outside any VPC
  #checkov:skip=CKV_AWS_272:Signing needs a signer and a bucket of the user's own
  function_name    = var.name
  description      = var.description
  role             = aws_iam_role.this.arn
  handler          = var.handler
  runtime          = var.runtime
  architectures    = ["x86_64"]
  memory_size      = var.memory_mib
  timeout          = var.timeout_seconds
  filename         = var.package
  source_code_hash = try(filebase64sha256(var.package), null)
  publish          = true
  kms_key_arn      = var.key_id
  tags             = var.tags

  environment {
    variables = var.environment
  }

  dynamic "snap_start" {
    for_each = var.snap_start ? ["PublishedVersions"] : []

    content {
      apply_on = snap_start.value
    }
  }

  # Lambda would make a log group of its own, which is kept for ever.
  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.package)
      error_message = "There is no ${var.package}; build it with: make package"
    }
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that is in use"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

# A deferral sends a copy to the function's own queue, which Lambda takes for a loop: it would stop the chain after about
# 16 calls, and the message would be lost. The receiver itself limits how often a message is passed on.
resource "aws_lambda_function_recursion_config" "this" {
  count = length(var.channels) > 0 ? 1 : 0

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_event_source_mapping" "this" {
  for_each = var.channels

  event_source_arn        = each.value.id
  function_name           = aws_lambda_alias.live.arn
  batch_size              = each.value.batch
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  # Above ten messages Lambda wants a window in which it collects them.
  maximum_batching_window_in_seconds = each.value.batch > 10 ? 1 : 0

  scaling_config {
    maximum_concurrency = max(2, each.value.concurrency) # the least that Lambda takes
  }

  # Lambda checks that the role may read the queue, and a message may be deferred as soon as it is read.
  depends_on = [aws_iam_role_policy.this, aws_lambda_function_recursion_config.this]

  # `trefoil pause` turns it off: a deployment must not resume what an operator has paused.
  lifecycle {
    ignore_changes = [enabled]
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the user's choice
  #checkov:skip=CKV_AWS_158:Payloads never appear in logs, and CloudWatch encrypts them with a key of its own
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}
