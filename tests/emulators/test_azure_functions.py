"""The local Functions host before our Service Bus, with Microsoft's worker and an app that writes down its calls."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from infra.emulators import process
from infra.emulators.azure import ServiceBus
from infra.emulators.supervisor import Supervisor
from infra.emulators.wiring import ROOT
from shared.kernel.errors import ConfigurationError
from tests.support.azure_emulators import FUNCTIONS, AzureEmulator, FunctionsHost
from tests.support.stand_ins import gone

PROBE = ROOT / "tests" / "support" / "azure_probe.py"
SECONDS = 30
NEVER = "0 0 0 29 2 *"


def channel(service: str) -> dict[str, Any]:
    return {"x-trefoil": {"role": "service", "service": service, "types": [f"{service}.made.v1"], "deliveryLimit": 3}}


CONTRACT = {"channels": {name: channel(name) for name in ("ants", "bees")}}


class Probe:
    """A host with the probe as its app, and its Service Bus."""

    def __init__(self, host: FunctionsHost, client: ServiceBusClient, calls: Path) -> None:
        self.host = host
        self._client = client
        self._calls = calls

    def send(self, *messages: ServiceBusMessage, queue: str = "ants") -> None:
        """In one transfer, so that they are there together."""
        with self._client.get_queue_sender(f"trefoil-dev-{queue}") as sender:
            sender.send_messages(list(messages))

    def calls(self, count: int, function: str = "ants") -> list[dict[str, Any]]:
        """How a function was called, once it was called so often."""

        def found() -> list[dict[str, Any]]:
            return [note for note in self.notes() if note["function"] == function]

        assert process.wait(lambda: len(found()) >= count, SECONDS), self.host.log
        return found()

    def notes(self) -> list[dict[str, Any]]:
        """All that the probe has written down."""
        return [json.loads(each.read_text()) for each in sorted(self._calls.glob("*.json"))]

    def counted(self, calls: int, function: str = "ants") -> dict[str, Any]:
        """What the host says of a function, once it was called so often."""
        assert process.wait(lambda: self.host.functions()[function]["calls"] >= calls, SECONDS), self.host.log
        return self.host.functions()[function]

    def received(self, count: int, queue: str) -> list[Any]:
        """What a queue holds, once it holds so many."""
        found: list[Any] = []
        with self._client.get_queue_receiver(queue) as receiver:

            def is_there() -> bool:
                found.extend(receiver.receive_messages(10, max_wait_time=0.2))
                return len(found) >= count

            assert process.wait(is_there, SECONDS), self.host.log
            for each in found:
                receiver.complete_message(each)
        return found

    def is_empty(self, queue: str = "ants") -> bool:
        """Whether a queue holds nothing any more, locked or not."""
        with self._client.get_queue_receiver(f"trefoil-dev-{queue}") as receiver:
            return process.wait(lambda: not receiver.peek_messages(1), SECONDS)


@pytest.fixture
def bus(servicebuses) -> AzureEmulator:
    return servicebuses(CONTRACT)


@pytest.fixture
def client(bus) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(bus.connection) as client:
        yield client


@pytest.fixture
def start(azurefunctions, bus, client, tmp_path) -> Callable[..., Probe]:
    """Start the probe: what `host.json` says of Service Bus, settings of the app, and what the host is."""

    def started(
        told: dict[str, Any] | None = None,
        timeout: str = "00:05:00",
        environment: dict[str, str] | None = None,
        **changes: Any,
    ) -> Probe:
        app, calls = tmp_path / "app", tmp_path / "calls"
        app.mkdir(exist_ok=True)
        calls.mkdir(exist_ok=True)
        (app / "function_app.py").write_text(PROBE.read_text())
        options = {"version": "2.0", "functionTimeout": timeout, "extensions": {"serviceBus": told or {}}}
        (app / "host.json").write_text(json.dumps(options))
        settings = {
            "PROBE_FOLDER": str(calls),
            "PROBE_QUEUE": "trefoil-dev-ants",
            "PROBE_SCHEDULE": NEVER,
            **(environment or {}),
        }
        host = azurefunctions(bus, replace(FUNCTIONS, **{"app": app, "path": app, **changes}), **settings)
        return Probe(host, client, calls)

    return started


def ids(call: dict[str, Any]) -> list[str]:
    return [message["id"] for message in call["messages"]]


def test_a_batch_reaches_its_function_as_the_real_worker_reads_it(start):
    probe = start()
    properties = {"type": "ants.made.v1", "weight": 7}

    probe.send(
        *(ServiceBusMessage(f"ant {n}".encode(), message_id=f"m{n}", application_properties=properties) for n in "12")
    )

    (call,) = probe.calls(1)
    assert [(each["body"], each["id"], each["count"]) for each in call["messages"]] == [
        ("ant 1", "m1", 1),
        ("ant 2", "m2", 1),
    ]
    assert [each["properties"] for each in call["messages"]] == [properties] * 2
    assert call["messages"][0]["number"] < call["messages"][1]["number"]
    assert call["messages"][0]["token"] != call["messages"][1]["token"]
    assert call["messages"][0]["expires"] == "9999-12-31 23:59:59.999999"


def test_what_a_function_succeeded_with_is_gone(start):
    probe = start()

    probe.send(ServiceBusMessage(b"one", message_id="m1"), ServiceBusMessage(b"two", message_id="m2"))

    assert probe.is_empty()
    assert probe.counted(1)["failures"] == 0
    assert len(probe.calls(1)) == 1


def test_a_batch_that_fails_is_abandoned_as_a_whole_and_comes_again(start):
    probe = start()

    probe.send(
        ServiceBusMessage(b"good", message_id="good"),
        ServiceBusMessage(b"bad", message_id="bad", application_properties={"fail": 1}),
    )

    assert probe.is_empty()
    first, *later = probe.calls(2)
    assert ids(first) == ["good", "bad"]
    assert sorted(each for call in later for each in ids(call)) == ["bad", "good"]
    assert {message["count"] for call in later for message in call["messages"]} == {2}
    assert "ants failed: RuntimeError: message bad is to fail" in probe.host.log


def test_what_fails_as_often_as_the_queue_allows_goes_where_its_dead_letters_go(start):
    probe = start()

    probe.send(ServiceBusMessage(b"bad", message_id="bad", application_properties={"fail": 9}))

    (dead,) = probe.received(1, "trefoil-dev-ants-dead")
    assert [call["messages"][0]["count"] for call in probe.calls(3)] == [1, 2, 3]
    assert (dead.message_id, dead.dead_letter_reason) == ("bad", "MaxDeliveryCountExceeded")


def test_a_batch_is_no_larger_than_the_host_is_told(start):
    probe = start({"maxMessageBatchSize": 2})

    probe.send(*(ServiceBusMessage(b"x", message_id=f"m{n}") for n in range(5)))

    assert probe.is_empty()
    batches = [ids(call) for call in probe.calls(3)]
    assert max(map(len, batches)) <= 2
    assert sorted(each for batch in batches for each in batch) == [f"m{n}" for n in range(5)]


def test_batches_of_one_function_come_one_after_the_other(start):
    probe = start({"maxMessageBatchSize": 1, "maxConcurrentCalls": 8}, workers=2)

    probe.send(*(ServiceBusMessage(b"x") for _ in range(5)))

    probe.calls(5, "ants done")
    assert [each["function"] for each in probe.notes()] == ["ants", "ants done"] * 5


def test_single_messages_come_as_many_at_once_as_the_host_is_told(start):
    probe = start({"maxConcurrentCalls": 3})

    probe.send(*(ServiceBusMessage(b"x", application_properties={"meet": 3}) for _ in range(3)), queue="bees")

    assert [each["function"] for each in probe.calls(3, "bees")] == ["bees"] * 3
    assert probe.is_empty("bees")
    assert [each["function"] for each in probe.notes()] == ["bees"] * 3 + ["bees done"] * 3


def test_nothing_is_completed_where_the_host_is_told_not_to(start, client):
    probe = start({"autoCompleteMessages": False})

    probe.send(ServiceBusMessage(b"x", message_id="m1"))
    probe.calls(1)

    with client.get_queue_receiver("trefoil-dev-ants") as receiver:
        assert [each.message_id for each in receiver.peek_messages(5)] == ["m1"]


def test_texts_that_some_messages_lack_move_to_others_as_with_azures_host(start):
    probe = start()

    probe.send(
        ServiceBusMessage(b"1", message_id="m1", subject="s1"),
        ServiceBusMessage(b"2", message_id="m2", subject="s2", correlation_id="c2"),
    )

    (call,) = probe.calls(1)
    assert [(each["id"], each["subject"], each["correlation"]) for each in call["messages"]] == [
        ("m1", "s1", "c2"),
        ("m2", "s2", None),
    ]


def test_a_worker_that_dies_over_a_batch_is_started_anew_and_the_batch_comes_again(start):
    probe = start()
    (before,) = probe.host.workers()

    probe.send(ServiceBusMessage(b"x", message_id="m1", application_properties={"die": True}))

    first, second = probe.calls(2)
    assert (first["process"], ids(first), ids(second)) == (before, ["m1"], ["m1"])
    assert second["process"] not in (before, 0)
    assert probe.is_empty()
    assert "ants failed: worker-1 ended with -9" in probe.host.log


def test_an_idle_worker_that_was_killed_is_started_anew(start):
    probe = start()
    (before,) = probe.host.workers()
    os.kill(before, signal.SIGKILL)

    probe.send(ServiceBusMessage(b"x"))

    assert process.wait(lambda: probe.host.workers() not in ([], [before]), SECONDS)
    assert probe.is_empty()


def test_several_workers_take_turns(start):
    probe = start({"maxMessageBatchSize": 1}, workers=2)

    probe.send(*(ServiceBusMessage(b"x") for _ in range(6)))

    assert {call["process"] for call in probe.calls(6)} == set(probe.host.workers())
    assert len(probe.host.workers()) == 2


def test_a_function_that_takes_longer_than_it_may_costs_its_worker(start):
    probe = start(timeout="00:00:01")
    (before,) = probe.host.workers()

    probe.send(ServiceBusMessage(b"x", message_id="m1", application_properties={"sleep": True}))

    (dead,) = probe.received(1, "trefoil-dev-ants-dead")
    assert dead.message_id == "m1"
    assert before not in probe.host.workers()
    assert "ants failed: it took longer than 1 s, and worker-1 was ended" in probe.host.log


def test_a_broker_that_was_killed_is_found_again(start, bus):
    probe = start()
    os.kill(process.pid(bus.folder), signal.SIGKILL)
    process.wait(lambda: not process.is_alive(bus.folder), SECONDS)
    emulator = ServiceBus(bus.folder.parent / "contract.json")
    Supervisor(bus.folder.parent, {emulator.name: emulator}, os.environ).up(emulator.name, bus.port)

    probe.send(ServiceBusMessage(b"x", message_id="m1"))

    assert ids(probe.calls(1)[0]) == ["m1"]


def test_timers_ring_when_they_are_asked_to_and_not_before(start):
    probe = start()

    status = probe.host.tick()

    (call,) = probe.calls(1, "tick")
    assert (status, call["past_due"]) == (204, False)


def test_timers_ring_on_their_schedule(start):
    probe = start(environment={"PROBE_SCHEDULE": "* * * * * *"}, schedules=True)

    assert len(probe.calls(2, "tick")) >= 2


def test_a_tick_that_fails_says_so(start):
    probe = start(environment={"PROBE_TICK": "fail"})

    assert probe.host.tick() == 500
    assert probe.counted(1, "tick")["failures"] == 1
    assert "tick failed: RuntimeError: as told" in probe.host.log


def test_each_function_has_a_log_of_its_own(start):
    probe = start()
    probe.send(ServiceBusMessage(b"x"))
    probe.calls(1)

    assert "INFO probe: 1 ants" in (probe.host.folder / "ants.log").read_text()


def test_an_app_finds_nothing_but_what_its_folder_holds(start):
    probe = start(environment={"PYTHONPATH": str(ROOT)})
    probe.send(ServiceBusMessage(b"x"))

    (call,) = probe.calls(1)
    assert str(ROOT) not in call["path"]
    assert "PYTHONPATH" not in call["environment"]
    assert call["environment"]["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_an_app_that_can_not_be_read_stops_the_host_and_says_why(start):
    with pytest.raises(ConfigurationError, match=r"(?s)ended while it was starting.*told not to start"):
        start(environment={"PROBE_BROKEN": "yes"})


def test_one_that_is_asked_to_end_leaves_no_process(start):
    probe = start(workers=2)
    pids = [probe.host.pid, *probe.host.workers()]

    os.kill(probe.host.pid, signal.SIGTERM)

    assert gone(*pids)


def test_workers_end_with_a_host_that_was_killed(start):
    probe = start(workers=2)
    pids = probe.host.workers()

    os.kill(probe.host.pid, signal.SIGKILL)

    assert gone(probe.host.pid, *pids)


def test_what_it_does_not_know_is_not_found(start):
    probe = start()

    assert (probe.host.ask("GET", "/nothing")[0], probe.host.ask("POST", "/ready")[0]) == (404, 404)
