# The state that a test begins with: what Terraform finds when somebody has paused a channel.

variable "filter" {
  type = string
}

resource "google_pubsub_subscription" "this" {
  for_each = toset([substr(sha256(var.filter), 0, 8)])

  project                    = "shop-412345"
  name                       = "trefoil-dev-rooms-${each.value}"
  topic                      = "projects/shop-412345/topics/trefoil-dev-bus"
  filter                     = var.filter
  ack_deadline_seconds       = 50
  message_retention_duration = "2678400s"

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "300s"
  }

  dead_letter_policy {
    dead_letter_topic     = "projects/shop-412345/topics/trefoil-dev-rooms-dead"
    max_delivery_attempts = 13
  }

  expiration_policy {
    ttl = ""
  }
}
