"""What an operator asks: pausing a service's pushes, and what waits for it."""

import pytest
from google.api_core.exceptions import PermissionDenied
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types as pubsub

from infra.gcp.bus import Copy
from infra.gcp.wiring import function
from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import Depth, Outgoing, Timer
from tests.support.gcp_fakes import attached, in_turn, raising, refused, subscription

NAME = "trefoil-dev-orders-0123abcd"
OLDER = "trefoil-dev-orders-older-0123abcd"
PLAIN = {"push_endpoint": "https://orders.example/"}
WHOLE = [
    PLAIN,
    {
        "push_endpoint": "https://orders.example/",
        "attributes": {"x-goog-version": "v1", "a.b": "c"},
        "oidc_token": {"service_account_email": "push@shop.example", "audience": "https://orders.example"},
        "pubsub_wrapper": {},
    },
    {"push_endpoint": "https://orders.example/", "no_wrapper": {"write_metadata": True}},
    {"push_endpoint": "https://orders.example/", "no_wrapper": {"write_metadata": False}},
]


class Pushes:
    """Where subscriptions push to."""

    def __init__(self, fake, **configs):
        self.configs = {name.replace("_", "-"): pubsub.PushConfig(config) for name, config in configs.items()}
        fake.answers["GetSubscription"] = self.get
        fake.answers["ModifyPushConfig"] = self.modify

    def get(self, request):
        name = request.subscription
        return pubsub.Subscription(name=name, push_config=self.configs[name.rpartition("/")[2]])

    def modify(self, request):
        self.configs[request.subscription.rpartition("/")[2]] = request.push_config
        return Empty()


@pytest.fixture
def pushes(fake):
    """The orders service has a subscription that pushes."""
    fake.answers["ListTopicSubscriptions"] = attached("orders", "payments")
    return lambda config=PLAIN: Pushes(fake, **{NAME: config})


@pytest.fixture
def operations(gcp):
    return gcp.system.operations


def test_nothing_is_counted_and_a_service_that_was_not_paused_is_not(operations):
    assert operations.depth("orders") == Depth(None, None, None, paused=False)


def test_a_pause_takes_the_endpoint_away(fake, operations, pushes):
    there = pushes()

    operations.pause("orders")

    assert there.configs[NAME] == pubsub.PushConfig()
    assert operations.depth("orders").paused
    assert [request.subscription for request in fake.called("ModifyPushConfig")] == [subscription(NAME)]


def test_the_endpoint_is_kept_before_it_is_taken_away(fake, operations, pushes):
    pushes()

    operations.pause("orders")

    assert fake.names().index("Commit") < fake.names().index("ModifyPushConfig")
    assert fake.stored("paused")[NAME]["push_endpoint"] == "https://orders.example/"


@pytest.mark.parametrize("config", WHOLE)
def test_a_resume_restores_the_whole_push_config_also_in_another_process(fake, operations, pushes, config):
    there = pushes(config)
    operations.pause("orders")

    function().system.operations.resume("orders")

    assert there.configs[NAME] == pubsub.PushConfig(config)
    assert fake.stored("paused") == {}
    assert not operations.depth("orders").paused


def test_the_kept_config_is_forgotten_after_it_was_restored(fake, operations, pushes):
    pushes()
    operations.pause("orders")
    fake.calls.clear()

    operations.resume("orders")

    assert fake.names()[-2:] == ["ModifyPushConfig", "Commit"]


@pytest.mark.parametrize("times", [1, 2])
def test_pausing_and_resuming_again_changes_nothing(operations, pushes, times):
    there = pushes(WHOLE[1])

    for _ in range(times):
        operations.pause("orders")
    for _ in range(times):
        operations.resume("orders")

    assert there.configs[NAME] == pubsub.PushConfig(WHOLE[1])


