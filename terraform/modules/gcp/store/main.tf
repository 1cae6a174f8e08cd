# The store: one database. A service's commits are idempotency record, outbox and state at once.

resource "google_firestore_database" "this" {
  project                           = var.account.id
  name                              = "${var.name}-store"
  location_id                       = coalesce(var.location, var.account.region)
  type                              = "FIRESTORE_NATIVE"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"

  # By default the provider forgets a database instead of deleting it.
  deletion_policy = "DELETE"

  dynamic "cmek_config" {
    for_each = var.key_id[*]

    content {
      kms_key_name = cmek_config.value
    }
  }
}

# No time to live, on no field: a commit's key is never deleted, or its message could take effect twice.

# Nobody asks for what is in a body, and an index entry holds 1,500 bytes at most.
resource "google_firestore_field" "body" {
  project    = var.account.id
  database   = google_firestore_database.this.name
  collection = "commits"
  field      = "body"

  index_config {}
}

# The first commit of a stream names it: so the streams of a service can be listed.
resource "google_firestore_field" "stream" {
  project    = var.account.id
  database   = google_firestore_database.this.name
  collection = "commits"
  field      = "stream"

  index_config {
    indexes {
      order       = "ASCENDING"
      query_scope = "COLLECTION_GROUP"
    }
  }
}
