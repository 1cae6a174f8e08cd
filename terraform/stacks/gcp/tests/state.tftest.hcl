# What is kept, and by which key: bus, code, store, timers and the schedule.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name         = "trefoil-dev"
  account      = { id = "shop-412345", number = "123456789012", region = "europe-west3" }
  key_id       = "projects/shop-412345/locations/europe-west3/keyRings/shop/cryptoKeys/trefoil"
  package      = "main.tf"
  store_id     = "projects/shop-412345/databases/trefoil-dev-store"
  function_uri = "https://trefoil-dev-tick.example"
  tags         = { stage = "dev" }
}

run "the_bus_and_its_key" {
  command = plan

  module {
    source = "../../modules/gcp/bus"
  }

  assert {
    condition     = [google_pubsub_topic.this.name, google_pubsub_topic.this.kms_key_name, google_pubsub_topic.this.labels.stage] == ["trefoil-dev-bus", var.key_id, "dev"]
    error_message = "The topic is encrypted with the key."
  }

  assert {
    condition = toset([
      for member in google_kms_crypto_key_iam_member.this : "${member.crypto_key_id} ${member.role} ${member.member}"
      ]) == toset([
      for agent in ["gcf-admin-robot", "gcp-sa-artifactregistry", "gcp-sa-firestore", "gcp-sa-pubsub", "gs-project-accounts", "serverless-robot-prod"] :
      "${var.key_id} roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@${agent}.iam.gserviceaccount.com"
    ])
    error_message = "Google's own accounts may use the key, nobody else."
  }

  assert {
    condition     = [output.bus_id, output.key_id] == ["projects/shop-412345/topics/trefoil-dev-bus", var.key_id]
    error_message = "The bus is ${output.bus_id}."
  }

  assert {
    condition     = terraform_data.place.input == "shop-412345/europe-west3"
    error_message = "The state will be of ${terraform_data.place.input}."
  }
}

run "a_bus_without_a_key" {
  command = plan

  module {
    source = "../../modules/gcp/bus"
  }

  variables {
    key_id = null
  }

  assert {
    condition     = google_pubsub_topic.this.kms_key_name == null && length(google_kms_crypto_key_iam_member.this) == 0 && output.key_id == null
    error_message = "Google uses keys of its own."
  }
}

run "something_else_than_a_key_is_refused" {
  command = plan

  module {
    source = "../../modules/gcp/bus"
  }

  variables {
    key_id = "trefoil"
  }

  expect_failures = [var.key_id]
}

run "a_state_is_of_one_place" {
  state_key = "placed"

  module {
    source = "./tests/placed"
  }
}

run "there_it_may_be_changed" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/gcp/bus"
  }

  variables {
    tags = { stage = "other" }
  }

  assert {
    condition     = google_pubsub_topic.this.labels.stage == "other"
    error_message = "The same place is let through."
  }
}

run "another_region_is_refused" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/gcp/bus"
  }

  variables {
    account = { id = "shop-412345", number = "123456789012", region = "europe-west1" }
  }

  expect_failures = [terraform_data.place]
}

run "another_project_is_refused" {
  command   = plan
  state_key = "placed"

  module {
    source = "../../modules/gcp/bus"
  }

  variables {
    account = { id = "shop-543210", number = "210987654321", region = "europe-west3" }
  }

  expect_failures = [terraform_data.place]
}

run "the_code" {
  command = plan

  module {
    source = "../../modules/gcp/code"
  }

  assert {
    condition = [
      google_storage_bucket.this.name, google_storage_bucket.this.location, google_storage_bucket.this.uniform_bucket_level_access,
      google_storage_bucket.this.public_access_prevention, google_storage_bucket.this.encryption[0].default_kms_key_name,
    ] == ["trefoil-dev-code-123456789012", "europe-west3", true, "enforced", var.key_id]
    error_message = "The zip lies in a bucket that nobody else can read, encrypted with the key."
  }

  assert {
    condition     = [google_storage_bucket_object.this.name, google_storage_bucket_object.this.source] == ["${filesha256("main.tf")}.zip", "main.tf"]
    error_message = "The zip is ${google_storage_bucket_object.this.name}: a changed one would not be noticed."
  }

  assert {
    condition = [
      google_artifact_registry_repository.this.repository_id, google_artifact_registry_repository.this.format,
      google_artifact_registry_repository.this.kms_key_name,
      join(" ", [for policy in google_artifact_registry_repository.this.cleanup_policies : policy.action]),
    ] == ["trefoil-dev-code", "DOCKER", var.key_id, "DELETE KEEP"]
    error_message = "Images lie in a repository, encrypted with the key, and old ones go."
  }

  assert {
    condition = toset([
      "${google_artifact_registry_repository_iam_member.this.repository} ${google_artifact_registry_repository_iam_member.this.role}",
      "${google_project_iam_member.log.project} ${google_project_iam_member.log.role}",
      "${google_project_iam_member.zips.condition[0].expression} ${google_project_iam_member.zips.role}",
      ]) == toset([
      "${google_artifact_registry_repository.this.repository_id} roles/artifactregistry.writer",
      "shop-412345 roles/logging.logWriter",
      "resource.name.startsWith(\"projects/_/buckets/trefoil-dev-code-123456789012\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-\") roles/storage.objectViewer",
    ])
    error_message = "A build writes images and its log, and reads zips."
  }

  assert {
    condition     = [output.package.bucket, output.package.object, output.package.repository_id] == [google_storage_bucket.this.name, google_storage_bucket_object.this.name, "projects/shop-412345/locations/europe-west3/repositories/trefoil-dev-code"]
    error_message = "The package is ${jsonencode(output.package)}."
  }

  assert {
    condition     = [google_storage_bucket.this.labels.stage, google_artifact_registry_repository.this.labels.stage] == ["dev", "dev"]
    error_message = "Everything is labelled."
  }
}

