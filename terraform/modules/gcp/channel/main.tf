# A channel: a filtered subscription to the bus, which pushes a service's messages to its function, and the dead-letter
# topic with the subscription that keeps what is published there.

# A filter can't be changed: another filter is another subscription, beside the old one until that is drained.
resource "google_pubsub_subscription" "this" {
  for_each = local.filters

  project                    = var.account.id
  name                       = "${var.name}-${each.key}"
  topic                      = var.bus_id
  filter                     = each.value
  ack_deadline_seconds       = var.ack_seconds
  message_retention_duration = local.retention
  labels                     = var.tags

  push_config {
    push_endpoint = var.function_uri

    oidc_token {
      service_account_email = var.push_account
      audience              = var.function_uri
    }
  }

  retry_policy {
    minimum_backoff = "${var.backoff.base}s"
    maximum_backoff = "${var.backoff.cap}s"
  }

  # Catches crashes only; what the receiver gives up, it publishes to the dead-letter topic itself, with the reason.
  dead_letter_policy {
    dead_letter_topic     = local.dead_letter_id
    max_delivery_attempts = var.delivery_limit
  }

  # Never: by default a subscription that nobody reads is deleted after a month, with its messages.
  expiration_policy {
    ttl = ""
  }

  # Pub/Sub would also take a topic that nobody may publish to or that keeps nothing.
  depends_on = [google_pubsub_topic_iam_member.dead_letter, google_pubsub_subscription.dead_letter]

  # `trefoil pause` takes it away: a deployment must not resume what an operator has paused. A function keeps its
  # address for as long as it keeps its name.
  lifecycle {
    ignore_changes = [push_config]
  }
}

resource "google_pubsub_topic" "dead_letter" {
  #checkov:skip=CKV_GCP_83:Google encrypts it; a key of one's own is the user's choice (key_id)
  project      = var.account.id
  name         = "${var.name}-dead"
  kms_key_name = var.key_id
  labels       = var.tags
}

# A topic keeps nothing, its subscription does.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.account.id
  name                       = "${var.name}-dead"
  topic                      = local.dead_letter_id
  ack_deadline_seconds       = 60
  message_retention_duration = local.retention
  labels                     = var.tags

  expiration_policy {
    ttl = ""
  }
}

# Who may publish dead letters: the function, and Pub/Sub's own account, which forwards what used up its deliveries. That
# account must also be allowed to take it from the subscription.
resource "google_pubsub_topic_iam_member" "dead_letter" {
  for_each = { function = "serviceAccount:${var.function_account}", pubsub = local.pubsub }

  project = var.account.id
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_pubsub_subscription_iam_member" "this" {
  for_each = google_pubsub_subscription.this

  project      = var.account.id
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub
}

locals {
  retention = "${31 * 24 * 60 * 60}s" # the longest that Pub/Sub allows

  filters        = tomap(merge(var.draining, { (substr(sha256(var.filter), 0, 8)) = var.filter }))
  dead_letter_id = "projects/${var.account.id}/topics/${google_pubsub_topic.dead_letter.name}"
  pubsub         = "serviceAccount:service-${var.account.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
