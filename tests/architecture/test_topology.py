"""The contract is a valid AsyncAPI document, says what the code says, and changes only when the code does."""

import copy
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator
from msgspec import Struct
from referencing import Registry
from referencing.jsonschema import DRAFT7, EMPTY_REGISTRY

from shared.catalog import CATALOG
from shared.kernel.backoff import Backoff
from shared.kernel.catalog import Catalog
from shared.kernel.codec import encode
from shared.kernel.errors import ConfigurationError, UnknownType
from shared.kernel.message import Envelope, Payload, Upcast, command, event
from shared.kernel.service import Limits, Service
from shared.kernel.topology import VERSION, asyncapi, render
from shared.kernel.topology_limits import LOAD_SECONDS, SETTLE_SECONDS, function_timeout, visibility
from shared.messages.orders import OrderPlaced
from shared.messages.values import SECRET, Money

DRIFT = "shared/asyncapi.json is not what the code says; run: trefoil topology"

SERVICES = list(CATALOG.services.values())


@command("shop.open-shop.v1")
class OpenShop(Payload, frozen=True):
    """Let people in."""


@event("shop.shop-opened.v1")
class ShopOpenedOnce(Payload, frozen=True):
    """People may come in; said without the door."""


@event("shop.shop-opened.v2", upcast=Upcast(ShopOpenedOnce, lambda _: ShopOpened("front")))
class ShopOpened(Payload, frozen=True):
    """People may come in by this door."""

    door: str


@event("shop.bell-rung.v1", private=True)
class BellRung(Payload, frozen=True):
    """The door's bell is worn a little more."""


class Nothing(Struct, frozen=True):
    """No state."""


def do_nothing(*_):
    return []


def service(name: str, handles: list[type[Payload]], emits: list[type[Payload]], **more: Any) -> Service:
    handled, emitted = dict.fromkeys(handles, do_nothing), dict.fromkeys(emits)
    return Service(name=name, state=Nothing, handles=handled, emits=emitted, **more)


SHOP = service("shop", [OpenShop], [ShopOpened, BellRung])
SIGN = service("sign", [ShopOpened], [])


def references(node: Any) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def resolve(document: dict[str, Any], reference: str) -> Any:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def validator(document: dict[str, Any], place: str) -> Draft7Validator:
    """Checks values against one schema of the document."""
    registry = Registry().with_resource("contract:", DRAFT7.create_resource(document))
    return Draft7Validator({"$ref": f"contract:#/{place}"}, registry=registry)


def ours(document: dict[str, Any], channel: str) -> dict[str, Any]:
    return document["channels"][channel]["x-trefoil"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi(CATALOG)


@pytest.fixture(scope="module")
def specification(root) -> Draft7Validator:
    """AsyncAPI's own schema; a reference that leads out of the file is an error, not a download."""
    schema = json.loads((root / "tests/architecture/asyncapi-3.0.0.schema.json").read_bytes())
    return Draft7Validator(schema, registry=EMPTY_REGISTRY)


# -- a valid document


def test_the_contract_is_a_valid_asyncapi_document(specification, document):
    errors = [error.message for error in specification.iter_errors(document)]

    assert errors == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("asyncapi", "2.6.0"),
        ("info/title", None),
        ("channels/orders/queue", "a word that AsyncAPI does not know"),
        ("channels/orders/messages/extra", "not a message"),
        ("operations/orders-send/action", "publish"),
        ("components/messages/orders.order-placed.v1/traits", "not a list"),
        ("components/schemas/OrderPlaced/type", "struct"),
    ],
)
def test_a_broken_contract_is_refused(specification, document, place, value):
    broken = copy.deepcopy(document)
    parent, _, name = place.rpartition("/")
    (resolve(broken, parent) if parent else broken)[name] = value

    assert not specification.is_valid(broken)


def test_every_reference_leads_somewhere_in_the_contract(document):
    found = [resolve(document, reference) for reference in references(document)]

    assert len(found) > 100
    assert all(found)


def test_an_operation_speaks_only_of_messages_of_its_own_channel(document):
    operations = document["operations"].values()

    strays = [
        message["$ref"]
        for operation in operations
        for message in operation["messages"]
        if not message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
    ]

    assert strays == []


