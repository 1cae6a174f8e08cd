"""Publishing: a topic for what concerns all, a queue for what concerns one, in batches; and what was not confirmed."""

from threading import Event

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusConnectionError,
    ServiceBusQuotaExceededError,
)
from hypothesis import given
from hypothesis import strategies as st

from infra.azure.senders import BATCH_BYTES, BATCH_COUNT, Letter, _message
from shared.kernel.codec import CONTENT_TYPE, ENVELOPE_LIMIT
from shared.kernel.errors import PublishFailed
from shared.kernel.ports import Outgoing
from tests.support.azure_fakes import TRANSFER, body_of, in_turn, raising, told
from tests.support.azure_wire import bytes_of


def message(number, to=None, body=b"{}"):
    return Outgoing(f"m{number}", "orders.order-placed.v1", f"o{number}", body, to)


def sizes(fake):
    return [len(transfer.messages) for transfer in fake.transfers]


def test_events_go_to_the_topic_with_the_properties_that_filters_read(fake, azure):
    lost = azure.bus.publish([message(1)])

    (sent,) = fake.sent("trefoil-dev-bus")
    assert lost == set()
    assert body_of(sent) == b"{}"
    assert told(sent) == {"type": "orders.order-placed.v1", "subject": "o1"}
    assert (sent.message_id, sent.subject, sent.content_type) == ("m1", "o1", CONTENT_TYPE)


def test_what_is_for_one_service_goes_to_its_queue_and_says_so(fake, azure):
    azure.bus.publish([message(1, "orders"), message(2), message(3, "payments"), message(4, "orders")])

    assert [transfer.entity for transfer in fake.transfers] == [
        "trefoil-dev-bus",
        "trefoil-dev-orders",
        "trefoil-dev-payments",
    ]
    assert [each.message_id for each in fake.sent("trefoil-dev-orders")] == ["m1", "m4"]
    assert {told(each)["to"] for each in fake.sent("trefoil-dev-orders")} == {"orders"}


def test_no_message_is_for_a_session_or_a_later_time(fake, azure):
    azure.bus.publish([message(1), message(2, "orders")])

    for transfer in fake.transfers:
        (sent,) = transfer.messages
        assert (sent.session_id, sent.scheduled_enqueue_time_utc, sent.time_to_live) == (None, None, None)


def test_batches_are_cut_by_count(fake, azure, monkeypatch):
    monkeypatch.setattr("infra.azure.senders.BATCH_COUNT", 20)

    azure.bus.publish([message(number) for number in range(41)])

    assert sizes(fake) == [20, 20, 1]


def test_a_batch_has_at_most_as_many_as_a_transfer_may():
    """Service Bus quotas: 4,500 messages a batch."""
    assert BATCH_COUNT == 4500


def test_batches_are_cut_by_bytes_and_the_sdk_can_send_them(fake, azure):
    azure.bus.publish([message(number, body=b"x" * 100_000) for number in range(5)])

    assert sizes(fake) == [2, 2, 1]


def test_the_biggest_envelope_fits_by_itself(fake, azure):
    assert azure.bus.publish([message(1, body=b"x" * ENVELOPE_LIMIT)]) == set()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
KINDS = TEXTS | st.binary(max_size=50) | st.booleans() | st.none() | st.uuids() | st.floats(allow_nan=False)
KINDS |= st.integers(-(2**63), 2**64)


@given(st.binary(max_size=300), st.dictionaries(TEXTS, KINDS, max_size=10), TEXTS, TEXTS)
def test_no_message_takes_more_bytes_than_are_counted(body, properties, subject, id_):
    letter = Letter(id_, body, properties, subject=subject)

    assert len(bytes_of(_message(letter))) <= letter.size


@pytest.mark.parametrize(
    "letter",
    [
        Letter("i" * 128, b"", {}, subject="s" * 128, correlation_id="c" * 128),
        Letter("i", b"", {f"{number:03}": "x" for number in range(200)}),
    ],
)
def test_nor_does_one_that_has_as_much_around_its_body_as_it_may(letter):
    assert len(bytes_of(_message(letter))) <= letter.size


def test_what_is_counted_leaves_room_in_a_transfer():
    assert TRANSFER - BATCH_BYTES >= 16 * 1024


# -- what was not confirmed


def test_ids_of_a_batch_that_was_refused_are_reported_and_the_others_are_confirmed(fake, azure):
    fake.answers["send"] = in_turn(raising(ServiceBusQuotaExceededError(message="full")), lambda _: None)

    lost = azure.bus.publish([message(number, body=b"x" * 100_000) for number in range(4)])

    assert lost == {"m0", "m1"}
    assert sizes(fake) == [2, 2]


def test_a_queue_that_refuses_keeps_nothing_from_the_topic(fake, azure):
    fake.answers["send"] = in_turn(lambda _: None, raising(ServiceBusConnectionError(message="no")))

    lost = azure.bus.publish([message(1), message(2, "orders")])

    assert lost == {"m2"}


@pytest.mark.parametrize(
    "error",
    [
        ServiceBusConnectionError(message="not yours"),
        MessageSizeExceededError(message="not yours"),
        ClientAuthenticationError(message="not yours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_confirmed_is_an_error_that_says_where_and_why(fake, azure, error):
    fake.answers["send"] = raising(error)

    with pytest.raises(PublishFailed, match=r"none of 2 messages was confirmed: 'trefoil-dev-bus': .*not yours"):
        azure.bus.publish([message(1), message(2)])


@pytest.mark.parametrize(("to", "entity"), [(None, "trefoil-dev-bus"), ("orders", "trefoil-dev-orders")])
def test_an_entity_that_is_not_there_names_the_settings(fake, azure, to, entity):
    fake.answers["send"] = raising(MessagingEntityNotFoundError(message="40400"))

    missing = (
        f"there is no '{entity}' in the Service Bus namespace: deploy first, or set TREFOIL_NAME and TREFOIL_STAGE"
    )
    with pytest.raises(PublishFailed, match=missing):
        azure.bus.publish([message(1, to)])


def test_nothing_to_publish_asks_nobody(fake, azure):
    assert azure.bus.publish([]) == set()
    assert fake.made == {}


def test_many_threads_publish_through_one_sender_one_after_the_other(fake, azure):
    fake.answers["send"] = lambda _: Event().wait(0.001)

    azure.run(lambda number: azure.bus.publish([message(number)]), range(40))

    assert len(fake.sent()) == 40
    assert fake.made["topic trefoil-dev-bus"] == 1
