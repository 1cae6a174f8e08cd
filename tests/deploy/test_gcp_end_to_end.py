"""The whole of it on Google's emulators: the README's section, real orders pushed into functions that are killed.

The functions are the zip that Cloud Build would be given, under functions-framework and gunicorn, two processes each.
The tests are one story, told in the order of this file. What an emulator can't prove is in docs/gcp.md.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from functions.local.ledger import take_stock
from functions.zips import build_source
from infra.emulators.wiring import ROOT
from infra.gcp.names import Names
from infra.gcp.wiring import Gcp
from shared.kernel.ports import Outgoing, Timer
from tests.local.driver import Finished, cloud_event, lines, reading, register, trefoil
from tests.support.end_to_end import PATIENCE, effects, eventually, holes, script, services_in
from tests.support.gcp import PROJECT, at_google, clients_for
from tests.support.gcp_emulators import CLOUD_RUN, CloudRunStandIn, running_cloudrun
from tests.support.readme import ON_OTHERS, commands

ORDERS = 120
"""The README's twenty are among them, and so are sent once more."""
KILLS = 20
SAMPLES = ROOT / "functions" / "local" / "samples" / "CDNOW_sample.txt"


@dataclass(frozen=True)
class Shop:
    """A deployment, as its operator has it."""

    gcp: Gcp
    functions: CloudRunStandIn
    said: str = ""
    """What the README's commands said."""
    killed: int = 0

    def trefoil(self, *arguments: str, stdin: bytes = b"") -> Finished:
        return trefoil(*arguments, "--cloud", "gcp", stdin=stdin)

    def send(self, *messages: Any) -> None:
        done = self.trefoil("send", "-", stdin=lines(*messages))
        assert done.code == 0, done.err

    def run(self, *line: str) -> str:
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_until_all_is_handled(self) -> None:
        eventually(lambda: take_stock(self.gcp.system).orders["open"] == 0, PATIENCE)
        eventually(lambda: self.trefoil("audit").code == 0, PATIENCE)

    def processes(self) -> list[int]:
        """The functions' masters and workers."""
        masters = {function["process"] for function in self.functions.functions().values()} - {0}
        return sorted(masters | {child for master in masters for child in _children(master)})


def _children(parent: int) -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return []


SECTION = commands()[ON_OTHERS]
HERE = {
    'eval "$(trefoil emulators up gcp)"': "true",
    "trefoil emulators down gcp": "true",
}
"""What the tests have set up already, with emulators of their own; tests/emulators starts and stops others."""

LOOKED = "trefoil status --cloud gcp --books"
"""A person repeats it until no order is open."""

UNTIL_QUIET = f"""
until {LOOKED} --json | grep -q '"placed": [1-9]'; do sleep 1; done
while {LOOKED} --json | grep -q '"open": [1-9]'; do sleep 1; done
until trefoil audit --cloud gcp >/dev/null 2>&1; do sleep 1; done
"""


@pytest.fixture(scope="module")
def shop(pubsub, firestore, tmp_path_factory) -> Iterator[Shop]:
    """As the README says; the functions are those of the zip."""
    folder = tmp_path_factory.mktemp("gcp")
    build_source(ROOT, folder / "gcp.zip")
    zipfile.ZipFile(folder / "gcp.zip").extractall(folder / "code")
    code = folder / "code"
    cloudrun = replace(CLOUD_RUN, source=code / "main.py", path=code, tick_seconds=2, workers=2)
    with at_google(pubsub, firestore), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TREFOIL_")]:
            patch.delenv(name)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        emulators = {**pubsub.exports, **firestore.exports}
        with running_cloudrun(emulators, folder / "cloudrun", cloudrun, PROJECT) as functions:
            shop = Shop(Gcp(Names(), clients_for(Names())), functions)
            said = shop.run("bash", "-c", script(SECTION, HERE, {LOOKED: UNTIL_QUIET}))
            yield replace(shop, said=said)


@pytest.fixture(scope="module")
def busy(shop, tmp_path_factory) -> Shop:
    """Real orders were sent, the functions were killed meanwhile, and all was handled."""
    chance = random.Random(2026)
    file = tmp_path_factory.mktemp("orders") / "orders.txt"
    file.write_text("".join(SAMPLES.read_text().splitlines(keepends=True)[:ORDERS]))
    orders = trefoil("import", "cdnow", str(file)).out.encode().splitlines(keepends=True)
    killed = 0
    for part in range(KILLS):
        done = shop.trefoil("send", "-", stdin=b"".join(orders[part::KILLS]))
        assert done.code == 0, done.err
        time.sleep(chance.uniform(0.2, 1.0))
        if processes := shop.processes():
            with suppress(ProcessLookupError):
                os.kill(chance.choice(processes), signal.SIGKILL)
                killed += 1
    shop.wait_until_all_is_handled()
    return replace(shop, killed=killed)


