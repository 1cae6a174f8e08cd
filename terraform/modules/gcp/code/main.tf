# The code: the zip in a bucket, the repository that holds the functions' images, and the account that builds them.

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:It holds zips of code that lies in a repository; who reads them is in the project's audit log
  #checkov:skip=CKV_GCP_78:A zip's name holds its hash, so none is ever overwritten
  project                     = var.account.id
  name                        = "${var.name}-code-${var.account.number}" # bucket names are the whole world's
  location                    = var.account.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # it can be built again
  labels                      = var.tags

  dynamic "encryption" {
    for_each = var.key_id[*]

    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_storage_bucket_object" "this" {
  bucket = google_storage_bucket.this.name
  name   = "${try(filesha256(var.package), "none")}.zip" # another zip is another object, which a function notices
  source = var.package

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = fileexists(var.package)
      error_message = "There is no ${var.package}; build it with: python -m functions.package gcp"
    }
  }
}

resource "google_artifact_registry_repository" "this" {
  #checkov:skip=CKV_GCP_84:Google encrypts it; a key of one's own is the user's choice (key_id)
  project       = var.account.id
  location      = var.account.region
  repository_id = "${var.name}-code"
  description   = "Images of the functions"
  format        = "DOCKER"
  kms_key_name  = var.key_id
  labels        = var.tags

  # Each deployment makes an image for each function.
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "30d"
    }
  }

  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 3
    }
  }
}

# A build runs what the packages it installs bring along: it may read the zips, write images and its log.
module "build" {
  source = "../account"

  name        = "${var.name}-code-build"
  account     = var.account
  description = "Cloud Build builds the functions in its name"
}

resource "google_artifact_registry_repository_iam_member" "this" {
  project    = var.account.id
  location   = var.account.region
  repository = google_artifact_registry_repository.this.repository_id
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${module.build.email}"
}

resource "google_project_iam_member" "log" {
  project = var.account.id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${module.build.email}"
}

resource "google_project_iam_member" "zips" {
  project = var.account.id
  role    = "roles/storage.objectViewer"
  member  = "serviceAccount:${module.build.email}"

  # Cloud Functions copies a zip to a bucket of its own before it is built.
  condition {
    title       = "${var.name}: zips"
    description = "Reads the zips of functions"
    expression  = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.this.name}\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.account.number}-\")"
  }
}
