# A table in a storage account. By a template, because the provider's own resource asks the account with its shared key
# for a table's policies, and the account takes no such key. A table goes with its account: the stack tells the provider to
# leave alone what templates have made.

resource "azurerm_resource_group_template_deployment" "this" {
  resource_group_name = var.account.group
  name                = var.name
  deployment_mode     = "Incremental"
  tags                = var.tags

  template_content = jsonencode({
    "$schema"      = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    contentVersion = "1.0.0.0"
    resources = [{
      type       = "Microsoft.Storage/storageAccounts/tableServices/tables"
      apiVersion = "2023-05-01"
      name       = "${var.storage}/default/${var.name}"
      properties = {}
    }]
  })
}
