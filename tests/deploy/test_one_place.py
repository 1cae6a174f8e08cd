"""One place: a service is added to a copy of the tree as the README says, and everything that it needs follows.

The copy is what runs here: its code by `python -m`, its Terraform with mocks, its template.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from functions.imports import needed
from tests.local.driver import Finished, lines, place
from tests.support import terraform_plans
from tests.support.aws_stacks import Said, by_sam, by_terraform
from tests.support.readme import blocks
from tests.support.terraform import ROOT, Stack, failures, initialised
from tests.support.tree import copy_tree

SERVICE = "loyalty"
NEIGHBOUR = "users"
"""A service that is there already, and sets no timers either."""

FILES = {
    "shared/messages/loyalty.py": ["from shared.kernel.message import Payload, event"],
    "shared/loyalty/model.py": ["from msgspec import Struct", "from shared.messages.loyalty import PointsEarned"],
    "shared/loyalty/handlers.py": [
        "from collections.abc import Iterable",
        "from shared.kernel.message import Emission, Message",
        "from shared.kernel.service import Service",
        "from shared.loyalty.model import Points",
        "from shared.messages.loyalty import PointsEarned",
        "from shared.messages.orders import OrderFulfilled",
    ],
}
"""What the README's blocks are, in their order, and the imports that it leaves out."""

CATALOG_IMPORT = "from shared.loyalty.handlers import SERVICE as LOYALTY\n"


def run(tree: Path, *words: str, stdin: bytes = b"") -> Finished:
    """Run the tree's own Python modules: the tree comes before whatever the environment has installed."""
    ours = ("CI", "TREFOIL_", "TF_", "AWS_", "PYTEST_")
    around = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree,
        env={**around, "PYTHONPATH": str(tree)},
        input=stdin,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def trefoil(tree: Path, *words: str, stdin: bytes = b"") -> Finished:
    return run(tree, "-m", "functions.local", *words, stdin=stdin)


@pytest.fixture(scope="module")
def added(tmp_path_factory) -> Path:
    """The tree with the service in it; nothing was generated yet."""
    tree = copy_tree(tmp_path_factory.mktemp("one") / "place")
    (tree / "shared" / SERVICE).mkdir()
    (tree / "shared" / SERVICE / "__init__.py").touch()
    for (name, imports), block in zip(FILES.items(), blocks("python", "Add a handler in two steps"), strict=True):
        (tree / name).write_text("\n".join(imports) + "\n\n\n" + block)
    catalog = tree / "shared" / "catalog.py"
    text, imported = re.subn(
        r"(?=^from shared\.notifications)", CATALOG_IMPORT, catalog.read_text(), flags=re.MULTILINE
    )
    text, listed = re.subn(r"\bCLIMATE\]", "CLIMATE, LOYALTY]", text)
    assert (imported, listed) == (1, 1)
    catalog.write_text(text)
    return tree


@pytest.fixture(scope="module")
def checked(added) -> Finished:
    """What the check said before anything was generated."""
    return trefoil(added, "topology", "--check")


@pytest.fixture(scope="module")
def grown(added, checked) -> Path:
    """The tree with what follows from the service."""
    done = trefoil(added, "topology")
    assert done.code == 0, done.err
    return added


@pytest.fixture(scope="module")
def grown_stack(grown, stack, tmp_path_factory) -> Stack:
    return initialised(grown, tmp_path_factory.mktemp("grown"))


@pytest.fixture(scope="module")
def before(stack) -> dict[str, Said]:
    """What would be deployed of this repository."""
    return {"SAM": by_sam((ROOT / "template.yaml").read_text()), "Terraform": by_terraform(stack.plan())}


@pytest.fixture(scope="module")
def after(grown, grown_stack) -> dict[str, Said]:
    """What would be deployed of the copy."""
    return {
        "SAM": by_sam((grown / "template.yaml").read_text()),
        "Terraform": by_terraform(grown_stack.plan()),
    }


@pytest.fixture(scope="module")
def grown_gcp_stack(grown, google_provider, tmp_path_factory) -> Stack:
    return initialised(grown, tmp_path_factory.mktemp("grown_gcp"), "gcp", google_provider)


@pytest.fixture(scope="module")
def grown_azure_stack(grown, azure_provider, tmp_path_factory) -> Stack:
    return initialised(grown, tmp_path_factory.mktemp("grown_azure"), "azure", azure_provider)


