# One channel: subscription, filter, queue, dead letters, alarms.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name            = "trefoil-dev-rooms"
  service         = "rooms"
  account         = { id = "01234567-89ab-cdef-0123-456789abcdef", group = "trefoil-dev", region = "westeurope" }
  bus_id          = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/trefoil-dev/providers/Microsoft.ServiceBus/namespaces/trefoil-dev-bus/topics/trefoil-dev-bus"
  types           = ["rooms.book-room.v1", "rooms.cancel-booking.v1"]
  delivery_limit  = 13
  oldest_seconds  = 300
  oldest_messages = 10
  alarm_actions   = ["/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/on-call"]
  tags            = { stage = "dev" }
}

run "a_channel" {
  command = plan

  module {
    source = "../../modules/azure/channel"
  }

  assert {
    condition = [
      azurerm_servicebus_subscription.this.name, azurerm_servicebus_subscription.this.topic_id,
      azurerm_servicebus_subscription.this.forward_to, azurerm_servicebus_subscription.this.forward_dead_lettered_messages_to,
      azurerm_servicebus_subscription.this.dead_lettering_on_filter_evaluation_error,
    ] == ["rooms", var.bus_id, "trefoil-dev-rooms", "trefoil-dev-rooms-dead", true]
    error_message = "The subscription forwards messages to the queue, and what it can't to the dead-letter queue."
  }

  assert {
    condition = [
      azurerm_servicebus_subscription_rule.this.subscription_id, azurerm_servicebus_subscription_rule.this.name,
      azurerm_servicebus_subscription_rule.this.filter_type, azurerm_servicebus_subscription_rule.this.sql_filter,
    ] == ["${var.bus_id}/subscriptions/rooms", "types", "SqlFilter", "type IN ('rooms.book-room.v1', 'rooms.cancel-booking.v1')"]
    error_message = "The bus lets in what the service handles: ${azurerm_servicebus_subscription_rule.this.sql_filter}"
  }

  assert {
    condition = [
      azurerm_servicebus_queue.this.name, azurerm_servicebus_queue.this.namespace_id,
      azurerm_servicebus_queue.this.max_delivery_count, azurerm_servicebus_queue.this.forward_dead_lettered_messages_to,
    ] == ["trefoil-dev-rooms", split("/topics/", var.bus_id)[0], 13, "trefoil-dev-rooms-dead"]
    error_message = "What kills its function goes to the dead-letter queue."
  }

  assert {
    condition     = [azurerm_servicebus_queue.this.lock_duration, azurerm_servicebus_queue.dead_letter.lock_duration] == ["PT5M", "PT5M"]
    error_message = "A message is locked for as long as it can be."
  }

  assert {
    condition = [
      azurerm_servicebus_queue.dead_letter.name, azurerm_servicebus_queue.dead_letter.max_delivery_count,
      coalesce(azurerm_servicebus_queue.dead_letter.forward_to, "nowhere"),
      coalesce(azurerm_servicebus_queue.dead_letter.forward_dead_lettered_messages_to, "nowhere"),
    ] == ["trefoil-dev-rooms-dead", 2000, "nowhere", "nowhere"]
    error_message = "Dead letters stay where they are."
  }

  assert {
    condition = [
      for queue in [azurerm_servicebus_queue.this, azurerm_servicebus_queue.dead_letter] :
      [queue.requires_duplicate_detection, queue.requires_session]
    ] == [[false, false], [false, false]]
    error_message = "A copy is never taken for its original."
  }

  assert {
    condition = toset(flatten([
      for each in [azurerm_servicebus_queue.this, azurerm_servicebus_queue.dead_letter, azurerm_servicebus_subscription.this] :
      [each.default_message_ttl, each.auto_delete_on_idle]
    ])) == toset(["P10675199DT2H48M5.4775807S"])
    error_message = "Messages, dead letters and the channel itself are kept for ever."
  }

  assert {
    condition = {
      for alarm in [azurerm_monitor_metric_alert.dead_letters, azurerm_monitor_metric_alert.oldest] : alarm.name => [
        alarm.criteria[0].metric_name, alarm.criteria[0].aggregation, alarm.criteria[0].operator,
        alarm.criteria[0].threshold, alarm.criteria[0].dimension[0].name, one(alarm.criteria[0].dimension[0].values), alarm.window_size,
      ]
      } == {
      trefoil-dev-rooms-dead-letters = ["ActiveMessages", "Maximum", "GreaterThan", 0, "EntityName", "trefoil-dev-rooms-dead", "PT5M"]
      trefoil-dev-rooms-oldest       = ["ActiveMessages", "Minimum", "GreaterThan", 10, "EntityName", "trefoil-dev-rooms", "PT5M"]
    }
    error_message = "One alarm watches the dead letters, one a queue that is never as good as empty."
  }

  assert {
    condition = [
      for alarm in [azurerm_monitor_metric_alert.dead_letters, azurerm_monitor_metric_alert.oldest] :
      [one(alarm.scopes), one(alarm.action).action_group_id]
    ] == [for _ in range(2) : [split("/topics/", var.bus_id)[0], var.alarm_actions[0]]]
    error_message = "Alarms watch the namespace and tell the given actions."
  }

  assert {
    condition     = [azurerm_monitor_metric_alert.dead_letters.tags.stage, azurerm_monitor_metric_alert.oldest.tags.stage] == ["dev", "dev"]
    error_message = "Everything that takes a tag has it."
  }

  assert {
    condition = [output.channel_id, output.dead_letter_id] == [
      "${split("/topics/", var.bus_id)[0]}/queues/trefoil-dev-rooms", "${split("/topics/", var.bus_id)[0]}/queues/trefoil-dev-rooms-dead",
    ]
    error_message = "The outputs are ${output.channel_id} and ${output.dead_letter_id}."
  }
}

