resource "aws_iam_role" "this" {
  name        = var.name
  description = "What ${var.name} may do"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "own"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

locals {
  # The log group is there already: no logs:CreateLogGroup.
  own_log = join(":", [
    "arn:${var.account.partition}:logs:${var.account.region}:${var.account.id}:log-group", "/aws/lambda/${var.name}", "*"
  ])

  permissions = concat(var.permissions, [
    { actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = [local.own_log], condition = null },
    # Enough for queues, topic, tables and the function's own environment: whoever made a table granted DynamoDB the rest.
    { actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [var.key_id], condition = null },
  ])

  # IAM refuses a statement without a resource, and a condition of null.
  statements = [
    for permission in local.permissions : {
      for name, value in {
        Effect    = "Allow"
        Action    = permission.actions
        Resource  = permission.resources
        Condition = permission.condition
      } : name => value if value != null
    } if length(permission.resources) > 0
  ]
}
