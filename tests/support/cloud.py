"""What the fault tests know of a cloud. `{name}_cloud.py` tells it of one; another joins by such a module."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, structs

from shared.catalog import CATALOG
from shared.kernel.catalog import Catalog
from shared.kernel.codec import decode
from shared.kernel.errors import PermanentError
from shared.kernel.telemetry import Counters

if TYPE_CHECKING:
    from tests.support.cloud_weather import Weather

CLOUDS = ("aws", "gcp", "azure")


class Handed(Struct, frozen=True):
    """A message as a cloud hands it to a function."""

    id: str
    handle: Any
    """By which it is settled."""
    event: Any
    """What the function is given of it."""


class Line(Protocol):
    """What a cloud does between a channel and a function, on clients of its own: they are not the function's."""

    most: int
    """Messages a call of a function."""
    rings: bool
    """Whether what is put aside waits for the tick."""

    def poll(self, service: str, seconds: int) -> list[Handed]:
        """Messages, hidden for so many seconds; none when nothing is there."""

    def hand(self, function: Any, handed: Sequence[Handed]) -> set[str]:
        """Call a function; return the ids of what must stay. Raises what the function raises."""

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        """Remove what was handed over, but for what stays."""

    def died(self, handed: Sequence[Handed]) -> None:
        """The function died; what it had will come again."""

    def waiting(self, service: str) -> int:
        """How many messages a channel holds, in whatever condition; where nobody tells, how many stayed here."""

    def empty(self, services: Iterable[str], quiet: float) -> bool:
        """Whether the channels hold nothing, hidden and delayed messages included; nothing came for `quiet` seconds."""


class Deployment(Protocol):
    """A deployment as the fault tests use it: the adapters of its cloud, under the names that all clouds have."""

    store: Any
    bus: Any
    timers: Any
    channels: Any
    clock: Any
    system: Any
    """Its dead letters are listed whole, and stay in everybody's sight."""
    providers: Mapping[str, Any]

    def provision(self, seconds: int) -> None:
        """Make everything, and a channel beside that everything comes to.

        A channel that says itself how long it hides messages says so many seconds.
        """

    def functions(self, services: Iterable[str] = ...) -> dict[str, Any]:
        """An instance of each function."""

    def line(self) -> Line:
        """The cloud, as it hands messages over."""

    def ring(self) -> None:
        """The schedule rings once. Raises what the function raises."""

    def witnessed(self) -> Iterator[bytes]:
        """What was published since this was asked last, whoever published it."""

    def put(self, service: str, *bodies: bytes) -> None:
        """Send messages to one channel; the bus would keep those of an unknown type out."""

    def move_back(self, service: str, subject: str) -> None:
        """Send a letter about a subject to its channel by the broker's means: as it is, attributes included."""

    def limit_deliveries(self, service: str, count: int) -> None:
        """Let the broker give up sooner, or later."""


class Staged:
    """Comes before a cloud's own class: its functions have the catalog and the providers of a test."""

    function: Callable[[str, Any], Any]
    """Makes an instance of a service's function."""
    catalog: Catalog
    providers: Mapping[str, Any]

    def receiver(self, service: Any, _: Any) -> Any:
        """As it is wired, but for the provider and for what would fill a test's output."""
        made = super().receiver(self.catalog.service(service.name), Counters())  # type: ignore[misc]
        made._context = structs.replace(made._context, provider=self.providers.get(service.name))
        return made

    def functions(self, services: Iterable[str] = CATALOG.services) -> dict[str, Any]:
        """See Deployment."""
        return {service: type(self).function(service, self) for service in services}


class Cloud(Struct, frozen=True):
    """A cloud on its emulators."""

    name: str
    """As `--cloud` has it."""
    emulators: Sequence[str]
    """The fixtures that start them."""
    at: Callable[..., AbstractContextManager[None]]
    """Let clients of this process, and of those it starts, go to these emulators."""
    deployment: Callable[[Path, Catalog, Mapping[str, Any]], Deployment]
    """Open the deployment of a place, with clients of its own."""
    command_line: Callable[[Path], AbstractContextManager[None]]
    """While it lasts, `trefoil --cloud` finds the deployment of a place."""
    weather: "type[Weather]"


def cloud_named(name: str) -> Cloud:
    """A cloud by its name; a process that is about one needs no other's libraries."""
    found: Cloud = import_module(f"tests.support.{name}_cloud").CLOUD
    return found


def subject_of(body: bytes) -> str:
    """What a message is about; empty when nobody can tell."""
    try:
        return decode(body).subject
    except PermanentError:
        return ""
