output "channel_id" {
  description = "The channel: the full name of the subscription with the current filter."
  value       = "projects/${var.account.id}/subscriptions/${google_pubsub_subscription.this[substr(sha256(var.filter), 0, 8)].name}"
}

output "dead_letter_id" {
  description = "The dead-letter channel: its topic's full name."
  value       = local.dead_letter_id
}

# Of the variables only: also where an apply fails half-way, the state then holds what may have been made.
output "filters" {
  description = "The filters that have a subscription, by their hashes: the current one and those that are draining."
  value       = local.filters
}
