module "account" {
  source = "../account"

  name        = var.name
  account     = var.account
  description = "What ${var.name} may do"
}

# The channel grants what concerns dead letters.
resource "google_pubsub_topic_iam_member" "this" {
  project = var.account.id
  topic   = var.bus_id
  role    = "roles/pubsub.publisher"
  member  = local.member
}

# One database only. It is the least that Firestore can grant: unlike on AWS, it can't keep a service to its own streams.
resource "google_project_iam_member" "store" {
  project = var.account.id
  role    = "roles/datastore.user"
  member  = local.member

  condition {
    title       = "${var.name}: its store"
    description = "Reads and writes one database"
    expression  = "resource.name == \"${var.store_id}\""
  }
}

# Who may call it: nobody else, for all that reaches it is answered as if it were a message.
resource "google_cloud_run_v2_service_iam_member" "this" {
  for_each = var.callers

  project  = var.account.id
  location = var.account.region
  name     = google_cloudfunctions2_function.this.name # its Cloud Run service has the same
  role     = "roles/run.invoker"
  member   = "serviceAccount:${each.value}"
}

locals {
  member = "serviceAccount:${module.account.email}"
}