run "a_zip_that_is_not_there_is_named" {
  command = plan

  module {
    source = "../../modules/gcp/code"
  }

  variables {
    package = "none.zip"
    key_id  = null
  }

  expect_failures = [google_storage_bucket_object.this]
}

run "the_store" {
  command = plan

  module {
    source = "../../modules/gcp/store"
  }

  assert {
    condition = [
      google_firestore_database.this.name, google_firestore_database.this.type, google_firestore_database.this.location_id,
      google_firestore_database.this.point_in_time_recovery_enablement, google_firestore_database.this.delete_protection_state,
      google_firestore_database.this.deletion_policy, google_firestore_database.this.cmek_config[0].kms_key_name,
    ] == ["trefoil-dev-store", "FIRESTORE_NATIVE", "europe-west3", "POINT_IN_TIME_RECOVERY_ENABLED", "DELETE_PROTECTION_DISABLED", "DELETE", var.key_id]
    error_message = "The database is encrypted with the key and can be restored."
  }

  assert {
    condition = [
      for field in [google_firestore_field.body, google_firestore_field.stream] :
      [field.database, field.collection, field.field, length(field.index_config), join(" ", [for index in one(field.index_config).indexes : "${index.order} ${index.query_scope}"])]
      ] == [
      ["trefoil-dev-store", "commits", "body", 1, ""],
      ["trefoil-dev-store", "commits", "stream", 1, "ASCENDING COLLECTION_GROUP"],
    ]
    error_message = "A body has no index, a stream's name one over all streams."
  }

  assert {
    condition     = length(google_firestore_field.body.ttl_config) + length(google_firestore_field.stream.ttl_config) == 0
    error_message = "Commits never expire."
  }

  assert {
    condition     = output.store_id == "projects/shop-412345/databases/trefoil-dev-store"
    error_message = "The store is ${output.store_id}."
  }
}

run "a_protected_store_elsewhere" {
  command = plan

  module {
    source = "../../modules/gcp/store"
  }

  variables {
    deletion_protection = true
    location            = "eur3"
    key_id              = null
  }

  assert {
    condition = [
      google_firestore_database.this.delete_protection_state, google_firestore_database.this.location_id, length(google_firestore_database.this.cmek_config)
    ] == ["DELETE_PROTECTION_ENABLED", "eur3", 0]
    error_message = "The database refuses to be deleted, and lies where it is told."
  }
}

run "the_timers" {
  command = plan

  module {
    source = "../../modules/gcp/timers"
  }

  assert {
    condition = {
      for name, field in google_firestore_field.this :
      name => [field.database, field.collection, field.field, length(field.index_config), length(one(field.index_config).indexes), length(field.ttl_config)]
      } == {
      for name in ["attributes", "body"] : name => ["trefoil-dev-store", "due", name, 1, 0, 0]
    }
    error_message = "Nothing is indexed that nobody asks for, and no timer expires."
  }

  assert {
    condition = [
      google_cloud_scheduler_job.this.name, google_cloud_scheduler_job.this.region, google_cloud_scheduler_job.this.schedule,
      google_cloud_scheduler_job.this.retry_config[0].retry_count,
    ] == ["trefoil-dev-tick", "europe-west3", "* * * * *", 0]
    error_message = "There is a tick every minute."
  }

  assert {
    condition = [
      for target in google_cloud_scheduler_job.this.http_target :
      [target.http_method, target.uri, target.oidc_token[0].service_account_email, target.oidc_token[0].audience]
    ] == [["POST", var.function_uri, output.schedule_account, var.function_uri]]
    error_message = "It calls the tick function, with a token for that function only."
  }

  assert {
    condition     = output.timers_id == "projects/shop-412345/databases/trefoil-dev-store/documents/timers"
    error_message = "The timers are ${output.timers_id}."
  }
}
