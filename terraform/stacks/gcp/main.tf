# Trefoil on Google Cloud. Every service in the contract gets its channel, filter, dead letters, function, account and
# alarms.

data "google_project" "this" {
  project_id = var.project
}

locals {
  prefix = "${var.name}-${var.stage}"
  tags   = merge({ application = var.name, stage = var.stage, managed_by = "terraform" }, var.tags)

  account = {
    id     = var.project
    number = data.google_project.this.number
    region = var.region
  }

  services = {
    for channel in values(jsondecode(file(var.contract)).channels) :
    channel["x-trefoil"].service => channel["x-trefoil"] if channel["x-trefoil"].role == "service"
  }

  environment = merge(
    var.environment,
    {
      TREFOIL_CLOUD        = "gcp"
      TREFOIL_NAME         = var.name
      TREFOIL_STAGE        = var.stage
      GOOGLE_CLOUD_PROJECT = var.project
    },
  )
}

module "bus" {
  source = "../../modules/gcp/bus"

  name    = local.prefix
  account = local.account
  key_id  = var.key_id
  tags    = local.tags
}

module "store" {
  source = "../../modules/gcp/store"

  name                = local.prefix
  account             = local.account
  location            = var.store_location
  key_id              = module.bus.key_id
  deletion_protection = var.deletion_protection
}

module "timers" {
  source = "../../modules/gcp/timers"

  name         = local.prefix
  account      = local.account
  store_id     = module.store.store_id
  function_uri = module.tick.function_uri
}

module "code" {
  source = "../../modules/gcp/code"

  name    = local.prefix
  account = local.account
  key_id  = module.bus.key_id
  package = coalesce(var.package, "${path.root}/../../../build/gcp.zip")
  tags    = local.tags
}

module "channel" {
  source   = "../../modules/gcp/channel"
  for_each = local.services

  name             = "${local.prefix}-${each.key}"
  account          = local.account
  bus_id           = module.bus.bus_id
  key_id           = module.bus.key_id
  filter           = each.value.pubsubFilter
  draining         = lookup(var.draining, each.key, {})
  function_uri     = module.function[each.key].function_uri
  function_account = module.function[each.key].function_account
  push_account     = module.bus.push_account
  ack_seconds      = min(600, each.value.functionTimeoutSeconds + 10)
  backoff          = each.value.backoff
  delivery_limit   = each.value.deliveryLimit
  oldest_seconds   = var.oldest_seconds
  alarm_actions    = var.alarm_actions
  tags             = merge(local.tags, { service = each.key })
}

module "function" {
  source   = "../../modules/gcp/function"
  for_each = local.services

  name            = replace("${local.prefix}-${each.key}", "_", "-")
  description     = "Handles the messages of ${each.key}"
  account         = local.account
  key_id          = module.bus.key_id
  package         = module.code.package
  handler         = "receive"
  runtime         = "python313"
  memory_mib      = var.memory_mib
  cpu             = var.cpu
  timeout_seconds = each.value.functionTimeoutSeconds
  instances       = { min = var.min_instances, max = each.value.concurrency, requests = each.value.batch }
  ingress         = var.ingress
  bus_id          = module.bus.bus_id
  store_id        = module.store.store_id
  callers         = { bus = module.bus.push_account }
  alarm_actions   = var.alarm_actions
  tags            = merge(local.tags, { service = each.key })

  environment = merge(local.environment, {
    TREFOIL_SERVICE = each.key
    TREFOIL_SECONDS = tostring(each.value.functionTimeoutSeconds)
    THREADS         = tostring(each.value.batch)
  })
}

module "tick" {
  source = "../../modules/gcp/function"

  name            = "${local.prefix}-tick"
  description     = "Sends what is due to the services that set it"
  account         = local.account
  key_id          = module.bus.key_id
  package         = module.code.package
  handler         = "tick"
  runtime         = "python313"
  memory_mib      = var.memory_mib
  cpu             = var.cpu
  timeout_seconds = 55 # it ends before the next one begins
  instances       = { min = 0, max = 1, requests = 1 }
  ingress         = var.ingress
  environment     = merge(local.environment, { TREFOIL_SECONDS = "55", THREADS = "1" })
  bus_id          = module.bus.bus_id
  store_id        = module.store.store_id
  callers         = { schedule = module.timers.schedule_account }
  silent_seconds  = 600 # ten ticks, because Cloud Run counts calls up to four minutes later
  alarm_actions   = var.alarm_actions
  tags            = local.tags
}
