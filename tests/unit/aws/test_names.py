"""What resources are called."""

import pytest

from infra.aws.names import Names, names
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError


def test_names_follow_the_settings():
    chosen = names({"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "prod-eu"})

    assert chosen.topic == "shop-prod-eu-bus"
    assert chosen.commits == "shop-prod-eu-commits"
    assert chosen.timers == "shop-prod-eu-timers"
    assert chosen.queue("order_status") == "shop-prod-eu-order_status"
    assert chosen.dead("order_status") == "shop-prod-eu-order_status-dead"


@pytest.mark.parametrize("settings", [{}, {"TREFOIL_NAME": "", "TREFOIL_STAGE": ""}])
def test_without_settings_there_are_usual_names(settings):
    assert names(settings) == Names("trefoil", "dev")


@pytest.mark.parametrize("setting", ["TREFOIL_NAME", "TREFOIL_STAGE"])
@pytest.mark.parametrize("wrong", ["Shop", "1shop", "-shop", "shop_eu", "shop.eu", "shop eu", "x" * 21, "é", "shop\n"])
def test_a_name_that_no_resource_may_have_is_named_with_what_is_allowed(setting, wrong):
    with pytest.raises(ConfigurationError) as caught:
        names({setting: wrong})

    assert str(caught.value) == f"{setting} is '{wrong}'; 1 to 20 characters of a-z 0-9 - are allowed, a-z first"


def test_the_longest_names_fit_queues_functions_and_tables():
    """SQS allows 80 characters, Lambda 64."""
    longest = names({"TREFOIL_NAME": "n" * 20, "TREFOIL_STAGE": "s" * 20})

    assert len(longest.dead("x" * 20)) <= 80
    assert len(longest.queue("x" * 20)) <= 64


def test_no_service_s_queue_is_another_s_dead_letter_queue():
    chosen = Names()

    queues = [name(service) for service in CATALOG.services for name in (chosen.queue, chosen.dead)]

    assert len(set(queues)) == len(queues)
