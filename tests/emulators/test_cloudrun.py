"""The stand-in for Cloud Run before the real Pub/Sub emulator, with functions that write down how they were called."""

import json
import os
import signal
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from infra.emulators import process
from infra.emulators.cloudrun.emulator import CloudRun
from infra.emulators.supervisor import Supervisor, free_port
from infra.emulators.wiring import ROOT
from tests.support.gcp_emulators import CLOUD_RUN, CloudRunStandIn, GcpEmulator
from tests.support.stand_ins import gone

PROBE = ROOT / "tests" / "support" / "gcp_probe.py"
BUS = "topics/trefoil-dev-bus"
SECONDS = 30


def channel(service: str, **changes: Any) -> dict[str, Any]:
    told = {
        "role": "service",
        "service": service,
        "pubsubFilter": f'attributes.to="{service}" OR (NOT attributes:to AND attributes.type="{service}.made.v1")',
        "batch": 4,
        "functionTimeoutSeconds": 60,
        "deliveryLimit": 5,
        "backoff": {"base": 0, "cap": 0},
    }
    return {"x-trefoil": {**told, **changes}}


CONTRACT = {
    "channels": {**{name: channel(name) for name in ("ants", "bees_wax")}, "bus": {"x-trefoil": {"role": "bus"}}}
}


class Probe:
    """A stand-in with probes as functions, and Pub/Sub's REST interface for its project."""

    def __init__(self, stand_in: CloudRunStandIn, pubsub: GcpEmulator, calls: Path) -> None:
        self.stand_in = stand_in
        self._pubsub = pubsub
        self._calls = calls

    def publish(self, **attributes: str) -> str:
        """To the bus; the message's id."""
        message = {"data": b64encode(b'{"n": 1}').decode(), "attributes": attributes}
        return self.ask("POST", f"{BUS}:publish", {"messages": [message]})["messageIds"][0]

    def calls(self, count: int, service: str = "ants") -> list[dict[str, Any]]:
        """How a service was called, once it was called so often."""

        def found() -> list[dict[str, Any]]:
            notes = [json.loads(each.read_text()) for each in sorted(self._calls.glob("*.json"))]
            return [note for note in notes if note["service"] == service]

        assert process.wait(lambda: len(found()) >= count, SECONDS), self.stand_in.log()
        return found()

    def pushes(self, count: int, service: str = "ants") -> list[dict[str, Any]]:
        return [json.loads(call["body"]) for call in self.calls(count, service)]

    def pull(self, subscription: str) -> list[dict[str, Any]]:
        """The messages of a subscription, once there is one."""
        path, found = f"subscriptions/{subscription}:pull", []

        def is_there() -> bool:
            found.extend(
                self.ask("POST", path, {"maxMessages": 9, "returnImmediately": True}).get("receivedMessages", [])
            )
            return bool(found)

        assert process.wait(is_there, SECONDS), self.stand_in.log()
        return [each["message"] for each in found]

    def subscription(self, service: str) -> str:
        """The name of a service's subscription."""
        every = self.ask("GET", "subscriptions")["subscriptions"]
        (name,) = [
            each["name"].rpartition("/")[2] for each in every if "filter" in each and f"-{service}-" in each["name"]
        ]
        return name

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self._pubsub.port, timeout=30)
        try:
            connection.request(method, f"/v1/projects/{self.stand_in.project}/{path}", json.dumps(body or {}))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return json.loads(text)
        finally:
            connection.close()


@pytest.fixture
def start(cloudrun, pubsub, tmp_path) -> Callable[..., Probe]:
    """Start probes: `contract` and settings of the stand-in, and `environment` of the functions."""

    def started(
        contract: dict[str, Any] = CONTRACT, environment: dict[str, str] | None = None, **changes: Any
    ) -> Probe:
        calls, written = tmp_path / "calls", tmp_path / "contract.json"
        calls.mkdir(exist_ok=True)
        written.write_text(json.dumps(contract))
        emulator = replace(CLOUD_RUN, **{"source": PROBE, "contract": written, **changes})
        return Probe(cloudrun(emulator, PROBE_FOLDER=str(calls), **(environment or {})), pubsub, calls)

    return started


