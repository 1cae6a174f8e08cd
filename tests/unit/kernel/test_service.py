import functools
from collections.abc import Callable
from typing import Any

import pytest

from shared.kernel.errors import ConfigurationError, RuleViolation
from shared.kernel.message import Payload, event
from shared.kernel.service import Limits, Service
from shared.messages.payments import CapturePayment, PaymentCaptured
from tests.support.kernel_fakes import Add, Added, Tally, World, add, delivery, ignore, message, tally_service


class Unmarked(Payload, frozen=True):
    """Not yet a message."""


class Provider:
    """Some outside system."""


def keyed(key: str) -> Callable[[Any], str]:
    return lambda _: key


@pytest.mark.parametrize("name", ["t", "order_status", "t" * 20])
def test_a_service_name_has_1_to_20_small_letters(name):
    service = Service(name=name, state=Tally, handles={Add: add}, emits={})

    assert service.source == f"/{name}"


@pytest.mark.parametrize("name", ["", "Tally", "tally-1", "tally1", "_tally", "t" * 21, "tally\n", "tälly"])
def test_another_name_is_refused(name):
    with pytest.raises(ConfigurationError, match=f"service name '{name}' is not 1 to 20 characters"):
        Service(name=name, state=Tally, handles={}, emits={})


def test_at_most_once_needs_a_provider_to_call():
    with pytest.raises(ConfigurationError, match="service 'tally' is at_most_once but names no provider"):
        tally_service(at_most_once=True)


def test_a_service_may_ask_others_to_do_something():
    service = tally_service(emits={Added: None, CapturePayment: None})

    assert CapturePayment in service.emits


def test_a_service_may_not_tell_another_service_s_events():
    with pytest.raises(ConfigurationError, match=r"'tally' emits the event payments\.payment-captured\.v1"):
        tally_service(emits={PaymentCaptured: None})


def test_asking_a_service_gives_no_right_to_tell_its_events():
    with pytest.raises(ConfigurationError, match=r"'tally' emits the event payments\.payment-captured\.v1"):
        tally_service(emits={CapturePayment: None, PaymentCaptured: None})


@pytest.mark.parametrize("table", ["handles", "emits"])
def test_a_payload_that_is_not_marked_is_refused(table):
    with pytest.raises(ConfigurationError, match="Unmarked"):
        tally_service(**{table: {Unmarked: ignore}}).incoming()


def test_the_stream_is_the_service_and_the_subject():
    assert tally_service().stream(message(Add(1), subject="a.B-9_~")) == "tally/a.B-9_~"


def test_a_key_of_its_own_names_the_stream():
    service = tally_service(key=lambda m: f"{m.subject}.{m.data.amount}")

    assert service.stream(message(Add(7))) == "tally/s1.7"


@pytest.mark.parametrize("key", ["k", "k" * 96])
def test_a_key_has_1_to_96_characters(key):
    assert tally_service(key=keyed(key)).stream(message(Add(1))) == f"tally/{key}"


@pytest.mark.parametrize("key", ["", "k" * 97, "a/b", "a b", "a\n", "é", "a#b"])
def test_another_key_violates_a_rule(key):
    with pytest.raises(RuleViolation, match="needs 1 to 96 of"):
        tally_service(key=keyed(key)).stream(message(Add(1)))


def test_a_service_reads_what_it_handles_and_what_it_emitted():
    service = tally_service(handles={Add: add}, emits={Added: None})

    assert service.incoming().newest == {"tally.add": Add}
    assert service.outgoing().newest == {"tally.added": Added}


def test_a_service_cannot_be_built_from_two_classes_of_one_name():
    @event("tally.added.v1")
    class Other(Payload, frozen=True):
        pass

    with pytest.raises(ConfigurationError, match=r"Other and Added are both called tally\.added"):
        tally_service(emits={Added: None, Other: None}).outgoing()


def test_by_default_a_batch_can_be_handled_within_the_shortest_lease():
    limits = Limits()

    assert limits.batch * limits.handler_seconds <= 300  # Service Bus locks for five minutes at most


def test_a_handler_needs_a_name_because_logs_and_dead_letters_tell_it():
    with pytest.raises(ConfigurationError, match="'tally' has a handler without a name"):
        tally_service(functools.partial(add))


def test_a_key_is_not_quoted_where_it_is_refused():
    (outcome,) = World(tally_service(key=lambda message: message.data.note)).receive(delivery(Add(1, "a@secret")))

    assert "secret" not in outcome.failure.text
    assert outcome.failure.reason == "RuleViolation"
