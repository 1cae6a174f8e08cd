"""Clients of a Service Bus as processes of their own, for tests that let them compete or kill them."""

import sys

from azure.servicebus import ServiceBusClient


def hold(connection: str, queue: str) -> None:
    """Lock one message of a queue, say so, and hold it until somebody ends the process."""
    with ServiceBusClient.from_connection_string(connection) as client, client.get_queue_receiver(queue) as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=30)
        print(str(message), flush=True)  # noqa: T201 - how it talks to its parent
        sys.stdin.read()


def consume(connection: str, queue: str, seconds: float) -> list[str]:
    """Complete whatever comes until nothing has come for a while."""
    done = []
    with ServiceBusClient.from_connection_string(connection) as client, client.get_queue_receiver(queue) as receiver:
        while messages := receiver.receive_messages(5, max_wait_time=seconds):
            for each in messages:
                receiver.complete_message(each)
                done.append(str(each))
    return done


if __name__ == "__main__":
    hold(*sys.argv[1:])
