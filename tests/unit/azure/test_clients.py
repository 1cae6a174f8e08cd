"""Clients: made when they are first asked for, once, and with a sentence about what is missing."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from azure.servicebus.exceptions import MessagingEntityNotFoundError, ServiceBusError

from infra.azure.clients import Address, Clients
from infra.azure.plain_http import PlainHttp
from infra.azure.wiring import azure, function
from shared.kernel.commit import Commit
from shared.kernel.errors import ConfigurationError, StoreUnavailable, TrefoilError
from shared.kernel.ports import Outgoing
from tests.support.azure_fakes import BUS, in_turn, raising, refused

QUEUE = "trefoil-dev-orders"
MESSAGE = Outgoing("m1", "orders.order-placed.v1", "o1", b"{}")
COMMIT = Commit("orders/o1", 1, 0.0)
ASK = {
    "bus": lambda clients: clients.bus,
    "administration": lambda clients: clients.administration,
    "tables": lambda clients: clients.tables,
    "table": lambda clients: clients.table("trefoildevcommits"),
    "topic sender": lambda clients: clients.topic_sender("trefoil-dev-bus"),
    "queue sender": lambda clients: clients.queue_sender(QUEUE),
    "receiver": lambda clients: clients.receiver(QUEUE),
}


def test_nothing_is_made_before_it_is_asked_for(fake):
    function()

    assert fake.made == {}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_each_is_made_once(fake, ask):
    clients = function().clients

    assert ask(clients) is ask(clients)
    assert set(fake.made.values()) == {1}


def test_all_of_service_bus_has_one_connection(fake):
    clients = function().clients

    for name in ("topic sender", "queue sender", "receiver"):
        ASK[name](clients)

    assert fake.made[f"bus {BUS}"] == 1
    assert len(fake.made) == 4


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_threads_that_ask_at_once_get_the_same_and_it_is_made_once(fake, ask):
    clients = function().clients
    together = threading.Barrier(8)
    slowly = threading.Event()
    fake.answers["made"] = lambda _: slowly.wait(0.01)

    def asking(_):
        together.wait(10)
        return ask(clients)

    with ThreadPoolExecutor(8) as pool:
        found = set(map(id, pool.map(asking, range(8))))

    assert len(found) == 1
    assert set(fake.made.values()) == {1}


def test_what_is_made_for_one_queue_does_not_wait_for_another_s(fake):
    """A receiver takes about a second."""
    clients = function().clients
    _ = clients.bus
    together = threading.Barrier(2)
    fake.answers["made"] = lambda _: together.wait(10)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(clients.receiver, ("trefoil-dev-orders", "trefoil-dev-payments")))

    assert len(found) == 2


def test_a_client_that_could_not_be_made_is_made_when_it_is_asked_for_again(fake):
    clients = function().clients
    fake.answers["made"] = in_turn(raising(ServiceBusError("no")), lambda _: None)
    with pytest.raises(ServiceBusError):
        _ = clients.bus

    assert clients.bus
    assert fake.made == {f"bus {BUS}": 1}


def test_all_that_was_made_is_closed_what_was_made_last_first(fake):
    clients = function().clients
    for name in ("queue sender", "receiver", "administration", "table"):
        ASK[name](clients)

    clients.close()
    clients.close()

    assert fake.took("close") == [["administration"], [QUEUE], [QUEUE], ["bus"]]


# -- how it is asked


def test_a_call_to_tables_has_a_time_limit(fake, azure):
    azure.store.append(COMMIT)

    assert [asked.timeout for asked in fake.asked] == [(10, 10)]


def test_a_call_to_service_bus_has_a_time_limit_and_three_repeats(fake, azure):
    azure.bus.publish([MESSAGE])

    assert [transfer.timeout for transfer in fake.transfers] == [10]
    assert fake.settings[f"bus {BUS}"] == {"retry_total": 3, "retry_backoff_factor": 0.2, "retry_backoff_max": 2}


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_call_that_may_succeed_later_is_repeated(fake, azure, status):
    fake.answers["insert"] = in_turn(refused(status, "ServerBusy"), fake.answers["insert"])

    azure.store.append(COMMIT)

    assert fake.names() == ["insert", "insert"]
    assert len(fake.stored()) == 1


def test_repeats_end(fake, azure):
    fake.answers["insert"] = refused(503, "ServerBusy")

    with pytest.raises(StoreUnavailable):
        azure.store.append(COMMIT)

    assert fake.names() == ["insert"] * 4
    assert sum(fake.slept) <= 10


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_call_that_would_be_refused_again_is_not_repeated(fake, azure, status):
    fake.answers["insert"] = refused(status, "AuthorizationFailure")

    with pytest.raises(StoreUnavailable):
        azure.store.append(COMMIT)

    assert fake.names() == ["insert"]


# -- settings


def test_a_connection_string_has_its_key_and_asks_for_no_identity(fake):
    clients = function().clients
    for name in ("bus", "administration", "tables"):
        ASK[name](clients)

    assert set(fake.made) == {f"bus {BUS}", f"administration {BUS}", "tables https://tables.invalid"}
    assert fake.credentials["tables https://tables.invalid"].named_key.name == "trefoil"
    assert "whoever this is" not in fake.credentials.values()


def test_an_address_takes_the_identity_of_whoever_this_is(fake, monkeypatch):
    for name in ("TREFOIL_SERVICEBUS", "TREFOIL_TABLES"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TREFOIL_SERVICEBUS__fullyQualifiedNamespace", "shop.servicebus.windows.net")
    monkeypatch.setenv("TREFOIL_TABLES__tableServiceUri", "https://shop.table.core.windows.net")
    whoever = type("Credential", (), {"get_token": lambda *_, **__: None})()
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", lambda: whoever)

    clients = function().clients
    for name in ("bus", "administration", "tables"):
        ASK[name](clients)

    assert fake.credentials == {
        "bus shop.servicebus.windows.net": whoever,
        "administration shop.servicebus.windows.net": whoever,
        "tables https://shop.table.core.windows.net": whoever,
    }


def test_an_emulator_s_administration_is_asked_where_it_is_and_without_tls(fake, monkeypatch):
    elsewhere = "Endpoint=sb://127.0.0.1:5300;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true;"
    monkeypatch.setenv("TREFOIL_SERVICEBUS_ADMINISTRATION", elsewhere)

    _ = function().clients.administration

    assert type(fake.settings[f"administration {elsewhere}"]["transport"]).__name__ == "PlainHttp"


def test_a_namespace_s_administration_is_asked_with_tls(fake):
    _ = function().clients.administration

    assert fake.settings == {f"administration {BUS}": {}}


def test_plain_http_is_http(monkeypatch):
    monkeypatch.setattr(RequestsTransport, "send", lambda _, request, **__: request.url)

    assert PlainHttp().send(HttpRequest("GET", "https://127.0.0.1:5300/orders")) == "http://127.0.0.1:5300/orders"


def test_where_both_are_set_the_connection_string_counts(fake, monkeypatch):
    monkeypatch.setenv("TREFOIL_SERVICEBUS__fullyQualifiedNamespace", "shop.servicebus.windows.net")

    _ = function().clients.bus

    assert fake.made == {f"bus {BUS}": 1}


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("bus", "TREFOIL_SERVICEBUS__fullyQualifiedNamespace"),
        ("administration", "TREFOIL_SERVICEBUS__fullyQualifiedNamespace"),
        ("receiver", "TREFOIL_SERVICEBUS__fullyQualifiedNamespace"),
        ("tables", "TREFOIL_TABLES__tableServiceUri"),
        ("table", "TREFOIL_TABLES__tableServiceUri"),
    ],
)
def test_a_setting_that_is_missing_is_named_with_what_it_is_for(fake, name, setting):
    clients = Clients(Address(), Address())

    with pytest.raises(ConfigurationError) as caught:
        ASK[name](clients)

    assert str(caught.value) == f"{setting} is not set; it says where the deployment is (docs/azure.md)"


@pytest.mark.parametrize("name", ["bus", "administration", "tables"])
def test_an_identity_without_its_package_names_the_ways_out(fake, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    clients = Clients(Address(host="shop.servicebus.windows.net"), Address(host="https://shop.table.core.windows.net"))

    with pytest.raises(ConfigurationError, match=r"azure-identity: `make azure`, or set connection strings"):
        ASK[name](clients)


@pytest.mark.parametrize("setting", ["TREFOIL_NAME", "TREFOIL_STAGE"])
def test_a_wrong_name_is_said_before_anything_is_asked(fake, monkeypatch, setting):
    monkeypatch.setenv(setting, "Not This")

    with pytest.raises(ConfigurationError, match=setting), azure():
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    "error",
    [ServiceRequestError("no"), ClientAuthenticationError("no"), MessagingEntityNotFoundError(message="no")],
    ids=lambda error: type(error).__name__,
)
def test_what_azure_refuses_is_one_sentence_for_a_person_and_all_is_closed(fake, error):
    def fail(opened):
        _ = opened.clients.bus
        raise error

    with pytest.raises(TrefoilError, match=r"^Azure: .*no"), azure() as opened:
        fail(opened)

    assert fake.took("close") == [["bus"]]