def of(service: str, said: Said) -> set[str]:
    """The kinds and names of a service's resources, with `*` in the place of its name."""
    return {name.replace(service, "*") for name in said.facts if re.search(rf"\b{service}\b", name)}


def test_what_runs_is_the_copy(added):
    done = run(
        added,
        "-c",
        "import functions, infra, shared; print(*(each.__path__[0] for each in (functions, infra, shared)))",
    )

    assert done.out.split() == [str(added / name) for name in ("functions", "infra", "shared")]


def test_the_check_fails_and_names_each_file_that_is_out_of_date(checked):
    assert checked.code == 1
    assert "shared/asyncapi.json is out of date; run `trefoil topology`" in checked.err
    assert "template.yaml is out of date; run `trefoil topology`" in checked.err


def test_what_was_generated_passes_the_check(grown):
    done = trefoil(grown, "topology", "--check")

    assert done.code == 0, done.err


def test_the_contract_has_the_service(grown):
    old, new = (json.loads((tree / "shared" / "asyncapi.json").read_bytes()) for tree in (ROOT, grown))

    assert set(new["channels"]) - set(old["channels"]) == {SERVICE, f"{SERVICE}-dead"}
    assert new["channels"][SERVICE]["x-trefoil"]["types"] == ["orders.order-fulfilled.v1"]
    assert {name: new["channels"][name] for name in old["channels"] if name != "bus"} == {
        name: channel for name, channel in old["channels"].items() if name != "bus"
    }


@pytest.mark.parametrize("by", ["SAM", "Terraform"])
def test_it_is_deployed_with_all_that_its_neighbours_have(after, by):
    found = of(SERVICE, after[by])

    assert found == of(NEIGHBOUR, after[by])
    assert {name.split()[0] for name in found} == {
        "alarm", "alias", "function", "log", "mapping", "queue", "role", "subscription",
    }  # fmt: skip
    alarms = {"dead-letters", "errors", "oldest", "throttles"}
    assert {f"alarm trefoil-dev-*-{alarm}" for alarm in alarms} <= found
    assert {"queue trefoil-dev-*", "queue trefoil-dev-*-dead"} <= found


@pytest.mark.parametrize("by", ["SAM", "Terraform"])
def test_its_filter_and_its_role_are_its_own(after, by):
    arn = f"arn:aws:{{}}:eu-central-1:123456789012:{{}}trefoil-dev-{SERVICE}"
    facts = after[by].facts

    filtered = facts[f"subscription {arn.format('sqs', '')}"]
    mapping = facts[f"mapping {arn.format('lambda', 'function:')}:live"]
    may = facts[f"role What trefoil-dev-{SERVICE} may do"]["may"]
    assert filtered["filter"] == {"type": ["orders.order-fulfilled.v1"]}
    assert filtered["redrive"] == {"deadLetterTargetArn": arn.format("sqs", "") + "-dead"}
    assert mapping["queue"] == arn.format("sqs", "")
    assert facts[f"function trefoil-dev-{SERVICE}"]["environment"]["TREFOIL_SERVICE"] == SERVICE
    assert _streams(may) == [f"{SERVICE}/*"]
    assert not [each for each in may if NEIGHBOUR in json.dumps(each)]


def _streams(may: Iterable[dict[str, Any]]) -> list[str]:
    (condition,) = [each["Condition"] for each in may if "Condition" in each]
    return condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


@pytest.mark.parametrize("by", ["SAM", "Terraform"])
def test_nothing_else_changes_but_whom_the_tick_may_send_to(before, after, by):
    mine = {name for name in after[by].facts if re.search(rf"\b{SERVICE}\b", name)}

    others = {name: facts for name, facts in after[by].facts.items() if name not in mine}

    assert others.keys() == before[by].facts.keys()
    assert [name for name in others if others[name] != before[by].facts[name]] == ["role What trefoil-dev-tick may do"]


def test_google_cloud_has_all_that_its_neighbours_have_and_nothing_else_changes(gcp_stack, grown_gcp_stack):
    before, after = terraform_plans.planned(gcp_stack), terraform_plans.planned(grown_gcp_stack)

    added = after.keys() - before.keys()

    hashes = re.compile(r'"[0-9a-f]{8}"')  # of its own filter, and of its neighbour's
    mine, neighbours = (
        {hashes.sub("", address.replace(service, "*")) for address in after if f'["{service}"]' in address}
        for service in (SERVICE, NEIGHBOUR)
    )
    assert {hashes.sub("", address.replace(SERVICE, "*")) for address in added} == mine == neighbours
    assert [address for address in before if _set(after[address]) != _set(before[address])] == []


