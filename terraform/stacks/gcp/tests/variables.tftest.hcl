# What the stack's variables refuse, and what they let through. Each run breaks several at once, because a run takes time.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project  = "shop-412345"
  region   = "europe-west3"
  contract = "tests/contracts/one.json"
  package  = "main.tf" # any file will do: only its hash is read
}

run "values_of_another_shape_are_refused" {
  command = plan

  variables {
    name          = "Trefoil"
    stage         = "dev.one"
    project       = "123456789012"
    region        = "europe-west3-a"
    contract      = "tests/contracts/none.json"
    cpu           = 0.5
    ingress       = "all"
    key_id        = "trefoil"
    environment   = { TREFOIL_SERVICE = "orders" }
    alarm_actions = ["on-call@example.com"]
    tags          = { Team = "shop" }
  }

  expect_failures = [
    var.name, var.stage, var.project, var.region, var.contract, var.cpu, var.ingress, var.key_id, var.environment,
    var.alarm_actions, var.tags,
  ]
}

run "values_below_the_least_are_refused" {
  command = plan

  variables {
    name           = ""
    stage          = "1"
    contract       = "tests/mocks/google.tfmock.hcl"
    memory_mib     = 127
    min_instances  = -1
    oldest_seconds = 59
  }

  expect_failures = [var.name, var.stage, var.contract, var.memory_mib, var.min_instances, var.oldest_seconds]
}

run "values_above_the_most_are_refused" {
  command = plan

  variables {
    name        = "abcdefghijklmnopqrstu"
    stage       = "abcdefghijklmnopqrstu"
    memory_mib  = 4097
    environment = { GOOGLE_CLOUD_PROJECT = "shop-543210" }
    tags        = { team = "The Shop" }
  }

  expect_failures = [var.name, var.stage, var.memory_mib, var.environment, var.tags]
}

run "bounds_are_let_through" {
  command = plan

  variables {
    name           = "abcdefghijklmnopqrst"
    stage          = "abcdefghijklmnopqrst"
    memory_mib     = 32768
    cpu            = 8
    min_instances  = 1
    oldest_seconds = 60
    ingress        = "ALLOW_ALL"
    key_id         = "projects/shop-412345/locations/europe-west3/keyRings/shop/cryptoKeys/trefoil"
    alarm_actions  = ["projects/shop-412345/notificationChannels/1"]
    environment    = { TREFOIL_SMTP_URL = "smtp://mail.example" }
    tags           = { team = "" }
  }

  assert {
    condition     = local.prefix == "abcdefghijklmnopqrst-abcdefghijklmnopqrst"
    error_message = "The prefix is ${local.prefix}."
  }
}
