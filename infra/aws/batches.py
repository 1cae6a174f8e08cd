"""What SNS and SQS share: batches of ten and of 256 KiB, an answer for each entry, and what a text may hold."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from infra.batching import batches as cut
from shared.kernel.backoff import Backoff

BATCH_COUNT = 10
BATCH_BYTES = 256 * 1024
SENDS = 3
"""How often an entry is sent that an answer calls failed for no fault of ours."""

_BACKOFF = Backoff(base=0.05, cap=0.5)
_JITTER = random.SystemRandom()  # see infra/aws/wiring.py

T = TypeVar("T")
Attributes = Mapping[str, Any]
"""Name -> {"DataType": …, "StringValue" or "BinaryValue": …}, as both APIs want it."""

# What is refused, not all but what is taken: that takes Python ten times as long to compile, at each cold start.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut into what one call may carry; `size` is an item's bytes, attributes included."""
    return cut(items, size, BATCH_COUNT, BATCH_BYTES)


def send(entries: Mapping[int, T], call: Callable[[Mapping[int, T]], Any]) -> dict[int, str]:
    """Send the entries of one batch until each is confirmed, at most SENDS times; return the others' faults.

    `call` makes the request, each entry's number as its `Id`, and returns the answer.
    """
    refused: dict[int, str] = {}
    left, faults = dict(entries), {}
    for attempt in range(1, SENDS + 1):
        try:
            answer = call(left)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            return refused | dict.fromkeys(left, str(error))  # the SDK has tried again already
        failed = {int(each["Id"]): each for each in answer.get("Failed", ())}
        confirmed = {int(each["Id"]) for each in answer.get("Successful", ())} - failed.keys()
        faults = {number: _fault(failed.get(number)) for number in left if number not in confirmed}
        refused |= {n: fault for n, fault in faults.items() if n in failed and failed[n]["SenderFault"]}
        left = {number: entry for number, entry in left.items() if number in faults and number not in refused}
        if not left:
            break
        if attempt < SENDS:
            time.sleep(_BACKOFF.wait(attempt, _JITTER.random))
    return refused | {number: faults[number] for number in left}


def _fault(failed: Mapping[str, Any] | None) -> str:
    if failed is None:
        return "the answer does not name it"
    return f"{failed['Code']}: {failed.get('Message', '')}"


def text(value: str) -> dict[str, str]:
    """One attribute's value."""
    return {"DataType": "String", "StringValue": value}


def size_of(body: str, attributes: Attributes) -> int:
    """Bytes of a message as both services count them."""
    parts = [name + value["DataType"] + value.get("StringValue", "") for name, value in attributes.items()]
    binary = sum(len(value.get("BinaryValue", b"")) for value in attributes.values())
    return len(body.encode()) + sum(len(part.encode()) for part in parts) + binary


def escaped(value: str) -> str:
    r"""A text in the characters that both services take: the few that they refuse, or replace, become \uXXXX.

    In JSON they can only stand inside strings, where the escape means the same.
    """
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
