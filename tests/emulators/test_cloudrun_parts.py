"""The stand-in's pure parts: what it makes on Pub/Sub, and the requests that it sends to functions."""

import json
from base64 import b64encode
from hashlib import sha256

import msgspec
import pytest

from infra.emulators.cloudrun.emulator import CloudRun
from infra.emulators.cloudrun.resources import Plan, channels, resources
from infra.emulators.cloudrun.shapes import push, shaped
from infra.emulators.emulator import Place
from infra.emulators.wiring import ROOT
from infra.gcp.names import names
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError
from shared.kernel.topology import asyncapi
from tests.support.contract_catalog import CATALOG as SMALL
from tests.support.gcp_emulators import CLOUD_RUN

PLAN = Plan("project", "shop-test")
CONTRACT = asyncapi(CATALOG)
NAMES = names({"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "test"})
TOPIC = "projects/project/topics/shop-test-bus"
EMULATORS = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:1", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:2"}


def pushed(**message) -> bytes:
    message = {
        "data": b64encode(b'{"n": 1}').decode(),
        "messageId": "7",
        "publishTime": "2026-11-20T12:00:00Z",
        **message,
    }
    return json.dumps({"subscription": "projects/project/subscriptions/s", "message": message}).encode()


def test_the_contract_makes_what_the_adapters_look_for():
    made = resources(PLAN, CONTRACT, "http://127.0.0.1:9")

    filters = {name: channel.pubsub_filter for name, channel in channels(CONTRACT).items()}
    dead = {NAMES.dead(service) for service in CATALOG.services}
    subscriptions = {NAMES.subscription(service, expression) for service, expression in filters.items()}
    assert set(made) == {
        *(f"projects/project/topics/{name}" for name in {NAMES.topic, *dead}),
        *(f"projects/project/subscriptions/{name}" for name in dead | subscriptions),
    }


def test_a_services_subscription_is_as_terraform_makes_it():
    limits = CONTRACT["channels"]["orders"]["x-trefoil"]
    expression = limits["pubsubFilter"]
    name = f"shop-test-orders-{sha256(expression.encode()).hexdigest()[:8]}"

    made = resources(PLAN, CONTRACT, "http://127.0.0.1:9")[f"projects/project/subscriptions/{name}"]

    assert made == {
        "topic": TOPIC,
        "filter": expression,
        "ackDeadlineSeconds": limits["functionTimeoutSeconds"] + 10,
        "messageRetentionDuration": "604800s",
        "expirationPolicy": {},
        "pushConfig": {"pushEndpoint": f"http://127.0.0.1:9/push/{name}"},
        "deadLetterPolicy": {
            "deadLetterTopic": "projects/project/topics/shop-test-orders-dead",
            "maxDeliveryAttempts": limits["deliveryLimit"],
        },
        "retryPolicy": {"minimumBackoff": "1s", "maximumBackoff": "300s"},
    }


def test_what_others_need_is_made_before_them():
    made: set[str] = set()
    for path, body in resources(PLAN, CONTRACT, "http://127.0.0.1:9").items():
        needed = (
            {body["topic"], body.get("deadLetterPolicy", {}).get("deadLetterTopic", body["topic"])} if body else set()
        )

        assert needed <= made
        made.add(path)


def test_another_catalog_has_its_own():
    made = resources(PLAN, asyncapi(SMALL), "http://127.0.0.1:9")

    assert [path for path in made if path.endswith("-dead") and "/topics/" in path] == [
        f"projects/project/topics/shop-test-{name}-dead" for name in ("shop", "stock", "ledger")
    ]


@pytest.mark.parametrize(
    ("subscription", "service"),
    [("shop-test-order_status-1a2b3c4d", "order_status"), ("shop-test-dead", ""), ("another-orders-1a2b3c4d", "")],
)
def test_a_subscriptions_service_is_read_from_its_name(subscription, service):
    assert PLAN.service(subscription) == service


def test_a_wrapped_push_is_the_emulators_with_the_attempt():
    body = pushed(attributes={"type": "t"}, orderingKey="k")

    request = shaped("wrapped", push(body), 3, TOPIC)

    assert json.loads(request.body) == {**json.loads(body), "deliveryAttempt": 3}
    assert (request.path, request.headers["Content-Type"]) == ("/", "application/json")


def test_an_unwrapped_push_is_the_data_with_headers():
    attributes = {"type": "t", "Content-Type": "text/x", "ümlaut": "dropped", "line": "a\nb", "Host": "evil", "ü": "é"}
    body = pushed(attributes={**attributes, "name": "Zoë ☘"}, orderingKey="k")

    request = shaped("unwrapped", push(body), 3, TOPIC)

    assert request.body == b'{"n": 1}'
    assert {name: value for name, value in request.headers.items() if name != "User-Agent"} == {
        "type": b"t",
        "Content-Type": b"text/x",
        "name": "Zoë ☘".encode(),
        "x-goog-pubsub-subscription-name": "projects/project/subscriptions/s",
        "x-goog-pubsub-message-id": "7",
        "x-goog-pubsub-publish-time": "2026-11-20T12:00:00Z",
        "x-goog-pubsub-ordering-key": "k",
    }


def test_eventarc_sends_a_cloud_event_in_binary_mode_around_the_push():
    body = pushed(attributes={"type": "t"})

    request = shaped("eventarc", push(body), 3, TOPIC)

    assert json.loads(request.body) == json.loads(body)
    assert request.path == "/?__GCP_CloudEventsMode=CUSTOM_PUBSUB_projects%2Fproject%2Ftopics%2Fshop-test-bus"
    assert {name: value for name, value in request.headers.items() if name != "User-Agent"} == {
        "Content-Type": "application/json",
        "ce-id": "7",
        "ce-source": f"//pubsub.googleapis.com/{TOPIC}",
        "ce-specversion": "1.0",
        "ce-time": "2026-11-20T12:00:00Z",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
    }


def test_a_message_without_data_or_attributes_is_pushed_in_every_shape():
    found = push(b'{"subscription": "s", "message": {"messageId": "7"}}')

    requests = {shape: shaped(shape, found, 1, TOPIC) for shape in ("wrapped", "unwrapped", "eventarc")}

    assert requests["unwrapped"].body == b""
    assert json.loads(requests["wrapped"].body)["message"] == {"messageId": "7"}


def test_what_is_no_push_is_refused():
    with pytest.raises(msgspec.DecodeError):
        push(b"{")


def test_it_wants_the_emulators_that_it_stands_on(tmp_path):
    for lacking in EMULATORS:
        around = {name: value for name, value in EMULATORS.items() if name != lacking}

        with pytest.raises(ConfigurationError, match=f"needs {lacking}: .* trefoil emulators up gcp"):
            CLOUD_RUN.environment(Place(1, tmp_path), around)


def test_settings_of_providers_reach_functions_and_settings_of_the_users_own_cloud_do_not(tmp_path):
    around = {
        **EMULATORS,
        "PATH": "/bin",
        "TREFOIL_STAGE": "test",
        "TREFOIL_SMTP_URL": "smtp://localhost",
        "TREFOIL_CLOUD": "aws",
        "TREFOIL_DATA": "/mine",
        "GOOGLE_APPLICATION_CREDENTIALS": "/key",
        "PYTHONPATH": "/mine",
    }

    made = CLOUD_RUN.environment(Place(1, tmp_path), around)

    assert made == {
        **EMULATORS,
        "PATH": "/bin",
        "TREFOIL_STAGE": "test",
        "TREFOIL_SMTP_URL": "smtp://localhost",
        "GOOGLE_CLOUD_PROJECT": "trefoil-local",
        "PYTHONUNBUFFERED": "1",
    }


def test_what_is_not_installed_is_named_with_the_target_that_installs_it(monkeypatch):
    monkeypatch.setattr("infra.emulators.cloudrun.emulator.find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match="functions-framework is not installed: run `make emulators`"):
        CloudRun(ROOT, ROOT, ROOT).command(Place(1, ROOT))
