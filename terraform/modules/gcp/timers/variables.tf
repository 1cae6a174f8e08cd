variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the project's id and number, and the region."
  type        = object({ id = string, number = string, region = string })
}

variable "store_id" {
  description = "The store that holds the timers: the database's full name."
  type        = string
}

variable "function_uri" {
  description = "The function to call every minute: its address."
  type        = string
}
