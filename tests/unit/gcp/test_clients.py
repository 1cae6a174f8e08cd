"""Clients: made when they are first asked for, once, and with a sentence about what is missing."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import google.auth
import pytest
from google.api_core.exceptions import Forbidden
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from infra.gcp.clients import Clients
from infra.gcp.wiring import function, gcp
from shared.kernel.commit import Commit
from shared.kernel.errors import ConfigurationError, TrefoilError
from shared.kernel.ports import Outgoing
from tests.support.gcp_fakes import FIRESTORE, PROJECT, PUBSUB, in_turn, published, raising, refused

MESSAGE = Outgoing("m1", "orders.order-placed.v1", "o1", b"{}")


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """A machine on which nobody has set up Google Cloud."""
    for name in [name for name in os.environ if name.startswith(("CLOUDSDK_", "GCLOUD_", "GOOGLE_", "TREFOIL_"))]:
        monkeypatch.delenv(name)
    for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture
def credentials(no_settings, monkeypatch):
    """A machine with credentials that know of this project, or of none."""

    def are(project):
        monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), project))

    return are


def use(clients):
    """Make all of them, to the last channel."""
    return [clients.publisher, clients.subscriber, clients.firestore._firestore_api]


def test_nothing_is_made_before_it_is_asked_for(fake):
    function()

    assert fake.opened == {}


def test_each_service_has_one_client(fake):
    clients = function().clients

    pairs = [(getattr(clients, name), getattr(clients, name)) for name in ("firestore", "publisher", "subscriber")]
    use(clients)

    assert all(first is second for first, second in pairs)
    assert fake.opened == {PUBSUB: 2, FIRESTORE: 1}


def test_threads_that_ask_at_once_get_the_same_client(fake):
    clients = function().clients
    together = threading.Barrier(8)

    def ask(_):
        together.wait(10)
        return clients.publisher

    with ThreadPoolExecutor(8) as pool:
        found = set(map(id, pool.map(ask, range(8))))

    assert len(found) == 1
    assert fake.opened == {PUBSUB: 1}


def test_the_emulators_that_are_named_are_asked_about_the_deployment_s_own_project(fake, gcp):
    gcp.bus.publish([MESSAGE])
    gcp.store.append(Commit("orders/o1", 1, 0.0))

    (publish,), (commit,) = fake.called("Publish"), fake.called("Commit")
    assert fake.opened == {PUBSUB: 1, FIRESTORE: 1}
    assert publish.topic == f"projects/{PROJECT}/topics/trefoil-dev-bus"
    assert commit.database == f"projects/{PROJECT}/databases/trefoil-dev-store"


def test_a_call_has_a_time_limit(fake, gcp):
    gcp.bus.publish([MESSAGE])
    gcp.store.append(Commit("orders/o1", 1, 0.0))
    gcp.system.operations.depth("orders")
    list(gcp.timers.all())

    assert {call.name for call in fake.calls} >= {"Publish", "Commit", "BatchGetDocuments", "RunQuery"}
    assert all(0 < call.timeout <= 10 for call in fake.calls)


@pytest.mark.parametrize("code", ["ABORTED", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_a_call_that_may_succeed_later_is_repeated(fake, gcp, code):
    fake.answers["Publish"] = in_turn(raising(refused(code)), published)

    lost = gcp.bus.publish([MESSAGE])

    assert lost == set()
    assert fake.names() == ["Publish", "Publish"]
    assert len(fake.slept) == 1


def test_repeats_end(fake, gcp):
    fake.answers["Commit"] = raising(refused("UNAVAILABLE"))

    with pytest.raises(TrefoilError, match=r"Timeout of 10\.0s exceeded"):
        gcp.store.append(Commit("orders/o1", 1, 0.0))

    assert 1 < sum(fake.slept) <= 20


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"])
def test_a_call_that_would_be_refused_again_is_not_repeated(fake, gcp, code):
    fake.answers["Publish"] = raising(refused(code))

    with pytest.raises(TrefoilError):
        gcp.bus.publish([MESSAGE])

    assert fake.names() == ["Publish"]


# -- settings


@pytest.mark.parametrize("name", ["publisher", "subscriber", "firestore", "project"])
def test_without_credentials_the_ways_to_get_them_are_named(no_settings, name):
    clients = Clients(None, "store")

    with pytest.raises(ConfigurationError, match="there are no Google Cloud credentials: run `gcloud auth") as caught:
        getattr(clients, name)

    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(caught.value)
    assert isinstance(caught.value.__cause__, DefaultCredentialsError)


def test_a_client_that_could_not_be_made_is_made_once_there_are_credentials(credentials, monkeypatch):
    clients = Clients(None, "store")
    with pytest.raises(ConfigurationError):
        _ = clients.project

    credentials("shop-project")

    assert clients.project == "shop-project"


@pytest.mark.parametrize("name", ["firestore", "project"])
@pytest.mark.parametrize("unknown", [None, ""])
def test_without_a_project_the_setting_is_named(credentials, name, unknown):
    credentials(unknown)
    clients = Clients(None, "store")

    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT is not set; set it to the id of"):
        getattr(clients, name)


def test_a_service_account_knows_its_project(credentials):
    credentials("shop-project")
    clients = Clients(None, "store")

    assert (clients.project, clients.firestore.project) == ("shop-project", "shop-project")


def test_the_project_that_is_set_asks_for_no_credentials(no_settings, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop-project")

    assert function().clients.project == "shop-project"


@pytest.mark.parametrize("setting", ["TREFOIL_NAME", "TREFOIL_STAGE"])
def test_a_wrong_name_is_said_before_anything_is_asked(fake, monkeypatch, setting):
    monkeypatch.setenv(setting, "Not This")

    with pytest.raises(ConfigurationError, match=setting), gcp():
        pytest.fail("it was opened")


@pytest.mark.parametrize("error", [Forbidden("no"), RefreshError("the token is old")])
def test_what_google_cloud_refuses_is_one_sentence_for_a_person(fake, error):
    with pytest.raises(TrefoilError, match=r"^Google Cloud: .*(no|the token is old)"), gcp():
        raise error
