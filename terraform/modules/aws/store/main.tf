# The store: one table of commits, which are idempotency record, outbox and state at once.

# No time to live: a commit's key is never deleted, or its message could take effect twice.
resource "aws_dynamodb_table" "this" {
  name                        = "${var.name}-commits"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "stream"
  range_key                   = "version"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "stream"
    type = "S"
  }

  attribute {
    name = "version"
    type = "N"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.key_id
  }

  point_in_time_recovery {
    enabled = true
  }
}