# A queue that `trefoil pause` has told to deliver nothing, in the state of the next run.
run "a_paused_channel" {
  state_key = "paused"

  module {
    source = "./tests/paused"
  }
}

run "a_deployment_does_not_resume_it" {
  command   = plan
  state_key = "paused"

  module {
    source = "../../modules/azure/channel"
  }

  assert {
    condition     = azurerm_servicebus_queue.this.status == "ReceiveDisabled"
    error_message = "What an operator has paused stays paused."
  }
}

run "a_filter_of_1024_characters_is_let_through" {
  command = plan

  module {
    source = "../../modules/azure/channel"
  }

  variables {
    types = [join("", [for _ in range(1012) : "a"])]
  }

  assert {
    condition     = length(azurerm_servicebus_subscription_rule.this.sql_filter) == 1024
    error_message = "The filter has ${length(azurerm_servicebus_subscription_rule.this.sql_filter)} characters."
  }
}

run "values_that_service_bus_has_no_room_for_are_refused" {
  command = plan

  module {
    source = "../../modules/azure/channel"
  }

  variables {
    name           = join("", [for _ in range(256) : "a"])
    service        = join("", [for _ in range(51) : "a"])
    types          = [join("", [for _ in range(1013) : "a"])]
    delivery_limit = 2001
    oldest_seconds = 604800
  }

  expect_failures = [var.name, var.service, var.types, var.delivery_limit, var.oldest_seconds]
}

run "values_below_the_least_are_refused" {
  command = plan

  module {
    source = "../../modules/azure/channel"
  }

  variables {
    name            = "rooms-"
    service         = ""
    types           = []
    delivery_limit  = 0
    oldest_seconds  = 60
    oldest_messages = -1
  }

  expect_failures = [var.name, var.service, var.types, var.delivery_limit, var.oldest_seconds, var.oldest_messages]
}

run "a_type_that_would_end_its_quotes_is_refused" {
  command = plan

  module {
    source = "../../modules/azure/channel"
  }

  variables {
    types = ["rooms.book-room.v1') OR ('' = '"]
  }

  expect_failures = [var.types]
}
