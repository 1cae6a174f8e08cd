output "bus_id" {
  description = "The bus: the topic's id."
  value       = "${local.namespace_id}/topics/${azurerm_servicebus_topic.this.name}"
}

output "bus_host" {
  description = "Where the bus and all channels are: the namespace's address (TREFOIL_SERVICEBUS__fullyQualifiedNamespace)."
  value       = "${azurerm_servicebus_namespace.this.name}.servicebus.windows.net"
}

output "key_id" {
  description = "The key that encrypts what is stored, once it may be used; null where that is left to Microsoft's own keys."
  value       = var.key_id
  depends_on  = [azurerm_role_assignment.key]
}

output "key" {
  description = "The same for those who store something: the key's address, and the id of the identity that may use it."
  value       = local.key
  depends_on  = [azurerm_role_assignment.key]
}
