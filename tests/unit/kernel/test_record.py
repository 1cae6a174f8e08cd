import pytest

from shared.kernel.backoff import Backoff
from shared.kernel.errors import (
    CircuitOpen,
    ConcurrencyConflict,
    ConfigurationError,
    Expired,
    HopLimitExceeded,
    IdReused,
    MalformedMessage,
    OutcomeUnknown,
    OutOfOrder,
    OutOfTime,
    PayloadMismatch,
    ProviderUnavailable,
    PublishFailed,
    RuleViolation,
    StoreUnavailable,
    TooLarge,
    UnknownType,
    UnknownVersion,
)
from shared.kernel.outcome import IGNORED, DeadLetter, Defer, Outcome, Retry
from shared.kernel.ports import Delivery
from shared.kernel.record import RECEIVER, Record
from shared.kernel.service import Limits
from tests.support.kernel_fakes import Add, Reminded, body, delivery, spoiled, tally_service

LIMITS = Limits(tries=3, backoff=Backoff(base=2.0, cap=100.0))

PERMANENT = [
    MalformedMessage,
    PayloadMismatch,
    RuleViolation,
    IdReused,
    HopLimitExceeded,
    Expired,
    TooLarge,
    OutcomeUnknown,
]
TRANSIENT = [OutOfOrder, UnknownVersion, StoreUnavailable, PublishFailed, ProviderUnavailable]
DEFERRALS = [ConcurrencyConflict, CircuitOpen, OutOfTime]
BUGS = [ValueError, ZeroDivisionError, RecursionError, StopIteration, ConfigurationError]


def judged(error: Exception, attempts: int = 1, *, addressed: bool = False, jitter: float = 0.5) -> Outcome:
    return Record(Delivery(b"", attempts, addressed)).judge(error, LIMITS, jitter)


def opened(given: Delivery, **options: object) -> tuple[Record, str]:
    service, record = tally_service(**options), Record(given)
    return record, record.open(service, service.incoming())


# -- verdicts


@pytest.mark.parametrize("error", PERMANENT)
@pytest.mark.parametrize("attempts", [1, 2, 3, 99])
def test_what_can_never_work_is_dead_lettered_at_once(error, attempts):
    outcome = judged(error("why"), attempts)

    assert isinstance(outcome, DeadLetter)
    assert (outcome.failure.reason, outcome.failure.text) == (error.__name__, "why")


@pytest.mark.parametrize("error", TRANSIENT + BUGS)
@pytest.mark.parametrize(("attempts", "wait"), [(1, 1.0), (2, 2.0)])
def test_what_may_work_later_is_tried_again_after_a_growing_wait(error, attempts, wait):
    outcome = judged(error("why"), attempts, jitter=0.5)

    assert isinstance(outcome, Retry)
    assert outcome.after == wait
    assert outcome.failure.error == error.__name__


@pytest.mark.parametrize("error", TRANSIENT + BUGS)
@pytest.mark.parametrize("attempts", [3, 4])
def test_what_still_fails_on_the_last_try_is_dead_lettered(error, attempts):
    outcome = judged(error("why"), attempts)

    assert isinstance(outcome, DeadLetter)
    assert (outcome.failure.reason, outcome.failure.error) == ("TriesExhausted", error.__name__)
    assert "why" in outcome.failure.text


@pytest.mark.parametrize("error", DEFERRALS)
@pytest.mark.parametrize("attempts", [1, 3, 99])
def test_what_is_not_the_message_s_fault_is_deferred_on_any_try(error, attempts):
    outcome = judged(error("why"), attempts)

    assert isinstance(outcome, Defer)
    assert outcome.failure.reason == error.__name__


def test_a_deferral_waits_as_long_as_its_cause_suggests_and_a_little_apart():
    outcome = judged(CircuitOpen("it is down", after=30), jitter=0.25)

    assert outcome.after == 30.5


def test_a_deferral_without_a_suggestion_waits_as_a_retry_does():
    assert judged(CircuitOpen("it is down"), 2, jitter=0.5).after == judged(StoreUnavailable(""), 2, jitter=0.5).after


def test_a_type_not_handled_here_is_ignored_when_the_bus_fanned_it_out():
    assert judged(UnknownType("no handler"), addressed=False) is IGNORED


def test_a_type_not_handled_here_is_dead_lettered_when_it_was_sent_here():
    outcome = judged(UnknownType("no handler"), addressed=True)

    assert isinstance(outcome, DeadLetter)
    assert outcome.failure.reason == "UnknownType"


def test_a_failure_before_a_handler_was_found_is_the_receiver_s():
    assert judged(MalformedMessage("")).failure.handler == RECEIVER


# -- opening


def test_an_open_record_knows_its_stream_handler_and_message():
    record, stream = opened(delivery(Add(3)))

    assert stream == "tally/s1"
    assert record.handler == "add"
    assert record.message.data == Add(3)
    assert record.handled.key == ("/test", "m1")


def test_a_record_that_is_no_envelope_stays_closed():
    record = Record(Delivery(b"nonsense"))

    with pytest.raises(MalformedMessage):
        record.open(tally_service(), tally_service().incoming())
    assert not record.is_open


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (spoiled(data={"amount": "three"}), PayloadMismatch),
        (spoiled(type="tally.subtract.v1"), UnknownType),
        (spoiled(type="tally.add.v2"), UnknownVersion),
    ],
    ids=["payload", "type", "version"],
)
def test_an_unreadable_payload_still_has_a_stream_where_the_subject_is_the_key(raw, error):
    record, stream = opened(Delivery(raw))

    assert stream == "tally/s1"
    assert isinstance(record.unreadable, error)


def test_an_unreadable_payload_has_no_stream_where_the_key_is_made_of_it():
    with pytest.raises(PayloadMismatch):
        opened(Delivery(spoiled(data={})), key=lambda message: str(message.data.amount))


def test_a_message_is_remembered_by_what_its_content_is():
    one, _ = opened(Delivery(body(Add(1))))
    copy, _ = opened(Delivery(body(Add(1), hops=2, traceparent="t")))
    other, _ = opened(Delivery(body(Add(2))))

    assert one.handled == copy.handled
    assert one.handled.digest != other.handled.digest


def test_each_message_has_its_own_handler():
    record, _ = opened(delivery(Reminded()))

    assert record.handler == "ignore"
