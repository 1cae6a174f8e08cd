output "store_id" {
  description = "The store: the ARN of the table of commits."
  value = join(":", [
    "arn:${var.account.partition}:dynamodb:${var.account.region}:${var.account.id}", "table/${aws_dynamodb_table.this.name}"
  ])
}
