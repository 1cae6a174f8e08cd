# Timers: the table of what is due later, and the clock that has a function look into it.

resource "aws_dynamodb_table" "this" {
  name                        = "${var.name}-timers"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "shard"
  range_key                   = "id"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "shard"
    type = "S"
  }

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "due"
    type = "N"
  }

  # Local, because only a local index can be read consistently: a tick sees every timer set before it.
  local_secondary_index {
    name            = "by-due"
    range_key       = "due"
    projection_type = "ALL"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.key_id
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:The schedule carries no payload; there is nothing to encrypt
  name                = "${var.name}-tick"
  description         = "Sends what is due to the services that set it"
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.function_id
    role_arn = aws_iam_role.this.arn

    # The next minute's tick does all that a missed one would have done.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-tick-schedule"
  description = "Lets the schedule call the tick function"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = var.account.id
          # A schedule's group: the scheduler does not say which schedule it acts for.
          "aws:SourceArn" = join(":", [
            "arn:${var.account.partition}:scheduler:${var.account.region}:${var.account.id}", "schedule-group/default"
          ])
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "tick"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "lambda:InvokeFunction", Resource = var.function_id }]
  })
}
