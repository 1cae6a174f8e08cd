resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.account.id
  display_name          = "${var.name}-dead-letters"
  combiner              = "OR"
  notification_channels = var.alarm_actions
  user_labels           = var.tags

  conditions {
    display_name = "There are dead letters"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letter.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "A message could not be handled; `trefoil dead list` says why."
  }
}

resource "google_monitoring_alert_policy" "oldest" {
  project               = var.account.id
  display_name          = "${var.name}-oldest"
  combiner              = "OR"
  notification_channels = var.alarm_actions
  user_labels           = var.tags

  conditions {
    display_name = "A message waits"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(${local.subscriptions}) AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.oldest_seconds
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "A message has waited longer than ${var.oldest_seconds} s: the channel is stuck, or too slow."
  }
}

locals {
  subscriptions = join(", ", [for each in google_pubsub_subscription.this : "\"${each.name}\""])
}
