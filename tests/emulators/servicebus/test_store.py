"""The broker on SQLite: what was committed is there again, and nothing else."""

from uuid import UUID

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")

from proton import Message as WireMessage
from proton import timestamp

from infra.emulators.servicebus.amqp.codec import SCHEDULED, pack, unpack
from infra.emulators.servicebus.amqp.sections import data
from infra.emulators.servicebus.broker.message import State
from infra.emulators.servicebus.broker.settings import TopicSettings
from infra.emulators.servicebus.store import SqliteStore
from shared.kernel.errors import ConfigurationError
from tests.support.servicebus_broker import SECOND, queue, subscription, world


class Restarted:
    """A world that can be ended in the middle of things and begun again."""

    def __init__(self, folder, *entities):
        self._file = folder / "data.sqlite"
        self.world = world(*entities, store=self._opened())

    def again(self, *, commit=True):
        if commit:
            self.world.namespace.commit()
        # As after a kill: what was not committed is rolled back, because nobody ends the transaction.
        self.world.store._database.close()
        self.world.store = self._opened()
        self.world.start()
        return self.world

    def find(self, path):
        return self.world.find(path)

    def _opened(self):
        return SqliteStore(self._file, pack, unpack)


@pytest.fixture
def there(tmp_path):
    topic = TopicSettings(name="events", subscriptions=(subscription("all"),))
    return Restarted(
        tmp_path,
        queue(duplicate_window=60 * SECOND, dead_letters_expired=True),
        queue("sessions", requires_session=True),
        topic,
    )


def sent(*bodies, due=None, **fields):
    """Messages such as a store can keep: with what the broker looks at on the wire too."""
    annotations = {SCHEDULED: timestamp(due)} if due else {}
    wire = [WireMessage(each.encode(), inferred=True, annotations=annotations, **fields) for each in bodies]
    return [unpack(each.encode()) for each in wire]


def read(entries):
    return [data(each.message.content.body).decode() for each in entries]


def test_messages_are_there_again_in_order_and_unlocked(there):
    orders = there.find("orders")
    orders.send(sent("a", "b", "c"))
    orders.complete(orders.receive().token)
    orders.abandon(orders.receive().token)
    locked = orders.receive()

    orders = there.again().find("orders")

    entries = [orders.receive(), orders.receive(), orders.receive()]
    assert read(entries[:2]) == ["b", "c"]
    assert entries[2] is None
    assert [(each.number, each.failures) for each in entries[:2]] == [(2, 1), (3, 0)]
    assert locked.number == 2


def test_what_was_not_committed_is_not_there(there):
    orders = there.find("orders")
    orders.send(sent("a"))
    there.world.namespace.commit()
    orders.complete(orders.receive().token)
    orders.send(sent("b"))

    orders = there.again(commit=False).find("orders")

    assert read(orders.peek(0, 10)) == ["a"]


def test_numbers_are_not_given_twice(there):
    orders = there.find("orders")
    orders.send(sent("a"))
    orders.complete(orders.receive().token)

    orders = there.again().find("orders")

    assert orders.send(sent("b")) == [2]


def test_every_state_and_every_deadline_is_there_again(there):
    orders = there.find("orders")
    orders.send(sent("a", "b"))
    orders.send([*sent("c", ttl=30), *sent("d")])
    orders.defer(orders.receive().token)
    orders.dead_letter(orders.receive().token, "Bad", "because")
    (scheduled,) = orders.send(sent("e", due=there.world.now + 5 * SECOND))

    again = there.again()

    orders = again.find("orders")
    assert read(orders.peek(0, 10)) == ["a", "c", "d", "e"]
    assert [each.state for each in orders.peek(0, 10)] == [State.DEFERRED, *[State.ACTIVE] * 2, State.SCHEDULED]
    (dead,) = again.dead("orders").peek(0, 10)
    assert dead.message.properties == {"DeadLetterReason": "Bad", "DeadLetterErrorDescription": "because"}
    assert (dead.dead_letter_source, read([dead])) == ("orders", ["b"])
    again.passes(30 * SECOND)
    assert read(again.dead("orders").peek(0, 10)) == ["b", "c"]
    assert scheduled == 5


def test_a_topics_schedule_is_there_again(there):
    there.find("events").send(sent("a", due=there.world.now + SECOND))

    again = there.again()
    again.passes(SECOND)

    assert read(again.find("events/Subscriptions/all").peek(0, 10)) == ["a"]


def test_what_was_cancelled_or_became_due_is_not_scheduled_any_more(there):
    orders = there.find("orders")
    due = there.world.now + SECOND
    numbers = orders.send(sent("a", "b", due=due))
    orders.cancel(numbers[:1])
    there.world.passes(SECOND)

    again = there.again()

    assert read(again.find("orders").peek(0, 10)) == ["b"]


def test_sessions_and_duplicates_are_remembered(there):
    sessions = there.find("sessions")
    sessions.accept_session("s")
    sessions.set_session_state("s", b"step 1")
    sessions.accept_session("t")
    sessions.set_session_state("t", b"x")
    sessions.set_session_state("t", None)
    there.find("orders").send(sent("a", id="1"))

    again = there.again()

    again.find("orders").send(sent("b", id="1"))
    sessions = again.find("sessions")
    assert sessions.list_sessions() == ["s"]
    sessions.accept_session("s")
    assert sessions.session_state("s") == b"step 1"
    assert read(again.find("orders").peek(0, 10)) == ["a"]


def test_a_forgotten_duplicate_stays_forgotten(there):
    there.find("orders").send(sent("a", id="1"))
    there.world.passes(60 * SECOND)
    there.find("orders").send(sent("b", id="2"))

    kept = there.again().store.load("orders")

    assert list(kept.message_ids) == ["2"]


def test_what_was_removed_begins_anew(there):
    for path, session in (("orders", None), ("sessions", "s"), ("events", None)):
        there.find(path).send(sent("a", "b", id="1", **({"group_id": session} if session else {})))
        there.find(path).send(sent("later", due=there.world.now + SECOND, **({"group_id": "s"} if session else {})))
    orders, sessions = there.find("orders"), there.find("sessions")
    orders.dead_letter(orders.receive().token)
    sessions.accept_session("s")
    sessions.set_session_state("s", b"step 1")
    there.world.namespace.commit()

    for path in ("orders", "sessions", "events"):
        there.world.namespace.remove(path)

    again = there.again()
    again.passes(2 * SECOND)
    for path in ("orders", "orders/$DeadLetterQueue", "sessions", "events", "events/Subscriptions/all"):
        assert again.find(path).peek(0, 10) == []
    assert again.find("sessions").list_sessions() == []
    assert again.find("orders").send(sent("c", id="1")) == [1]


def test_a_removal_that_was_not_committed_has_not_happened(there):
    there.find("orders").send(sent("a"))
    there.world.namespace.commit()

    there.world.namespace.remove("orders")

    assert read(there.again(commit=False).find("orders").peek(0, 10)) == ["a"]


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "data.sqlite").write_text("no database, but longer than the header of one would be" * 20)

    with pytest.raises(ConfigurationError, match=r"data\.sqlite can't keep the broker's messages"):
        SqliteStore(tmp_path / "data.sqlite", pack, unpack)


def test_a_token_of_the_life_before_settles_nothing(there):
    orders = there.find("orders")
    orders.send(sent("a"))
    orders.receive()

    again = there.again()

    assert again.find("orders").receive().token != UUID(int=1)
