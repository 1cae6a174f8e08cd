output "bus_id" {
  description = "The bus: the topic's ARN (TREFOIL_BUS_ARN)."
  value       = module.bus.bus_id
}

output "key_id" {
  description = "The key that encrypts what is stored: its ARN."
  value       = module.bus.key_id
}

output "store_id" {
  description = "The store: the ARN of the table of commits."
  value       = module.store.store_id
}

output "timers_id" {
  description = "The timers: the ARN of their table."
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
  description = "The function that sends what is due: the ARN of its alias."
  value       = module.tick.function_id
}
