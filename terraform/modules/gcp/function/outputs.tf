output "function_id" {
  description = "The function: its full name."
  value       = "projects/${var.account.id}/locations/${var.account.region}/functions/${google_cloudfunctions2_function.this.name}"
}

output "function_account" {
  description = "The account in whose name the function acts: its address."
  value       = module.account.email
}

output "function_uri" {
  description = "The function, as it is called, once it may be: the address of its Cloud Run service."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
  depends_on  = [google_cloud_run_v2_service_iam_member.this]
}
