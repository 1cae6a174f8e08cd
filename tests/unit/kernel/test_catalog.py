import pytest

from shared.kernel.catalog import Catalog
from shared.kernel.errors import ConfigurationError
from shared.kernel.service import Service
from tests.support.kernel_fakes import Add, Added, Noted, Reminded, Tally, add, ignore, tally_service


def watcher(*payloads: type, name: str = "watcher", emits: tuple[type, ...] = ()) -> Service:
    """Another service, which handles these."""
    return Service(name=name, state=Tally, handles=dict.fromkeys(payloads, ignore), emits=dict.fromkeys(emits))


def test_a_service_is_found_by_its_name():
    tally = tally_service()

    catalog = Catalog([tally, watcher(Added)])

    assert catalog.service("tally") is tally
    assert list(catalog.services) == ["tally", "watcher"]


def test_an_unknown_service_is_refused_with_the_names_there_are():
    catalog = Catalog([tally_service(), watcher(Added)])

    with pytest.raises(ConfigurationError, match="no service 'telly'; the services are tally, watcher"):
        catalog.service("telly")


def test_an_event_has_any_number_of_subscribers():
    catalog = Catalog([tally_service(), watcher(Added, name="one"), watcher(Added, name="two")])

    assert catalog.subscribers("tally.added.v1") == ["one", "two"]


def test_a_type_s_subscribers_are_the_same_for_every_version():
    catalog = Catalog([tally_service(), watcher(Added)])

    assert catalog.subscribers("tally.added.v9") == ["watcher"]


@pytest.mark.parametrize("type_", ["tally.subtracted.v1", "tally.added", "", "nonsense"])
def test_what_nobody_handles_has_no_subscribers(type_):
    catalog = Catalog([tally_service(), watcher(Added)])

    assert catalog.subscribers(type_) == []


def test_a_service_may_be_given_its_own_timers():
    catalog = Catalog([tally_service()])

    assert catalog.subscribers("tally.reminded.v1") == ["tally"]


def test_the_commands_are_listed_in_the_order_of_the_catalog():
    catalog = Catalog([watcher(Added), tally_service()])

    assert catalog.commands() == [Add]


def test_two_services_of_one_name_are_refused():
    with pytest.raises(ConfigurationError, match="two services are called 'tally'"):
        Catalog([tally_service(), tally_service()])


def test_a_command_with_two_handlers_is_refused():
    with pytest.raises(ConfigurationError, match=r"tally\.add\.v1 has 2 handlers, \['tally', 'watcher'\]"):
        Catalog([tally_service(), watcher(Add)])


def test_a_command_without_a_handler_is_refused():
    with pytest.raises(ConfigurationError, match=r"tally\.add\.v1 has 0 handlers, \[\]; it needs one"):
        Catalog([watcher(Reminded, name="tally", emits=(Add, Reminded))])


def test_an_event_that_nobody_emits_is_refused():
    with pytest.raises(ConfigurationError, match=r"tally\.added\.v1 is emitted by \[\]; only 'tally' may"):
        Catalog([tally_service(handles={Add: add}, emits={}), watcher(Added)])


def test_a_private_event_with_a_handler_is_refused():
    with pytest.raises(ConfigurationError, match=r"tally\.noted\.v1 is never published, but \['watcher'\] would"):
        Catalog([tally_service(), watcher(Noted)])
