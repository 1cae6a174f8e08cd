terraform {
  required_version = ">= 1.11" # the tests mock values that are known only after apply

  # No lock file: one made from a mirror of unpacked providers holds the hash of one platform only, and init fails on the
  # others. 6.50 is the last minor version of 6, so the constraint says almost as much. Where one is wanted, this makes
  # it whole: terraform providers lock -platform=linux_amd64 -platform=darwin_arm64 -platform=windows_amd64
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # The state lies in this folder, ignored by git, in a workspace of its own for each name and stage. To share it, add a
  # file backend.tf beside this one, then run `terraform init -migrate-state`; the workspaces come along:
  #
  #   terraform {
  #     backend "gcs" {
  #       bucket = "..."
  #       prefix = "trefoil"
  #     }
  #   }
}

# Credentials come from the environment: `gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS.
provider "google" {
  project = var.project
  region  = var.region
}
