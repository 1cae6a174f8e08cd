output "timers_id" {
  description = "The timers: the id of their table."
  value       = module.this.table_id
}
