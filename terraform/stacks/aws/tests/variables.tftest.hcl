# What the stack's variables refuse, and what they let through. Each run breaks several at once, because a run takes time.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  contract = "tests/contracts/one.json"
  package  = "main.tf" # any file will do: only its hash is read
}

run "values_of_another_shape_are_refused" {
  command = plan

  variables {
    name               = "Trefoil"
    stage              = "dev.one"
    contract           = "tests/contracts/none.json"
    runtime            = "python3.12"
    endpoint_url       = "127.0.0.1:4566"
    environment        = { TREFOIL_SERVICE = "orders" }
    alarm_actions      = ["on-call@example.com"]
    log_retention_days = 31
  }

  expect_failures = [var.name, var.stage, var.contract, var.runtime, var.endpoint_url, var.environment, var.alarm_actions, var.log_retention_days]
}

run "values_below_the_least_are_refused" {
  command = plan

  variables {
    name               = ""
    stage              = "1"
    contract           = "tests/mocks/aws.tfmock.hcl"
    memory_mib         = 127
    oldest_seconds     = 59
    key_deletion_days  = 6
    log_retention_days = 0
  }

  expect_failures = [var.name, var.stage, var.contract, var.memory_mib, var.oldest_seconds, var.key_deletion_days, var.log_retention_days]
}

run "values_above_the_most_are_refused" {
  command = plan

  variables {
    name              = "abcdefghijklmnopqrstu"
    stage             = "abcdefghijklmnopqrstu"
    memory_mib        = 10241
    key_deletion_days = 31
    endpoint_url      = "http://127.0.0.1:4566/"
    environment       = { AWS_ENDPOINT_URL = "http://127.0.0.1:4566" }
  }

  expect_failures = [var.name, var.stage, var.memory_mib, var.key_deletion_days, var.endpoint_url, var.environment]
}

run "a_snapshot_of_a_provided_runtime_is_refused" {
  command = plan

  variables {
    snap_start = true
    runtime    = "provided.al2023"
  }

  expect_failures = [var.snap_start]
}

run "bounds_are_let_through" {
  command = plan

  variables {
    name               = "abcdefghijklmnopqrst"
    stage              = "abcdefghijklmnopqrst"
    memory_mib         = 10240
    oldest_seconds     = 60
    log_retention_days = 3653
    key_deletion_days  = 7
    endpoint_url       = "https://emulator.example:4566"
    alarm_actions      = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
    environment        = { TREFOIL_SMTP_URL = "smtp://mail.example" }
    snap_start         = true
  }

  assert {
    condition     = local.prefix == "abcdefghijklmnopqrst-abcdefghijklmnopqrst"
    error_message = "The prefix is ${local.prefix}."
  }
}
