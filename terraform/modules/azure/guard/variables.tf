variable "of" {
  description = "What is kept: ids of resources."
  type        = list(string)
}

variable "deletion_protection" {
  description = "Whether it is kept."
  type        = bool
}