def _set(values: dict[str, Any]) -> Any:
    """What is set; the mocks make up the rest of a function, each time anew."""
    (service, *_) = values.get("service_config") or [None]
    return values if service is None else (values["name"], values["labels"], service["environment_variables"])


def test_its_filter_on_google_cloud_is_its_own(grown_gcp_stack):
    subscriptions = terraform_plans.kind(terraform_plans.planned(grown_gcp_stack), "google_pubsub_subscription.this")
    subscription = subscriptions[SERVICE]

    handled = 'attributes.type="orders.order-fulfilled.v1"'
    assert subscription["filter"] == f'attributes.to="{SERVICE}" OR (NOT attributes:to AND {handled})'
    assert subscription["push_config"][0]["push_endpoint"] == f"https://trefoil-dev-{SERVICE}.example"


def test_azure_has_all_that_its_neighbours_have_and_nothing_else_changes(azure_stack, grown_azure_stack):
    before, after = terraform_plans.planned(azure_stack), terraform_plans.planned(grown_azure_stack)

    added = after.keys() - before.keys()

    mine, neighbours = (
        {address.replace(service, "*") for address in after if re.search(rf'"{service}["-]', address)}
        for service in (SERVICE, NEIGHBOUR)
    )
    assert {address.replace(SERVICE, "*") for address in added} == mine == neighbours
    assert [address for address in before if _told(after[address]) != _told(before[address])] == []


def _told(values: dict[str, Any]) -> Any:
    """What the stack says; the mocks make up the rest, and an app's maximum follows from all services."""
    return (values["name"], values["app_settings"], values["tags"]) if "app_settings" in values else _named(values)


def _named(values: dict[str, Any]) -> Any:
    return {name: value for name, value in values.items() if name not in {"app_id", "id", "instrumentation_key"}}


def test_its_filter_on_azure_is_its_own(grown_azure_stack):
    planned = terraform_plans.planned(grown_azure_stack)

    rules = terraform_plans.kind(planned, "azurerm_servicebus_subscription_rule.this")
    subscriptions = terraform_plans.kind(planned, "azurerm_servicebus_subscription.this")

    assert rules[SERVICE]["sql_filter"] == "type IN ('orders.order-fulfilled.v1')"
    assert subscriptions[SERVICE]["forward_to"] == f"trefoil-dev-{SERVICE}"


def test_terraforms_own_test_counts_it(grown_stack):
    messages = grown_stack.test("-filter=tests/repository.tftest.hcl")

    (summary,) = messages["test_summary"]
    assert failures(messages) == []
    assert (summary["test_summary"]["status"], summary["test_summary"]["passed"]) == ("pass", 1)


def test_the_zip_carries_it(grown):
    carried = {path.relative_to(grown).as_posix() for path in needed(grown, (grown / "functions" / "aws").glob("*.py"))}

    assert {*FILES, f"shared/{SERVICE}/__init__.py"} <= carried


def test_the_layers_and_the_rules_know_it_at_once(grown):
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=grown, capture_output=True, text=True, check=False,
    )  # fmt: skip
    suites = ["tests/architecture/test_layers.py", "tests/architecture/test_topology.py", "tests/unit/test_catalog.py"]
    suites += ["tests/architecture/test_template.py", "tests/architecture/test_sizes.py"]
    tested = run(grown, "-m", "pytest", "-q", *suites)

    assert linted.returncode == 0, linted.stdout
    assert tested.code == 0, tested.out


def test_the_command_line_has_its_messages_handled(grown, tmp_path):
    data = ("--data", str(tmp_path))

    sent = trefoil(grown, "send", "-", *data, stdin=lines(place("a1", 4200)))
    worked = trefoil(grown, "work", "--until-idle", "--log", "ERROR", *data)
    shown = trefoil(grown, "show", SERVICE, "a1", "--json", *data)

    assert (sent.code, worked.code, shown.code) == (0, 0, 0), sent.err + worked.err + shown.err
    assert shown.json["state"] == {"total": 42}
