output "function_id" {
  description = "The functions' app, once it may do what it must: its id."
  value       = local.app_id
  depends_on  = [azurerm_role_assignment.this]
}

output "function_ids" {
  description = "The functions, by name: their ids."
  value       = { for name in concat(keys(var.channels), ["tick"]) : name => "${local.app_id}/functions/${name}" }
}

output "function_account" {
  description = "The identity in whose name the functions act: its object id."
  value       = azurerm_function_app_flex_consumption.this.identity[0].principal_id
}
