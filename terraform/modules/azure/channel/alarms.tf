resource "azurerm_monitor_metric_alert" "dead_letters" {
  resource_group_name = var.account.group
  name                = "${var.name}-dead-letters"
  description         = "A message could not be handled; `trefoil dead list` says why."
  scopes              = [local.namespace_id]
  severity            = 1
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.ServiceBus/namespaces"
    metric_name      = "ActiveMessages"
    aggregation      = "Maximum"
    operator         = "GreaterThan"
    threshold        = 0

    dimension {
      name     = "EntityName"
      operator = "Include"
      values   = [azurerm_servicebus_queue.dead_letter.name]
    }
  }

  dynamic "action" {
    for_each = var.alarm_actions

    content {
      action_group_id = action.value
    }
  }
}

# Service Bus doesn't tell how old the oldest message is. A queue that for so long was never as good as empty has either
# come to a halt or falls behind; one that is emptied now and then has no old messages.
resource "azurerm_monitor_metric_alert" "oldest" {
  resource_group_name = var.account.group
  name                = "${var.name}-oldest"
  description         = "More than ${var.oldest_messages} messages have waited for ${var.oldest_seconds} s: the channel is stuck, or too slow."
  scopes              = [local.namespace_id]
  severity            = 2
  frequency           = "PT5M"
  window_size         = local.windows[var.oldest_seconds]
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.ServiceBus/namespaces"
    metric_name      = "ActiveMessages"
    aggregation      = "Minimum"
    operator         = "GreaterThan"
    threshold        = var.oldest_messages

    dimension {
      name     = "EntityName"
      operator = "Include"
      values   = [azurerm_servicebus_queue.this.name]
    }
  }

  dynamic "action" {
    for_each = var.alarm_actions

    content {
      action_group_id = action.value
    }
  }
}

locals {
  # Azure Monitor looks back over these and no others.
  windows = { 300 = "PT5M", 900 = "PT15M", 1800 = "PT30M", 3600 = "PT1H", 21600 = "PT6H", 43200 = "PT12H", 86400 = "P1D" }
}
