# The bus: the one topic that everything is published to, and the key that encrypts all that is stored.

# Where the state's resources lie. Elsewhere Terraform would find none of them, forget them and make others.
resource "terraform_data" "place" {
  input = local.place

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == local.place
      error_message = "This state is of a deployment in ${self.output}, but AWS_PROFILE (or keys) and AWS_REGION lead to ${local.place}. Set them back, or choose another TREFOIL_STAGE: it gets a state of its own."
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "What ${var.name} stores: messages, commits, timers"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = local.key_policy
  tags                    = var.tags

  # Nearly all needs the key, and so is not even looked for in the wrong place.
  depends_on = [terraform_data.place]
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
  place = "${var.account.id}/${var.account.region}"

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
