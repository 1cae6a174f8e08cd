"""The whole of it on MiniStack: the README's section on AWS, real orders through SNS, SQS and real functions.

The section's first lines deploy, and its last, run at the end, take the deployment down. The functions are the zip, run
by AWS's own runtime client in a Python that sees nothing else. The tests are one story, told in the order of this file.
What an emulator can't prove is in docs/aws.md.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.local.ledger import take_stock
from infra.aws.names import Names
from infra.aws.wiring import Aws
from shared.catalog import CATALOG
from shared.kernel.ports import Outgoing, Timer
from tests.local.driver import Finished, cloud_event, lines, reading, register, trefoil
from tests.support.aws import at, clients_of
from tests.support.end_to_end import PATIENCE, effects, eventually, holes, script, services_in
from tests.support.readme import ON_AWS, commands
from tests.support.tree import copy_tree

ORDERS = 300
SAMPLES = Path(__file__).parents[2] / "functions" / "local" / "samples" / "CDNOW_sample.txt"
pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@dataclass(frozen=True)
class Shop:
    """A deployment, as its operator has it."""

    tree: Path
    aws: Aws
    said: str = ""
    """What the README's commands said, but for those that take it down."""

    def trefoil(self, *arguments: str, stdin: bytes = b"") -> Finished:
        return trefoil(*arguments, "--cloud", "aws", stdin=stdin)

    def send(self, *messages: Any) -> None:
        done = self.trefoil("send", "-", stdin=lines(*messages))
        assert done.code == 0, done.err

    def run(self, *line: str) -> str:
        done = subprocess.run(line, cwd=self.tree, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_until_all_is_handled(self) -> None:
        end = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 3:
            assert time.monotonic() < end, self.trefoil("status").out
            depths = [self.aws.system.operations.depth(name) for name in CATALOG.services]
            quiet = 0 if any(depth.held for depth in depths) else quiet + 1
            time.sleep(0.5)


SECTION = commands()[ON_AWS]
DOWN = next(place for place, command in enumerate(SECTION) if command.startswith("make destroy-"))

HERE = {
    'eval "$(trefoil emulators up aws)"': "true",
    "trefoil emulators down aws": "true",
}
"""What the tests have set up already, with an emulator of their own; tests/emulators starts and stops others."""

LOOKED = "trefoil status --cloud aws"
"""A person repeats it until nothing waits."""

UNTIL_QUIET = f"""
for quiet in 1 2 3; do
    while {LOOKED} --json | grep -qE '"(waiting|leased)": [1-9]'; do sleep 1; done
    sleep 0.5
done
"""


@pytest.fixture(scope="module")
def shop(ministack, tmp_path_factory) -> Iterator[Shop]:
    """Deployed as the README says."""
    with at(ministack), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("TREFOIL_", "TF_VAR_"))]:
            patch.delenv(name)
        tree = copy_tree(tmp_path_factory.mktemp("clone"))
        patch.setenv("PATH", f"{tree / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        # The environment holds the original, too.
        patch.setenv("PYTHONPATH", str(tree))
        shop = Shop(tree, Aws(Names(), clients_of(ministack.endpoint)))
        said = shop.run("bash", "-c", script(SECTION[:DOWN], HERE, {LOOKED: UNTIL_QUIET}))
        yield replace(shop, said=said)


@pytest.fixture(scope="module")
def busy(shop) -> Shop:
    """Real orders were sent, and all were handled."""
    file = shop.tree / "orders.txt"
    file.write_text("".join(SAMPLES.read_text().splitlines(keepends=True)[:ORDERS]))
    done = shop.trefoil("send", "-", stdin=trefoil("import", "cdnow", str(file)).out.encode())
    assert done.code == 0, done.err
    shop.wait_until_all_is_handled()
    return shop


def test_the_readmes_commands_show_what_they_are_for(shop):
    said = dict(zip(SECTION, re.split(r"^\$ .*\n", shop.said, flags=re.MULTILINE)[1:], strict=False))

    assert len(said) == DOWN
    assert "Apply complete!" in said["make deploy-aws ARGS=-auto-approve"]
    (sent,) = [text for command, text in said.items() if "| head -20 |" in command]
    assert sent == "20 sent, 0 refused\n"
    assert "orders.order-fulfilled.v1" in said["trefoil trace --cloud aws 00004-19970101-1"]
    assert "Nothing is missing." in said["trefoil audit --cloud aws"]


def test_a_second_plan_changes_nothing(shop):
    planned = shop.run(sys.executable, "terraform/cli.py", "aws", "plan", "-detailed-exitcode")

    assert "No changes." in planned


def test_the_books_of_real_orders_balance_to_the_cent(busy):
    books = take_stock(busy.aws.system)

    money = books.money["USD"]
    assert books.orders["placed"] == books.orders["fulfilled"] + books.orders["cancelled"] == ORDERS
    assert money.captured == money.fulfilled + money.refunded > 0
    assert books.dead_letters == 0


def test_nothing_that_was_committed_is_missing(busy):
    done = busy.trefoil("audit", "--json")

    assert (done.code, done.json["missing"]) == (0, [])


def test_each_order_has_one_capture_one_dispatch_and_one_mail_of_each_kind(busy):
    told = effects(busy.aws.store)

    assert len(told) > 3 * ORDERS
    assert set(told.values()) == {1}


def test_every_history_is_without_a_hole(busy):
    assert holes(busy.aws.store) == []


def test_an_order_is_read_back_as_one_tree(busy):
    shown = busy.trefoil("trace", "00004-19970101-1", "--json").json

    assert [root["type"] for root in shown] == ["orders.place-order.v1"]
    assert "orders.order-fulfilled.v1" in json.dumps(shown)
    assert {"orders", "payments", "shipping", "notifications"} <= set(services_in(shown))


def test_a_timer_that_is_due_comes_back_to_its_service(busy):
    timer = _timer_of(busy, "00004-19970101-1")
    busy.aws.timers.remove([timer])
    busy.aws.timers.set([Timer(0.0, timer.message)])

    answer = busy.aws.clients.functions.invoke(FunctionName="trefoil-dev-tick:live", Payload=b"{}")

    assert json.loads(answer["Payload"].read()) == {"published": 1}
    busy.wait_until_all_is_handled()
    handled = [m.type for commit in busy.aws.store.read("orders/00004-19970101-1") for m in commit.handled]
    assert "orders.payment-timed-out.v1" in handled
    assert timer.message.id not in {each.message.id for each in busy.aws.timers.all()}


def _timer_of(shop, order):
    (timer,) = [timer for timer in shop.aws.timers.all() if timer.message.subject == order]
    return timer


def test_a_batch_with_poison_settles_each_message_on_its_own(busy):
    queue = "users"
    busy.trefoil("pause", queue)
    good = [register(f"good{number}") for number in range(3)]
    mismatch = cloud_event("users.register-user.v1", "bad1", {"name": 5})
    unknown = cloud_event("users.unheard-of.v1", "bad2", {})
    newer = cloud_event("users.register-user.v9", "later1", {})
    bodies = [json.dumps(each).encode() for each in (*good, mismatch, unknown, newer)] + [b"{ not JSON"]
    busy.aws.bus.publish(
        [Outgoing(str(n), "users.register-user.v1", "s", body, queue) for n, body in enumerate(bodies)]
    )
    busy.trefoil("resume", queue)

    letters = eventually(lambda: (found := _letters(busy, queue)) and len(found) == 3 and found)
    # The newer version stays: code to come may know it.
    eventually(lambda: busy.aws.system.operations.depth(queue).leased == 1)

    assert {letter["reason"]: letter["attempts"] for letter in letters} == {
        "MalformedMessage": 1,
        "PayloadMismatch": 1,
        "UnknownType": 1,
    }
    assert [busy.trefoil("show", queue, f"good{number}").code for number in range(3)] == [0, 0, 0]


def _letters(shop, service):
    return shop.trefoil("dead", "list", "--service", service, "--json").json


def test_a_letter_that_is_replayed_twice_takes_effect_once(busy):
    """The cause was mended from outside: what is in the letter is what the service can read by now."""
    body = json.dumps(register("mended")).encode()
    for _ in range(2):
        busy.aws.clients.sqs.send_message(
            QueueUrl=busy.aws.queues.url("trefoil-dev-users-dead"),
            MessageBody=body.decode(),
            MessageAttributes={"trefoil-reason": {"DataType": "String", "StringValue": "PayloadMismatch"}},
        )
        done = eventually(lambda: _replayed(busy))
        assert done.code == 0, done.err

    eventually(lambda: busy.trefoil("show", "users", "mended").code == 0)
    time.sleep(3)
    assert len(list(busy.aws.store.read("users/mended"))) == 1


def _replayed(shop):
    ids = [letter["id"] for letter in _letters(shop, "users") if letter["subject"] == "mended"]
    return shop.trefoil("dead", "replay", *ids) if ids else None


def test_a_paused_service_leaves_its_messages_in_the_queue(busy):
    busy.trefoil("pause", "sensors")
    assert busy.aws.system.operations.depth("sensors").paused

    busy.send(reading("attic", 12))
    time.sleep(3)
    held = busy.aws.system.operations.depth("sensors").waiting
    busy.trefoil("resume", "sensors")

    assert held == 1
    eventually(lambda: busy.trefoil("show", "sensors", "attic").code == 0)


def test_destroy_leaves_nothing(shop):
    shop.run("bash", "-c", script(SECTION[DOWN:], HERE, {}))

    assert [arn for arn in _resources(shop.aws) if "trefoil-dev" in arn] == []


def _resources(aws: Aws) -> Iterator[str]:
    """Whatever there is, by name or address."""
    new = boto3.client
    yield from (each["FunctionArn"] for each in aws.clients.functions.list_functions()["Functions"])
    mappings = aws.clients.functions.list_event_source_mappings()["EventSourceMappings"]
    yield from (each["EventSourceArn"] for each in mappings)
    yield from aws.clients.sqs.list_queues().get("QueueUrls", [])
    yield from (each["TopicArn"] for each in aws.clients.sns.list_topics()["Topics"])
    yield from (each["SubscriptionArn"] for each in aws.clients.sns.list_subscriptions()["Subscriptions"])
    yield from aws.clients.dynamodb.list_tables()["TableNames"]
    yield from (each["RoleName"] for each in new("iam").list_roles()["Roles"])
    yield from (each["AlarmName"] for each in new("cloudwatch").describe_alarms()["MetricAlarms"])
    yield from (each["logGroupName"] for each in new("logs").describe_log_groups()["logGroups"])
    yield from (each["AliasName"] for each in new("kms").list_aliases()["Aliases"])
    yield from (each["Name"] for each in new("scheduler").list_schedules()["Schedules"])