def test_the_readmes_commands_show_what_they_are_for(shop):
    said = dict(zip(SECTION, re.split(r"^\$ .*\n", shop.said, flags=re.MULTILINE)[1:], strict=True))

    (sent,) = [text for command, text in said.items() if "| head -20 |" in command]
    assert sent == "20 sent, 0 refused\n"
    assert "orders.order-fulfilled.v1" in said["trefoil trace --cloud gcp 00004-19970101-1"]
    assert "Nothing is missing." in said["trefoil audit --cloud gcp"]


def test_the_books_of_real_orders_balance_to_the_cent(busy):
    books = take_stock(busy.gcp.system)

    money = books.money["USD"]
    assert busy.killed >= KILLS // 2
    assert books.orders["placed"] == books.orders["fulfilled"] + books.orders["cancelled"] == ORDERS
    assert money.captured == money.fulfilled + money.refunded > 0


def test_only_mails_that_a_kill_left_in_doubt_are_dead_letters(busy):
    letters = busy.trefoil("dead", "list", "--json").json

    assert {(letter["id"].partition("/")[0], letter["reason"]) for letter in letters} <= {
        ("notifications", "OutcomeUnknown")
    }
    assert len(letters) <= busy.killed


def test_each_order_has_one_capture_one_dispatch_and_one_mail_of_each_kind(busy):
    told = effects(busy.gcp.store)

    assert len(told) > 2 * ORDERS
    assert set(told.values()) == {1}


def test_every_history_is_without_a_hole(busy):
    assert holes(busy.gcp.store) == []


def test_an_order_is_read_back_as_one_tree(busy):
    shown = busy.trefoil("trace", "00004-19970101-1", "--json").json

    assert [root["type"] for root in shown] == ["orders.place-order.v1"]
    assert "orders.order-fulfilled.v1" in json.dumps(shown)
    assert {"orders", "payments", "shipping", "notifications"} <= set(services_in(shown))


def test_a_timer_that_is_due_comes_back_to_its_service(busy):
    (timer,) = [timer for timer in busy.gcp.timers.all() if timer.message.subject == "00004-19970101-1"]
    busy.gcp.timers.remove([timer])
    busy.gcp.timers.set([Timer(0.0, timer.message)])

    assert busy.functions.tick() == 200

    eventually(lambda: "orders.payment-timed-out.v1" in _handled(busy, "orders/00004-19970101-1"))
    assert timer.message.id not in {each.message.id for each in busy.gcp.timers.all()}


def _handled(shop, stream):
    return [m.type for commit in shop.gcp.store.read(stream) for m in commit.handled]


def test_a_batch_with_poison_settles_each_message_on_its_own(busy):
    service = "users"
    good = [register(f"good{number}") for number in range(3)]
    mismatch = cloud_event("users.register-user.v1", "bad1", {"name": 5})
    unknown = cloud_event("users.unheard-of.v1", "bad2", {})
    bodies = [json.dumps(each).encode() for each in (*good, mismatch, unknown)] + [b"{ not JSON", b"\xff\xfe"]
    busy.gcp.bus.publish(
        [Outgoing(str(n), "users.register-user.v1", "s", body, service) for n, body in enumerate(bodies)]
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
    reason = {"trefoil-reason": "PayloadMismatch", "trefoil-error": "PayloadMismatch"}
    for _ in range(2):
        busy.gcp.clients.publisher.publish(
            topic=busy.gcp.topics.path("trefoil-dev-users-dead"), messages=[{"data": body, "attributes": reason}]
        )
        done = eventually(lambda: _replayed(busy))
        assert done.code == 0, done.err

    eventually(lambda: busy.trefoil("show", "users", "mended").code == 0)
    time.sleep(3)
    assert len(list(busy.gcp.store.read("users/mended"))) == 1


def _replayed(shop):
    ids = [letter["id"] for letter in _letters(shop, "users") if letter["subject"] == "mended"]
    return shop.trefoil("dead", "replay", *ids) if ids else None


def test_a_paused_service_leaves_its_messages_in_the_subscription(busy):
    busy.trefoil("pause", "sensors")
    assert busy.gcp.system.operations.depth("sensors").paused

    busy.send(reading("attic", 12))
    time.sleep(3)
    during = busy.trefoil("show", "sensors", "attic").code
    busy.trefoil("resume", "sensors")

    assert during == 1
    eventually(lambda: busy.trefoil("show", "sensors", "attic").code == 0)
