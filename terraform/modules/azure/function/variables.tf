variable "name" {
  description = "Prefix of every name: {name}-{stage}."
  type        = string
}

variable "account" {
  description = "Where the resources lie: the subscription's id, the resource group and the region."
  type        = object({ id = string, group = string, region = string })
}

variable "package" {
  description = "The code: the storage account that holds it, the container's address, and the zip's hash."
  type        = object({ storage = string, storage_id = string, uri = string, hash = string })
}

variable "runtime" {
  description = "The runtime and its version, such as python 3.13."
  type        = string

  validation {
    condition     = can(regex("^[a-z-]+ [0-9.]+$", var.runtime))
    error_message = "runtime must be a runtime and its version, such as python 3.13."
  }
}

variable "memory_mib" {
  description = "Memory of an instance in MiB: 512, 2048 or 4096; the processor's share grows with it."
  type        = number
  default     = 2048
}

variable "instances" {
  description = "Instances: how many are kept ready for each service (min), and how many the app has at most (max, 40 to 1000)."
  type        = object({ min = number, max = number })

  validation {
    condition     = var.instances.min >= 0 && var.instances.max >= 40 && var.instances.max <= 1000
    error_message = "instances.min must be 0 or more, instances.max 40 to 1000: Flex Consumption takes no others."
  }
}

variable "ingress" {
  description = "Whether anybody can reach the app's address: Deny, because nothing calls it, or Allow."
  type        = string
  default     = "Deny"

  validation {
    condition     = contains(["Allow", "Deny"], var.ingress)
    error_message = "ingress must be Allow or Deny: App Service knows no others."
  }
}

variable "environment" {
  description = "Environment variables of the functions. They may hold passwords: no plan shows them."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "bus_id" {
  description = "The bus that the functions may publish to: the topic's id."
  type        = string
}

variable "channels" {
  description = "Each service's channel and dead-letter channel, by service: their ids. Each service has a function of the same name."
  type        = map(object({ channel_id = string, dead_letter_id = string }))
}

variable "store_id" {
  description = "The store that the functions may read and write: the id of the table of commits."
  type        = string
}

variable "timers_id" {
  description = "The timers that the functions may read and write: the id of their table."
  type        = string
}

variable "insights" {
  description = "Where functions report to: the id of Application Insights, and how it is reached."
  type        = object({ id = string, connection_string = string })
}

variable "silent_seconds" {
  description = "Seconds without a successful tick after which an alarm goes off: 300, 600, 900, 1800 or 3600."
  type        = number
  default     = 900

  validation {
    condition     = contains([300, 600, 900, 1800, 3600], var.silent_seconds)
    error_message = "silent_seconds must be 300, 600, 900, 1800 or 3600: Azure Monitor looks back over these."
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
