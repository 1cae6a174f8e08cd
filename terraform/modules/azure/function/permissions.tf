# What the app may do: the least that Azure has roles for. It is one identity for all services; unlike on AWS, nothing
# keeps one from the streams of another.
resource "azurerm_role_assignment" "this" {
  for_each = local.grants

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_function_app_flex_consumption.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

locals {
  receives = { for name, channel in var.channels : "${name}-receives" => { scope = channel.channel_id, role = "Azure Service Bus Data Receiver" } }
  sends    = { for name, channel in var.channels : "${name}-sends" => { scope = channel.channel_id, role = "Azure Service Bus Data Sender" } }
  gives_up = { for name, channel in var.channels : "${name}-gives-up" => { scope = channel.dead_letter_id, role = "Azure Service Bus Data Sender" } }

  grants = merge(local.receives, local.sends, local.gives_up, {
    publishes = { scope = var.bus_id, role = "Azure Service Bus Data Sender" }
    commits   = { scope = var.store_id, role = "Storage Table Data Contributor" }
    timers    = { scope = var.timers_id, role = "Storage Table Data Contributor" }
    host      = { scope = var.package.storage_id, role = "Storage Blob Data Owner" } # reads the zip, holds the host's locks
    reports   = { scope = var.insights.id, role = "Monitoring Metrics Publisher" }
  })
}
