output "package" {
  description = "The code, once it can be built: bucket and object of the zip, the repository for its image, and the account that builds it."
  value = {
    bucket           = google_storage_bucket.this.name
    object           = google_storage_bucket_object.this.name
    repository_id    = "projects/${var.account.id}/locations/${var.account.region}/repositories/${google_artifact_registry_repository.this.repository_id}"
    build_account_id = module.build.id
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.this, google_project_iam_member.log, google_project_iam_member.zips,
  ]
}
