# The code: the storage account of the function app, with the zip in a container. The host keeps there, too, what its
# instances must agree on, such as who rings the timer.

resource "azurerm_storage_account" "this" {
  #checkov:skip=CKV_AZURE_33:It has no queues
  #checkov:skip=CKV_AZURE_59:Functions come from Azure's own addresses, of which there is no list; only identities come in
  #checkov:skip=CKV_AZURE_206:It can be built again
  #checkov:skip=CKV2_AZURE_33:A private endpoint takes a network of one's own
  #checkov:skip=CKV2_AZURE_38:It can be built again
  resource_group_name             = var.account.group
  location                        = var.account.region
  name                            = local.storage
  account_kind                    = "StorageV2"
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  allow_nested_items_to_be_public = false
  local_user_enabled              = false
  tags                            = var.tags

  dynamic "identity" {
    for_each = var.key[*]

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.identity_id]
    }
  }

  dynamic "customer_managed_key" {
    for_each = var.key[*]

    content {
      key_vault_key_id          = customer_managed_key.value.uri
      user_assigned_identity_id = customer_managed_key.value.identity_id
    }
  }
}

resource "azurerm_storage_container" "this" {
  #checkov:skip=CKV2_AZURE_21:It holds code that lies in a repository
  storage_account_id    = local.storage_id
  name                  = "code"
  container_access_type = "private"
}

# Owners of a subscription may make what they like, but not write into it.
resource "azurerm_role_assignment" "this" {
  scope                = "${local.storage_id}/blobServices/default/containers/${azurerm_storage_container.this.name}"
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = var.deployer
}

# Flex Consumption runs what lies in its container under this name, and only this. The provider's `zip_deploy_file` calls
# an address that Flex Consumption doesn't have, wants a password, and doesn't notice another zip of the same name.
resource "azurerm_storage_blob" "this" {
  storage_account_name   = azurerm_storage_account.this.name
  storage_container_name = azurerm_storage_container.this.name
  name                   = "released-package.zip"
  type                   = "Block"
  content_type           = "application/zip"
  content_md5            = try(filemd5(var.package), null)
  source                 = var.package

  lifecycle {
    precondition {
      condition     = fileexists(var.package)
      error_message = "There is no ${var.package}; build it with: python -m functions.package azure"
    }
  }

  # A grant takes minutes until it holds: meanwhile all is made that takes its time, too.
  depends_on = [azurerm_role_assignment.this, var.ready]
}

locals {
  # An account's name is the whole world's, and has 24 small letters and digits at most.
  storage    = "${substr(replace(var.name, "-", ""), 0, 11)}code${substr(sha256("${var.account.id}/${var.name}"), 0, 8)}"
  storage_id = "/subscriptions/${var.account.id}/resourceGroups/${var.account.group}/providers/Microsoft.Storage/storageAccounts/${azurerm_storage_account.this.name}"
}
