"""`trefoil pause` and `resume`: one service stands still, the others go on."""

import pytest

from shared.catalog import CATALOG
from tests.local.driver import place, reading, register


def test_a_paused_service_s_messages_wait_while_the_others_go_on(shop):
    shop("pause", "shipping")

    shop.handle(place("a"), register("ada"), reading("roof", 1))

    status = shop.status()
    assert status["channels"]["shipping"] == {"waiting": 1, "leased": 0, "dead": 0, "paused": True}
    assert (status["waiting"], status["users"], status["readings"]) == (1, 1, 1)
    assert shop.state("orders", "a")["status"] == "paid"


def test_a_resumed_service_goes_on_where_it_stood(shop):
    shop("pause", "shipping")
    shop.handle(place("a"))

    shop("resume", "shipping")
    shop.work()

    assert shop.status()["channels"]["shipping"]["paused"] is False
    assert shop.state("orders", "a")["status"] == "fulfilled"


def test_a_pause_outlives_the_command_that_made_it_and_uses_up_no_tries(shop):
    shop("pause", "users")
    shop.send(register("ada"))

    for _ in range(3):
        shop.work()

    assert shop.query("select service, attempts from messages") == [("users", 0)]


@pytest.mark.parametrize("service", CATALOG.services)
def test_any_service_can_be_paused_and_resumed(shop, service):
    paused, resumed = shop("pause", service), shop("resume", service)

    assert (paused.code, resumed.code) == (0, 0)
    assert paused.out == f"{service} is paused; `trefoil resume {service}` lets it go on\n"
    assert resumed.out == f"{service} goes on\n"


def test_pausing_twice_and_resuming_what_goes_on_do_no_harm(shop):
    done = [shop(command, "users") for command in ("resume", "pause", "pause", "resume", "resume")]
    shop.handle(register("ada"))

    assert [each.code for each in done] == [0] * 5
    assert shop.status()["users"] == 1


def test_what_is_replayed_to_a_paused_service_waits_as_well(shop):
    shop.handle(place("a"))
    shop("pause", "order_status")

    shop("replay", "order_status")
    shop.work()

    assert shop.status()["channels"]["order_status"]["waiting"] == 3
