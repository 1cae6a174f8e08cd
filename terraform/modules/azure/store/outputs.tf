output "store_id" {
  description = "The store: the id of the table of commits."
  value       = module.commits.table_id
}

output "store_uri" {
  description = "Where the store's tables are: their address (TREFOIL_TABLES__tableServiceUri)."
  value       = "https://${azurerm_storage_account.this.name}.table.core.windows.net"
}
