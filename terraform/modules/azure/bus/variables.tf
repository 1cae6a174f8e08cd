variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "sku" {
  description = "The namespace's tier: Standard or Premium."
  type        = string
  default     = "Standard"

  validation {
    condition     = contains(["Standard", "Premium"], var.sku)
    error_message = "sku must be Standard or Premium: the tier Basic has no topics."
  }
}

variable "key_id" {
  description = "Key that encrypts what is stored: /subscriptions/…/vaults/…/keys/…, in the same region. Null leaves it to Microsoft's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.key_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.KeyVault/vaults/[^/]+/keys/[^/]+$", var.key_id))
    error_message = "key_id must be null, or the id of a Key Vault's key: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/…/keys/…"
  }
}

variable "log_id" {
  description = "The log that the namespace reports to: the id of the Log Analytics workspace."
  type        = string
}

variable "operators" {
  description = "Who may work with the channels by hand: object ids of people, groups or applications."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