@pytest.fixture
def alone(pubsub, firestore, tmp_path) -> Iterator[Supervisor]:
    """The stand-in as the supervisor has it, for what becomes of its processes."""
    (tmp_path / "contract.json").write_text(json.dumps(CONTRACT))
    emulator = CloudRun(PROBE, ROOT, tmp_path / "contract.json", tick_seconds=0, port=free_port())
    around = {**os.environ, **pubsub.exports, **firestore.exports, "PROBE_FOLDER": str(tmp_path)}
    around["GOOGLE_CLOUD_PROJECT"] = f"alone-{free_port()}"
    made = Supervisor(tmp_path / "emulators", {"cloudrun": emulator}, around)
    yield made
    made.down()


def processes_of(running) -> list[int]:
    """Start the tick; its process and the stand-in's."""
    stand_in = CloudRunStandIn(running.place.port, running.place.folder, "")
    assert stand_in.tick() == 204
    return [running.pid, stand_in.functions()["tick"]["process"]]


def test_a_message_reaches_the_function_of_its_service_as_pub_sub_pushes_it(start):
    probe = start()

    id_ = probe.publish(type="ants.made.v1", subject="s1")

    (push,) = probe.pushes(1)
    assert push["subscription"] == f"projects/{probe.stand_in.project}/subscriptions/{probe.subscription('ants')}"
    assert push["deliveryAttempt"] == 1
    assert push["message"]["messageId"] == id_
    assert push["message"]["attributes"] == {"type": "ants.made.v1", "subject": "s1"}


def test_a_function_is_told_what_cloud_run_tells_it(start, pubsub, firestore):
    probe = start(environment={"TREFOIL_SEED": "7"})
    probe.publish(to="bees_wax")

    (call,) = probe.calls(1, "bees_wax")

    told = call["environment"]
    assert {name: value for name, value in told.items() if name.startswith("TREFOIL_")} == {
        "TREFOIL_CLOUD": "gcp",
        "TREFOIL_NAME": "trefoil",
        "TREFOIL_STAGE": "dev",
        "TREFOIL_SERVICE": "bees_wax",
        "TREFOIL_SECONDS": "60",
        "TREFOIL_SEED": "7",
    }
    assert (told["THREADS"], told["WORKERS"], told["K_SERVICE"]) == ("4", "1", "trefoil-dev-bees-wax")
    assert (told["PUBSUB_EMULATOR_HOST"], told["FIRESTORE_EMULATOR_HOST"]) == (pubsub.host, firestore.host)
    assert told["GOOGLE_CLOUD_PROJECT"] == probe.stand_in.project


def test_what_the_filter_does_not_let_through_starts_no_function(start):
    probe = start()

    probe.publish(type="wasps.made.v1")
    probe.publish(type="ants.made.v1", to="bees_wax")
    probe.publish(type="ants.made.v1")

    assert [push["message"]["attributes"] for push in probe.pushes(1, "ants")] == [{"type": "ants.made.v1"}]
    assert [push["message"]["attributes"].get("to") for push in probe.pushes(1, "bees_wax")] == ["bees_wax"]


def test_functions_start_only_when_something_comes_for_them(start):
    probe = start()

    probe.publish(type="ants.made.v1")
    probe.calls(1)

    running = {name: bool(each["process"]) for name, each in probe.stand_in.functions().items()}
    assert running == {"ants": True, "bees_wax": False, "tick": False}


def test_a_filter_that_pub_sub_still_has_from_before_is_obeyed(start):
    probe = start()
    newer, older = probe.subscription("ants"), "trefoil-dev-ants-00000000"
    endpoint = f"http://127.0.0.1:{probe.stand_in.port}/push/{older}"
    topic = f"projects/{probe.stand_in.project}/{BUS}"
    told = {"topic": topic, "filter": 'attributes.type="old"', "pushConfig": {"pushEndpoint": endpoint}}
    probe.ask("PUT", f"subscriptions/{older}", told)

    probe.publish(type="ants.made.v1")
    probe.publish(type="old")

    pushes = probe.pushes(2)
    found = {(push["subscription"].rpartition("/")[2], push["message"]["attributes"]["type"]) for push in pushes}
    assert found == {(newer, "ants.made.v1"), (older, "old")}


