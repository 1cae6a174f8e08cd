# The bus: the Service Bus namespace and in it the one topic that everything is published to, and the use of the key that
# encrypts what is stored.

# Where the state's resources lie. With another subscription Terraform would find none of them, forget them and make others.
resource "terraform_data" "place" {
  input = local.place

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == local.place
      error_message = "This state is of a deployment in ${self.output}, but ARM_SUBSCRIPTION_ID and AZURE_LOCATION lead to ${local.place}. Set them back, or choose another TREFOIL_STAGE: it gets a state of its own."
    }
  }
}

resource "azurerm_servicebus_namespace" "this" {
  #checkov:skip=CKV_AZURE_204:A network of one's own takes Premium; without keys, only identities that were granted it come in
  resource_group_name           = var.account.group
  location                      = var.account.region
  name                          = local.namespace
  sku                           = var.sku
  capacity                      = var.sku == "Premium" ? 1 : 0
  premium_messaging_partitions  = var.sku == "Premium" ? 1 : 0
  minimum_tls_version           = "1.2"
  local_auth_enabled            = false # identities only: there is no key that could leak
  public_network_access_enabled = true
  tags                          = var.tags

  dynamic "identity" {
    for_each = local.key[*]

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.identity_id]
    }
  }

  dynamic "customer_managed_key" {
    for_each = local.key[*]

    content {
      key_vault_key_id                  = customer_managed_key.value.uri
      identity_id                       = customer_managed_key.value.identity_id
      infrastructure_encryption_enabled = true
    }
  }

  depends_on = [azurerm_role_assignment.key]

  lifecycle {
    precondition {
      condition     = var.key_id == null || var.sku == "Premium"
      error_message = "Service Bus takes a key of one's own (key_id) in the tier Premium only: set sku to Premium, or leave key_id out."
    }
  }
}

resource "azurerm_servicebus_topic" "this" {
  namespace_id                 = local.namespace_id
  name                         = "${var.name}-bus"
  default_message_ttl          = local.forever
  auto_delete_on_idle          = local.forever
  max_size_in_megabytes        = 5120 # the most that both tiers take
  requires_duplicate_detection = false
}

# Who did what to the namespace, and what failed.
resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "${var.name}-bus"
  target_resource_id         = local.namespace_id
  log_analytics_workspace_id = var.log_id

  enabled_log {
    category_group = "allLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

# Whoever stores something uses the key in its name, not the functions: that is how Azure encrypts with it.
resource "azurerm_user_assigned_identity" "this" {
  for_each = local.keys

  resource_group_name = var.account.group
  location            = var.account.region
  name                = "${var.name}-key"
  tags                = var.tags
}

resource "azurerm_role_assignment" "key" {
  for_each = local.keys

  scope                = var.key_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
}

# Who works with a deployment by hand: `trefoil` looks into queues, counts what they hold, pauses and resumes them.
resource "azurerm_role_assignment" "operator" {
  for_each = toset(var.operators)

  scope                = local.namespace_id
  role_definition_name = "Azure Service Bus Data Owner"
  principal_id         = each.value
}

locals {
  place = "${var.account.id}/${var.account.region}"
  group = "/subscriptions/${var.account.id}/resourceGroups/${var.account.group}/providers"

  # A namespace's name is the whole world's, hence the hash; it has 50 characters at most.
  namespace    = "${var.name}-${substr(sha256("${var.account.id}/${var.name}"), 0, 8)}"
  namespace_id = "${local.group}/Microsoft.ServiceBus/namespaces/${azurerm_servicebus_namespace.this.name}"
  forever      = "P10675199DT2H48M5.4775807S" # the longest that Service Bus knows

  keys = var.key_id == null ? {} : { this = split("/", var.key_id) }

  key = one([for name, parts in local.keys : {
    uri         = "https://${parts[8]}.vault.azure.net/keys/${parts[10]}" # no version: one that is rotated goes on being it
    identity_id = "${local.group}/Microsoft.ManagedIdentity/userAssignedIdentities/${azurerm_user_assigned_identity.this[name].name}"
  }])
}
