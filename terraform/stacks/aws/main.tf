# Trefoil on AWS. Every service in the contract gets its channel, filter, dead letters, function, role and alarms.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  prefix = "${var.name}-${var.stage}"
  tags   = merge({ Application = var.name, Stage = var.stage, ManagedBy = "terraform" }, var.tags)

  account = {
    partition = data.aws_partition.this.partition
    region    = data.aws_region.this.name
    id        = data.aws_caller_identity.this.account_id
  }

  services = {
    for channel in values(jsondecode(file(var.contract)).channels) :
    channel["x-trefoil"].service => channel["x-trefoil"] if channel["x-trefoil"].role == "service"
  }

  provided = startswith(var.runtime, "provided")
  package  = coalesce(var.package, "${path.root}/../../../build/aws${local.provided ? "-provided" : ""}.zip")

  environment = merge(
    var.environment,
    var.endpoint_url == null ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
    {
      TREFOIL_CLOUD                = "aws"
      TREFOIL_NAME                 = var.name
      TREFOIL_STAGE                = var.stage
      TREFOIL_BUS_ARN              = module.bus.bus_id
      POWERTOOLS_METRICS_NAMESPACE = "Trefoil"
    },
  )
}

module "bus" {
  source = "../../modules/aws/bus"

  name              = local.prefix
  account           = local.account
  key_deletion_days = var.key_deletion_days
  tags              = local.tags
}

module "store" {
  source = "../../modules/aws/store"

  name                = local.prefix
  account             = local.account
  key_id              = module.bus.key_id
  deletion_protection = var.deletion_protection
  tags                = local.tags
}

module "timers" {
  source = "../../modules/aws/timers"

  name                = local.prefix
  account             = local.account
  key_id              = module.bus.key_id
  function_id         = module.tick.function_id
  deletion_protection = var.deletion_protection
  tags                = local.tags
}

module "channel" {
  source   = "../../modules/aws/channel"
  for_each = local.services

  name               = "${local.prefix}-${each.key}"
  account            = local.account
  bus_id             = module.bus.bus_id
  key_id             = module.bus.key_id
  types              = each.value.types
  visibility_seconds = each.value.visibilitySeconds
  delivery_limit     = each.value.deliveryLimit
  oldest_seconds     = var.oldest_seconds
  alarm_actions      = var.alarm_actions
  tags               = merge(local.tags, { Service = each.key })
}

module "function" {
  source   = "../../modules/aws/function"
  for_each = local.services

  name               = "${local.prefix}-${each.key}"
  description        = "Handles the messages of ${each.key}"
  account            = local.account
  key_id             = module.bus.key_id
  package            = local.package
  handler            = "functions.aws.handler.handler"
  runtime            = var.runtime
  memory_mib         = var.memory_mib
  timeout_seconds    = each.value.functionTimeoutSeconds
  snap_start         = var.snap_start
  permissions        = local.permissions[each.key]
  log_retention_days = var.log_retention_days
  alarm_actions      = var.alarm_actions
  tags               = merge(local.tags, { Service = each.key })

  environment = merge(local.environment, { TREFOIL_SERVICE = each.key, POWERTOOLS_SERVICE_NAME = each.key })

  channels = {
    (each.key) = {
      id          = module.channel[each.key].channel_id
      batch       = each.value.batch
      concurrency = each.value.concurrency
    }
  }
}

module "tick" {
  source = "../../modules/aws/function"

  name               = "${local.prefix}-tick"
  description        = "Sends what is due to the services that set it"
  account            = local.account
  key_id             = module.bus.key_id
  package            = local.package
  handler            = "functions.aws.handler.tick"
  runtime            = var.runtime
  memory_mib         = var.memory_mib
  timeout_seconds    = 55 # it ends before the next one begins
  snap_start         = var.snap_start
  environment        = merge(local.environment, { POWERTOOLS_SERVICE_NAME = "tick" })
  permissions        = local.tick_permissions
  alarms             = ["Errors"]
  silent_seconds     = 300 # five ticks
  log_retention_days = var.log_retention_days
  alarm_actions      = var.alarm_actions
  tags               = local.tags
}