def test_the_contract_carries_the_projects_version(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


# -- no drift


def test_the_file_is_what_the_code_says(root, document):
    written = (root / "shared" / "asyncapi.json").read_text(encoding="utf-8")

    assert written == render(document), DRIFT


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_contract_is_the_same_in_every_process(root, document, seed):
    code = (
        "import sys; from shared.catalog import CATALOG; from shared.kernel.topology import asyncapi, render;"
        "sys.stdout.buffer.write(render(asyncapi(CATALOG)).encode())"
    )
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}

    run = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)

    assert run.stdout.decode() == render(document)


def test_moving_a_line_in_a_services_table_changes_nothing(document):
    turned = [
        msgspec.structs.replace(s, handles=dict(reversed(s.handles.items())), emits=dict(reversed(s.emits.items())))
        for s in SERVICES
    ]

    assert render(asyncapi(Catalog(turned))) == render(document)


# -- filters


@pytest.mark.parametrize("name", CATALOG.services)
def test_a_service_lets_through_exactly_what_it_can_read(document, name):
    vocabulary = CATALOG.service(name).incoming()
    known = document["components"]["messages"]

    def readable(type_: str) -> bool:
        try:
            vocabulary.payload_class(type_)
        except UnknownType:
            return False
        return True

    types = ours(document, name)["types"]

    assert types == sorted(filter(readable, known))
    assert {str(payload.message_type) for payload in CATALOG.service(name).handles} <= set(types)


def test_a_service_reads_old_versions_and_sends_the_newest():
    shop = asyncapi(Catalog([SHOP, SIGN]))

    assert ours(shop, "sign")["types"] == ["shop.shop-opened.v1", "shop.shop-opened.v2"]
    assert shop["operations"]["shop-send"]["messages"] == [{"$ref": "#/channels/bus/messages/shop.shop-opened.v2"}]
    assert "ShopOpenedOnce" in shop["components"]["schemas"]


def test_the_bus_carries_everything_that_a_service_handles_or_publishes(document):
    carried = set(document["channels"]["bus"]["messages"])

    assert carried == set(document["components"]["messages"])
    assert carried >= {type_ for name in CATALOG.services for type_ in ours(document, name)["types"]}


def test_private_types_are_nowhere_in_the_contract(document):
    private = [payload for s in SERVICES for payload in s.emits if payload.message_type.private]

    text = render(document)

    assert private
    assert [p for p in private if p.message_type.name in text or f'"{p.__qualname__}"' in text] == []


def test_a_timer_belongs_to_the_service_that_sets_it(document):
    with_timers = [name for name in CATALOG.services if ours(document, name)["timers"]]

    assert with_timers == ["orders"]
    assert "orders.payment-timed-out.v1" in ours(document, "orders")["types"]


# -- what follows from the catalog


def test_a_new_service_gets_its_channel_its_dead_letters_and_its_operations():
    before = asyncapi(Catalog([SHOP]))

    after = asyncapi(Catalog([SHOP, SIGN]))

    assert after["channels"].keys() - before["channels"].keys() == {"sign", "sign-dead"}
    assert after["operations"].keys() - before["operations"].keys() == {"sign-receive", "sign-dead-letter"}
    assert ours(after, "sign")["deadLetter"] == "sign-dead"
    assert ours(after, "sign").keys() == ours(before, "shop").keys()
    assert after["channels"]["shop"] == before["channels"]["shop"]


def test_every_channel_says_what_it_is_for(document):
    roles = {name: ours(document, name)["role"] for name in document["channels"]}

    services = dict.fromkeys(CATALOG.services, "service")
    dead_letters = {f"{name}-dead": "dead-letter" for name in CATALOG.services}
    assert roles == {**services, **dead_letters, "bus": "bus"}


def test_a_service_can_not_take_the_name_of_the_bus():
    impostor = service("bus", [], [])

    with pytest.raises(ConfigurationError, match="'bus'"):
        asyncapi(Catalog([impostor]))


# -- limits


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        (Limits(handler_seconds=10, batch=10), 130),
        (Limits(handler_seconds=0.25, batch=3), 31),
        (Limits(handler_seconds=10, batch=100), 300),
    ],
)
def test_a_function_has_time_for_its_batch_but_no_more_than_any_cloud_grants(limits, seconds):
    assert function_timeout(limits) == seconds
    assert visibility(limits) == 6 * seconds


