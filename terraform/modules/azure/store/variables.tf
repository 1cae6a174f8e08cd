variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "key" {
  description = "Key that encrypts what is stored: its address, and the id of the identity that may use it. Null leaves it to Microsoft's own keys."
  type        = object({ uri = string, identity_id = string })
  default     = null
}

variable "replication" {
  description = "Where copies of the store lie: LRS (one place), ZRS (three zones), GRS or GZRS (another region, too)."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS"], var.replication)
    error_message = "replication must be LRS, ZRS, GRS or GZRS."
  }
}

variable "deletion_protection" {
  description = "Whether the store refuses to be deleted."
  type        = bool
  default     = false
}

variable "operators" {
  description = "Who may look into the store by hand: object ids of people, groups or applications."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
