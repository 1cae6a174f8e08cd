output "log_id" {
  description = "The log: the id of the Log Analytics workspace."
  value       = local.log_id
}

output "insights" {
  description = "Where functions report to: the id of Application Insights, and how it is reached."
  value = {
    id                = "${local.group}/Microsoft.Insights/components/${azurerm_application_insights.this.name}"
    connection_string = azurerm_application_insights.this.connection_string
  }
}
