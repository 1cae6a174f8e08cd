"""Ten thousand random operations against a model that keeps sets: nothing lost, nothing doubled, order kept."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from infra.emulators.servicebus.broker.errors import MessageLockLost, SessionLockLost
from infra.emulators.servicebus.broker.message import State
from tests.support.servicebus_broker import SECOND, message, queue, world

LOCK = 30 * SECOND
MOST = 3


class Model(RuleBasedStateMachine):
    """One queue, and what has to be true of it. A message's body is its number, and its place is when it came."""

    locks = Bundle("locks")

    @initialize()
    def begin(self):
        self.world = world(self.settings())
        self.queue = self.world.find("orders")
        self.dead = self.world.dead("orders")
        self.count = 0
        self.done, self.waiting, self.deferred, self.scheduled = set(), {}, {}, {}
        self.locked, self.buried = {}, set()
        self.order, self.until, self.held = {}, {}, {}

    def settings(self):
        return queue(lock_duration=LOCK, max_delivery_count=MOST)

    def session_of(self, body):
        return None

    def receives(self):
        return [None]

    @rule(count=st.integers(1, 5))
    def send(self, count):
        bodies = [self._new() for _ in range(count)]
        self.queue.send([message(str(each), session_id=self.session_of(each)) for each in bodies])
        for each in bodies:
            self._arrives(each)

    @rule(delay=st.sampled_from([1, SECOND, 40 * SECOND]))
    def schedule(self, delay):
        body, due = self._new(), self.world.now + delay
        (number,) = self.queue.send([message(str(body), session_id=self.session_of(body), scheduled_for=due)])
        self.scheduled[body] = due, number

    @rule(data=st.data())
    def cancel(self, data):
        if self.scheduled:
            body = data.draw(st.sampled_from(sorted(self.scheduled)))
            self.queue.cancel([self.scheduled.pop(body)[1]])
            self.done.add(body)

    @rule(target=locks, count=st.integers(1, 4))
    def receive(self, count):
        found = []
        for session in self.receives() * count:
            entry = self.queue.receive(session)
            if entry is not None:
                body = int(entry.message.content)
                expected = self._first(session)
                assert body == expected, f"{body} came and not {expected}"
                assert entry.failures == self.waiting[body]
                self._lock(body, entry, self.waiting.pop(body), State.ACTIVE)
                found.append(entry.token)
            else:
                assert self._first(session) is None
        return multiple(*found)

    @rule(target=locks, data=st.data())
    def receive_deferred(self, data):
        able = sorted(body for body in self.deferred if self._session(body) is not False)
        if not able:
            return multiple()
        body = data.draw(st.sampled_from(able))
        failures, number = self.deferred.pop(body)
        (entry,) = self.queue.receive_deferred([number], self._session(body))
        assert (int(entry.message.content), entry.failures) == (body, failures)
        self._lock(body, entry, failures, State.DEFERRED)
        return entry.token

    @rule(token=consumes(locks), how=st.sampled_from(["complete", "abandon", "release", "defer", "dead_letter"]))
    def settle(self, token, how):
        try:
            getattr(self.queue, how)(token)
        except (MessageLockLost, SessionLockLost):
            assert token not in self.locked
            return
        body, failures, state, number = self.locked.pop(token)
        if how == "complete":
            self.done.add(body)
        elif how == "dead_letter":
            self.buried.add(body)
        elif how == "defer":
            self.deferred[body] = failures, number
        else:
            self._back(body, failures + (how == "abandon"), state, number)

    @rule(passes=st.sampled_from([1, SECOND, LOCK // 2, LOCK]))
    def wait(self, passes):
        self.world.passes(passes)
        for body, (due, _) in sorted(self.scheduled.items(), key=lambda item: item[1]):
            if due <= self.world.now:
                del self.scheduled[body]
                self._arrives(body)
        self.expire()

    def expire(self):
        for token, (body, failures, state, number) in list(self.locked.items()):
            if self.until[token] <= self.world.now:
                del self.locked[token]
                self._back(body, failures + 1, state, number)

    @rule(token=locks)
    def renew(self, token):
        try:
            until = self.queue.renew(token)
        except MessageLockLost:
            assert token not in self.locked
        else:
            assert token in self.locked
            self.until[token] = until

    @invariant()
    def every_message_is_in_one_place(self):
        everything = [
            *self.waiting,
            *self.deferred,
            *self.scheduled,
            *self.buried,
            *self.done,
            *(each[0] for each in self.locked.values()),
        ]
        assert sorted(everything) == list(range(self.count))

    @invariant()
    def the_queue_holds_what_the_model_says(self):
        held = {int(entry.message.content): entry for entry in self.queue.peek(0, 10**6)}
        there = {body for body, entry in held.items() if entry.token is not None}
        assert there == {each[0] for each in self.locked.values()}
        assert held.keys() - there == self.waiting.keys() | self.deferred.keys() | self.scheduled.keys()
        assert {int(each.message.content) for each in self.dead.peek(0, 10**6)} == self.buried

    def _new(self):
        self.count += 1
        return self.count - 1

    def _lock(self, body, entry, failures, state):
        self.locked[entry.token] = body, failures, state, entry.number
        self.until[entry.token] = entry.locked_until

    def _back(self, body, failures, state, number):
        if failures >= MOST:
            self.buried.add(body)
        elif state is State.DEFERRED:
            self.deferred[body] = failures, number
        else:
            self.waiting[body] = failures

    def _arrives(self, body):
        self.order[body] = len(self.order)
        self.waiting[body] = 0

    def _first(self, session):
        return min((body for body in self.waiting if self._may(session, body)), key=self.order.get, default=None)

    def _may(self, _session, _body):
        return True

    def _session(self, _body):
        return None


class SessionModel(Model):
    """The same with three sessions, of which some are held: each message in its own, in its order."""

    def settings(self):
        return queue(lock_duration=LOCK, max_delivery_count=MOST, requires_session=True)

    def session_of(self, body):
        return "abc"[body % 3]

    def receives(self):
        return list(self.held.values())

    @rule()
    def accept(self):
        lock = self.queue.accept_session()
        if lock is None:
            assert {self.session_of(body) for body in self.waiting} <= set(self.held)
        else:
            assert lock.session_id not in self.held
            self.held[lock.session_id] = lock

    @rule(data=st.data())
    def leave(self, data):
        if self.held:
            self._lose(data.draw(st.sampled_from(sorted(self.held))), leave=True)

    @rule(data=st.data())
    def renew_session(self, data):
        if self.held:
            session = data.draw(st.sampled_from(sorted(self.held)))
            until = self.queue.renew_session(session)
            assert until == self.world.now + LOCK

    def renew(self):
        """Messages have no locks of their own."""

    def expire(self):
        for session, lock in list(self.held.items()):
            assert lock.lost is (lock.locked_until <= self.world.now)
            if lock.lost:
                self._lose(session, leave=False)

    def _lose(self, session, *, leave):
        lock = self.held.pop(session)
        if leave:
            self.queue.release_session(lock)
        for token, (body, failures, state, number) in list(self.locked.items()):
            if self.session_of(body) == session:
                del self.locked[token]
                self._back(body, failures + 1, state, number)

    def _may(self, session, body):
        return session.session_id == self.session_of(body)

    def _session(self, body):
        return self.held.get(self.session_of(body), False)


EACH = settings(max_examples=120, stateful_step_count=50)

Model.TestCase.settings = EACH
SessionModel.TestCase.settings = EACH

test_no_message_is_lost_or_doubled_and_all_come_in_order = Model.TestCase
test_no_message_is_lost_or_doubled_and_each_session_is_in_order = SessionModel.TestCase
