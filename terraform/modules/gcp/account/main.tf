# An account in whose name something acts. It may do what it is granted, and nothing else.

resource "google_service_account" "this" {
  project      = var.account.id
  account_id   = length(var.name) <= 30 ? var.name : local.short
  display_name = var.name
  description  = var.description
}

locals {
  # An account's id has at most 30 characters.
  short = "${trimsuffix(substr(var.name, 0, 21), "-")}-${substr(sha256(var.name), 0, 8)}"
  email = "${google_service_account.this.account_id}@${var.account.id}.iam.gserviceaccount.com"
}
