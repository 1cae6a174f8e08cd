variable "name" {
  description = "Name of the table: {name}{stage}{what it holds}, without dashes."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{2,62}$", var.name))
    error_message = "name must be 3 to 63 small letters and digits, and begin with a letter: Azure Tables takes no other."
  }
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "storage" {
  description = "Name of the storage account that holds it."
  type        = string
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
