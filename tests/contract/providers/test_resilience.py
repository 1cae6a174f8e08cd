"""Retries end, and a provider that is down is left alone until it may be up."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from infra.providers.resilience import Resilience
from shared.kernel.errors import CircuitOpen, OutcomeUnknown, ProviderUnavailable, RuleViolation
from shared.payments.model import Decline

DOWN = ProviderUnavailable("down")


class Provider:
    """Gives the answers it is told, one a call, and raises those that are errors; the last one for ever."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.calls = 0

    def ask(self):
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def make(time):
    """Make a Resilience that lives in the fake time."""

    def resilience(**options) -> Resilience:
        return Resilience("gateway", sleep=time.sleep, clock=time.clock, **options)

    return resilience


@pytest.fixture
def breaker(make) -> Resilience:
    """Opens at the third failure, for a minute; without retries."""
    return make(attempts=1, failures=3, reset_after=60)


def fail(resilience: Resilience, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ProviderUnavailable):
            resilience.call(Provider(DOWN).ask)


def is_open(resilience: Resilience) -> bool:
    provider = Provider("answer")
    try:
        resilience.call(provider.ask)
    except CircuitOpen:
        assert provider.calls == 0
        return True
    return False


# -- retries


def test_a_provider_that_comes_back_is_asked_until_it_answers(make):
    provider = Provider(DOWN, DOWN, "answer")

    answer = make().call(provider.ask)

    assert answer == "answer"
    assert provider.calls == 3


@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
def test_a_provider_that_stays_down_is_asked_as_often_as_told(make, attempts):
    provider = Provider(DOWN)

    with pytest.raises(ProviderUnavailable) as raised:
        make(attempts=attempts).call(provider.ask)

    assert raised.value is DOWN
    assert provider.calls == attempts


def test_waits_are_random_below_a_ceiling_that_doubles(make, time):
    for _ in range(100):
        with pytest.raises(ProviderUnavailable):
            make(attempts=5, first_wait=0.1, longest_wait=0.3).call(Provider(DOWN).ask)

    ceilings = [max(time.sleeps[attempt::4]) for attempt in range(4)]
    assert len(time.sleeps) == 400
    assert len(set(time.sleeps)) > 300
    assert ceilings[0] <= 0.1 < ceilings[1] <= 0.2 < ceilings[2] <= 0.3
    assert ceilings[3] <= 0.3


def test_no_attempt_begins_too_late(make, time):
    provider = Provider(DOWN)

    with pytest.raises(ProviderUnavailable):
        make(attempts=5, within=0).call(provider.ask)

    assert provider.calls == 1
    assert time.sleeps == []


@pytest.mark.parametrize(
    "error", [RuleViolation("no"), OutcomeUnknown("lost"), CircuitOpen("elsewhere"), KeyError("bug")]
)
def test_no_other_error_is_retried(make, error):
    provider = Provider(error)

    with pytest.raises(type(error)) as raised:
        make().call(provider.ask)

    assert raised.value is error
    assert provider.calls == 1


def test_an_argument_reaches_the_provider_on_every_attempt(make):
    seen = []

    def ask(key: str, *, order: str) -> str:
        seen.append((key, order))
        if len(seen) < 3:
            raise DOWN
        return "answer"

    make().call(ask, "key", order="7")

    assert seen == [("key", "7")] * 3


# -- the circuit


def test_a_circuit_opens_after_failures_in_a_row_and_the_provider_is_left_alone(breaker):
    fail(breaker, times=3)

    assert is_open(breaker)


def test_an_open_circuit_says_when_it_may_be_asked_again(breaker, time):
    fail(breaker, times=3)
    time.now += 20

    with pytest.raises(CircuitOpen, match="gateway is known to be down; it is asked again in 40") as raised:
        breaker.call(Provider("answer").ask)

    assert raised.value.after == 40


def test_the_call_that_opens_the_circuit_says_what_happened_to_it(breaker):
    fail(breaker, times=2)

    with pytest.raises(ProviderUnavailable) as raised:
        breaker.call(Provider(DOWN).ask)

    assert raised.value is DOWN


def test_a_call_is_one_failure_however_often_it_is_retried(make):
    resilience = make(attempts=5, failures=2)

    fail(resilience, times=1)

    assert not is_open(resilience)


@pytest.mark.parametrize("sign_of_life", ["answer", Decline("card declined"), RuleViolation("no")])
def test_a_sign_of_life_starts_the_count_anew(breaker, sign_of_life):
    fail(breaker, times=2)
    with suppress(RuleViolation):
        breaker.call(Provider(sign_of_life).ask)
    fail(breaker, times=2)

    assert not is_open(breaker)


@pytest.mark.parametrize("error", [RuleViolation("no"), OutcomeUnknown("lost"), KeyError("bug")])
def test_no_other_error_opens_the_circuit(breaker, error):
    for _ in range(10):
        with pytest.raises(type(error)):
            breaker.call(Provider(error).ask)

    assert not is_open(breaker)


def test_a_lost_answer_is_no_sign_of_life(breaker):
    fail(breaker, times=2)
    with pytest.raises(OutcomeUnknown):
        breaker.call(Provider(OutcomeUnknown("lost")).ask)
    fail(breaker, times=1)

    assert is_open(breaker)


def test_a_circuit_closes_when_the_trial_is_answered(breaker, time):
    fail(breaker, times=3)
    time.now += 60

    answer = breaker.call(Provider("answer").ask)
    fail(breaker, times=2)

    assert answer == "answer"
    assert not is_open(breaker)


def test_a_circuit_opens_for_another_period_when_the_trial_fails(breaker, time):
    fail(breaker, times=3)
    time.now += 60

    fail(breaker, times=1)
    time.now += 59
    still_open = is_open(breaker)
    time.now += 1

    assert still_open
    assert not is_open(breaker)


def test_one_call_tries_and_the_others_wait_for_it(breaker, time):
    fail(breaker, times=3)
    time.now += 60

    others_during_the_trial = breaker.call(lambda: is_open(breaker))

    assert others_during_the_trial is True
    assert not is_open(breaker)


def test_after_a_trial_that_showed_nothing_another_one_comes(breaker, time):
    fail(breaker, times=3)
    time.now += 60
    with pytest.raises(OutcomeUnknown):
        breaker.call(Provider(OutcomeUnknown("lost")).ask)

    meanwhile = is_open(breaker)
    time.now += 60

    assert meanwhile
    assert not is_open(breaker)


def test_an_answer_that_comes_after_others_opened_the_circuit_still_counts_for_its_caller(breaker):
    answer = breaker.call(lambda: fail(breaker, times=3) or "answer")

    assert answer == "answer"
    assert is_open(breaker)


def test_a_failure_that_comes_after_others_opened_the_circuit_does_not_prolong_it(breaker, time):
    def fail_late() -> None:
        fail(breaker, times=3)
        time.now += 30
        raise DOWN

    with pytest.raises(ProviderUnavailable):
        breaker.call(fail_late)
    with pytest.raises(CircuitOpen) as raised:
        breaker.call(Provider("answer").ask)

    assert raised.value.after == 30


def test_calls_do_not_wait_for_one_another(breaker):
    both_inside = threading.Barrier(2, timeout=10)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: breaker.call(both_inside.wait), range(2)))

    assert sorted(answers) == [0, 1]
