output "email" {
  description = "The account's address."
  value       = local.email
}

output "id" {
  description = "The account's full name."
  value       = "projects/${var.account.id}/serviceAccounts/${local.email}"
}
