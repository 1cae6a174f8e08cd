"""Retries inside a circuit breaker, around any provider (Nygard, "Release It!", 2018, chapter 5).

Pybreaker keeps the state, but the provider is not called through it: it would hold its lock meanwhile, and one slow
answer would make every thread wait (pybreaker issue 55). It is told afterwards how the call went.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import ParamSpec, TypeVar

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_random_exponential

from shared.kernel.errors import CircuitOpen, ProviderUnavailable, RuleViolation
from shared.messages.values import Money
from shared.notifications.model import Mail, Mailer
from shared.payments.model import Decline, PaymentGateway, Receipt
from shared.shipping.model import Carrier, Parcel, Refusal

P = ParamSpec("P")
T = TypeVar("T")


class Resilience:
    """What stands between this process and one outside system; thread-safe, one instance a system.

    Only ProviderUnavailable is retried and held against the system. An answer or a RuleViolation shows that it is up;
    anything else, OutcomeUnknown above all, is passed on and shows nothing.
    """

    def __init__(  # noqa: PLR0913 - how to retry, when to open, and how time passes
        self,
        name: str,
        *,
        attempts: int = 3,
        within: float = 10.0,
        first_wait: float = 0.1,
        longest_wait: float = 2.0,
        failures: int = 5,
        reset_after: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make at most `attempts` a call, each begun `within` seconds; open when `failures` calls in a row failed.

        Waits between attempts have full jitter: 0 … min(longest_wait, first_wait · 2^(attempt-1)) seconds. When the
        circuit has been open for `reset_after` seconds, one call tries whether it may close.
        """
        self._name = name
        self._retrying = Retrying(
            sleep=sleep,
            stop=stop_after_attempt(attempts) | stop_before_delay(within),
            wait=wait_random_exponential(multiplier=first_wait, max=longest_wait),
            retry=retry_if_exception_type(ProviderUnavailable),
            reraise=True,
        )
        self._turn = _Turn(reset_after, clock)
        self._breaker = CircuitBreaker(fail_max=failures, reset_timeout=reset_after, listeners=[self._turn])

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it, now and again; raises what it raises at last, or CircuitOpen when it isn't called at all."""
        self._admit()
        try:
            answer = self._retrying(function, *args, **kwargs)
        except ProviderUnavailable:
            self._tell(_fail)
            raise
        except RuleViolation:
            self._tell(_succeed)
            raise
        self._tell(_succeed)
        return answer

    def _admit(self) -> None:
        if self._breaker.current_state == STATE_CLOSED:
            return
        wait = self._turn.take()
        if wait > 0:
            raise CircuitOpen(f"{self._name} is known to be down; it is asked again in {wait:.1f} s", after=wait)
        self._breaker.half_open()

    def _tell(self, result: Callable[[], None]) -> None:
        # Open: another thread's call was the last straw, and this one began before that.
        with suppress(CircuitBreakerError, ProviderUnavailable):
            self._breaker.call(result)


class _Turn(CircuitBreakerListener):
    """When an open circuit is tried next, and by whom; by a clock that can't be set, and that a test can replace."""

    def __init__(self, reset_after: float, clock: Callable[[], float]) -> None:
        self._reset_after = reset_after
        self._clock = clock
        self._due = 0.0
        self._lock = Lock()

    def state_change(
        self,
        cb: CircuitBreaker,  # noqa: ARG002 - pybreaker's signature
        old_state: CircuitBreakerState | None,  # noqa: ARG002
        new_state: CircuitBreakerState,
    ) -> None:
        if new_state.name == STATE_OPEN:
            with self._lock:
                self._due = self._clock() + self._reset_after

    def take(self) -> float:
        """Return the seconds to wait; 0 makes the caller the one that tries, and the others wait for its result."""
        with self._lock:
            now = self._clock()
            if now < self._due:
                return self._due - now
            self._due = now + self._reset_after
            return 0.0


def _succeed() -> None:
    """Stand in for a call that was answered."""


def _fail() -> None:
    raise ProviderUnavailable


class ResilientGateway:
    """A gateway that is retried, and left alone while it is down."""

    def __init__(self, gateway: PaymentGateway, resilience: Resilience) -> None:
        self._gateway = gateway
        self._resilience = resilience

    def capture(self, key: str, order: str, money: Money) -> Receipt | Decline:
        """See PaymentGateway."""
        return self._resilience.call(self._gateway.capture, key, order, money)

    def refund(self, key: str, order: str, money: Money) -> Receipt:
        """See PaymentGateway."""
        return self._resilience.call(self._gateway.refund, key, order, money)


class ResilientCarrier:
    """A carrier that is retried, and left alone while it is down."""

    def __init__(self, carrier: Carrier, resilience: Resilience) -> None:
        self._carrier = carrier
        self._resilience = resilience

    def dispatch(self, key: str, order: str) -> Parcel | Refusal:
        """See Carrier."""
        return self._resilience.call(self._carrier.dispatch, key, order)


class ResilientMailer:
    """A mailer that is retried while the mail has not left for certain, and left alone while it is down."""

    def __init__(self, mailer: Mailer, resilience: Resilience) -> None:
        self._mailer = mailer
        self._resilience = resilience

    def send(self, key: str, mail: Mail) -> None:
        """See Mailer."""
        self._resilience.call(self._mailer.send, key, mail)
