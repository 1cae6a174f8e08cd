# What the stack's variables refuse, and what they let through. Each run breaks several at once, because a run takes time.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  subscription = "01234567-89ab-cdef-0123-456789abcdef"
  region       = "westeurope"
  contract     = "tests/contracts/one.json"
  package      = "main.tf" # any file will do: only its hash is read
}

run "values_of_another_shape_are_refused" {
  command = plan

  variables {
    name          = "Trefoil"
    stage         = "dev.one"
    subscription  = "Shop"
    region        = "West Europe"
    contract      = "tests/contracts/none.json"
    sku           = "Basic"
    memory_mib    = 1024
    ingress       = "all"
    key_id        = "https://shop.vault.azure.net/keys/trefoil"
    environment   = { TREFOIL_TABLES = "UseDevelopmentStorage=true" }
    alarm_actions = ["on-call@example.com"]
    operators     = ["ada@example.com"]
    replication   = "RAGRS"
    tags          = { "a/b" = "shop" }
  }

  expect_failures = [
    var.name, var.stage, var.subscription, var.region, var.contract, var.sku, var.memory_mib, var.ingress, var.key_id,
    var.environment, var.alarm_actions, var.operators, var.replication, var.tags,
  ]
}

run "values_below_the_least_are_refused" {
  command = plan

  variables {
    name               = ""
    stage              = "1"
    contract           = "tests/mocks/azurerm.tfmock.hcl"
    min_instances      = -1
    max_instances      = 39
    oldest_seconds     = 60
    oldest_messages    = -1
    log_retention_days = 29
    environment        = { AzureWebJobsStorage = "UseDevelopmentStorage=true" }
    tags               = { "" = "shop" }
  }

  expect_failures = [
    var.name, var.stage, var.contract, var.min_instances, var.max_instances, var.oldest_seconds, var.oldest_messages,
    var.log_retention_days, var.environment, var.tags,
  ]
}

run "values_above_the_most_are_refused" {
  command = plan

  variables {
    name               = "abcdefghijklmnopqrstu"
    stage              = "abcdefghijklmnopqrstu"
    max_instances      = 1001
    log_retention_days = 731
    environment        = { APPLICATIONINSIGHTS_CONNECTION_STRING = "" }
  }

  expect_failures = [var.name, var.stage, var.max_instances, var.log_retention_days, var.environment]
}

run "bounds_are_let_through" {
  command = plan

  variables {
    name            = "abcdefghijklmnopqrst"
    stage           = "abcdefghijklmnopqrst"
    sku             = "Premium"
    memory_mib      = 4096
    min_instances   = 1
    max_instances   = 1000
    oldest_seconds  = 86400
    oldest_messages = 1000
    ingress         = "Allow"
    replication     = "GZRS"
    key_id          = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/shop/keys/trefoil"
    alarm_actions   = ["/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/on-call"]
    operators       = ["44444444-4444-4444-4444-444444444444"]
    environment     = { TREFOIL_SMTP_URL = "smtp://mail.example" }
    tags            = { team = "" }
  }

  assert {
    condition     = local.prefix == "abcdefghijklmnopqrst-abcdefghijklmnopqrst"
    error_message = "The prefix is ${local.prefix}."
  }
}
