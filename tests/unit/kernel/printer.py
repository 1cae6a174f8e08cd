"""A service whose effect has no idempotency key: it prints, and what is printed can't be unprinted."""

from collections.abc import Callable, Iterable

from infra.local.memory import MemoryStore
from shared.kernel.message import Emission, Message
from shared.kernel.service import Limits
from tests.support.kernel_fakes import Add, Added, FakeClock, Tally, World, tally_service


class Printer:
    """Prints; what is printed can't be unprinted. Fails first with each of the given errors."""

    def __init__(self, *errors: BaseException, before: Callable[[], object] = lambda: None) -> None:
        self.errors = list(errors)
        self.printed: list[str] = []
        self.before = before

    def print(self, id_: str) -> None:
        self.before()
        if self.errors:
            raise self.errors.pop(0)
        self.printed.append(id_)


def print_it(tally: Tally, message: Message[Add], printer: Printer) -> Iterable[Emission]:
    printer.print(message.id)
    return [Added(message.data.amount, tally.total + message.data.amount)]


def printing(printer: Printer, store: MemoryStore | None = None, clock: FakeClock | None = None) -> World:
    service = tally_service(
        handles={Add: print_it},
        emits={Added: Tally.added},
        provider=Printer,
        at_most_once=True,
        limits=Limits(handler_seconds=30),
    )
    return World(service, provider=printer, store=store, clock=clock)
