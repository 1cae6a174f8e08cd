"""Sending a message on to another entity, instead of keeping it."""

import logging
from typing import TYPE_CHECKING

import msgspec

from infra.emulators.servicebus.broker.entity import Destination
from infra.emulators.servicebus.broker.errors import BrokerError
from infra.emulators.servicebus.broker.message import DEAD_LETTER_DESCRIPTION, DEAD_LETTER_REASON, Journey, Message

if TYPE_CHECKING:
    from infra.emulators.servicebus.broker.queue import Queue

MOST_HOPS = 4
"""How often a message may be forwarded; so two queues that forward to one another don't do so for ever."""

_log = logging.getLogger(__name__)


def forwarded(queue: "Queue", message: Message, journey: Journey, forward: Destination) -> bool:
    """Send a message on; when that can't be, it goes to the queue for this case, or stays if there is none."""
    if journey.hops >= MOST_HOPS:
        failed = ("MaxTransferHopCountExceeded", f"The message was forwarded {MOST_HOPS} times already.")
    else:
        try:
            forward.check(message)
        except BrokerError as error:
            failed = (type(error).__name__, str(error))
        else:
            forward.arrive(message, msgspec.structs.replace(journey, hops=journey.hops + 1, failures=0))
            return True
    _log.info("%s: a message can't be forwarded to %s: %s", queue.path, forward.path, failed[0])
    if queue.transfer_dead_letters is None:
        return False
    why = dict(zip((DEAD_LETTER_REASON, DEAD_LETTER_DESCRIPTION), failed, strict=True))
    lost = Journey(dead_letter_source=queue.path)
    queue.transfer_dead_letters.arrive(message.with_properties(why), lost)
    return True
