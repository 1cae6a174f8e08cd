"""Publishing: one topic, in batches, and what was not confirmed."""

import pytest
from google.auth.exceptions import RefreshError
from google.pubsub_v1 import PubsubMessage
from hypothesis import given
from hypothesis import strategies as st

from infra.gcp.bus import Copy
from infra.gcp.topics import Letter
from shared.kernel.errors import PublishFailed
from shared.kernel.ports import Outgoing
from tests.support.gcp_fakes import in_turn, published, raising, refused

MB = 1_000_000


def message(number, to=None, body=b"{}"):
    return Outgoing(f"m{number}", "orders.order-placed.v1", f"o{number}", body, to)


def sizes(fake):
    return [len(request.messages) for request in fake.called("Publish")]


def test_events_go_to_the_topic_with_the_attributes_that_filters_read(fake, gcp):
    lost = gcp.bus.publish([message(1)])

    (sent,) = fake.sent("trefoil-dev-bus")
    assert lost == set()
    assert sent.data == b"{}"
    assert dict(sent.attributes) == {"type": "orders.order-placed.v1", "subject": "o1"}


def test_what_is_for_one_service_says_so_on_the_same_topic(fake, gcp):
    gcp.bus.publish([message(1, "orders"), message(2), message(3, "payments")])

    (request,) = fake.called("Publish")
    assert [each.attributes.get("to") for each in request.messages] == ["orders", None, "payments"]


def test_no_message_has_an_ordering_key(fake, gcp):
    gcp.bus.publish([message(1), message(2, "orders")])

    assert [each.ordering_key for each in fake.sent()] == ["", ""]


def test_a_copy_goes_as_it_came_with_its_ordering_key(fake, gcp):
    copy = Copy("orders:7", "t", "s", b"body", "orders", {"type": "a.b.v1", "own": "1", "trefoil-attempts": "2"}, "key")

    gcp.bus.publish([copy])

    (sent,) = fake.sent()
    assert dict(sent.attributes) == {"type": "a.b.v1", "own": "1", "trefoil-attempts": "2", "to": "orders"}
    assert (sent.data, sent.ordering_key) == (b"body", "key")


def test_a_copy_without_attributes_gets_none_but_whom_it_is_for(fake, gcp):
    gcp.bus.publish([Copy("orders:7", "", "", b"body", "orders")])

    assert dict(fake.sent()[0].attributes) == {"to": "orders"}


def test_batches_are_cut_by_count(fake, gcp):
    gcp.bus.publish([message(number) for number in range(2001)])

    assert sizes(fake) == [1000, 1000, 1]


def test_batches_are_cut_by_bytes(fake, gcp):
    gcp.bus.publish([message(number, body=b"x" * 4 * MB) for number in range(5)])

    assert sizes(fake) == [2, 2, 1]


def test_attributes_are_counted_as_bytes(fake, gcp):
    attributes = {f"own{number}": "x" * 1000 for number in range(90)}

    gcp.bus.publish([Copy(f"orders:{number}", "", "", b"", "orders", attributes) for number in range(150)])

    assert len(sizes(fake)) == 2
    assert sum(sizes(fake)) == 150


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.binary(max_size=300), st.dictionaries(TEXTS, TEXTS, max_size=10), TEXTS)
def test_no_message_takes_more_bytes_than_are_counted(body, attributes, ordering_key):
    letter = Letter(body, attributes, ordering_key)

    sent = PubsubMessage(data=body, attributes=attributes, ordering_key=ordering_key)

    assert PubsubMessage.pb(sent).ByteSize() <= letter.size


def test_ids_of_a_batch_that_was_refused_are_reported_and_the_others_are_confirmed(fake, gcp):
    fake.answers["Publish"] = in_turn(raising(refused("INVALID_ARGUMENT")), published)

    lost = gcp.bus.publish([message(number) for number in range(1001)])

    assert lost == {f"m{number}" for number in range(1000)}


def test_nothing_confirmed_is_an_error(fake, gcp):
    fake.answers["Publish"] = raising(refused("PERMISSION_DENIED", "not yours"))

    with pytest.raises(PublishFailed, match="none of 2 messages was confirmed: topic 'trefoil-dev-bus': 403 not yours"):
        gcp.bus.publish([message(1), message(2)])


def test_credentials_that_have_gone_bad_are_a_failure_to_publish(fake, gcp):
    fake.answers["Publish"] = raising(RefreshError("the token is old"))

    with pytest.raises(PublishFailed, match="the token is old"):
        gcp.bus.publish([message(1)])


def test_a_topic_that_is_not_there_names_the_settings(fake, gcp):
    fake.answers["Publish"] = raising(refused("NOT_FOUND"))

    missing = "there is no topic 'trefoil-dev-bus' in the project 'trefoil-tests': deploy first, or set"
    with pytest.raises(PublishFailed, match=f"{missing} TREFOIL_NAME, TREFOIL_STAGE and GOOGLE_CLOUD_PROJECT"):
        gcp.bus.publish([message(1)])


def test_nothing_to_publish_asks_nobody(fake, gcp):
    assert gcp.bus.publish([]) == set()
    assert fake.calls == []
