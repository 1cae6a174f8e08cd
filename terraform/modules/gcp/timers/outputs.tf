output "timers_id" {
  description = "The timers: the full name of their collection."
  value       = "${var.store_id}/documents/timers"
}

output "schedule_account" {
  description = "The account in whose name Cloud Scheduler calls the function: its address."
  value       = module.schedule.email
}
