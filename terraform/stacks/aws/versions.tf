terraform {
  required_version = ">= 1.11" # the tests mock values that are known only after apply

  # No lock file: one made from a mirror of unpacked providers holds the hash of one platform only, and init fails on the
  # others. 5.100 is the last minor version of 5, so the constraint says almost as much. Where one is wanted, this makes
  # it whole: terraform providers lock -platform=linux_amd64 -platform=darwin_arm64 -platform=windows_amd64
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The state lies in this folder, ignored by git, in a workspace of its own for each name, stage and emulator. To share
  # it, add a file backend.tf beside this one, then run `terraform init -migrate-state`; the workspaces come along:
  #
  #   terraform {
  #     backend "s3" {
  #       bucket       = "..."
  #       key          = "trefoil.tfstate"
  #       region       = "..."
  #       encrypt      = true
  #       use_lockfile = true
  #     }
  #   }
}

# Account, region and endpoint come from the environment: AWS_PROFILE or keys, AWS_REGION, AWS_ENDPOINT_URL.
provider "aws" {}