def test_deliveries_are_counted_and_the_last_one_goes_to_the_dead_letters(start):
    probe = start()

    probe.publish(type="ants.made.v1", answer="503")

    (dead,) = probe.pull("trefoil-dev-ants-dead")
    assert [push["deliveryAttempt"] for push in probe.pushes(5)] == [1, 2, 3, 4, 5]
    assert dead["attributes"]["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert dead["attributes"]["CloudPubSubDeadLetterSourceSubscription"] == probe.subscription("ants")
    assert dead["attributes"]["type"] == "ants.made.v1"
    assert "attempt 5: 503 as told" in probe.stand_in.log()


def test_counts_of_different_messages_and_subscriptions_do_not_mix(start):
    probe = start()

    first, second = probe.publish(to="ants", answer="429"), probe.publish(to="ants", answer="500")
    other = probe.publish(to="bees_wax")

    pushes = probe.pushes(10)
    for id_ in (first, second):
        attempts = [push["deliveryAttempt"] for push in pushes if push["message"]["messageId"] == id_]
        assert sorted(attempts) == [1, 2, 3, 4, 5]
    assert [(push["message"]["messageId"], push["deliveryAttempt"]) for push in probe.pushes(1, "bees_wax")] == [
        (other, 1)
    ]


@pytest.mark.parametrize("status", ["200", "201", "202", "204"])
def test_what_acknowledges_a_push_at_google_acknowledges_it_here(start, status):
    probe = start()
    subscription = probe.subscription("ants")
    body = {"subscription": subscription, "message": {"messageId": "1", "attributes": {"to": "ants", "answer": status}}}

    answers = [probe.stand_in.push(subscription, json.dumps(body).encode()) for _ in range(2)]

    assert answers == [204, 204]
    assert [push["deliveryAttempt"] for push in probe.pushes(2)] == [1, 1]


def test_a_function_that_dies_over_a_message_is_called_again(start):
    probe = start()

    probe.publish(type="ants.made.v1", die="yes")

    assert [push["deliveryAttempt"] for push in probe.pushes(2)][:2] == [1, 2]
    assert "attempt 1: 503 its process is gone, or closed the connection" in probe.stand_in.log()


def test_a_function_that_was_killed_is_started_again(start):
    probe = start()
    probe.publish(type="ants.made.v1")
    (before,) = probe.calls(1)
    os.kill(before["process"], signal.SIGKILL)

    probe.publish(type="ants.made.v1")

    after = probe.calls(2)[-1]
    assert after["process"] not in (before["process"], 0)
    assert after["process"] == probe.stand_in.functions()["ants"]["process"]
    assert "trefoil-dev-ants ended with -9" in probe.stand_in.log()


def test_a_function_that_takes_too_long_is_answered_for(start):
    contract = {"channels": {"ants": channel("ants", functionTimeoutSeconds=1)}}
    probe = start(contract)
    subscription = probe.subscription("ants")
    body = {"subscription": subscription, "message": {"messageId": "1", "attributes": {"to": "ants", "sleep": "5"}}}

    status = probe.stand_in.push(subscription, json.dumps(body).encode())

    assert status == 504
    assert "message 1, attempt 1: 504 no answer within 1 s" in probe.stand_in.log()


def test_a_function_that_does_not_come_up_is_an_error_with_the_end_of_its_log(start):
    probe = start(environment={"PROBE_BROKEN": "ants"})
    subscription = probe.subscription("ants")
    body = {"subscription": subscription, "message": {"messageId": "1", "attributes": {"to": "ants"}}}

    status = probe.stand_in.push(subscription, json.dumps(body).encode())

    log = probe.stand_in.log()
    assert status == 500
    assert f"its log is {probe.stand_in.functions()['ants']['log']}, and ends:" in log
    assert "RuntimeError: this function was told not to start" in log


def test_unwrapped_pushes_are_the_data_with_headers(start):
    probe = start(shape="unwrapped")

    id_ = probe.publish(type="ants.made.v1")

    (call,) = probe.calls(1)
    assert call["body"] == '{"n": 1}'
    assert (call["headers"]["type"], call["headers"]["x-goog-pubsub-message-id"]) == ("ants.made.v1", id_)


def test_eventarcs_pushes_are_cloud_events(start):
    probe = start(shape="eventarc")

    id_ = probe.publish(type="ants.made.v1")

    (call,) = probe.calls(1)
    assert call["headers"]["ce-type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert call["headers"]["ce-source"] == f"//pubsub.googleapis.com/projects/{probe.stand_in.project}/{BUS}"
    assert (call["headers"]["ce-id"], json.loads(call["body"])["message"]["messageId"]) == (id_, id_)


def test_the_tick_rings_when_it_is_asked_to(start):
    probe = start()

    status = probe.stand_in.tick()

    (call,) = probe.calls(1, "tick")
    assert status == 204
    assert call["headers"]["user-agent"] == "Google-Cloud-Scheduler"
    assert "TREFOIL_SERVICE" not in call["environment"]


def test_the_tick_rings_by_itself(start):
    probe = start(tick_seconds=0.1)

    calls = probe.calls(3, "tick")

    assert len({call["environment"]["PORT"] for call in calls}) == 1


def test_functions_of_an_unpacked_zip_import_from_it_alone(start, tmp_path):
    unpacked = tmp_path / "zip"
    unpacked.mkdir()
    (unpacked / "beside.py").write_text("STATUS = 204")
    (unpacked / "main.py").write_text(f"import beside\n{PROBE.read_text()}")
    probe = start(source=unpacked / "main.py", path=unpacked)

    probe.publish(type="ants.made.v1")

    (call,) = probe.calls(1)
    assert call["environment"]["PYTHONPATH"] == str(unpacked)


def test_a_push_for_nobody_is_not_found(start):
    probe = start()

    status = probe.stand_in.push("trefoil-dev-wasps-00000000", b"{}")

    assert status == 404
    assert "a push of trefoil-dev-wasps-00000000, which is no service's subscription" in probe.stand_in.log()


def test_what_is_no_push_is_a_bad_request(start):
    probe = start()

    assert probe.stand_in.push(probe.subscription("ants"), b"no JSON") == 400


def test_up_again_makes_what_is_gone_and_leaves_a_paused_subscription_alone(alone, pubsub):
    first = alone.up("cloudrun")
    probe = Probe(
        CloudRunStandIn(first.place.port, first.place.folder, alone._around["GOOGLE_CLOUD_PROJECT"]), pubsub, Path()
    )
    paused, lost = probe.subscription("ants"), probe.subscription("bees_wax")
    probe.ask("POST", f"subscriptions/{paused}:modifyPushConfig", {"pushConfig": {}})
    probe.ask("DELETE", f"subscriptions/{lost}")

    alone.up("cloudrun")

    assert probe.subscription("bees_wax") == lost
    assert probe.ask("GET", f"subscriptions/{paused}")["pushConfig"] == {}


def test_a_contract_that_can_not_be_obeyed_stops_it_at_once(start):
    broken = {"channels": {"ants": channel("ants", pubsubFilter="attributes.a >= 1")}}

    with pytest.raises(Exception, match=r"(?s)ended while it was starting.*'>=' at character 14"):
        start(broken)


def test_down_ends_every_function(alone):
    running = alone.up("cloudrun")
    pids = processes_of(running)

    alone.down()

    assert gone(*pids)


def test_one_that_is_asked_to_end_ends_its_functions_first(alone):
    running = alone.up("cloudrun")
    pids = processes_of(running)

    os.kill(running.pid, signal.SIGTERM)

    assert gone(*pids)


def test_down_ends_the_functions_of_one_that_was_killed(alone):
    running = alone.up("cloudrun")
    pids = processes_of(running)
    os.kill(running.pid, signal.SIGKILL)
    process.wait(lambda: not process.is_alive(running.place.folder), 5)

    (stopped,) = alone.down()

    assert not stopped.alive
    assert gone(*pids)
