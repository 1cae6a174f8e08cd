variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the project's id and number, and the region."
  type        = object({ id = string, number = string, region = string })
}

variable "location" {
  description = "Where the database lies, such as eur3 for several regions; null for the region of all else. It can't be changed."
  type        = string
  default     = null
}

variable "key_id" {
  description = "Key that encrypts what is stored: projects/…/cryptoKeys/…. Null leaves it to Google's own keys."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  default     = false
}
