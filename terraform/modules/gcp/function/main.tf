# A function: the code, built and called through its Cloud Run service, with its account, its permissions and its alarms.

resource "google_cloudfunctions2_function" "this" {
  project      = var.account.id
  location     = var.account.region
  name         = var.name
  description  = var.description
  kms_key_name = var.key_id
  labels       = var.tags

  build_config {
    runtime           = var.runtime
    entry_point       = var.handler
    docker_repository = var.package.repository_id
    service_account   = var.package.build_account_id

    source {
      storage_source {
        bucket = var.package.bucket
        object = var.package.object
      }
    }
  }

  service_config {
    service_account_email            = module.account.email
    environment_variables            = var.environment
    timeout_seconds                  = var.timeout_seconds
    available_memory                 = "${var.memory_mib}Mi"
    available_cpu                    = tostring(var.cpu)
    min_instance_count               = var.instances.min
    max_instance_count               = var.instances.max
    max_instance_request_concurrency = var.instances.requests
    ingress_settings                 = var.ingress
    all_traffic_on_latest_revision   = true
  }

  lifecycle {
    precondition {
      condition     = var.cpu >= 1 || var.instances.requests == 1
      error_message = "An instance that serves ${var.instances.requests} requests at once needs a whole processor: set cpu to 1 or more."
    }
  }

  # It is called as soon as it is there.
  depends_on = [google_project_iam_member.store, google_pubsub_topic_iam_member.this]
}
