# One channel: subscription, filter, dead letters, who may do what, alarms.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name             = "trefoil-dev-rooms"
  account          = { id = "shop-412345", number = "123456789012", region = "europe-west3" }
  bus_id           = "projects/shop-412345/topics/trefoil-dev-bus"
  key_id           = "projects/shop-412345/locations/europe-west3/keyRings/shop/cryptoKeys/trefoil"
  filter           = "attributes.to=\"rooms\" OR (NOT attributes:to AND attributes.type=\"rooms.book-room.v1\")"
  function_uri     = "https://trefoil-dev-rooms.example"
  function_account = "trefoil-dev-rooms@shop-412345.iam.gserviceaccount.com"
  push_account     = "trefoil-dev-bus-push@shop-412345.iam.gserviceaccount.com"
  ack_seconds      = 50
  backoff          = { base = 1, cap = 300 }
  delivery_limit   = 13
  oldest_seconds   = 300
  alarm_actions    = ["projects/shop-412345/notificationChannels/1"]
  tags             = { stage = "dev" }
}

run "a_channel" {
  command = plan

  module {
    source = "../../modules/gcp/channel"
  }

  assert {
    condition = {
      for hash, subscription in google_pubsub_subscription.this :
      hash => [subscription.name, subscription.topic, subscription.filter, subscription.ack_deadline_seconds]
      } == {
      "413e291e" = ["trefoil-dev-rooms-413e291e", var.bus_id, var.filter, 50]
    }
    error_message = "The bus lets in what the filter says: ${jsonencode(values(google_pubsub_subscription.this)[*].name)}"
  }

  assert {
    condition = [
      for push in one(values(google_pubsub_subscription.this)).push_config :
      [push.push_endpoint, push.oidc_token[0].service_account_email, push.oidc_token[0].audience, length(push.no_wrapper)]
    ] == [[var.function_uri, var.push_account, var.function_uri, 0]]
    error_message = "It is pushed to the function, with a token for that function only."
  }

  assert {
    condition = [
      for policy in one(values(google_pubsub_subscription.this)).retry_policy : [policy.minimum_backoff, policy.maximum_backoff]
    ] == [["1s", "300s"]]
    error_message = "What is to be retried waits."
  }

  assert {
    condition = [
      for policy in one(values(google_pubsub_subscription.this)).dead_letter_policy :
      [policy.dead_letter_topic, policy.max_delivery_attempts]
    ] == [["projects/shop-412345/topics/trefoil-dev-rooms-dead", 13]]
    error_message = "What kills its function goes to the dead-letter topic."
  }

  assert {
    condition     = [google_pubsub_topic.dead_letter.name, google_pubsub_topic.dead_letter.kms_key_name] == ["trefoil-dev-rooms-dead", var.key_id]
    error_message = "Dead letters have a topic, encrypted with the key."
  }

  assert {
    condition = [
      google_pubsub_subscription.dead_letter.name, google_pubsub_subscription.dead_letter.topic,
      coalesce(google_pubsub_subscription.dead_letter.filter, "all"), length(google_pubsub_subscription.dead_letter.push_config),
    ] == ["trefoil-dev-rooms-dead", "projects/shop-412345/topics/trefoil-dev-rooms-dead", "all", 0]
    error_message = "A subscription keeps all that is published to it."
  }

  assert {
    condition = toset([
      for subscription in concat(values(google_pubsub_subscription.this), [google_pubsub_subscription.dead_letter]) :
      "${subscription.message_retention_duration} ${jsonencode(subscription.expiration_policy[*].ttl)}"
    ]) == toset(["2678400s [\"\"]"])
    error_message = "Messages and dead letters are kept for 31 days, subscriptions for ever."
  }

  assert {
    condition = { for name, member in google_pubsub_topic_iam_member.dead_letter : name => [member.topic, member.role, member.member] } == {
      function = ["trefoil-dev-rooms-dead", "roles/pubsub.publisher", "serviceAccount:${var.function_account}"]
      pubsub   = ["trefoil-dev-rooms-dead", "roles/pubsub.publisher", "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"]
    }
    error_message = "The function and Pub/Sub publish dead letters, nobody else."
  }

  assert {
    condition = { for hash, member in google_pubsub_subscription_iam_member.this : hash => [member.subscription, member.role, member.member] } == {
      "413e291e" = ["trefoil-dev-rooms-413e291e", "roles/pubsub.subscriber", "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"]
    }
    error_message = "Pub/Sub may take what used up its deliveries from the subscription."
  }

  assert {
    condition = {
      for alarm in [google_monitoring_alert_policy.dead_letters, google_monitoring_alert_policy.oldest] : alarm.display_name => [
        alarm.conditions[0].condition_threshold[0].filter,
        alarm.conditions[0].condition_threshold[0].comparison,
        alarm.conditions[0].condition_threshold[0].threshold_value,
      ]
      } == {
      trefoil-dev-rooms-dead-letters = [
        "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"trefoil-dev-rooms-dead\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\"",
        "COMPARISON_GT", 0,
      ]
      trefoil-dev-rooms-oldest = [
        "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(\"trefoil-dev-rooms-413e291e\") AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\"",
        "COMPARISON_GT", 300,
      ]
    }
    error_message = "One alarm watches the dead letters, one the age of the oldest message."
  }

  assert {
    condition = toset([
      for alarm in [google_monitoring_alert_policy.dead_letters, google_monitoring_alert_policy.oldest] : jsonencode(alarm.notification_channels)
    ]) == toset([jsonencode(var.alarm_actions)])
    error_message = "Alarms tell the given actions."
  }

  assert {
    condition = toset(concat(
      [for resource in concat(values(google_pubsub_subscription.this), [google_pubsub_subscription.dead_letter]) : resource.labels.stage],
      [google_pubsub_topic.dead_letter.labels.stage],
      [for alarm in [google_monitoring_alert_policy.dead_letters, google_monitoring_alert_policy.oldest] : alarm.user_labels.stage],
    )) == toset(["dev"])
    error_message = "Everything is labelled."
  }

  assert {
    condition = [output.channel_id, output.dead_letter_id, output.filters] == [
      "projects/shop-412345/subscriptions/trefoil-dev-rooms-413e291e",
      "projects/shop-412345/topics/trefoil-dev-rooms-dead",
      tomap({ "413e291e" = var.filter }),
    ]
    error_message = "The outputs are ${output.channel_id}, ${output.dead_letter_id} and ${jsonencode(output.filters)}."
  }
}

