output "bus_id" {
  description = "The bus: the topic's ARN."
  value       = join(":", ["arn:${var.account.partition}:sns:${var.account.region}:${var.account.id}", aws_sns_topic.this.name])
}

output "key_id" {
  description = "The key that encrypts what is stored: its ARN."
  value       = aws_kms_key.this.arn
}
