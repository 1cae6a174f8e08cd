"""The whole of it on Google Cloud's and Azure's emulators: the README's section, then real orders, and SIGKILLs.

The functions are those of the zip that the cloud would be given. The tests are one story a cloud, told in the order of
this file. What an emulator can't prove is in docs/gcp.md and docs/azure.md.
"""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from functions.local.ledger import take_stock
from infra.emulators.wiring import ROOT
from shared.kernel.ports import Outgoing, System, Timer
from tests.local.driver import Finished, cloud_event, lines, reading, register, trefoil
from tests.support.end_to_end import PATIENCE, effects, eventually, holes, script, services_in
from tests.support.end_to_end_stages import STAGES, Stage
from tests.support.readme import ON_OTHERS, commands

ORDERS = 120
"""The README's twenty are among them, and so are sent once more."""
KILLS = 20
SAMPLES = ROOT / "functions" / "local" / "samples" / "CDNOW_sample.txt"


@dataclass(frozen=True)
class Shop:
    """A deployment, as its operator has it."""

    cloud: str
    stage: Stage
    said: str = ""
    """What the README's commands said."""
    killed: int = 0

    @property
    def system(self) -> System:
        return self.stage.system

    def trefoil(self, *arguments: str, stdin: bytes = b"") -> Finished:
        return trefoil(*arguments, "--cloud", self.cloud, stdin=stdin)

    def send(self, *messages: Any) -> None:
        done = self.trefoil("send", "-", stdin=lines(*messages))
        assert done.code == 0, done.err

    def run(self, *line: str) -> str:
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_until_all_is_handled(self) -> None:
        eventually(lambda: take_stock(self.system).orders["open"] == 0, PATIENCE)
        eventually(lambda: self.trefoil("audit").code == 0, PATIENCE)

    @property
    def commands(self) -> list[str]:
        """The README's, as they are for this cloud."""
        return [command.replace("gcp", self.cloud) for command in commands()[ON_OTHERS]]


def until_quiet(cloud: str) -> str:
    """A person repeats the status until no order is open."""
    status, audit = f"trefoil status --cloud {cloud} --books --json", f"trefoil audit --cloud {cloud}"
    return f"""
until {status} | grep -q '"placed": [1-9]'; do sleep 1; done
while {status} | grep -q '"open": [1-9]'; do sleep 1; done
until {audit} >/dev/null 2>&1; do sleep 1; done
"""


@pytest.fixture(scope="module", params=STAGES)
def shop(request, tmp_path_factory) -> Iterator[Shop]:
    """As the README says."""
    cloud = request.param
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TREFOIL_")]:
            patch.delenv(name)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        with STAGES[cloud](request.getfixturevalue, tmp_path_factory.mktemp(cloud)) as stage:
            shop = Shop(cloud, stage)
            # Emulators of the tests' own are up already; tests/emulators starts and stops others.
            here = {f'eval "$(trefoil emulators up {cloud})"': "true", f"trefoil emulators down {cloud}": "true"}
            after = {f"trefoil status --cloud {cloud} --books": until_quiet(cloud)}
            said = shop.run("bash", "-c", script(shop.commands, here, after))
            yield replace(shop, said=said)


@pytest.fixture(scope="module")
def busy(shop, tmp_path_factory) -> Shop:
    """Real orders were sent, processes were killed meanwhile, and all was handled."""
    chance = random.Random(2026)
    file = tmp_path_factory.mktemp("orders") / "orders.txt"
    file.write_text("".join(SAMPLES.read_text().splitlines(keepends=True)[:ORDERS]))
    orders = trefoil("import", "cdnow", str(file)).out.encode().splitlines(keepends=True)
    killed = 0
    for part in range(KILLS):
        done = shop.trefoil("send", "-", stdin=b"".join(orders[part::KILLS]))
        assert done.code == 0, done.err
        time.sleep(chance.uniform(0.2, 1.0))
        killed += shop.stage.kill(chance)
    shop.wait_until_all_is_handled()
    return replace(shop, killed=killed)


def test_the_readmes_commands_show_what_they_are_for(shop):
    said = dict(zip(shop.commands, re.split(r"^\$ .*\n", shop.said, flags=re.MULTILINE)[1:], strict=True))

    (sent,) = [text for command, text in said.items() if "| head -20 |" in command]
    assert sent == "20 sent, 0 refused\n"
    assert "orders.order-fulfilled.v1" in said[f"trefoil trace --cloud {shop.cloud} 00004-19970101-1"]
    assert "Nothing is missing." in said[f"trefoil audit --cloud {shop.cloud}"]


