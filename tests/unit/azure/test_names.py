"""What resources are called."""

import re

import pytest

from infra.azure.names import Names, names
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError


def test_names_follow_the_settings():
    chosen = names({"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "prod-eu"})

    assert chosen.topic == "shop-prod-eu-bus"
    assert chosen.queue("order_status") == "shop-prod-eu-order_status"
    assert chosen.dead("order_status") == "shop-prod-eu-order_status-dead"
    assert (chosen.commits, chosen.timers) == ("shopprodeucommits", "shopprodeutimers")


@pytest.mark.parametrize("settings", [{}, {"TREFOIL_NAME": "", "TREFOIL_STAGE": ""}])
def test_without_settings_there_are_usual_names(settings):
    assert names(settings) == Names("trefoil", "dev")


@pytest.mark.parametrize("setting", ["TREFOIL_NAME", "TREFOIL_STAGE"])
@pytest.mark.parametrize("wrong", ["Shop", "1shop", "-shop", "shop_eu", "shop.eu", "x" * 21, "é", "shop\n"])
def test_a_name_that_no_resource_may_have_is_named_with_what_is_allowed(setting, wrong):
    with pytest.raises(ConfigurationError) as caught:
        names({setting: wrong})

    assert str(caught.value) == f"{setting} is '{wrong}'; 1 to 20 characters of a-z 0-9 - are allowed, a-z first"


@pytest.mark.parametrize("chosen", [names({}), names({"TREFOIL_NAME": "n-" * 10, "TREFOIL_STAGE": "s" * 20})])
def test_names_are_what_azure_takes(chosen):
    """Tables: 3 to 63 letters and digits, a letter first. Service Bus: 260 characters, and 50 for a subscription."""
    queues = [find(service) for service in CATALOG.services for find in (chosen.queue, chosen.dead)]

    assert all(re.fullmatch(r"[a-z][a-z0-9]{2,62}", table) for table in (chosen.commits, chosen.timers))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,258}[a-z0-9]", name) for name in (chosen.topic, *queues))
    assert all(len(service) <= 50 for service in CATALOG.services)


def test_no_service_s_queue_is_another_s():
    chosen = Names()

    queues = [find(service) for service in CATALOG.services for find in (chosen.queue, chosen.dead)]

    assert len({chosen.topic, *queues}) == 1 + len(queues)
