# The store: a storage account with the table of commits. A service's commits are idempotency record, outbox and state at
# once.

resource "azurerm_storage_account" "this" {
  #checkov:skip=CKV_AZURE_33:It has no queues
  #checkov:skip=CKV_AZURE_59:Functions come from Azure's own addresses, of which there is no list; only identities come in
  #checkov:skip=CKV_AZURE_206:Three zones hold it; another region does where that is wanted (replication)
  #checkov:skip=CKV2_AZURE_33:A private endpoint takes a network of one's own
  #checkov:skip=CKV2_AZURE_38:It holds no blobs
  resource_group_name             = var.account.group
  location                        = var.account.region
  name                            = local.storage
  account_kind                    = "StorageV2"
  account_tier                    = "Standard"
  account_replication_type        = var.replication
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  shared_access_key_enabled       = false # identities only: there is no key that could leak
  default_to_oauth_authentication = true
  allow_nested_items_to_be_public = false
  local_user_enabled              = false

  # Where these are not said, a key of one's own encrypts blobs only. They can't be changed.
  table_encryption_key_type = "Account"
  queue_encryption_key_type = "Account"

  tags = var.tags

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

# No time to live, which tables don't have anyway: a commit's key is never deleted, or its message could take effect twice.
module "commits" {
  source = "../table"

  name    = "${replace(var.name, "-", "")}commits"
  account = var.account
  storage = azurerm_storage_account.this.name
  tags    = var.tags
}

# Azure refuses to delete the account or its resource group, whoever asks.
resource "azurerm_management_lock" "this" {
  for_each = var.deletion_protection ? toset(["this"]) : toset([])

  name       = "${var.name}-store"
  scope      = local.storage_id
  lock_level = "CanNotDelete"
  notes      = "Commits: without them, messages take effect twice."
}

# Who works with a deployment by hand: `trefoil show`, `trace` and `audit` read the store.
resource "azurerm_role_assignment" "operator" {
  for_each = toset(var.operators)

  scope                = local.storage_id
  role_definition_name = "Storage Table Data Contributor"
  principal_id         = each.value
}

locals {
  # An account's name is the whole world's, and has 24 small letters and digits at most.
  storage    = "${substr(replace(var.name, "-", ""), 0, 11)}store${substr(sha256("${var.account.id}/${var.name}"), 0, 8)}"
  storage_id = "/subscriptions/${var.account.id}/resourceGroups/${var.account.group}/providers/Microsoft.Storage/storageAccounts/${azurerm_storage_account.this.name}"
}
