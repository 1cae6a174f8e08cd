# Timers: the table of what is due later, beside the commits. The clock is the function app's own: a timer trigger.

module "this" {
  source = "../table"

  name    = "${replace(var.name, "-", "")}timers"
  account = var.account
  storage = element(split("/", var.store_id), 8)
  tags    = var.tags
}
