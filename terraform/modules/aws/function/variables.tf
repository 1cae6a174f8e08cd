variable "name" {
  description = "Name of the function: {name}-{stage}-{service}."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, '-' and '_': Lambda takes no other."
  }
}

variable "description" {
  description = "What the function does, in a sentence."
  type        = string
  default     = ""
}

variable "account" {
  description = "Where the resources lie: partition, region and account id. ARNs are made from it before the resources exist."
  type        = object({ partition = string, region = string, id = string })
}

variable "key_id" {
  description = "Key that encrypts what is stored: the ARN of a KMS key."
  type        = string
}

variable "package" {
  description = "Path of the zip that holds the code."
  type        = string
}

variable "handler" {
  description = "What the runtime calls: module and function."
  type        = string
}

variable "runtime" {
  description = "Lambda's runtime, such as python3.13."
  type        = string
}

variable "memory_mib" {
  description = "Memory in MiB (128 to 10240); the processor's share grows with it."
  type        = number
  default     = 512
}

variable "timeout_seconds" {
  description = "Seconds (1 to 900) that a call may take."
  type        = number

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be 1 to 900: Lambda stops a function after a quarter of an hour."
  }
}

variable "snap_start" {
  description = "Whether a version is started once, when it is published, and each function from its snapshot."
  type        = bool
  default     = false
}

variable "environment" {
  description = "Environment variables of the function. They may hold passwords: no plan shows them."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "permissions" {
  description = "What the function may do beside writing its log and using the key: actions, on which resources, on what condition. One without a resource is left out."
  type = list(object({
    actions   = list(string)
    resources = list(string)
    condition = optional(map(map(list(string))))
  }))
  default = []

  validation {
    condition     = !strcontains(join(" ", flatten(var.permissions[*].actions)), "*")
    error_message = "permissions must name each action; a '*' would allow more than is meant."
  }
}

variable "channels" {
  description = "Channels that the function reads, by service: the id, how many messages at once (batch), by how many calls at once (concurrency)."
  type        = map(object({ id = string, batch = number, concurrency = number }))
  default     = {}
}

variable "alarms" {
  description = "Metrics of the function that set off an alarm when they are above zero."
  type        = set(string)
  default     = ["Errors", "Throttles"]
}

variable "silent_seconds" {
  description = "Seconds without a call after which an alarm goes off: a multiple of 60. Null for a function that may have nothing to do."
  type        = number
  default     = null

  validation {
    condition     = var.silent_seconds == null ? true : var.silent_seconds >= 60 && var.silent_seconds % 60 == 0
    error_message = "silent_seconds must be null or a multiple of 60: CloudWatch counts Lambda's calls by the minute."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
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
