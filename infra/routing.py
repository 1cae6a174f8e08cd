"""What every bus does around its sending: it parts what is for one service from the rest, and tells what is lost."""

from collections.abc import Callable, Mapping, Sequence

from shared.kernel.errors import PublishFailed
from shared.kernel.ports import Outgoing

Faults = Mapping[int, str]
"""Positions of what was not confirmed, and why."""


def route(
    messages: Sequence[Outgoing],
    to_all: Callable[[Sequence[int]], Faults],
    to_one: Callable[[str, Sequence[int]], Faults],
) -> set[str]:
    """Hand positions to whoever sends them; each says which of those that it was given are lost. See Bus.publish."""
    faults: dict[int, str] = {}
    fanned_out = [n for n, message in enumerate(messages) if message.to is None]
    if fanned_out:
        faults |= _placed(fanned_out, to_all(fanned_out))
    for service in sorted({message.to for message in messages if message.to}):
        its = [n for n, message in enumerate(messages) if message.to == service]
        faults |= _placed(its, to_one(service, its))
    return unconfirmed(messages, faults)


def unconfirmed(messages: Sequence[Outgoing], faults: Faults) -> set[str]:
    """The ids of messages that are lost; raises PublishFailed when all are."""
    if faults and len(faults) == len(messages):
        raise PublishFailed(f"none of {len(messages)} messages was confirmed: {next(iter(faults.values()))}")
    return {messages[position].id for position in faults}


def _placed(numbers: Sequence[int], faults: Faults) -> dict[int, str]:
    return {numbers[position]: fault for position, fault in faults.items()}
