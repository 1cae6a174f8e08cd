output "package" {
  description = "The code, once it can be run: the storage account that holds it, the container's address, and the zip's hash."
  value = {
    storage    = azurerm_storage_account.this.name
    storage_id = local.storage_id
    uri        = "https://${azurerm_storage_account.this.name}.blob.core.windows.net/${azurerm_storage_container.this.name}"
    hash       = try(filesha256(var.package), "none")
  }

  depends_on = [azurerm_storage_blob.this]
}
