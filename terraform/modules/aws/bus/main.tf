# The bus: the one topic that everything is published to, and the key that encrypts all that is stored.

resource "aws_kms_key" "this" {
  description             = "What ${var.name} stores: messages, commits, timers"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = local.key_policy
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_sns_topic" "this" {
  name              = "${var.name}-bus"
  kms_master_key_id = aws_kms_key.this.arn
  tags              = var.tags
}

locals {
  # In a key's policy, `*` is the key itself.
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Without it the key could never be changed again; roles' own policies decide who may use it.
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${var.account.partition}:iam::${var.account.id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # SNS writes to encrypted queues.
        Sid       = "Bus"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.account.id } }
      },
    ]
  })
}
