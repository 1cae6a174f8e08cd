"""The whole order flow on MiniStack with its real functions: the zip, run by AWS's own runtime client.

MiniStack polls the queues and keeps the functions' processes, so this is mostly the emulator's speed. The times are
read from the commits themselves.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from functions.package import PROVIDED, Build, build
from infra.aws.wiring import Aws
from infra.emulators.interpreters import find_python
from shared.catalog import CATALOG
from shared.kernel.commit import Commit
from shared.kernel.errors import ConfigurationError
from tests.benchmarks.aws_emulator import fresh, running
from tests.benchmarks.measure import MILLISECONDS, Row, Scale, Table, check
from tests.benchmarks.providers import ALL_GOES_WELL
from tests.benchmarks.samples import purchases
from tests.benchmarks.script import note
from tests.support.aws_emulators import AwsEmulator

TITLE = "Order flow on MiniStack with real functions"
PATIENCE = 600
"""Seconds for the orders of one turn."""
POLL = 0.25
"""Seconds between two looks whether all is handled; they cost the emulator a scan."""
SHARE = 40


class Deployed:
    """A deployment's functions, mapped to their queues."""

    def __init__(self, emulator: AwsEmulator, aws: Aws, zipped: bytes) -> None:
        script = note(CATALOG)
        self.messages = len(script)
        """Deliveries that one order causes."""
        self._aws = aws
        self._services = sorted({service for service, _ in script})
        for service in self._services:
            self._deploy(emulator, service, zipped)

    def _deploy(self, emulator: AwsEmulator, service: str, zipped: bytes) -> None:
        names, name = self._aws.names, self._aws.names.queue(service)
        settings = {
            "TREFOIL_NAME": names.name,
            "TREFOIL_STAGE": names.stage,
            "TREFOIL_SERVICE": service,
            "TREFOIL_BUS_ARN": self._aws.topic(),
            "AWS_ENDPOINT_URL": emulator.endpoint,
            **ALL_GOES_WELL,
        }
        self._aws.clients.functions.create_function(
            FunctionName=name,
            Runtime=PROVIDED,
            Role="arn:aws:iam::000000000000:role/function",
            Handler="functions.aws.handler.handler",
            Code={"ZipFile": zipped},
            Timeout=60,
            MemorySize=512,
            Environment={"Variables": settings},
        )
        self._aws.clients.functions.create_event_source_mapping(
            EventSourceArn=self._aws.queues.arn(name),
            FunctionName=name,
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )

    def run(self, orders: int) -> float:
        """Seconds from sending so many new orders to the last commit that follows from them."""
        before = self._handled()
        started = time.time()
        self._aws.bus.publish(purchases(before // self.messages + orders)[before // self.messages :])
        while (handled := self._handled()) < before + self.messages * orders and time.time() < started + PATIENCE:
            time.sleep(POLL)
        check("messages of the order flow", handled, before + self.messages * orders)
        return max(commit.time for commit in self._commits()) - started

    def _handled(self) -> int:
        return sum(len(commit.handled) for commit in self._commits())

    def _commits(self) -> Iterator[Commit]:
        for service in self._services:
            for stream in self._aws.store.streams(service):
                yield from self._aws.store.read(stream)


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start an emulator, deploy once and measure."""
    try:
        python = find_python("3.13", "", "PYTHON313=PATH")
    except ConfigurationError as error:
        return [Table(title=TITLE, unit="messages/s", rows=[], notes=[f"Nothing was measured: {error}"])]
    with running(folder) as emulator:
        return tables(scale, deployed(folder, emulator, python))


def deployed(folder: Path, emulator: AwsEmulator, python: Path) -> Deployed:
    """A deployment whose every function has run once."""
    path = folder / "function.zip"
    build(Build("3.13", PROVIDED, python, path))
    shop = Deployed(emulator, fresh(Aws, folder), path.read_bytes())
    path.unlink()
    shop.run(1)
    return shop


def tables(scale: Scale, shop: Deployed) -> list[Table]:
    """One order at a time, then many at once."""
    latencies = [shop.run(1) * MILLISECONDS for _ in range(scale.rounds)]
    orders = max(scale.orders // SHARE, 1)
    speeds = [shop.messages * orders / shop.run(orders) for _ in range(scale.rounds)]
    return [
        Table(title=TITLE, unit="messages/s", rows=[Row(f"{orders} orders at once", speeds)], digits=0),
        Table(
            title=f"{TITLE}: sent to last effect",
            unit="ms",
            rows=[Row("one order at a time", latencies)],
            digits=0,
            notes=["Instances are warm; MiniStack looks into a queue about once a second unless something wakes it."],
        ),
    ]
