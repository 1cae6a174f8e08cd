# A channel: a filtered subscription to the bus, the queue that it forwards a service's messages to, and the dead-letter
# queue that both of them forward to.

resource "azurerm_servicebus_queue" "this" {
  namespace_id                         = local.namespace_id
  name                                 = var.name
  lock_duration                        = "PT5M" # the longest; nothing renews the lock of a batch, so a function ends before
  max_delivery_count                   = var.delivery_limit
  default_message_ttl                  = local.forever
  auto_delete_on_idle                  = local.forever
  dead_lettering_on_message_expiration = true
  max_size_in_megabytes                = 5120 # the most that both tiers take
  requires_session                     = false

  # A retry is a copy, which must never be taken for its original.
  requires_duplicate_detection = false

  # Catches crashes only; what the receiver gives up, it sends to the dead-letter queue itself, with the reason.
  forward_dead_lettered_messages_to = azurerm_servicebus_queue.dead_letter.name

  # `trefoil pause` sets it: a deployment must not resume what an operator has paused.
  lifecycle {
    ignore_changes = [status]
  }
}

# A queue like others, because Service Bus's own dead-letter queue takes no message that is sent to it.
resource "azurerm_servicebus_queue" "dead_letter" {
  namespace_id                         = local.namespace_id
  name                                 = "${var.name}-dead"
  lock_duration                        = "PT5M"
  max_delivery_count                   = local.most # looking at dead letters must not make them any deader
  default_message_ttl                  = local.forever
  auto_delete_on_idle                  = local.forever
  dead_lettering_on_message_expiration = true
  max_size_in_megabytes                = 5120
  requires_session                     = false
  requires_duplicate_detection         = false
}

resource "azurerm_servicebus_subscription" "this" {
  topic_id                                  = var.bus_id
  name                                      = var.service
  max_delivery_count                        = local.most # it delivers to nobody: this counts how often forwarding may fail
  default_message_ttl                       = local.forever
  auto_delete_on_idle                       = local.forever
  dead_lettering_on_message_expiration      = true
  dead_lettering_on_filter_evaluation_error = true
  requires_session                          = false
  forward_to                                = azurerm_servicebus_queue.this.name
  forward_dead_lettered_messages_to         = azurerm_servicebus_queue.dead_letter.name
}

# A subscription is made with a rule `$Default` that lets everything in. The provider can neither leave that out nor take
# it over: it refuses to make a rule that is there. Azure drops it when the first rule of one's own is made; provider 5
# also deletes it. What comes in meanwhile the receiver ignores, as it does with all that its service doesn't handle.
resource "azurerm_servicebus_subscription_rule" "this" {
  subscription_id = "${var.bus_id}/subscriptions/${azurerm_servicebus_subscription.this.name}"
  name            = "types"
  filter_type     = "SqlFilter"
  sql_filter      = local.filter
}

locals {
  namespace_id = split("/topics/", var.bus_id)[0]
  forever      = "P10675199DT2H48M5.4775807S" # the longest that Service Bus knows
  most         = 2000                         # deliveries that Service Bus counts at most

  filter = "type IN (${join(", ", [for type in var.types : "'${type}'"])})"
}
