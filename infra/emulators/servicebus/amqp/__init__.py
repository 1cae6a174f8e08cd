"""AMQP 1.0 over the broker, as Service Bus speaks it: links, credit, settlement, `$cbs` and `$management`."""
