"""The SAM template passes SAM's own linter, and is deployed, redeployed and removed by `make`."""

import json
import re
import shlex
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from shared.catalog import CATALOG
from tests.local.driver import lines, place, register, trefoil
from tests.support.sam import ROOT, SamStack, run

SERVICES = list(CATALOG.services)

PATIENCE = 180
"""Seconds for a few messages; a busy machine takes some."""

PROGRAM = ROOT / ".venv-sam" / "bin" / "sam"

pytestmark = pytest.mark.requires(PROGRAM.exists(), install="SAM's command line: make tools")


@pytest.fixture(scope="module")
def sam() -> list[str]:
    """SAM as the Makefile calls it."""
    shown = run(["make", "--no-print-directory", "--dry-run", "destroy-sam"])
    begin = shown.splitlines()[-1].partition(" delete ")[0]
    settings, program = shlex.split(begin)[:-1], shlex.split(begin)[-1]
    return ["env", *(setting.replace("=.venv", f"={ROOT}/.venv") for setting in settings), str(ROOT / program)]


@pytest.fixture
def project(tmp_path) -> Path:
    """The template beside a zip, free to be built."""
    shutil.copy(ROOT / "template.yaml", tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "sam.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    return tmp_path


@contextmanager
def a_way_out() -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that leads nowhere: its port, and what was asked of it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    with caller:
                        asked.append(caller.recv(200))

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)


def subscription_of(stack: SamStack, queue_arn: str) -> dict[str, Any]:
    """The attributes of the one subscription that feeds a queue."""
    sns = stack.client("sns")
    topic = sns.create_topic(Name=f"{stack.prefix}-bus")["TopicArn"]
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    (arn,) = [
        each["SubscriptionArn"] for page in pages for each in page["Subscriptions"] if each["Endpoint"] == queue_arn
    ]
    return sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def attributes(stack: SamStack, queue: str) -> dict[str, str]:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def live(stack: SamStack, function: str) -> dict[str, Any]:
    return stack.client("lambda").get_function_configuration(
        FunctionName=f"{stack.prefix}-{function}", Qualifier="live"
    )


def left(stack: SamStack) -> list[str]:
    """The names of everything of a deployment that is there."""
    calls = [
        ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
        ("dynamodb", "list_tables", "TableNames[]"),
        ("iam", "list_roles", "Roles[].RoleName"),
        ("kms", "list_aliases", "Aliases[].AliasName"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings[].FunctionArn"),
        ("lambda", "list_functions", "Functions[].FunctionName"),
        ("logs", "describe_log_groups", "logGroups[].logGroupName"),
        ("scheduler", "list_schedules", "Schedules[].Name"),
        ("sns", "list_subscriptions", "Subscriptions[].Endpoint"),
        ("sns", "list_topics", "Topics[].TopicArn"),
        ("sqs", "list_queues", "QueueUrls[]"),
    ]
    found: list[str] = []
    for service, operation, names in calls:
        for page in stack.client(service).get_paginator(operation).paginate():
            kind, _, field = names.partition("[].")
            listed = page.get(kind.removesuffix("[]"), [])
            found += [f"{service} {each[field] if field else each}" for each in listed]
    return [each for each in found if stack.prefix in each]


# -- without an emulator


def test_sams_linter_has_nothing_to_say(sam):
    said = run([*sam, "validate", "--lint", "--template", "template.yaml"], AWS_REGION="us-east-1")

    assert "is a valid SAM Template" in said


def test_sams_linter_would_notice_an_unknown_property(sam, project):
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("VisibilityTimeout", "VisibleTimeout"))

    with pytest.raises(AssertionError, match="VisibleTimeout"):
        run([*sam, "validate", "--lint", "--template", "template.yaml"], project, AWS_REGION="us-east-1")


def test_a_build_hands_every_function_the_zip_as_it_is(sam, project):
    run([*sam, "build", "--build-dir", "build/sam"], project, AWS_REGION="us-east-1")

    built = (project / "build" / "sam" / "template.yaml").read_text()
    places = re.findall(r"CodeUri: (\S+)", built)
    assert len(places) == len(SERVICES) + 1
    assert {(project / "build" / "sam" / place).resolve() for place in places} == {project / "build" / "sam.zip"}


def test_sam_speaks_to_nobody_outside(sam, project):
    with a_way_out() as (port, asked):
        proxy = f"http://127.0.0.1:{port}"
        ways = {name: proxy for way in ("http_proxy", "https_proxy") for name in (way, way.upper())}
        run([*sam, "build", "--build-dir", "build/sam"], project, AWS_REGION="us-east-1", **ways)

    assert asked == []


