variable "name" {
  description = "Name of the deployment; every resource's name begins with {name}-{stage}. The same as TREFOIL_NAME."
  type        = string
  default     = "trefoil"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name must be 1 to 20 lower-case letters, digits and '-', and begin with a letter: it is part of names that hold 49 characters at most."
  }
}

variable "stage" {
  description = "Stage of the deployment, such as dev or prod. The same as TREFOIL_STAGE."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.stage))
    error_message = "stage must be 1 to 20 lower-case letters, digits and '-', and begin with a letter: it is part of names that hold 49 characters at most."
  }
}

variable "project" {
  description = "Id of the project that everything lies in. The same as GOOGLE_CLOUD_PROJECT."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project's id: 6 to 30 lower-case letters, digits and '-', such as shop-412345. Its name or number won't do."
  }
}

variable "region" {
  description = "Region that everything lies in, such as europe-west3. The same as GOOGLE_REGION."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, such as europe-west3, and no zone."
  }
}

variable "contract" {
  description = "Path of the contract, which names the services, their filters and limits; `make topology` writes it."
  type        = string
  default     = "../../../shared/asyncapi.json"

  validation {
    condition     = can(jsondecode(file(var.contract)).channels)
    error_message = "contract must be the path of an AsyncAPI document with channels; `make topology` writes one to shared/asyncapi.json."
  }
}

variable "package" {
  description = "Path of the zip that holds the code; by default the one that `make deploy-gcp` puts into build/."
  type        = string
  default     = null
}

variable "memory_mib" {
  description = "Memory of each instance in MiB (128 to 32768); above 4096 it takes more than one processor (cpu)."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mib >= 128 && var.memory_mib <= min(32768, 4096 * max(1, var.cpu))
    error_message = "memory_mib must be 128 to 4096 for each processor (cpu), and 32768 at most: Cloud Run has no other instances."
  }
}

variable "cpu" {
  description = "Processors of each instance: 1, 2, 4, 6 or 8. An instance serves several messages at once, and then takes at least one."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.cpu)
    error_message = "cpu must be 1, 2, 4, 6 or 8: Cloud Run has no other instances that serve several requests at once."
  }
}

variable "min_instances" {
  description = "Instances of each service's function that are kept ready while nothing is to be done; each costs."
  type        = number
  default     = 0

  validation {
    condition     = var.min_instances >= 0
    error_message = "min_instances must be 0 or more, and no more than the concurrency of any service in the contract."
  }
}

variable "ingress" {
  description = "From where functions can be reached: ALLOW_INTERNAL_ONLY, which Pub/Sub and Cloud Scheduler of the same project are, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL. From anywhere, only they may call."
  type        = string
  default     = "ALLOW_INTERNAL_ONLY"

  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_ALL"], var.ingress)
    error_message = "ingress must be ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL: Cloud Functions knows no others."
  }
}

variable "key_id" {
  description = "Key that encrypts what is stored: projects/…/cryptoKeys/…, in the same region. Null leaves it to Google's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.key_id == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.key_id))
    error_message = "key_id must be null, or the name of a Cloud KMS key: projects/…/locations/…/keyRings/…/cryptoKeys/…"
  }
}

variable "environment" {
  description = "More environment variables of the functions, such as TREFOIL_SMTP_URL. Give them as TF_VAR_environment, in each shell that deploys: an apply without it takes them away again. Plans don't show them; the state holds them."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition = length(setintersection(keys(var.environment), [
      "GOOGLE_CLOUD_PROJECT", "THREADS", "TREFOIL_CLOUD", "TREFOIL_NAME", "TREFOIL_SECONDS", "TREFOIL_SERVICE",
      "TREFOIL_STAGE",
    ])) == 0
    error_message = "environment must not hold what the stack sets itself: GOOGLE_CLOUD_PROJECT (use project), THREADS, TREFOIL_CLOUD, TREFOIL_NAME (use name), TREFOIL_SECONDS, TREFOIL_SERVICE, TREFOIL_STAGE (use stage)."
  }
}

variable "draining" {
  description = "Filters of earlier deployments whose subscriptions stay, by service and hash: the output `filters` of the last deployment, which `make deploy-gcp` takes by itself. {} deletes what is older than the contract."
  type        = map(map(string))
  default     = {}
}

variable "oldest_seconds" {
  description = "Seconds (at least 60) that a message may wait in its channel before an alarm goes off."
  type        = number
  default     = 900

  validation {
    condition     = var.oldest_seconds >= 60
    error_message = "oldest_seconds must be at least 60: Pub/Sub reports the age once a minute."
  }
}

variable "alarm_actions" {
  description = "What an alarm tells when it goes off and when it is over: notification channels, projects/…/notificationChannels/…"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for action in var.alarm_actions : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", action))])
    error_message = "alarm_actions must be notification channels, such as projects/shop-412345/notificationChannels/1234567890."
  }
}

variable "store_location" {
  description = "Where the database lies, such as eur3 for several regions; null for the region of all else. It can't be changed."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted. Set it where the commits are worth keeping; to destroy the stack, turn it off first."
  type        = bool
  default     = false
}

variable "tags" {
  description = "More labels of every resource that takes some, beside application, stage, service and managed_by."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "tags must hold lower-case letters, digits, '_' and '-' only, 63 at most, and a key must begin with a letter: Google takes no other labels."
  }
}
