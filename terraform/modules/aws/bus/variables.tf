variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: partition, region and account id. ARNs are made from it before the resources exist."
  type        = object({ partition = string, region = string, id = string })
}

variable "key_deletion_days" {
  description = "Days (7 to 30) in which the deletion of the key can still be called off."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30: KMS allows no other waiting time."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
