output "channel_id" {
  description = "The channel: the queue's id."
  value       = "${local.namespace_id}/queues/${azurerm_servicebus_queue.this.name}"
}

output "dead_letter_id" {
  description = "The dead-letter channel: its queue's id."
  value       = "${local.namespace_id}/queues/${azurerm_servicebus_queue.dead_letter.name}"
}
