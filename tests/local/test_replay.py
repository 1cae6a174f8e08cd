"""`trefoil replay`: history, told once more to one service."""

import pytest

from shared.catalog import CATALOG
from tests.local.driver import Shop, place, reading, register

READ_MODELS = ("order_status", "revenue", "climate")


@pytest.fixture(scope="module")
def busy_shop(new_folder) -> Shop:
    """A shop in which some orders were fulfilled, declined and refunded, and some readings taken."""
    shop = Shop(new_folder())
    orders = [place(f"o{number}", 100 + number) for number in range(12)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREFOIL_PAYMENT_DECLINE_RATE", "0.3")
        patch.setenv("TREFOIL_CARRIER_FAILURE_RATE", "0.3")
        shop.handle(*orders, register("ada"), *(reading("roof", hour, 2000 + 20 * hour) for hour in range(10)))
    assert {shop.state("orders", f"o{number}")["status"] for number in range(12)} == {"fulfilled", "cancelled"}
    return shop


@pytest.fixture
def shop(busy_shop, tmp_path) -> Shop:
    """Such a shop, to tell things to again."""
    return busy_shop.copy_to(tmp_path / "data")


def states(shop: Shop, service: str) -> dict[str, object]:
    """What a service knows, by subject."""
    rows = shop.query("select distinct stream from commits where stream like ? order by 1", f"{service}/%")
    return {stream: shop.state(service, stream.partition("/")[2]) for (stream,) in rows}


def replay(shop: Shop, service: str) -> int:
    """Replay to a service and let it handle that; return how many messages it was told."""
    done = shop("replay", service)
    assert (done.code, done.err) == (0, "")
    count, _, rest = done.out.partition(" ")
    assert rest == f"messages sent to {service}; `trefoil work --until-idle` handles them\n"
    shop.work()
    return int(count)


@pytest.mark.parametrize("service", CATALOG.services)
def test_a_service_that_knew_everything_learns_nothing(shop, service):
    before, mails, books = shop.commit_count(), shop.mails(), shop.status()

    replay(shop, service)

    assert (shop.commit_count(), shop.mails(), shop.letters()) == (before, mails, [])
    assert shop.status() == books


@pytest.mark.parametrize("service", READ_MODELS)
def test_a_read_model_that_lost_everything_is_rebuilt(shop, service):
    before = states(shop, service)
    shop.change("delete from commits where stream like ?", f"{service}/%")
    assert states(shop, service) == {}

    told = replay(shop, service)

    assert states(shop, service) == before
    assert told == len([handled for commit in shop.commits(service).values() for handled in commit["handled"]])
    assert shop.missing() == []


def test_a_replay_tells_nobody_else(shop):
    shop("replay", "order_status")

    assert {service for (service,) in shop.query("select distinct service from messages")} == {"order_status"}


def test_a_replay_tells_what_the_service_handles_and_no_timer(shop):
    assert replay(shop, "climate") == 10
    assert replay(shop, "sensors") == 0
    assert replay(shop, "users") == 0
    assert replay(shop, "shipping") == len(shop.commits("shipping"))


def test_a_second_replay_rebuilds_nothing_more(shop):
    shop.change("delete from commits where stream like 'revenue/%'")
    replay(shop, "revenue")
    before = states(shop, "revenue")

    replay(shop, "revenue")

    assert states(shop, "revenue") == before


def test_there_is_nothing_to_replay_where_nothing_happened(tmp_path):
    assert replay(Shop(tmp_path / "empty"), "order_status") == 0
