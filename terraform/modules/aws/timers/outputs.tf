output "timers_id" {
  description = "The timers: the ARN of their table."
  value = join(":", [
    "arn:${var.account.partition}:dynamodb:${var.account.region}:${var.account.id}", "table/${aws_dynamodb_table.this.name}"
  ])
}
