# 503 is no error: it asks Pub/Sub for another delivery, and so does the 503 of Cloud Run when an instance dies. A message
# that goes on failing either way ends among the dead letters, which have an alarm of their own. What is left are
# answers that nobody meant, such as 500 for an exception, 504 for a time limit.
resource "google_monitoring_alert_policy" "errors" {
  project               = var.account.id
  display_name          = "${var.name}-errors"
  combiner              = "OR"
  notification_channels = var.alarm_actions
  user_labels           = var.tags

  conditions {
    display_name = "A call failed"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${google_cloudfunctions2_function.this.name}\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\" AND metric.labels.response_code != \"503\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "The function reports errors."
  }
}

# A function that is not called reports no errors either. In PromQL, because a condition of absence takes a series that
# was once there: it would not notice a function that nobody ever could call.
resource "google_monitoring_alert_policy" "silent" {
  count = var.silent_seconds == null ? 0 : 1

  project               = var.account.id
  display_name          = "${var.name}-silent"
  combiner              = "OR"
  notification_channels = var.alarm_actions
  user_labels           = var.tags

  conditions {
    display_name = "No call succeeded"

    condition_prometheus_query_language {
      query                     = "absent_over_time(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\", service_name=\"${google_cloudfunctions2_function.this.name}\", response_code_class=\"2xx\"}[${var.silent_seconds}s])"
      duration                  = "0s"
      evaluation_interval       = "60s"
      disable_metric_validation = true # in a new project the metric comes with the first call
    }
  }

  documentation {
    content = "The function was not called with success for ${var.silent_seconds} s."
  }
}