# -- deployed


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_deployed_as_the_contract_has_it(sam_stack, name):
    contract = json.loads((ROOT / "shared" / "asyncapi.json").read_bytes())
    ours = contract["channels"][name]["x-trefoil"]

    queue, dead = (attributes(sam_stack, f"{sam_stack.prefix}-{each}") for each in (name, f"{name}-dead"))

    subscription = subscription_of(sam_stack, queue["QueueArn"])
    redrive = json.loads(queue["RedrivePolicy"])
    assert queue["VisibilityTimeout"] == str(ours["visibilitySeconds"])
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (
        dead["QueueArn"],
        ours["deliveryLimit"],
    )
    assert json.loads(subscription["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"]}
    assert json.loads(subscription["FilterPolicy"]) == {"type": ours["types"]}
    assert subscription["RawMessageDelivery"] == "true"


@pytest.mark.parametrize("name", SERVICES)
def test_a_functions_alias_reads_its_queue(sam_stack, name):
    queue = attributes(sam_stack, f"{sam_stack.prefix}-{name}")["QueueArn"]

    (mapping,) = sam_stack.client("lambda").list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]

    assert mapping["FunctionArn"].endswith(f":function:{sam_stack.prefix}-{name}:live")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_function_is_told_where_it_is(sam_stack):
    function = live(sam_stack, "orders")

    topic = sam_stack.client("sns").create_topic(Name=f"{sam_stack.prefix}-bus")["TopicArn"]
    assert function["Runtime"] == "provided.al2023"
    assert function["Environment"]["Variables"] == {
        "AWS_ENDPOINT_URL": sam_stack.endpoint,
        "POWERTOOLS_METRICS_NAMESPACE": "Trefoil",
        "POWERTOOLS_SERVICE_NAME": "orders",
        "TREFOIL_BUS_ARN": topic,
        "TREFOIL_CLOUD": "aws",
        "TREFOIL_NAME": sam_stack.name,
        "TREFOIL_SERVICE": "orders",
        "TREFOIL_STAGE": sam_stack.stage,
    }


def test_the_tick_is_called_each_minute(sam_stack):
    schedule = sam_stack.client("scheduler").get_schedule(Name=f"{sam_stack.prefix}-tick")

    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(1 minute)", "ENABLED")
    assert schedule["Target"]["Arn"].endswith(f":function:{sam_stack.prefix}-tick:live")


def test_what_is_deployed_is_not_deployed_again(sam_stack):
    said = sam_stack.deploy()

    assert "No changes to deploy" in said


def test_an_order_and_a_user_go_all_the_way(sam_stack, monkeypatch):
    """Through the bus, the queues and real functions, to the mails; read back as one tree each."""
    for setting, value in sam_stack.environment.items():
        monkeypatch.setenv(setting, value)

    sent = trefoil("send", "-", "--cloud", "aws", stdin=lines(place("first"), register("ada")))

    assert sent.code == 0, sent.err
    books = _when_done()
    assert books["orders"] == {"placed": 1, "fulfilled": 1, "cancelled": 0, "open": 0}
    assert (books["users"], books["mails"]) == (1, 3)
    assert all(channel["dead"] == 0 for channel in books["channels"].values())
    assert _told(_tree("first")) >= {
        "orders.place-order.v1",
        "payments.payment-captured.v1",
        "shipping.shipment-dispatched.v1",
        "orders.order-fulfilled.v1",
        "notifications.mail-sent.v1",
    }
    assert _told(_tree("ada")) == {
        "users.register-user.v1",
        "users.user-registered.v1",
        "notifications.mail-sent.v1",
    }
    audited = trefoil("audit", "--cloud", "aws", "--json")
    assert (audited.code, audited.json["missing"]) == (0, [])


def _when_done() -> Any:
    """The books when the mails of the fulfilled order and of the user were sent, and nothing waits or is handled."""
    end = time.monotonic() + PATIENCE
    while True:
        books = trefoil("status", "--cloud", "aws", "--books", "--json").json
        busy = any(channel["waiting"] or channel["leased"] for channel in books["channels"].values())
        if books["mails"] == 3 and not busy:
            return books
        assert time.monotonic() < end, books
        time.sleep(1)


def _tree(subject: str) -> Any:
    """The one tree of a subject."""
    (root,) = trefoil("trace", subject, "--cloud", "aws", "--json").json
    return root


def _told(node: Any) -> set[str]:
    """The types in a tree."""
    return {node["type"]}.union(*(_told(child) for fate in node["fates"] for child in fate["caused"]))


# -- changed and removed


def test_a_parameter_alone_reaches_the_alias_and_removal_leaves_nothing(cloudformation, ministack):
    stack = SamStack(ministack, "spare")
    stack.deploy()
    before = live(stack, "orders")

    stack.deploy("MemoryMiB=1024")

    after = live(stack, "orders")
    (key,) = {
        each["TargetKeyId"]
        for each in stack.client("kms").list_aliases()["Aliases"]
        if stack.prefix in each["AliasName"]
    }
    there = left(stack)
    stack.destroy()
    assert (before["MemorySize"], after["MemorySize"]) == (512, 1024)
    assert len(there) > 100
    assert left(stack) == []
    assert stack.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
