variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the project's id and number, and the region."
  type        = object({ id = string, number = string, region = string })
}

variable "key_id" {
  description = "Key that encrypts what is stored: projects/…/cryptoKeys/…. Null leaves it to Google's own keys."
  type        = string
  default     = null
}

variable "package" {
  description = "Path of the zip that holds the code."
  type        = string
}

variable "tags" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}
