variable "name" {
  description = "Name of the channel: {name}-{stage}-{service}. The dead-letter channel's ends in -dead."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,75}$", var.name))
    error_message = "name must be 1 to 75 letters, digits, '-' and '_': SQS takes 80, and the dead-letter queue adds 5."
  }
}

variable "account" {
  description = "Where the resources lie: partition, region and account id. ARNs are made from it before the resources exist."
  type        = object({ partition = string, region = string, id = string })
}

variable "bus_id" {
  description = "The bus that fills the channel: the topic's ARN."
  type        = string
}

variable "key_id" {
  description = "Key that encrypts what is stored: the ARN of a KMS key."
  type        = string
}

variable "types" {
  description = "Message types that the channel's service handles; the filter lets no others in."
  type        = list(string)

  validation {
    condition     = length(var.types) >= 1 && length(var.types) <= 150
    error_message = "types must be 1 to 150 message types: without one nothing would arrive, and an SNS filter holds 150."
  }
}

variable "visibility_seconds" {
  description = "Seconds (0 to 43200) that a received message stays hidden: six times the function's timeout."
  type        = number

  validation {
    condition     = var.visibility_seconds >= 0 && var.visibility_seconds <= 43200
    error_message = "visibility_seconds must be 0 to 43200: SQS hides a message for twelve hours at most."
  }
}

variable "delivery_limit" {
  description = "Deliveries (1 to 1000) after which a message that kills its function is dead-lettered."
  type        = number

  validation {
    condition     = var.delivery_limit >= 1 && var.delivery_limit <= 1000
    error_message = "delivery_limit must be 1 to 1000: SQS counts no further."
  }
}

variable "oldest_seconds" {
  description = "Seconds that a message may wait before an alarm goes off."
  type        = number
  default     = 900
}

variable "alarm_actions" {
  description = "What an alarm tells when it goes off and when it is over: ARNs, such as topics."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
