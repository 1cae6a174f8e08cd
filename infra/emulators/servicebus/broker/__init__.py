"""What a Service Bus does, without the protocol it speaks: no AMQP, no sockets, and the time is told by a clock."""
