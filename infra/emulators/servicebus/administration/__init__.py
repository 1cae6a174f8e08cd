"""Service Bus's administration, over HTTP, as far as the SDK's ServiceBusAdministrationClient asks for it here.

Entities are made, looked at one by one, and removed; of one that is there, only the status can be changed. What was
done here ends with the emulator: the entities of Config.json come back, and deliver; messages of others are there again
when their entity is made again. `atom` is the format, `descriptions` what it says of entities, `entities` what a
request does, `server` the HTTP.
"""
