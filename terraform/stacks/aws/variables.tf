variable "name" {
  description = "Name of the deployment; every resource's name begins with {name}-{stage}. The same as TREFOIL_NAME."
  type        = string
  default     = "trefoil"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name must be 1 to 20 lower-case letters, digits and '-', and begin with a letter: it is part of names that hold 64 characters at most."
  }
}

variable "stage" {
  description = "Stage of the deployment, such as dev or prod. The same as TREFOIL_STAGE."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.stage))
    error_message = "stage must be 1 to 20 lower-case letters, digits and '-', and begin with a letter: it is part of names that hold 64 characters at most."
  }
}

variable "contract" {
  description = "Path of the contract, which names the services, their types and limits; `make topology` writes it."
  type        = string
  default     = "../../../shared/asyncapi.json"

  validation {
    condition     = can(jsondecode(file(var.contract)).channels)
    error_message = "contract must be the path of an AsyncAPI document with channels; `make topology` writes one to shared/asyncapi.json."
  }
}

variable "package" {
  description = "Path of the zip that holds the code; by default the one that `make package` puts into build/ for the runtime."
  type        = string
  default     = null
}

variable "runtime" {
  description = "Lambda's runtime: python3.13, or provided.al2023 for emulators, where the zip brings its own start."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.13", "provided.al2023"], var.runtime)
    error_message = "runtime must be python3.13 or provided.al2023: the zips are built for these two."
  }
}

variable "memory_mib" {
  description = "Memory of each function in MiB (128 to 10240); the processor's share grows with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mib >= 128 && var.memory_mib <= 10240
    error_message = "memory_mib must be 128 to 10240: Lambda has no smaller and no larger functions."
  }
}

variable "snap_start" {
  description = "Whether functions start from a snapshot that is taken when a version is published (SnapStart)."
  type        = bool
  default     = false

  validation {
    condition     = !var.snap_start || !startswith(var.runtime, "provided")
    error_message = "snap_start must be false with the runtime provided.al2023: Lambda takes snapshots of its own runtimes only."
  }
}

variable "endpoint_url" {
  description = "Where the functions find AWS: null in the cloud, an emulator's address else. The provider itself reads AWS_ENDPOINT_URL."
  type        = string
  default     = null

  validation {
    condition     = var.endpoint_url == null || can(regex("^https?://[^/]+$", var.endpoint_url))
    error_message = "endpoint_url must be null, or a scheme, host and port, such as http://127.0.0.1:4566."
  }
}

variable "environment" {
  description = "More environment variables of the functions, such as TREFOIL_SMTP_URL. Give them as TF_VAR_environment, in each shell that deploys: an apply without them takes them away again. Plans don't show them; the state holds them."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition = length(setintersection(keys(var.environment), [
      "AWS_ENDPOINT_URL", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME", "TREFOIL_BUS_ARN",
      "TREFOIL_CLOUD", "TREFOIL_NAME", "TREFOIL_SERVICE", "TREFOIL_STAGE",
    ])) == 0
    error_message = "environment must not hold what the stack sets itself: AWS_ENDPOINT_URL (use endpoint_url), POWERTOOLS_METRICS_NAMESPACE, POWERTOOLS_SERVICE_NAME, TREFOIL_BUS_ARN, TREFOIL_CLOUD, TREFOIL_NAME (use name), TREFOIL_SERVICE, TREFOIL_STAGE (use stage)."
  }
}

variable "oldest_seconds" {
  description = "Seconds (at least 60) that a message may wait in its channel before an alarm goes off."
  type        = number
  default     = 900

  validation {
    condition     = var.oldest_seconds >= 60
    error_message = "oldest_seconds must be at least 60: SQS reports the age once a minute."
  }
}

variable "alarm_actions" {
  description = "What an alarm tells when it goes off and when it is over: ARNs, such as topics."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for action in var.alarm_actions : startswith(action, "arn:")])
    error_message = "alarm_actions must be ARNs, such as arn:aws:sns:eu-central-1:123456789012:on-call."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept: one of the numbers that CloudWatch knows."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653: CloudWatch knows no others."
  }
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted. Set it where the commits are worth keeping; to destroy the stack, turn it off first."
  type        = bool
  default     = false
}

variable "key_deletion_days" {
  description = "Days (7 to 30) in which the deletion of the key can still be called off after the stack is destroyed."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30: KMS allows no other waiting time."
  }
}

variable "tags" {
  description = "More tags of every resource, beside Application, Stage, Service and ManagedBy."
  type        = map(string)
  default     = {}
}
