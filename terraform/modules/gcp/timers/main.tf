# Timers: what is due later, a collection of the store, and the clock that has a function look into it.

# Nobody asks for what is in a body or for an attribute, and each would cost an index entry.
resource "google_firestore_field" "this" {
  for_each = toset(["attributes", "body"])

  project    = var.account.id
  database   = local.database
  collection = "due"
  field      = each.value

  index_config {}
}

resource "google_cloud_scheduler_job" "this" {
  project          = var.account.id
  region           = var.account.region
  name             = "${var.name}-tick"
  description      = "Sends what is due to the services that set it"
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "60s"

  # The next minute's tick does all that a missed one would have done.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = var.function_uri

    oidc_token {
      service_account_email = module.schedule.email
      audience              = var.function_uri
    }
  }
}

module "schedule" {
  source = "../account"

  name        = "${var.name}-tick-schedule"
  account     = var.account
  description = "Cloud Scheduler calls the tick function in its name"
}

locals {
  database = element(split("/", var.store_id), 3)
}