def test_the_books_of_real_orders_balance_to_the_cent(busy):
    books = take_stock(busy.system)

    money = books.money["USD"]
    assert busy.killed >= KILLS // 2
    assert books.orders["placed"] == books.orders["fulfilled"] + books.orders["cancelled"] == ORDERS
    assert money.captured == money.fulfilled + money.refunded > 0


def test_only_mails_that_a_kill_left_in_doubt_are_dead_letters(busy):
    letters = busy.trefoil("dead", "list", "--json").json

    assert {(letter["id"].partition("/")[0], letter["reason"]) for letter in letters} <= {
        ("notifications", "OutcomeUnknown")
    }


def test_each_order_has_one_capture_one_dispatch_and_one_mail_of_each_kind(busy):
    told = effects(busy.system.store)

    assert len(told) > 2 * ORDERS
    assert set(told.values()) == {1}


def test_every_history_is_without_a_hole(busy):
    assert holes(busy.system.store) == []


def test_an_order_is_read_back_as_one_tree(busy):
    shown = busy.trefoil("trace", "00004-19970101-1", "--json").json

    assert [root["type"] for root in shown] == ["orders.place-order.v1"]
    assert "orders.order-fulfilled.v1" in json.dumps(shown)
    assert {"orders", "payments", "shipping", "notifications"} <= set(services_in(shown))


def test_a_timer_that_is_due_comes_back_to_its_service(busy):
    timers = busy.system.timers
    (timer,) = [each for each in timers.due(time.time() + 86_400, 10_000) if each.message.subject == "00004-19970101-1"]
    timers.remove([timer])
    timers.set([Timer(0.0, timer.message)])

    assert busy.stage.tick()

    eventually(lambda: "orders.payment-timed-out.v1" in _handled(busy, "orders/00004-19970101-1"))
    assert timer.message.id not in {each.message.id for each in timers.due(time.time() + 86_400, 10_000)}


def _handled(shop, stream):
    return [m.type for commit in shop.system.store.read(stream) for m in commit.handled]


def test_a_batch_with_poison_settles_each_message_on_its_own(busy):
    service = "users"
    good = [register(f"good{number}") for number in range(3)]
    mismatch = cloud_event("users.register-user.v1", "bad1", {"name": 5})
    unknown = cloud_event("users.unheard-of.v1", "bad2", {})
    bodies = [json.dumps(each).encode() for each in (*good, mismatch, unknown)] + [b"{ not JSON", b"\xff\xfe"]
    busy.system.bus.publish(
        [Outgoing(f"p{n}", "users.register-user.v1", "s", body, service) for n, body in enumerate(bodies)]
    )

    letters = eventually(lambda: len(found := _letters(busy, service)) == 4 and found)

    assert sorted((letter["reason"], letter["attempts"]) for letter in letters) == [
        ("MalformedMessage", 1),
        ("MalformedMessage", 1),
        ("PayloadMismatch", 1),
        ("UnknownType", 1),
    ]
    eventually(lambda: all(busy.trefoil("show", service, f"good{number}").code == 0 for number in range(3)))


def _letters(shop, service):
    return shop.trefoil("dead", "list", "--service", service, "--json").json


def test_a_letter_that_is_replayed_twice_takes_effect_once(busy):
    """The cause was mended from outside: what is in the letter is what the service can read by now."""
    body = json.dumps(register("mended")).encode()
    for _ in range(2):
        busy.stage.put_letter("users", body)
        done = eventually(lambda: _replayed(busy))
        assert done.code == 0, done.err

    eventually(lambda: busy.trefoil("show", "users", "mended").code == 0)
    time.sleep(3)
    assert len(list(busy.system.store.read("users/mended"))) == 1


def _replayed(shop):
    ids = [letter["id"] for letter in _letters(shop, "users") if letter["subject"] == "mended"]
    return shop.trefoil("dead", "replay", *ids) if ids else None


def test_a_paused_service_leaves_its_messages_in_its_channel(busy):
    busy.trefoil("pause", "sensors")
    assert busy.system.operations.depth("sensors").paused

    busy.send(reading("attic", 12))
    time.sleep(3)
    during = busy.trefoil("show", "sensors", "attic").code
    busy.trefoil("resume", "sensors")

    assert during == 1
    eventually(lambda: busy.trefoil("show", "sensors", "attic").code == 0)
