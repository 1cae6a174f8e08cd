# The log: what functions and the bus report, and where alarms look for it.

resource "azurerm_log_analytics_workspace" "this" {
  resource_group_name = var.account.group
  location            = var.account.region
  name                = "${var.name}-log"
  sku                 = "PerGB2018"
  retention_in_days   = var.log_retention_days
  tags                = var.tags
}

resource "azurerm_application_insights" "this" {
  resource_group_name           = var.account.group
  location                      = var.account.region
  name                          = "${var.name}-log"
  application_type              = "web"
  workspace_id                  = local.log_id
  local_authentication_disabled = true # who reports shows an identity: nobody else can make up a successful tick
  tags                          = var.tags
}

locals {
  group  = "/subscriptions/${var.account.id}/resourceGroups/${var.account.group}/providers"
  log_id = "${local.group}/Microsoft.OperationalInsights/workspaces/${azurerm_log_analytics_workspace.this.name}"
}