run "it_is_deployed" {
  command   = apply
  state_key = "changing"

  module {
    source = "../../modules/gcp/channel"
  }
}

run "another_filter_is_another_subscription_beside_the_old_one" {
  command   = plan
  state_key = "changing"

  module {
    source = "../../modules/gcp/channel"
  }

  variables {
    filter   = "attributes.to=\"rooms\""
    draining = run.it_is_deployed.filters
  }

  assert {
    condition = { for hash, subscription in google_pubsub_subscription.this : hash => [subscription.name, subscription.filter] } == {
      "413e291e" = ["trefoil-dev-rooms-413e291e", run.it_is_deployed.filters["413e291e"]]
      "60ab8486" = ["trefoil-dev-rooms-60ab8486", "attributes.to=\"rooms\""]
    }
    error_message = "There are the old one and the new one: ${jsonencode(values(google_pubsub_subscription.this)[*].name)}"
  }

  assert {
    condition     = keys(google_pubsub_subscription_iam_member.this) == keys(google_pubsub_subscription.this)
    error_message = "Pub/Sub may take from both."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.oldest.conditions[0].condition_threshold[0].filter, "one_of(\"trefoil-dev-rooms-413e291e\", \"trefoil-dev-rooms-60ab8486\")")
    error_message = "The alarm watches both: ${google_monitoring_alert_policy.oldest.conditions[0].condition_threshold[0].filter}"
  }

  assert {
    condition     = [output.channel_id, join(" ", keys(output.filters))] == ["projects/shop-412345/subscriptions/trefoil-dev-rooms-60ab8486", "413e291e 60ab8486"]
    error_message = "The channel is the new one, and the state knows of both: ${output.channel_id}, ${jsonencode(output.filters)}"
  }
}

run "what_is_drained_may_go" {
  command   = plan
  state_key = "changing"

  module {
    source = "../../modules/gcp/channel"
  }

  variables {
    filter = "attributes.to=\"rooms\""
  }

  assert {
    condition     = keys(google_pubsub_subscription.this) == ["60ab8486"]
    error_message = "Without `draining` there is the new one only: ${jsonencode(keys(google_pubsub_subscription.this))}"
  }
}

# A subscription whose push configuration `trefoil pause` has taken away, in the state of the next run.
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
    source = "../../modules/gcp/channel"
  }

  assert {
    condition     = length(google_pubsub_subscription.this["413e291e"].push_config) == 0
    error_message = "What an operator has paused stays paused."
  }
}

run "a_filter_of_256_bytes_is_let_through" {
  command = plan

  module {
    source = "../../modules/gcp/channel"
  }

  variables {
    filter = format("attributes.to=\"%s\"", join("", [for _ in range(240) : "a"]))
    key_id = null
  }

  assert {
    condition     = length(one(values(google_pubsub_subscription.this)).filter) == 256 && google_pubsub_topic.dead_letter.kms_key_name == null
    error_message = "A filter has ${length(one(values(google_pubsub_subscription.this)).filter)} bytes at most, and without a key Google uses its own."
  }
}

run "values_that_pubsub_has_no_room_for_are_refused" {
  command = plan

  module {
    source = "../../modules/gcp/channel"
  }

  variables {
    name           = join("", [for _ in range(247) : "a"])
    filter         = format("attributes.to=\"%s\"", join("", [for _ in range(241) : "a"]))
    draining       = { "00000000" = "attributes.to=\"rooms\"" }
    ack_seconds    = 601
    backoff        = { base = 1, cap = 601 }
    delivery_limit = 101
  }

  expect_failures = [var.name, var.filter, var.draining, var.ack_seconds, var.backoff, var.delivery_limit]
}

run "values_below_the_least_are_refused" {
  command = plan

  module {
    source = "../../modules/gcp/channel"
  }

  variables {
    name           = "goog-rooms"
    filter         = ""
    ack_seconds    = 9
    backoff        = { base = 2, cap = 1 }
    delivery_limit = 4
  }

  expect_failures = [var.name, var.filter, var.ack_seconds, var.backoff, var.delivery_limit]
}

run "a_filter_of_other_characters_is_refused" {
  command = plan

  module {
    source = "../../modules/gcp/channel"
  }

  variables {
    filter = "attributes.to=\"räume\""
  }

  expect_failures = [var.filter]
}
