"""A Service Bus that needs no Docker: enough of its data plane for the azure-servicebus SDK, unmodified.

`broker` knows queues, topics, locks and sessions, and no protocol. `amqp` is a thin layer of AMQP 1.0 over it. Entities
come from a file in the layout of Microsoft's emulator, `Config.json`, so that one file serves both.
"""