def test_the_longest_handler_can_start_and_its_result_be_settled():
    limits = Limits(handler_seconds=270, batch=1)

    assert LOAD_SECONDS + limits.handler_seconds + SETTLE_SECONDS == function_timeout(limits)


def test_the_broker_gives_up_ten_deliveries_after_the_receiver():
    shop = service("shop", [OpenShop], [], limits=Limits(tries=3))

    limits = ours(asyncapi(Catalog([shop])), "shop")

    assert (limits["tries"], limits["deliveryLimit"]) == (3, 13)


@pytest.mark.parametrize(
    ("limits", "culprit"),
    [
        (Limits(handler_seconds=271), "handler_seconds"),
        (Limits(handler_seconds=0), "handler_seconds"),
        (Limits(batch=0), "batch"),
        (Limits(concurrency=0), "concurrency"),
        (Limits(tries=0), "tries"),
        (Limits(tries=91), "tries"),
        (Limits(backoff=Backoff(cap=601)), "backoff.cap"),
        (Limits(backoff=Backoff(base=20, cap=10)), "backoff.base"),
    ],
)
def test_a_limit_that_some_cloud_can_not_keep_is_refused_by_name(limits, culprit):
    shop = service("shop", [OpenShop], [], limits=limits)

    with pytest.raises(ConfigurationError, match=f"'shop': {culprit} is"):
        asyncapi(Catalog([shop]))


# -- messages


def wire_message(**changes: Any) -> dict[str, Any]:
    """An envelope as a broker carries it, decoded by nothing of ours."""
    placed = OrderPlaced("17", "17@example.com", 2, Money(2933, "USD"), "2026-11-20")
    envelope = Envelope(
        specversion="1.0",
        id="orders/17:1:0",
        source="/orders",
        type="orders.order-placed.v1",
        subject="17",
        time=datetime(2026, 11, 20, tzinfo=UTC),
        correlationid="1",
        hops=1,
        data=msgspec.Raw(msgspec.json.encode(placed)),
    )
    return {**json.loads(encode(envelope)), **changes}


def test_a_message_on_the_wire_fits_what_the_contract_says(document):
    attributes = wire_message()

    data = attributes.pop("data")

    validator(document, "components/messageTraits/cloudevents/headers").validate(attributes)
    validator(document, "components/schemas/OrderPlaced").validate(data)


@pytest.mark.parametrize("change", [{"subject": "a/b"}, {"specversion": "0.3"}, {"hops": "one"}, {"id": None}])
def test_an_envelope_that_no_service_would_read_does_not_fit(document, change):
    attributes = wire_message(**change)

    assert not validator(document, "components/messageTraits/cloudevents/headers").is_valid(attributes)


def test_a_payload_that_no_service_would_read_does_not_fit(document):
    data = wire_message()["data"]

    schema = validator(document, "components/schemas/OrderPlaced")

    assert not schema.is_valid({**data, "total": {"amount": -1, "currency": "USD"}})
    assert not schema.is_valid({name: value for name, value in data.items() if name != "email"})


def test_secret_fields_are_marked_in_the_schema(document):
    schemas = document["components"]["schemas"]
    public = [payload for s in SERVICES for payload in (*s.handles, *s.emits) if payload.__qualname__ in schemas]

    secret = {
        (payload.__qualname__, field.name)
        for payload in public
        for field in msgspec.inspect.type_info(payload).fields
        if isinstance(field.type, msgspec.inspect.Metadata) and field.type.extra == SECRET.extra
    }

    marked = {
        (name, field)
        for name, schema in schemas.items()
        for field, description in schema["properties"].items()
        if description.get("x-secret")
    }
    assert secret == marked
    assert ("OrderPlaced", "email") in marked


def test_a_message_is_described_by_its_docstring(document):
    message = document["components"]["messages"]["orders.place-order.v1"]

    assert message["title"] == "Place order"
    assert message["summary"] == "Accept an order; `total` may be zero."
    assert message["x-trefoil"] == {"kind": "command"}
