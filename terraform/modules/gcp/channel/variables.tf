variable "name" {
  description = "Name of the channel: {name}-{stage}-{service}. A subscription's ends in its filter's hash, the dead-letter channel's in -dead."
  type        = string

  validation {
    condition     = can(regex("^[a-z][A-Za-z0-9_-]{0,245}$", var.name)) && !startswith(var.name, "goog")
    error_message = "name must be 1 to 246 letters, digits, '-' and '_', begin with a small letter, and not with 'goog': Pub/Sub takes 255, and a filter's hash adds 9."
  }
}

variable "account" {
  description = "Where the resources lie: the project's id and number, and the region."
  type        = object({ id = string, number = string, region = string })
}

variable "bus_id" {
  description = "The bus that fills the channel: the topic's full name."
  type        = string
}

variable "key_id" {
  description = "Key that encrypts what is stored: projects/…/cryptoKeys/…. Null leaves it to Google's own keys."
  type        = string
  default     = null
}

variable "filter" {
  description = "What the bus lets into the channel: a Pub/Sub filter of at most 256 bytes."
  type        = string

  validation {
    condition     = can(regex("^[ -~]{1,256}$", var.filter))
    error_message = "filter must be 1 to 256 ASCII characters: Pub/Sub takes 256 bytes, and without a filter everything would arrive."
  }
}

variable "draining" {
  description = "Older filters whose subscriptions may still hold messages, by their hashes: they stay."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for hash, filter in var.draining : hash == substr(sha256(filter), 0, 8)])
    error_message = "draining must hold filters by the first 8 digits of their SHA-256: another key would name another subscription."
  }
}

variable "function_uri" {
  description = "The function that gets the messages: its address."
  type        = string
}

variable "function_account" {
  description = "The account in whose name the function acts: its address. It may publish dead letters."
  type        = string
}

variable "push_account" {
  description = "The account in whose name Pub/Sub calls the function: its address."
  type        = string
}

variable "ack_seconds" {
  description = "Seconds (10 to 600) that Pub/Sub waits for the function's answer: a little more than the function's timeout."
  type        = number

  validation {
    condition     = var.ack_seconds >= 10 && var.ack_seconds <= 600
    error_message = "ack_seconds must be 10 to 600: Pub/Sub waits for ten minutes at most."
  }
}

variable "backoff" {
  description = "Seconds (0 to 600) between deliveries of a message that is to be retried: at first (base), at most (cap)."
  type        = object({ base = number, cap = number })

  validation {
    condition     = var.backoff.base >= 0 && var.backoff.base <= var.backoff.cap && var.backoff.cap <= 600
    error_message = "backoff must be 0 to 600 seconds, the base no longer than the cap: Pub/Sub knows no others."
  }
}

variable "delivery_limit" {
  description = "Deliveries (5 to 100) after which a message that kills its function is dead-lettered."
  type        = number

  validation {
    condition     = var.delivery_limit >= 5 && var.delivery_limit <= 100
    error_message = "delivery_limit must be 5 to 100: Pub/Sub takes no other."
  }
}

variable "oldest_seconds" {
  description = "Seconds that a message may wait before an alarm goes off."
  type        = number
  default     = 900
}

variable "alarm_actions" {
  description = "What an alarm tells when it goes off and when it is over: notification channels."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}
