"""Service Bus's administration, over HTTP, as far as the SDK's ServiceBusAdministrationClient asks for it here.

Entities are made, looked at and removed; of one that is there, only the status can be changed. What is made here ends
with the emulator: only the entities of Config.json come back. `atom` is the format, `entities` what a request does,
`server` the HTTP.
"""