def test_every_subscription_of_the_service_is_paused_and_gets_its_own_config_back(fake, operations):
    configs = {NAME: WHOLE[1], OLDER: WHOLE[2]}
    there = Pushes(fake, **configs)
    fake.answers["ListTopicSubscriptions"] = attached("orders", "orders-older", "payments")

    operations.pause("orders")
    paused = dict(there.configs)
    operations.resume("orders")

    assert paused == dict.fromkeys(configs, pubsub.PushConfig())
    assert there.configs == {name: pubsub.PushConfig(config) for name, config in configs.items()}


def test_a_service_of_which_one_subscription_still_pushes_is_not_paused(fake, operations):
    Pushes(fake, **{NAME: PLAIN, OLDER: PLAIN})
    fake.answers["ListTopicSubscriptions"] = attached("orders", "orders-older")
    fake.answers["ModifyPushConfig"] = in_turn(fake.answers["ModifyPushConfig"], raising(refused("PERMISSION_DENIED")))

    with pytest.raises(PermissionDenied):
        operations.pause("orders")

    assert not operations.depth("orders").paused


@pytest.mark.parametrize("crash", ["Commit", "ModifyPushConfig"])
def test_a_pause_that_was_cut_short_can_be_made_again_and_undone(fake, operations, pushes, crash):
    there = pushes(WHOLE[1])
    fake.answers[crash] = in_turn(raising(refused("PERMISSION_DENIED")), fake.answers[crash])
    with pytest.raises(PermissionDenied):
        operations.pause("orders")

    operations.pause("orders")
    paused = there.configs[NAME]
    operations.resume("orders")

    assert paused == pubsub.PushConfig()
    assert there.configs[NAME] == pubsub.PushConfig(WHOLE[1])


@pytest.mark.parametrize("crash", ["Commit", "ModifyPushConfig"])
def test_a_resume_that_was_cut_short_can_be_made_again(fake, operations, pushes, crash):
    there = pushes(WHOLE[1])
    operations.pause("orders")
    fake.answers[crash] = in_turn(raising(refused("PERMISSION_DENIED")), fake.answers[crash])
    with pytest.raises(PermissionDenied):
        operations.resume("orders")
    paused = operations.depth("orders").paused

    operations.resume("orders")

    assert paused is (crash == "ModifyPushConfig")
    assert there.configs[NAME] == pubsub.PushConfig(WHOLE[1])
    assert fake.stored("paused") == {}


def test_a_deployment_meanwhile_is_what_the_next_pause_keeps(operations, pushes):
    there = pushes()
    operations.pause("orders")
    there.configs[NAME] = pubsub.PushConfig(push_endpoint="https://new.example/")

    operations.pause("orders")
    operations.resume("orders")

    assert there.configs[NAME].push_endpoint == "https://new.example/"


def test_where_no_function_is_pushed_to_there_is_nothing_to_pause(operations, pushes):
    pushes({})

    with pytest.raises(ConfigurationError, match=f"'{subscription(NAME)}' pushes to no function: deploy first"):
        operations.pause("orders")


@pytest.mark.parametrize("act", ["pause", "resume", "depth"])
def test_a_service_that_is_not_deployed_is_named(fake, operations, act):
    fake.answers["ListTopicSubscriptions"] = attached("payments")

    with pytest.raises(ConfigurationError, match="there is no subscription of 'orders'"):
        getattr(operations, act)("orders")


def test_what_waits_is_what_the_index_of_timers_has_for_the_service(operations, gcp):
    copy = Copy("orders:1", "", "", b"copy", "orders", {"to": "orders"})
    theirs = Outgoing("p1", "payments.x.v1", "p1", b"theirs", "payments")
    gcp.timers.set(
        [Timer(9e9, Outgoing("m1", "orders.x.v1", "o1", b"timer", "orders")), Timer(1, copy), Timer(1, theirs)]
    )

    assert sorted(operations.waiting("orders")) == [b"copy", b"timer"]
