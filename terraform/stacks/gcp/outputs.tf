output "bus_id" {
  description = "The bus: the topic's full name."
  value       = module.bus.bus_id
}

output "key_id" {
  description = "The key that encrypts what is stored; null where that is left to Google's own keys."
  value       = module.bus.key_id
}

output "store_id" {
  description = "The store: the database's full name."
  value       = module.store.store_id
}

output "timers_id" {
  description = "The timers: the full name of their collection."
  value       = module.timers.timers_id
}

output "channels" {
  description = "Each service's channel, dead-letter channel and function, by service."
  value = {
    for name, _ in local.services : name => {
      channel_id     = module.channel[name].channel_id
      dead_letter_id = module.channel[name].dead_letter_id
      function_id    = module.function[name].function_id
    }
  }
}

output "tick_id" {
  description = "The function that sends what is due: its full name."
  value       = module.tick.function_id
}

# What `terraform/cli.py` gives the next deployment as `draining`: all that may have been made.
output "filters" {
  description = "Each service's filters that have a subscription, by service and hash."
  value       = { for name, channel in module.channel : name => channel.filters }
}

output "draining" {
  description = "Subscriptions of older filters, which may still hold messages. Once they are empty, `-var draining={}` deletes them."
  value = flatten([
    for name, channel in module.channel : [
      for hash, _ in channel.filters : "${local.prefix}-${name}-${hash}" if !endswith(channel.channel_id, "-${hash}")
    ]
  ])
}
