"""The port `DeadLetters`: the untouched original with its reason, until a person decides."""

import pytest

from shared.kernel.outcome import DONE, TEXT_LIMIT, DeadLetter, Failure, Retry
from shared.kernel.ports import Outgoing
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, TRIES, Sold, ids, message, messages

DEAD = DeadLetter(FAILURE)


def park(deployed, *sent, failure=FAILURE, service=STOCK):
    """Publish messages, and dead-letter each."""
    deployed.publish(*sent)
    for delivery in deployed.take(len(sent), service):
        deployed.settle(delivery, DeadLetter(failure), service)


# -- parked


def test_a_service_without_dead_letters_lists_none(deployed):
    assert deployed.letters() == []


def test_a_dead_letter_leaves_the_channel(deployed):
    park(deployed, message("m1"))

    deployed.let_leases_end()

    assert deployed.take() == []


def test_a_dead_letter_says_why_and_after_how_many_attempts(deployed):
    deployed.publish(message("m1"))
    for _ in range(2):
        (delivery,) = deployed.take()
        deployed.settle(delivery, Retry(0.0, FAILURE))
    (delivery,) = deployed.take()

    deployed.settle(delivery, DEAD)

    (letter,) = deployed.letters()
    assert (letter.service, letter.failure, letter.attempts) == (STOCK, FAILURE, 3)


@pytest.mark.needs("controls_time")
def test_a_dead_letter_says_when_its_message_came_and_when_it_was_given_up(deployed):
    began = deployed.now
    deployed.publish(message("m1"))
    deployed.wait(90.0)
    (delivery,) = deployed.take()
    deployed.settle(delivery, Retry(30.0, FAILURE))
    deployed.wait(30.5)
    (delivery,) = deployed.take()

    deployed.settle(delivery, DEAD)
    deployed.wait(1000.0)

    (letter,) = deployed.letters()
    assert (letter.first - began, letter.last - began) == (0.0, 120.5)


@pytest.mark.parametrize(
    "text", ["Grüße, 世界 \N{SPOUTING WHALE}", '"\\\n\t\0', "x" * 5000], ids=["unicode", "escapes", "long"]
)
def test_a_dead_letter_holds_the_untouched_original(deployed, text):
    original = message("m1", Sold(text))

    park(deployed, original)

    (letter,) = deployed.letters()
    assert letter.body == original.body


@pytest.mark.needs("any_bytes")
@pytest.mark.parametrize("body", [b"", b"not JSON", b"\xff\xfe\x00", bytes(range(256))], ids=repr)
def test_a_dead_letter_holds_the_original_even_if_it_is_no_message_at_all(deployed, body):
    park(deployed, Outgoing("m1", "shop.sold.v1", "s1", body, STOCK))

    (letter,) = deployed.letters()

    assert letter.body == body


