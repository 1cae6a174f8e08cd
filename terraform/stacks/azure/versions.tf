terraform {
  required_version = ">= 1.11" # the tests mock values that are known only after apply

  # No lock file: one made from a mirror of unpacked providers holds the hash of one platform only, and init fails on the
  # others. Where one is wanted, this makes it whole:
  # terraform providers lock -platform=linux_amd64 -platform=darwin_arm64 -platform=windows_amd64
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.55"
    }
  }

  # The state lies in this folder, ignored by git, in a workspace of its own for each name and stage. To share it, add a
  # file backend.tf beside this one, then run `terraform init -migrate-state`; the workspaces come along:
  #
  #   terraform {
  #     backend "azurerm" {
  #       storage_account_name = "..."
  #       container_name       = "trefoil"
  #       key                  = "trefoil.tfstate"
  #       use_azuread_auth     = true
  #     }
  #   }
}

# Credentials come from the environment: `az login`, or ARM_TENANT_ID, ARM_CLIENT_ID and what proves them.
provider "azurerm" {
  subscription_id     = var.subscription
  storage_use_azuread = true # the storage accounts take no keys

  features {
    # It would be an alarm beside ours, and it tells all owners of the subscription.
    application_insights {
      disable_generated_rule = true
    }

    # That rule is there nevertheless, turned off, and nobody else would delete it.
    resource_group {
      prevent_deletion_if_contains_resources = false
    }

    # Tables go with their account, and never by themselves.
    template_deployment {
      delete_nested_items_during_deletion = false
    }
  }
}
