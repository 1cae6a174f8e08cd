output "bus_id" {
  description = "The bus: the topic's full name."
  value       = "projects/${var.account.id}/topics/${google_pubsub_topic.this.name}"
}

output "key_id" {
  description = "The key that encrypts what is stored, once it may be used; null where that is left to Google's own keys."
  value       = var.key_id
  depends_on  = [google_kms_crypto_key_iam_member.this]
}

output "push_account" {
  description = "The account in whose name Pub/Sub calls functions: its address."
  value       = module.push.email
}
