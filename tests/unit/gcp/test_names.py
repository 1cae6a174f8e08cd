"""What resources are called."""

import pytest

from infra.gcp.names import Names, names
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError

FILTER = 'attributes.to="orders"'


def test_names_follow_the_settings():
    chosen = names({"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "prod-eu"})

    assert chosen.topic == "shop-prod-eu-bus"
    assert chosen.database == "shop-prod-eu-store"
    assert chosen.subscription("order_status", FILTER) == "shop-prod-eu-order_status-eeda16cc"
    assert chosen.dead("order_status") == "shop-prod-eu-order_status-dead"


@pytest.mark.parametrize("settings", [{}, {"TREFOIL_NAME": "", "TREFOIL_STAGE": ""}])
def test_without_settings_there_are_usual_names(settings):
    assert names(settings) == Names("trefoil", "dev")


@pytest.mark.parametrize("setting", ["TREFOIL_NAME", "TREFOIL_STAGE"])
@pytest.mark.parametrize("wrong", ["Shop", "1shop", "-shop", "shop_eu", "shop.eu", "x" * 21, "é", "shop\n"])
def test_a_name_that_no_resource_may_have_is_named_with_what_is_allowed(setting, wrong):
    with pytest.raises(ConfigurationError) as caught:
        names({setting: wrong})

    assert str(caught.value) == f"{setting} is '{wrong}'; 1 to 20 characters of a-z 0-9 - are allowed, a-z first"


def test_another_filter_makes_another_subscription_of_the_same_service():
    chosen = Names()

    one, other = (chosen.subscription("orders", expression) for expression in (FILTER, f"NOT {FILTER}"))

    assert one != other
    assert one.startswith(chosen.subscriptions("orders"))
    assert other.startswith(chosen.subscriptions("orders"))


def _beginning_alike(subscription, beginnings):
    return [service for service, beginning in beginnings.items() if subscription.startswith(beginning)]


def test_no_service_s_subscriptions_begin_as_another_s_do():
    chosen = Names()
    beginnings = {service: chosen.subscriptions(service) for service in CATALOG.services}

    claimed = {name: _beginning_alike(chosen.subscription(name, ""), beginnings) for name in CATALOG.services}

    assert claimed == {name: [name] for name in CATALOG.services}


def test_the_longest_names_fit_topics_and_databases():
    """Pub/Sub allows 255 characters, Firestore 63."""
    longest = names({"TREFOIL_NAME": "n" * 20, "TREFOIL_STAGE": "s" * 20})

    assert len(longest.dead("x" * 50)) <= 255
    assert len(longest.subscription("x" * 50, "")) <= 255
    assert len(longest.database) <= 63


def test_no_service_s_topic_is_another_s():
    chosen = Names()

    topics = [chosen.topic, *(chosen.dead(service) for service in CATALOG.services)]

    assert len(set(topics)) == len(topics)
