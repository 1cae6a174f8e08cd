variable "name" {
  description = "Name of the channel: {name}-{stage}-{service}. The dead-letter channel's ends in -dead."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,253}[A-Za-z0-9]$", var.name))
    error_message = "name must be 2 to 255 letters, digits, '-' and '_', and begin and end with a letter or digit: Service Bus takes 260, and the dead-letter queue adds 5."
  }
}

variable "service" {
  description = "The service whose channel it is; the subscription to the bus is called like it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,49}$", var.service))
    error_message = "service must be 1 to 50 small letters, digits and '_', and begin with a letter: a subscription's name has no more."
  }
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "bus_id" {
  description = "The bus that fills the channel: the topic's id."
  type        = string
}

variable "types" {
  description = "Message types that the channel's service handles; the filter lets no others in."
  type        = list(string)

  validation {
    condition     = length(var.types) >= 1 && alltrue([for type in var.types : can(regex("^[A-Za-z0-9._-]+$", type))])
    error_message = "types must be at least one message type, of letters, digits, '.', '_' and '-': without one nothing would arrive, and the filter quotes them."
  }

  validation {
    condition     = length("type IN (${join(", ", [for type in var.types : "'${type}'"])})") <= 1024
    error_message = "types must fit into a filter of 1,024 characters, the longest that Service Bus takes: handle fewer types, or split the service."
  }
}

variable "delivery_limit" {
  description = "Deliveries (1 to 2000) after which a message that kills its function is dead-lettered."
  type        = number

  validation {
    condition     = var.delivery_limit >= 1 && var.delivery_limit <= 2000
    error_message = "delivery_limit must be 1 to 2000: Service Bus counts no further."
  }
}

variable "oldest_seconds" {
  description = "Seconds that more than a number of messages (oldest_messages) may wait before an alarm goes off: 300, 900, 1800, 3600, 21600, 43200 or 86400."
  type        = number
  default     = 900

  validation {
    condition     = contains([300, 900, 1800, 3600, 21600, 43200, 86400], var.oldest_seconds)
    error_message = "oldest_seconds must be 300, 900, 1800, 3600, 21600, 43200 or 86400: Azure Monitor looks back over no other times."
  }
}

variable "oldest_messages" {
  description = "Messages that may wait all that time: 0 where the queue should be empty now and then, more where it is always busy."
  type        = number
  default     = 0

  validation {
    condition     = var.oldest_messages >= 0
    error_message = "oldest_messages must be 0 or more."
  }
}

variable "alarm_actions" {
  description = "What an alarm tells when it goes off and when it is over: the ids of action groups."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
