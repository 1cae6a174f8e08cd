"""Outside systems that fail in every way their protocols allow, and books of what really happened there."""

from collections import Counter

from shared.kernel.errors import CircuitOpen, OutcomeUnknown, ProviderUnavailable
from shared.kernel.stream import find_in_history
from shared.messages.values import Money
from shared.notifications.model import Mail
from shared.payments.model import Decline, Receipt
from shared.shipping.model import Parcel, Refusal
from tests.support import faults
from tests.support.faults_ports import Port

OPEN_FOR = 45.0
"""Seconds."""


class Books:
    """What happened outside, whatever the services believe."""

    def __init__(self) -> None:
        self.captured: dict[str, tuple[str, int]] = {}
        """Idempotency key to order and cents; a key moves money once."""
        self.refunded: dict[str, tuple[str, int]] = {}
        self.dispatched: dict[str, str] = {}
        """Idempotency key to order."""
        self.mails: Counter[str] = Counter()
        """Nothing keeps the same mail from leaving twice, so it is counted."""


class _Provider(Port):
    """What all of them do: be asked, and perhaps fail before anything happened."""

    def _asked(self, key: str) -> bool:
        """Whether the answer will be lost; raises what a provider may raise before it did anything."""
        on = self.on
        on.pause("calls", key)
        name = type(self).__name__
        fault = on.strikes("provider")
        if fault == faults.PROVIDER_OPEN:
            on.open_until[name] = on.time + OPEN_FOR
        wait = on.open_until.get(name, 0.0) - on.time
        if wait > 0:
            raise CircuitOpen(f"{name} is known to be down", after=wait)
        if fault == faults.PROVIDER_DOWN:
            raise ProviderUnavailable(f"{name} is down")
        if fault == faults.PROVIDER_BUG:
            raise RuntimeError(f"{name} has a bug")
        return fault == faults.PROVIDER_UNSURE


class Gateway(_Provider):
    """Moves money once a key."""

    def capture(self, key: str, order: str, money: Money) -> Receipt | Decline:
        """See PaymentGateway."""
        lost = self._asked(key)
        if order in self.on.declined:
            return Decline("card declined")
        self.on.books.captured.setdefault(key, (order, money.amount))
        if lost:
            raise TimeoutError(key)
        return Receipt(f"receipt of {key}")

    def refund(self, key: str, order: str, money: Money) -> Receipt:
        """See PaymentGateway."""
        lost = self._asked(key)
        self.on.books.refunded.setdefault(key, (order, money.amount))
        if lost:
            raise TimeoutError(key)
        return Receipt(f"receipt of {key}")


class Lorry(_Provider):
    """Takes a parcel once a key."""

    def dispatch(self, key: str, order: str) -> Parcel | Refusal:
        """See Carrier."""
        lost = self._asked(key)
        if order in self.on.undeliverable:
            return Refusal("address undeliverable")
        self.on.books.dispatched.setdefault(key, order)
        if lost:
            raise TimeoutError(key)
        return Parcel("Lorry", f"parcel of {key}")


class Postman(_Provider):
    """Sends whatever it is given, as often as it is asked."""

    def send(self, key: str, mail: Mail) -> None:
        """See Mailer."""
        on = self.on
        unsure = self._asked(key)
        if on.current in on.unflushed:
            on.broken.append(f"the mail {key} was asked for before its claim was durable")
        if not self._is_claimed(key):
            on.broken.append(f"the mail {key} was asked for without a claim")
        if unsure and on.rng.random() < 0.5:
            raise OutcomeUnknown(f"{key} may have left; it has not")
        on.books.mails[key] += 1
        if unsure:
            raise OutcomeUnknown(f"{key} may have left; it has")

    def _is_claimed(self, key: str) -> bool:
        """Whether the message that the mail is about, `{kind}:{service}/{subject}:…`, is claimed at this moment."""
        id_ = key.partition(":")[2]
        service, _, rest = id_.partition("/")
        stream = f"notifications/{rest.partition(':')[0]}"
        known = find_in_history(self.on.store, stream, (f"/{service}", id_))
        return known is not None and known.claimed is not None
