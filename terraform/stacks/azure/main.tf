# Trefoil on Azure. Every service in the contract gets its channel, filter, dead letters, function, permissions and alarms;
# one app holds all functions.

data "azurerm_client_config" "this" {}

locals {
  prefix = "${var.name}-${var.stage}"
  tags   = merge({ application = var.name, stage = var.stage, managed_by = "terraform" }, var.tags)

  account = {
    id     = var.subscription
    group  = azurerm_resource_group.this.name
    region = var.region
  }

  services = {
    for channel in values(jsondecode(file(var.contract)).channels) :
    channel["x-trefoil"].service => channel["x-trefoil"] if channel["x-trefoil"].role == "service"
  }

  # As many as the services may have together and the tick; Flex Consumption takes no maximum below 40.
  max_instances = coalesce(var.max_instances, max(40, sum([for service in local.services : service.concurrency]) + 1))

  environment = merge(
    var.environment,
    {
      TREFOIL_CLOUD                               = "azure"
      TREFOIL_NAME                                = var.name
      TREFOIL_STAGE                               = var.stage
      TREFOIL_SERVICEBUS__fullyQualifiedNamespace = module.bus.bus_host
      TREFOIL_TABLES__tableServiceUri             = module.store.store_uri
    },
  )
}

resource "azurerm_resource_group" "this" {
  name     = local.prefix
  location = var.region
  tags     = local.tags
}

module "log" {
  source = "../../modules/azure/log"

  name               = local.prefix
  account            = local.account
  log_retention_days = var.log_retention_days
  tags               = local.tags
}

module "bus" {
  source = "../../modules/azure/bus"

  name      = local.prefix
  account   = local.account
  sku       = var.sku
  key_id    = var.key_id
  log_id    = module.log.log_id
  operators = var.operators
  tags      = local.tags
}

module "store" {
  source = "../../modules/azure/store"

  name                = local.prefix
  account             = local.account
  key                 = module.bus.key
  replication         = var.replication
  deletion_protection = var.deletion_protection
  operators           = var.operators
  tags                = local.tags
}

module "timers" {
  source = "../../modules/azure/timers"

  name     = local.prefix
  account  = local.account
  store_id = module.store.store_id
  tags     = local.tags
}

module "code" {
  source = "../../modules/azure/code"

  name     = local.prefix
  account  = local.account
  key      = module.bus.key
  package  = coalesce(var.package, "${path.root}/../../../build/azure.zip")
  deployer = data.azurerm_client_config.this.object_id
  ready    = concat([module.timers.timers_id], [for channel in module.channel : channel.channel_id])
  tags     = local.tags
}

module "channel" {
  source   = "../../modules/azure/channel"
  for_each = local.services

  name            = "${local.prefix}-${each.key}"
  service         = each.key
  account         = local.account
  bus_id          = module.bus.bus_id
  types           = each.value.types
  delivery_limit  = each.value.deliveryLimit
  oldest_seconds  = var.oldest_seconds
  oldest_messages = var.oldest_messages
  alarm_actions   = var.alarm_actions
  tags            = merge(local.tags, { service = each.key })
}

module "function" {
  source = "../../modules/azure/function"

  name           = local.prefix
  account        = local.account
  package        = module.code.package
  runtime        = "python 3.13"
  memory_mib     = var.memory_mib
  instances      = { min = var.min_instances, max = local.max_instances }
  ingress        = var.ingress
  environment    = local.environment
  bus_id         = module.bus.bus_id
  channels       = module.channel
  store_id       = module.store.store_id
  timers_id      = module.timers.timers_id
  insights       = module.log.insights
  silent_seconds = 900 # fifteen ticks, because Application Insights may tell of one minutes later
  alarm_actions  = var.alarm_actions
  tags           = local.tags
}

# Made last, so that it is the first to be destroyed, and where it may not be, everything stays.
module "guard" {
  source = "../../modules/azure/guard"

  of                  = [module.store.store_id]
  deletion_protection = var.deletion_protection

  depends_on = [module.bus, module.channel, module.code, module.function, module.log, module.store, module.timers]
}
