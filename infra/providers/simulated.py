"""A payment gateway and a carrier that exist only here; what they answer follows from an order's id and a seed alone.

So a run has the same answers on every machine, in any order of messages and however often one is redelivered.
"""

from collections import Counter, OrderedDict
from hashlib import blake2b
from threading import Lock

from shared.kernel.errors import ConfigurationError, ProviderUnavailable
from shared.messages.values import Money
from shared.payments.model import Decline, Receipt
from shared.shipping.model import Parcel, Refusal

CARRIER = "Simulated Parcel Service"

_REMEMBERED_OUTAGES = 100_000


class Ledger:
    """What the simulated world has seen, by key. It grows with every key, so it is kept only for those who count."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """How often each key was asked for, failures included."""
        self.effects: Counter[str] = Counter()
        """How often money moved or a parcel left; at most once, because the providers are idempotent by key."""
        self._lock = Lock()

    def called(self, key: str) -> None:
        """Note a call."""
        with self._lock:
            self.calls[key] += 1

    def done(self, key: str) -> None:
        """Note an effect, unless the key has had it."""
        with self._lock:
            self.effects[key] = 1


class SimulatedGateway:
    """A payment gateway that declines `decline_rate` of the orders.

    `transient_rate` of the keys fail their first `transient_calls` calls in this process. Thread-safe.
    """

    def __init__(
        self,
        *,
        seed: str = "trefoil",
        decline_rate: float = 0.0,
        transient_rate: float = 0.0,
        transient_calls: int = 1,
        ledger: Ledger | None = None,
    ) -> None:
        _check_rates(decline_rate=decline_rate)
        self._seed = seed
        self._decline_rate = decline_rate
        self._line = _Line("payment gateway", seed, transient_rate, transient_calls, ledger)

    def capture(self, key: str, order: str, money: Money) -> Receipt | Decline:  # noqa: ARG002 - any amount will do
        """See PaymentGateway."""
        self._line.connect(key)
        if _share(self._seed, "decline", order) < self._decline_rate:
            return Decline("card declined")
        self._line.done(key)
        return Receipt(f"ch_{_token(self._seed, 'capture', order)}")

    def refund(self, key: str, order: str, money: Money) -> Receipt:  # noqa: ARG002
        """See PaymentGateway."""
        self._line.connect(key)
        self._line.done(key)
        return Receipt(f"re_{_token(self._seed, 'refund', order)}")


class SimulatedCarrier:
    """A carrier that fails to collect `failure_rate` of the parcels and can't deliver `undeliverable_rate` of them.

    `transient_rate` of the keys fail their first `transient_calls` calls in this process. Thread-safe.
    """

    def __init__(  # noqa: PLR0913 - three rates
        self,
        *,
        seed: str = "trefoil",
        failure_rate: float = 0.0,
        undeliverable_rate: float = 0.0,
        transient_rate: float = 0.0,
        transient_calls: int = 1,
        ledger: Ledger | None = None,
    ) -> None:
        _check_rates(failure_rate=failure_rate, undeliverable_rate=undeliverable_rate)
        self._seed = seed
        self._failed = failure_rate
        self._refused = failure_rate + undeliverable_rate
        self._line = _Line("carrier", seed, transient_rate, transient_calls, ledger)

    def dispatch(self, key: str, order: str) -> Parcel | Refusal:
        """See Carrier."""
        self._line.connect(key)
        share = _share(self._seed, "dispatch", order)
        if share < self._failed:
            return Refusal("carrier failed to collect")
        if share < self._refused:
            return Refusal("address undeliverable")
        self._line.done(key)
        return Parcel(CARRIER, f"1Z{_token(self._seed, 'parcel', order)[:16].upper()}")


class _Line:
    """The line to a provider: it is down for some keys at first, and the ledger lies at its end."""

    def __init__(self, name: str, seed: str, rate: float, calls: int, ledger: Ledger | None) -> None:
        _check_rates(transient_rate=rate)
        self._name, self._seed, self._rate, self._calls, self._ledger = name, seed, rate, calls, ledger
        self._failed: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def connect(self, key: str) -> None:
        if self._ledger is not None:
            self._ledger.called(key)
        if _share(self._seed, "transient", key) < self._rate and self._fails_again(key):
            raise ProviderUnavailable(f"the simulated {self._name} was down for '{key}'")

    def _fails_again(self, key: str) -> bool:
        with self._lock:
            failed = self._failed.get(key, 0)
            if failed >= self._calls:
                return False
            self._failed[key] = failed + 1
            # The oldest is forgotten, and would fail again, so that a long run doesn't fill the memory.
            if len(self._failed) > _REMEMBERED_OUTAGES:
                self._failed.popitem(last=False)
            return True

    def done(self, key: str) -> None:
        if self._ledger is not None:
            self._ledger.done(key)


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise ConfigurationError(f"{name} is {rate}; set it to a share from 0 to 1")
    if sum(rates.values()) > 1:
        raise ConfigurationError(f"{' + '.join(rates)} is {sum(rates.values())}; lower one, they share the orders")


def _share(seed: str, purpose: str, id_: str) -> float:
    """Return a number in [0, 1), uniform over ids; 53 bits, because a float would round more up to 1."""
    digest = blake2b(f"{seed}|{purpose}|{id_}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def _token(seed: str, purpose: str, id_: str) -> str:
    return blake2b(f"{seed}|{purpose}|{id_}".encode(), digest_size=12).hexdigest()
