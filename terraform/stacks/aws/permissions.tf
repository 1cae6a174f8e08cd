# Who may do what. The function module adds each function's own log and the key.

locals {
  permissions = {
    for name, service in local.services : name => [
      {
        actions = [
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl", "sqs:SendMessage",
        ]
        resources = [module.channel[name].channel_id]
      },
      {
        actions   = ["sqs:SendMessage", "sqs:GetQueueUrl"]
        resources = [module.channel[name].dead_letter_id]
      },
      {
        actions   = ["sns:Publish"]
        resources = [module.bus.bus_id]
      },
      {
        # Its own streams only: a service never reads or writes another's.
        actions   = ["dynamodb:PutItem", "dynamodb:Query"]
        resources = [module.store.store_id]
        condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["${name}/*"] } }
      },
      {
        actions   = ["dynamodb:PutItem"]
        resources = service.timers ? [module.timers.timers_id] : []
      },
    ]
  }

  tick_permissions = [
    {
      actions   = ["dynamodb:Query"]
      resources = [module.timers.timers_id, "${module.timers.timers_id}/index/by-due"]
    },
    {
      actions   = ["dynamodb:DeleteItem"]
      resources = [module.timers.timers_id]
    },
    {
      # Every service's: one that sets no timers today may have set some before, which are due yet.
      actions   = ["sqs:SendMessage", "sqs:GetQueueUrl"]
      resources = [for name, _ in local.services : module.channel[name].channel_id]
    },
  ]
}
