variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: partition, region and account id. ARNs are made from it before the resources exist."
  type        = object({ partition = string, region = string, id = string })
}

variable "key_id" {
  description = "Key that encrypts what is stored: the ARN of a KMS key."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
