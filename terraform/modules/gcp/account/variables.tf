variable "name" {
  description = "Name of the account: {name}-{stage}-{what acts}. One of more than 30 characters is shortened, and gets a hash."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,}[a-z0-9]$", var.name))
    error_message = "name must be at least 6 small letters, digits and '-', begin with a letter and not end with '-': Google takes no other."
  }
}

variable "account" {
  description = "Where the resources lie: the project's id and number, and the region."
  type        = object({ id = string, number = string, region = string })
}

variable "description" {
  description = "What acts in its name, in a sentence."
  type        = string
}
