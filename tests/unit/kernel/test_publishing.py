"""What follows from a message reaches the bus and the timer index, or the message comes again."""

from collections.abc import Iterable

from shared.kernel.errors import ProviderUnavailable
from shared.kernel.message import After, Emission, Message
from shared.kernel.outcome import DONE, Retry
from shared.kernel.service import Limits
from shared.kernel.timers import tick
from tests.support.kernel_fakes import (
    Add,
    Reminded,
    Tally,
    World,
    add,
    adds,
    body,
    delivery,
    raising,
    tally_service,
)


def test_what_the_bus_did_not_take_is_tried_again_and_then_published():
    world = World(tally_service())
    world.broker.lost = {"tally/s1:1:1"}

    outcomes = world.receive(*adds(1, 2))
    world.broker.lost = set()
    again = world.receive(delivery(Add(2), 2, id="m2"))

    assert outcomes[0] == DONE
    assert isinstance(outcomes[1], Retry)
    assert outcomes[1].failure.error == "PublishFailed"
    assert again == [DONE]
    assert world.totals() == [1, 3]


def test_a_bus_that_is_down_makes_all_try_again_but_those_who_said_nothing():
    world = World(tally_service(lambda tally, message: add(tally, message) if message.data.amount else []))
    world.broker.down = True

    outcomes = world.receive(*adds(1, 0))

    assert isinstance(outcomes[0], Retry)
    assert outcomes[0].failure.error == "PublishFailed"
    assert outcomes[1] == DONE


def test_a_timer_that_could_not_be_set_is_tried_again():
    world = World(tally_service(lambda _, __: [After(60, Reminded())]))
    world.broker.down = True

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "PublishFailed"


def test_what_can_never_be_published_is_dead_lettered_and_healed_by_its_replay():
    world = World(tally_service(limits=Limits(tries=1)))
    world.broker.lost = {"tally/s1:1:0"}
    world.work(body(Add(3)))
    (letter,) = world.parked()
    published = world.published()
    world.broker.lost = set()

    world.broker.replay(letter)
    world.work()

    assert published == []
    assert letter.failure.reason == "TriesExhausted"
    assert world.parked() == []
    assert world.totals() == [3]


def test_a_dead_letter_s_replay_is_handled_when_the_reason_is_gone():
    broken = World(tally_service(raising(ValueError("bug")), limits=Limits(tries=1)))
    broken.work(body(Add(-1)))
    (letter,) = broken.parked()
    mended = World(tally_service(), store=broken.store, broker=broken.broker)

    mended.broker.replay(letter)
    mended.work()

    assert mended.totals() == [-1]


# -- timers


def test_a_timer_comes_back_to_its_own_service_when_it_is_due():
    calls = []

    def notice(_: Tally, message: Message[Reminded]) -> Iterable[Emission]:
        calls.append(message.id)
        return []

    service = tally_service(handles={Add: lambda _, __: [After(60, Reminded())], Reminded: notice})
    world = World(service)
    world.receive(delivery(Add(1)))

    world.clock.sleep(60)
    tick(world.broker, world.broker, world.clock)
    (due,) = world.broker.lease("tally", 10, 60)
    outcomes = world.receive(due)

    assert due.addressed
    assert outcomes == [DONE]
    assert calls == ["tally/s1:1:0"]


def test_twins_set_one_timer():
    world = World(tally_service(lambda _, __: [After(60, Reminded())]))

    world.receive(delivery(Add(1)), delivery(Add(1)))

    assert len(world.timers()) == 1


# -- a provider


def test_a_handler_in_a_service_with_a_provider_is_given_it():
    given_to = []

    class Provider:
        """Some outside system."""

    def call(_: Tally, __: Message[Add], provider: Provider) -> Iterable[Emission]:
        given_to.append(provider)
        return []

    provider = Provider()
    world = World(tally_service(handles={Add: call}, provider=Provider), provider=provider)

    world.receive(delivery(Add(1)))

    assert given_to == [provider]


def test_a_provider_that_does_not_answer_uses_a_try():
    class Provider:
        """Some outside system."""

    def call(_: Tally, __: Message[Add], ___: Provider) -> Iterable[Emission]:
        raise ProviderUnavailable("no answer")

    world = World(tally_service(handles={Add: call}, provider=Provider), provider=Provider())

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "ProviderUnavailable"
