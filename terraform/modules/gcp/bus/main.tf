# The bus: the one topic that everything is published to, the account that calls functions for it, and the use of the
# key that encrypts what is stored.

# Where the state's resources lie. With another project Terraform would delete all of them there, and make them here.
resource "terraform_data" "place" {
  input = local.place

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == local.place
      error_message = "This state is of a deployment in ${self.output}, but GOOGLE_CLOUD_PROJECT and GOOGLE_REGION lead to ${local.place}. Set them back, or choose another TREFOIL_STAGE: it gets a state of its own."
    }
  }
}

resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83:Google encrypts it; a key of one's own is the user's choice (key_id)
  project      = var.account.id
  name         = "${var.name}-bus"
  kms_key_name = var.key_id
  labels       = var.tags

  depends_on = [google_kms_crypto_key_iam_member.this]
}

# One is enough: its tokens are made by Pub/Sub only, each for one function.
module "push" {
  source = "../account"

  name        = "${var.name}-bus-push"
  account     = var.account
  description = "Pub/Sub calls functions in its name"
}

# Google's own accounts use the key, not the functions: that is how Google encrypts with it.
resource "google_kms_crypto_key_iam_member" "this" {
  for_each = var.key_id == null ? {} : local.agents

  crypto_key_id = var.key_id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${var.account.number}@${each.value}.iam.gserviceaccount.com"
}

locals {
  place = "${var.account.id}/${var.account.region}"

  agents = {
    artifacts = "gcp-sa-artifactregistry"
    functions = "gcf-admin-robot"
    pubsub    = "gcp-sa-pubsub"
    run       = "serverless-robot-prod"
    storage   = "gs-project-accounts"
    store     = "gcp-sa-firestore"
  }
}
