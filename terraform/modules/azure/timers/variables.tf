variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "store_id" {
  description = "The store, whose account holds the timers: the id of the table of commits."
  type        = string
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
