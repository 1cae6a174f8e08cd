variable "name" {
  description = "Name of the function: {name}-{stage}-{service}, with '-' for '_'."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,47}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 49 small letters, digits and '-', begin with a letter and not end with '-': Cloud Run takes no other. A shorter name or stage of the deployment makes room."
  }
}

variable "description" {
  description = "What the function does, in a sentence."
  type        = string
  default     = ""
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
  description = "The code: bucket and object of the zip, the repository that its image goes to, and the account that builds it."
  type        = object({ bucket = string, object = string, repository_id = string, build_account_id = string })
}

variable "handler" {
  description = "What is called: a function in main.py."
  type        = string
}

variable "runtime" {
  description = "The runtime, such as python313."
  type        = string
}

variable "memory_mib" {
  description = "Memory of an instance in MiB (128 to 32768)."
  type        = number
  default     = 512
}

variable "cpu" {
  description = "Processors of an instance: at least 1 where it serves several requests at once."
  type        = number
  default     = 1
}

variable "timeout_seconds" {
  description = "Seconds (1 to 3600) that a call may take."
  type        = number

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 3600
    error_message = "timeout_seconds must be 1 to 3600: Cloud Run stops a request after an hour."
  }
}

variable "instances" {
  description = "Instances of the function: how many there are at least (min) and at most (max), how many requests each serves at once (requests, 1 to 1000)."
  type        = object({ min = number, max = number, requests = number })

  validation {
    condition     = var.instances.min >= 0 && var.instances.max >= max(1, var.instances.min)
    error_message = "instances.max must be at least 1, and no less than instances.min."
  }

  validation {
    condition     = var.instances.requests >= 1 && var.instances.requests <= 1000
    error_message = "instances.requests must be 1 to 1000: Cloud Run sends an instance no more at once."
  }
}

variable "ingress" {
  description = "From where the function can be reached: ALLOW_INTERNAL_ONLY, which Pub/Sub and Cloud Scheduler of the same project are, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL."
  type        = string
  default     = "ALLOW_INTERNAL_ONLY"

  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_ALL"], var.ingress)
    error_message = "ingress must be ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL: Cloud Functions knows no others."
  }
}

variable "environment" {
  description = "Environment variables of the function. They may hold passwords: no plan shows them."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "bus_id" {
  description = "The bus that the function may publish to: the topic's full name."
  type        = string
}

variable "store_id" {
  description = "The store that the function may read and write: the database's full name."
  type        = string
}

variable "callers" {
  description = "Accounts that may call the function: addresses, by what they are to it."
  type        = map(string)
  default     = {}
}

variable "silent_seconds" {
  description = "Seconds without a successful call after which an alarm goes off: a multiple of 60. Null for a function that may have nothing to do."
  type        = number
  default     = null

  validation {
    condition     = var.silent_seconds == null ? true : var.silent_seconds >= 60 && var.silent_seconds % 60 == 0
    error_message = "silent_seconds must be null or a multiple of 60: Cloud Run reports its calls by the minute."
  }
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
