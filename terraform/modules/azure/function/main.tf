# The functions: one app on Flex Consumption holds all of them. Each scales by itself, on what waits in its queue, up to the
# app's maximum; Azure has no maximum for one of them. What an instance takes at once stands in host.json.

resource "azurerm_service_plan" "this" {
  #checkov:skip=CKV_AZURE_212:Instances come and go with what is to be done
  #checkov:skip=CKV_AZURE_225:An instance that is gone is replaced; messages wait in their queues meanwhile
  resource_group_name = var.account.group
  location            = var.account.region
  name                = "${var.name}-plan"
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  resource_group_name = var.account.group
  location            = var.account.region
  name                = local.app
  service_plan_id     = "${local.group}/Microsoft.Web/serverFarms/${azurerm_service_plan.this.name}"
  tags                = var.tags

  runtime_name           = split(" ", var.runtime)[0]
  runtime_version        = split(" ", var.runtime)[1]
  instance_memory_in_mb  = var.memory_mib
  maximum_instance_count = var.instances.max

  storage_container_type      = "blobContainer"
  storage_container_endpoint  = var.package.uri
  storage_authentication_type = "SystemAssignedIdentity"

  # Nothing calls it: it fetches its messages. Nobody deploys with a password either.
  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false

  app_settings = merge(var.environment, {
    # The provider would set a connection string without a key, which the host would take; this has it look further.
    AzureWebJobsStorage                       = ""
    AzureWebJobsStorage__accountName          = var.package.storage
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "Authorization=AAD"
    TREFOIL_PACKAGE                           = var.package.hash # another zip restarts the app
  })

  identity {
    type = "SystemAssigned"
  }

  site_config {
    application_insights_connection_string = var.insights.connection_string
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    ip_restriction_default_action          = var.ingress
    scm_ip_restriction_default_action      = var.ingress
  }

  dynamic "always_ready" {
    for_each = var.instances.min > 0 ? keys(var.channels) : []

    content {
      name           = "function:${always_ready.value}"
      instance_count = var.instances.min
    }
  }

  lifecycle {
    precondition {
      condition     = var.instances.min * length(var.channels) <= var.instances.max
      error_message = "There are ${length(var.channels)} services: ${var.instances.min} instances kept ready for each are more than the app may have (${var.instances.max})."
    }
  }
}

locals {
  group = "/subscriptions/${var.account.id}/resourceGroups/${var.account.group}/providers"

  # An app's name is the whole world's.
  app    = "${var.name}-${substr(sha256("${var.account.id}/${var.name}"), 0, 8)}"
  app_id = "${local.group}/Microsoft.Web/sites/${azurerm_function_app_flex_consumption.this.name}"
}
