variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the project's id and number, and the region."
  type        = object({ id = string, number = string, region = string })
}

variable "key_id" {
  description = "Key that encrypts what is stored: projects/…/cryptoKeys/…, in the same region. Null leaves it to Google's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.key_id == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.key_id))
    error_message = "key_id must be null, or the name of a Cloud KMS key: projects/…/locations/…/keyRings/…/cryptoKeys/…"
  }
}

variable "tags" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}
