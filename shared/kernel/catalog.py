"""All services together: who handles what, and whether that makes sense."""

from collections import defaultdict
from collections.abc import Iterable

from shared.kernel.errors import ConfigurationError
from shared.kernel.message import Payload, split_type
from shared.kernel.service import Service
from shared.kernel.vocabulary import Vocabulary


class Catalog:
    """The services of a system, checked: one handler a command, one teller an event, nobody waits for nothing.

    Raises ConfigurationError naming the message and the services at fault.
    """

    def __init__(self, services: Iterable[Service]) -> None:
        self.services: dict[str, Service] = {}
        self._subscribers: dict[str, list[str]] = defaultdict(list)
        self._emitters: dict[str, list[str]] = defaultdict(list)
        for service in services:
            self._add(service)
        payloads = [p for s in self.services.values() for p in (*s.handles, *s.emits)]
        self.vocabulary = Vocabulary(payloads)
        for payload in payloads:
            self._check(payload)

    def _add(self, service: Service) -> None:
        if service.name in self.services:
            raise ConfigurationError(f"two services are called '{service.name}'")
        self.services[service.name] = service
        for payload in service.handles:
            self._subscribers[payload.message_type.name].append(service.name)
        for payload in service.emits:
            self._emitters[payload.message_type.name].append(service.name)

    def _check(self, payload: type[Payload]) -> None:
        named = payload.message_type
        handlers, emitters = self._subscribers[named.name], self._emitters[named.name]
        if named.kind == "command" and len(handlers) != 1:
            raise ConfigurationError(f"the command {named} has {len(handlers)} handlers, {handlers}; it needs one")
        if named.kind == "event" and emitters != [named.service]:
            raise ConfigurationError(f"the event {named} is emitted by {emitters}; only '{named.service}' may")
        if named.private and handlers:
            raise ConfigurationError(f"the private event {named} is never published, but {handlers} would handle it")

    def service(self, name: str) -> Service:
        """A service by its name; raises ConfigurationError listing the names there are."""
        if name not in self.services:
            raise ConfigurationError(f"there is no service '{name}'; the services are {', '.join(self.services)}")
        return self.services[name]

    def subscribers(self, type_: str) -> list[str]:
        """The services that handle a type, whatever its version; a text that is no type has none."""
        try:
            name, _ = split_type(type_)
        except ValueError:
            return []
        return self._subscribers.get(name, [])

    def commands(self) -> list[type[Payload]]:
        """Every command, in the order of the catalog."""
        return [p for p in self.vocabulary.newest.values() if p.message_type.kind == "command"]
