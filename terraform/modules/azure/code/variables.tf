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

variable "package" {
  description = "Path of the zip that holds the code."
  type        = string
}

variable "deployer" {
  description = "Who deploys, and so may write into the container: an object id."
  type        = string
}

variable "ready" {
  description = "What is made before the zip is uploaded: ids."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