@pytest.mark.parametrize(
    "text", ["", "x" * TEXT_LIMIT, "ü" * (TEXT_LIMIT // 2), 'a "quoted"\nline\\'], ids=["empty", "x", "ü", "lines"]
)
def test_a_reason_is_kept_to_the_letter(deployed, text):
    failure = Failure("RuleViolation", "RuleViolation", text, "place_order")

    park(deployed, message("m1"), failure=failure)

    (letter,) = deployed.letters()
    assert letter.failure == failure


@pytest.mark.needs("exact_listing_of_dead_letters")
def test_dead_letters_are_listed_oldest_first(deployed):
    for number in range(12):
        park(deployed, message(f"m{number}"))
        deployed.wait(deployed.moment / 60)

    assert ids(deployed.letters()) == [f"m{number}" for number in range(12)]


@pytest.mark.needs("exact_listing_of_dead_letters")
def test_each_dead_letter_has_a_name_of_its_own(deployed):
    park(deployed, *messages(25))

    assert len({letter.id for letter in deployed.letters()}) == 25


def test_dead_letters_are_listed_for_their_own_service_only(deployed):
    park(deployed, message("m1"), service=STOCK)

    assert deployed.letters(LEDGER) == []
    assert ids(deployed.take(service=LEDGER)) == ["m1"]


def test_listing_dead_letters_removes_none(deployed):
    park(deployed, message("m1"))
    deployed.letters()

    assert ids(deployed.letters()) == ["m1"]


# -- replay


def test_a_replayed_letter_goes_to_its_service_again_with_all_its_tries(deployed):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take()
    deployed.settle(delivery, Retry(0.0, FAILURE))
    (delivery,) = deployed.take()
    deployed.settle(delivery, DEAD)
    (letter,) = deployed.letters()

    deployed.system.dead_letters.replay(letter)

    (again,) = deployed.take()
    assert (again.body, again.attempts, again.addressed) == (letter.body, 1, True)


def test_a_replayed_letter_is_no_letter_any_more(deployed):
    park(deployed, message("m1"))
    (letter,) = deployed.letters()

    deployed.system.dead_letters.replay(letter)

    assert deployed.letters() == []


def test_a_replay_does_not_reach_the_other_subscribers(deployed):
    park(deployed, message("m1"), service=STOCK)
    (other,) = deployed.take(service=LEDGER)
    deployed.settle(other, DONE, LEDGER)
    (letter,) = deployed.letters()

    deployed.system.dead_letters.replay(letter)

    deployed.let_leases_end()
    assert deployed.take(service=LEDGER) == []


def test_a_letter_that_fails_again_is_a_letter_again(deployed):
    park(deployed, message("m1"))
    (letter,) = deployed.letters()
    deployed.system.dead_letters.replay(letter)
    (delivery,) = deployed.take()
    why = Failure("PayloadMismatch", "PayloadMismatch", "still wrong", "receiver")

    deployed.settle(delivery, DeadLetter(why))

    (again,) = deployed.letters()
    assert (again.body, again.failure, again.attempts) == (letter.body, why, 1)


@pytest.mark.needs("controls_time")
def test_a_replayed_letter_whose_workers_died_has_all_its_deliveries_again(deployed):
    deployed.publish(message("m1"))
    for _ in range(TRIES + 11):
        deployed.take()
        deployed.let_leases_end()
    (letter,) = deployed.letters()
    deployed.system.dead_letters.replay(letter)

    attempts = []
    while delivered := deployed.take():
        attempts.append(delivered[0].attempts)
        deployed.let_leases_end()

    assert attempts == list(range(1, TRIES + 11))


@pytest.mark.needs("replays_once")
def test_a_letter_that_is_replayed_twice_is_delivered_once(deployed):
    park(deployed, message("m1"))
    (letter,) = deployed.letters()

    deployed.system.dead_letters.replay(letter)
    deployed.system.dead_letters.replay(letter)

    assert ids(deployed.take(2)) == ["m1"]


@pytest.mark.needs("replays_once")
def test_a_letter_that_was_dropped_is_not_delivered_when_it_is_replayed(deployed):
    park(deployed, message("m1"))
    (letter,) = deployed.letters()
    deployed.system.dead_letters.drop(letter)

    deployed.system.dead_letters.replay(letter)

    assert deployed.take() == []


@pytest.mark.parametrize("decide", ["replay", "drop"])
def test_deciding_on_a_letter_that_is_gone_touches_no_letter_that_came_since(deployed, decide):
    """An operator's listing is old by the time it is acted upon; a name must not pass on to another letter."""
    desk = deployed.system.dead_letters
    park(deployed, message("m1"))
    (gone,) = deployed.letters()
    desk.drop(gone)
    park(deployed, message("m2"))

    getattr(desk, decide)(gone)

    assert ids(deployed.letters()) == ["m2"]


@pytest.mark.needs("exact_listing_of_dead_letters")
def test_letters_may_be_replayed_while_they_are_listed(deployed):
    park(deployed, *messages(60))

    for letter in deployed.system.dead_letters.parked(STOCK):
        deployed.system.dead_letters.replay(letter)

    assert deployed.letters() == []
    assert sorted(ids(deployed.take(61))) == sorted(each.id for each in messages(60))


# -- drop


def test_a_dropped_letter_is_gone_for_good(deployed):
    park(deployed, message("m1"))
    (letter,) = deployed.letters()

    deployed.system.dead_letters.drop(letter)

    deployed.let_leases_end()
    assert (deployed.letters(), deployed.take()) == ([], [])


@pytest.mark.needs("exact_listing_of_dead_letters")
@pytest.mark.parametrize("decide", ["replay", "drop"])
def test_deciding_on_one_letter_leaves_the_others(deployed, decide):
    park(deployed, *messages(3))
    found = deployed.letters()
    letters = dict(zip(ids(found), found, strict=True))

    getattr(deployed.system.dead_letters, decide)(letters["m2"])

    assert sorted(ids(deployed.letters())) == ["m1", "m3"]


def test_dropping_a_letter_twice_is_fine(deployed):
    park(deployed, message("m1"))
    (letter,) = deployed.letters()

    deployed.system.dead_letters.drop(letter)
    deployed.system.dead_letters.drop(letter)

    assert deployed.letters() == []
