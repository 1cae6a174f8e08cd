output "channel_id" {
  description = "The channel: the queue's ARN."
  value       = "${local.arn_prefix}:${aws_sqs_queue.this.name}"
}

output "dead_letter_id" {
  description = "The dead-letter channel: its queue's ARN."
  value       = "${local.arn_prefix}:${aws_sqs_queue.dead_letter.name}"
}
