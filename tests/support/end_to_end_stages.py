"""Google Cloud and Azure as end-to-end tests have them: the zip's functions on emulators, and what can be killed."""

import os
import random
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from azure.servicebus import ServiceBusMessage

from functions.package import Build, build
from functions.zips import build_source
from infra.azure.names import Names as AzureNames
from infra.azure.wiring import azure as on_azure
from infra.emulators.interpreters import find_python
from infra.emulators.wiring import ROOT
from infra.gcp.names import Names
from infra.gcp.wiring import Gcp
from shared.catalog import CATALOG
from shared.kernel.ports import System
from tests.support.azure_broker import Broker
from tests.support.azure_emulators import FUNCTIONS, FunctionsHost, running_functions
from tests.support.gcp import PROJECT, at_google, clients_for
from tests.support.gcp_emulators import CLOUD_RUN, CloudRunStandIn, running_cloudrun

Find = Callable[[str], Any]
"""A fixture by its name."""


class Stage(Protocol):
    """One cloud, deployed, with functions that run."""

    system: System

    def kill(self, chance: random.Random) -> bool:
        """Kill a process of the deployment's as SIGKILL does; whether there was one."""

    def tick(self) -> bool:
        """Ring the schedule now; whether the function did what it is for."""

    def put_letter(self, service: str, body: bytes) -> None:
        """Put a dead letter into a service's dead-letter channel, as if its payload had not fitted."""


class GoogleCloud:
    """functions-framework under gunicorn, two processes a function, behind the emulators' pushes."""

    def __init__(self, gcp: Gcp, functions: CloudRunStandIn) -> None:
        self._gcp = gcp
        self._functions = functions
        self.system = gcp.system

    def kill(self, chance: random.Random) -> bool:
        masters = {function["process"] for function in self._functions.functions().values()} - {0}
        return _kill(chance, sorted(masters | {child for master in masters for child in _children(master)}))

    def tick(self) -> bool:
        return self._functions.tick() == 200

    def put_letter(self, service: str, body: bytes) -> None:
        reason = {"trefoil-reason": "PayloadMismatch", "trefoil-error": "PayloadMismatch"}
        topic = self._gcp.topics.path(self._gcp.names.dead(service))
        self._gcp.clients.publisher.publish(topic=topic, messages=[{"data": body, "attributes": reason}])


class Azure:
    """Microsoft's worker, two processes, in our host; the emulator is killed, too, and keeps what it has taken."""

    def __init__(self, broker: Broker, host: FunctionsHost, deployed: Any) -> None:
        self._broker = broker
        self._host = host
        self._azure = deployed
        self.system = deployed.system

    def kill(self, chance: random.Random) -> bool:
        if chance.random() < 0.3:
            self._broker.kill()
            self._broker.start()
            return True
        return _kill(chance, self._host.workers())

    def tick(self) -> bool:
        return self._host.tick() == 204

    def put_letter(self, service: str, body: bytes) -> None:
        reason = {"trefoil-reason": "PayloadMismatch", "trefoil-error": "PayloadMismatch"}
        sender = self._azure.clients.queue_sender(self._azure.names.dead(service))
        sender.send_messages(ServiceBusMessage(body, application_properties=reason))


@contextmanager
def google_cloud(find: Find, folder: Path) -> Iterator[Stage]:
    """Google's emulators, and the zip that Cloud Build would be given."""
    build_source(ROOT, folder / "gcp.zip")
    code = _unpacked(folder / "gcp.zip")
    cloudrun = replace(CLOUD_RUN, source=code / "main.py", path=code, tick_seconds=2, workers=2)
    pubsub, firestore = find("pubsub"), find("firestore")
    with at_google(pubsub, firestore):
        emulators = {**pubsub.exports, **firestore.exports}
        with running_cloudrun(emulators, folder / "cloudrun", cloudrun, PROJECT) as functions:
            yield GoogleCloud(Gcp(Names(), clients_for(Names())), functions)


@contextmanager
def azure(find: Find, folder: Path) -> Iterator[Stage]:
    """Our Service Bus with short locks and Azurite, and the zip that the function app would be given."""
    find("servicebus_emulator")
    interpreter = find_python("3.13", os.environ.get("PYTHON313", ""), "PYTHON313=PATH")
    build(Build("3.13", "", interpreter, folder / "azure.zip", cloud="azure"))
    code = _unpacked(folder / "azure.zip")
    broker = Broker(folder)
    broker.make(CATALOG, AzureNames(), _shorten_locks)
    try:
        exports = {**broker.exports, **find("azurite").exports}
        functions = replace(FUNCTIONS, app=code, path=code, workers=2, schedules=True)
        with pytest.MonkeyPatch.context() as patch:
            for setting, value in exports.items():
                patch.setenv(setting, value)
            with running_functions(exports, folder / "functions", functions) as host, on_azure() as deployed:
                yield Azure(broker, host, deployed)
    finally:
        broker.stop()


STAGES: dict[str, Callable[[Find, Path], AbstractContextManager[Stage]]] = {"gcp": google_cloud, "azure": azure}


def _shorten_locks(namespace: dict[str, Any]) -> None:
    """What a killed worker had is to come again soon."""
    for queue in namespace["Queues"]:
        queue["Properties"]["LockDuration"] = "PT15S"


def _unpacked(archive: Path) -> Path:
    code = archive.with_suffix("")
    zipfile.ZipFile(archive).extractall(code)
    return code


def _children(parent: int) -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return []


def _kill(chance: random.Random, processes: list[int]) -> bool:
    if not processes:
        return False
    with suppress(ProcessLookupError):
        os.kill(chance.choice(processes), signal.SIGKILL)
    return True
