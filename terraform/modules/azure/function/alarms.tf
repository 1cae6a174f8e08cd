# A function succeeds when it has settled its messages, whatever became of them: a retry is a copy, and a message that goes
# on failing ends among the dead letters, which have an alarm of their own. What is left are failures that nobody meant.
# It is one alarm for all functions, which goes off for each by itself.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "errors" {
  resource_group_name  = var.account.group
  location             = var.account.region
  name                 = "${var.name}-errors"
  description          = "The function reports errors."
  scopes               = [var.insights.id]
  severity             = 2
  evaluation_frequency = "PT5M"
  window_duration      = "PT5M"
  tags                 = var.tags

  criteria {
    query                   = "requests | where success == false"
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0

    dimension {
      name     = "name"
      operator = "Include"
      values   = ["*"]
    }
  }

  auto_mitigation_enabled = true
  skip_query_validation   = true # in a new workspace there is no table yet

  action {
    action_groups = var.alarm_actions
  }
}

# A function that is not called reports no errors either.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "silent" {
  resource_group_name  = var.account.group
  location             = var.account.region
  name                 = "${var.name}-tick-silent"
  description          = "The tick did not succeed for ${var.silent_seconds} s: nothing that is due is sent."
  scopes               = [var.insights.id]
  severity             = 1
  evaluation_frequency = "PT5M"
  window_duration      = local.windows[var.silent_seconds]
  tags                 = var.tags

  # Counted in the query, so that there is a row, and something to go off, where there is nothing.
  criteria {
    query                   = "requests | where name == \"tick\" and success == true | summarize ticks = count() | where ticks == 0"
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  auto_mitigation_enabled = true
  skip_query_validation   = true

  action {
    action_groups = var.alarm_actions
  }
}

locals {
  # Azure Monitor looks back over these, among others.
  windows = { 300 = "PT5M", 600 = "PT10M", 900 = "PT15M", 1800 = "PT30M", 3600 = "PT1H" }
}
