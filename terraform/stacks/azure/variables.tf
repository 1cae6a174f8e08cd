variable "name" {
  description = "Name of the deployment; every resource's name begins with {name}-{stage}. The same as TREFOIL_NAME."
  type        = string
  default     = "trefoil"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name must be 1 to 20 lower-case letters, digits and '-', and begin with a letter: it is part of names that hold 50 characters at most."
  }
}

variable "stage" {
  description = "Stage of the deployment, such as dev or prod. The same as TREFOIL_STAGE."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.stage))
    error_message = "stage must be 1 to 20 lower-case letters, digits and '-', and begin with a letter: it is part of names that hold 50 characters at most."
  }
}

variable "subscription" {
  description = "Id of the subscription that everything lies in. The same as ARM_SUBSCRIPTION_ID."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription))
    error_message = "subscription must be a subscription's id, such as 01234567-89ab-cdef-0123-456789abcdef, in small letters. Its name won't do."
  }
}

variable "region" {
  description = "Region that everything lies in, such as westeurope. The same as AZURE_LOCATION."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.region))
    error_message = "region must be a region as `az account list-locations` names it, such as westeurope."
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
  description = "Path of the zip that holds the code; by default the one that `make deploy-azure` puts into build/."
  type        = string
  default     = null
}

variable "sku" {
  description = "The Service Bus namespace's tier: Standard, or Premium, which costs by the hour, has throughput of its own and takes a key of your own."
  type        = string
  default     = "Standard"

  validation {
    condition     = contains(["Standard", "Premium"], var.sku)
    error_message = "sku must be Standard or Premium: the tier Basic has no topics."
  }
}

variable "memory_mib" {
  description = "Memory of each instance in MiB: 512, 2048 or 4096; the processor's share grows with it."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.memory_mib)
    error_message = "memory_mib must be 512, 2048 or 4096: Flex Consumption has no other instances."
  }
}

variable "min_instances" {
  description = "Instances of each service's function that are kept ready while nothing is to be done; each costs."
  type        = number
  default     = 0

  validation {
    condition     = var.min_instances >= 0
    error_message = "min_instances must be 0 or more, and for all services together no more than max_instances."
  }
}

variable "max_instances" {
  description = "Instances (40 to 1000) that all functions have together at most; null for as many as the contract's concurrency allows. Azure has no maximum for one function."
  type        = number
  default     = null

  validation {
    condition     = var.max_instances == null ? true : var.max_instances >= 40 && var.max_instances <= 1000
    error_message = "max_instances must be null or 40 to 1000: Flex Consumption takes no others."
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

variable "key_id" {
  description = "Key that encrypts what is stored: the id of a Key Vault's key, /subscriptions/…/vaults/…/keys/…, in the same region. It takes sku = Premium. Null leaves it to Microsoft's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.key_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.KeyVault/vaults/[^/]+/keys/[^/]+$", var.key_id))
    error_message = "key_id must be null, or the id of a Key Vault's key: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/…/keys/…"
  }
}

variable "environment" {
  description = "More environment variables of the functions, such as TREFOIL_SMTP_URL. Give them as TF_VAR_environment, in each shell that deploys: an apply without it takes them away again. Plans don't show them; the state holds them."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition = alltrue([
      for name in keys(var.environment) : !startswith(name, "AzureWebJobsStorage") && !startswith(name, "APPLICATIONINSIGHTS_")
      ]) && length(setintersection(keys(var.environment), [
        "TREFOIL_CLOUD", "TREFOIL_NAME", "TREFOIL_PACKAGE", "TREFOIL_SERVICEBUS",
        "TREFOIL_SERVICEBUS__fullyQualifiedNamespace", "TREFOIL_STAGE", "TREFOIL_TABLES", "TREFOIL_TABLES__tableServiceUri",
    ])) == 0
    error_message = "environment must not hold what the stack sets itself: APPLICATIONINSIGHTS_…, AzureWebJobsStorage…, TREFOIL_CLOUD, TREFOIL_NAME (use name), TREFOIL_PACKAGE, TREFOIL_SERVICEBUS…, TREFOIL_STAGE (use stage), TREFOIL_TABLES…"
  }
}

variable "oldest_seconds" {
  description = "Seconds that more than a number of messages (oldest_messages) may wait in a channel before an alarm goes off: 300, 900, 1800, 3600, 21600, 43200 or 86400."
  type        = number
  default     = 900

  validation {
    condition     = contains([300, 900, 1800, 3600, 21600, 43200, 86400], var.oldest_seconds)
    error_message = "oldest_seconds must be 300, 900, 1800, 3600, 21600, 43200 or 86400: Azure Monitor looks back over no other times."
  }
}

variable "oldest_messages" {
  description = "Messages that may wait all that time: 0 where each channel should be empty now and then, more where one is always busy."
  type        = number
  default     = 0

  validation {
    condition     = var.oldest_messages >= 0
    error_message = "oldest_messages must be 0 or more."
  }
}

variable "log_retention_days" {
  description = "Days (30 to 730) that the log is kept."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "log_retention_days must be 30 to 730: Log Analytics takes no others."
  }
}

variable "alarm_actions" {
  description = "What an alarm tells when it goes off and when it is over: action groups, /subscriptions/…/actionGroups/…"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for action in var.alarm_actions : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[Mm]icrosoft.[Ii]nsights/actionGroups/[^/]+$", action))])
    error_message = "alarm_actions must be action groups: /subscriptions/…/resourceGroups/…/providers/Microsoft.Insights/actionGroups/…"
  }
}

variable "operators" {
  description = "Who may use `trefoil --cloud azure` on the deployment: object ids of people, groups or applications. Owners of the subscription may not by themselves."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for operator in var.operators : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", operator))])
    error_message = "operators must be object ids, such as `az ad signed-in-user show --query id` prints."
  }
}

variable "replication" {
  description = "Where copies of the store lie: LRS (one place), ZRS (three zones), GRS or GZRS (another region, too). Not every region has zones."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS"], var.replication)
    error_message = "replication must be LRS, ZRS, GRS or GZRS."
  }
}

variable "deletion_protection" {
  description = "Whether the store refuses to be deleted, and with it the whole deployment. Set it where the commits are worth keeping; to destroy the stack, turn it off first."
  type        = bool
  default     = false
}

variable "tags" {
  description = "More tags of every resource that takes some, beside application, stage, service and managed_by."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : can(regex("^[^<>%&?/\\\\]{1,128}$", key)) && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters without <, >, %, &, ?, / and \\, and values of at most 256: Azure takes no other."
  }
}
