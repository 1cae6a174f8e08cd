"""The port `Bus`: what is published reaches every subscriber's channel, or one."""

import pytest

from shared.kernel.codec import ENVELOPE_LIMIT
from shared.kernel.outcome import DONE
from tests.support.contract_catalog import LEDGER, SHOP, STOCK, Opened, Sell, Sold, ids, message, messages


def test_an_event_reaches_every_service_that_handles_it(deployed):
    deployed.publish(message("m1"))

    assert ids(deployed.take(service=STOCK)) == ["m1"]
    assert ids(deployed.take(service=LEDGER)) == ["m1"]


def test_an_event_does_not_reach_services_that_do_not_handle_it(deployed):
    deployed.publish(message("m1"))

    assert deployed.take(service=SHOP) == []


def test_a_command_reaches_its_one_handler(deployed):
    deployed.publish(message("m1", Sell()))

    assert ids(deployed.take(service=SHOP)) == ["m1"]
    assert deployed.take(service=STOCK) == []


def test_a_message_that_nobody_handles_is_confirmed_and_reaches_nobody(deployed):
    deployed.publish(message("m1", Opened()))

    assert [deployed.take(service=service) for service in (SHOP, STOCK, LEDGER)] == [[], [], []]


def test_a_message_to_one_service_reaches_no_other_subscriber(deployed):
    deployed.publish(message("m1", to=STOCK))

    assert ids(deployed.take(service=STOCK)) == ["m1"]
    assert deployed.take(service=LEDGER) == []


def test_a_message_to_one_service_reaches_it_even_if_it_did_not_subscribe(deployed):
    deployed.publish(message("m1", Opened(), to=LEDGER))

    assert ids(deployed.take(service=LEDGER)) == ["m1"]


def test_a_receiver_can_tell_what_was_sent_to_it_alone(deployed):
    deployed.publish(message("m1"), message("m2", to=STOCK))

    found = deployed.take(2)

    assert {id_: delivery.addressed for id_, delivery in zip(ids(found), found, strict=True)} == {
        "m1": False,
        "m2": True,
    }


def test_one_call_may_mix_events_commands_and_messages_to_one_service(deployed):
    deployed.publish(message("m1"), message("m2", Sell()), message("m3", to=LEDGER), message("m4", Opened()))

    assert sorted(ids(deployed.take(1, STOCK))) == ["m1"]
    assert sorted(ids(deployed.take(2, LEDGER))) == ["m1", "m3"]
    assert sorted(ids(deployed.take(1, SHOP))) == ["m2"]


def test_each_subscriber_settles_its_own_copy(deployed):
    deployed.publish(message("m1"))
    (first,) = deployed.take(service=STOCK)

    deployed.settle(first, DONE, STOCK)

    assert ids(deployed.take(service=LEDGER)) == ["m1"]


def test_publishing_nothing_confirms_everything(deployed):
    assert deployed.system.bus.publish([]) == set()


def test_many_messages_go_out_in_one_call(deployed):
    deployed.publish(*messages(250))

    assert sorted(ids(deployed.take(250, STOCK, seconds=60.0))) == sorted(f"m{number}" for number in range(1, 251))
    assert sorted(ids(deployed.take(250, LEDGER))) == sorted(f"m{number}" for number in range(1, 251))


def test_messages_of_the_largest_size_go_out_in_one_call_untouched(deployed):
    room = ENVELOPE_LIMIT - len(message("m1").body)
    sent = [message(f"m{number}", Sold("x" * room)) for number in range(1, 6)]

    deployed.publish(*sent)

    assert {len(each.body) for each in sent} == {ENVELOPE_LIMIT}
    assert sorted(delivery.body for delivery in deployed.take(5)) == sorted(each.body for each in sent)


@pytest.mark.parametrize(
    "text", ["", "Grüße, 世界", "\N{SPOUTING WHALE}", '"\\/\b\f\n\r\t\0\x7f', " \u2028 \ufeff "], ids=ascii
)
def test_bytes_arrive_as_they_were_published(deployed, text):
    sent = message("m1", Sold(text))

    deployed.publish(sent)

    (delivery,) = deployed.take()
    assert (delivery.body, dict(delivery.attributes)) == (sent.body, {})


def test_a_message_published_twice_is_delivered_at_least_once(deployed):
    deployed.publish(message("m1"))
    deployed.publish(message("m1"))

    assert set(ids(deployed.take(2))) == {"m1"}
