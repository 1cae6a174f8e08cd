output "table_id" {
  description = "The table's id, once it is there."
  value       = "/subscriptions/${var.account.id}/resourceGroups/${var.account.group}/providers/Microsoft.Storage/storageAccounts/${var.storage}/tableServices/default/tables/${var.name}"
  depends_on  = [azurerm_resource_group_template_deployment.this]
}
