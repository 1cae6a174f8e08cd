variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "log_retention_days" {
  description = "Days (30 to 730) that the log is kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
