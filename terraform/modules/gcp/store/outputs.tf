output "store_id" {
  description = "The store: the database's full name."
  value       = "projects/${var.account.id}/databases/${google_firestore_database.this.name}"
}
