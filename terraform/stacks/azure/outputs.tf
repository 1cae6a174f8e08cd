output "bus_id" {
  description = "The bus: the topic's id."
  value       = module.bus.bus_id
}

output "bus_host" {
  description = "Where the bus and all channels are: the namespace's address (TREFOIL_SERVICEBUS__fullyQualifiedNamespace)."
  value       = module.bus.bus_host
}

output "key_id" {
  description = "The key that encrypts what is stored; null where that is left to Microsoft's own keys."
  value       = module.bus.key_id
}

output "store_id" {
  description = "The store: the id of the table of commits."
  value       = module.store.store_id
}

output "store_uri" {
  description = "Where the store's tables are: their address (TREFOIL_TABLES__tableServiceUri)."
  value       = module.store.store_uri
}

output "timers_id" {
  description = "The timers: the id of their table."
  value       = module.timers.timers_id
}

output "channels" {
  description = "Each service's channel, dead-letter channel and function, by service."
  value = {
    for name, _ in local.services : name => {
      channel_id     = module.channel[name].channel_id
      dead_letter_id = module.channel[name].dead_letter_id
      function_id    = module.function.function_ids[name]
    }
  }
}

output "tick_id" {
  description = "The function that sends what is due: its id."
  value       = module.function.function_ids["tick"]
}
