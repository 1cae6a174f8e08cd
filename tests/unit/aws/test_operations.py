"""What an operator asks: depths, pausing what feeds a function."""

import pytest

from infra.aws.clients import Clients
from infra.aws.names import Names
from infra.aws.wiring import Aws
from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import Depth
from tests.support.aws_fakes import FakeAws

ARN = "arn:aws:sqs:eu-west-1:123456789012:trefoil-dev-orders"


def counts(now, later, leased):
    names = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
    )
    return dict(zip(names, map(str, (now, later, leased)), strict=True))


@pytest.fixture
def fake():
    fake = FakeAws()
    fake.answers["GetQueueAttributes"] = lambda params: {
        "Attributes": {"QueueArn": ARN}
        if params["AttributeNames"] == ["QueueArn"]
        else counts(*((1, 2, 4) if params["QueueUrl"].endswith("-dead") else (8, 16, 32)))
    }
    fake.answers["UpdateEventSourceMapping"] = lambda _: {}
    return fake


@pytest.fixture
def mappings(fake):
    def are(*states):
        found = [{"UUID": f"{number:036}", "State": state} for number, state in enumerate(states)]
        fake.answers["ListEventSourceMappings"] = lambda _: {"EventSourceMappings": found}

    return are


@pytest.fixture
def operations(fake):
    return Aws(Names(), Clients(fake)).system.operations


@pytest.mark.parametrize(
    ("states", "paused"),
    [
        (["Enabled"], False),
        (["Disabled"], True),
        (["Disabling"], True),
        (["Enabling"], False),
        (["Disabled", "Enabled"], False),
        ([], False),
    ],
)
def test_a_depth_counts_what_is_delayed_as_waiting_and_every_dead_letter(operations, mappings, states, paused):
    mappings(*states)

    assert operations.depth("orders") == Depth(24, 32, 7, paused)


@pytest.mark.parametrize(("act", "enabled"), [("pause", False), ("resume", True)])
def test_a_pause_is_the_function_s_not_the_queue_s(fake, operations, mappings, act, enabled):
    mappings("Enabled", "Enabled")

    getattr(operations, act)("orders")

    assert [call.params for call in fake.called("UpdateEventSourceMapping")] == [
        {"UUID": f"{0:036}", "Enabled": enabled},
        {"UUID": f"{1:036}", "Enabled": enabled},
    ]
    assert fake.called("ListEventSourceMappings")[0].params["EventSourceArn"] == ARN


def test_where_no_function_reads_the_queue_there_is_nothing_to_pause(operations, mappings):
    mappings()

    with pytest.raises(ConfigurationError, match="no function reads the queue 'trefoil-dev-orders': deploy first"):
        operations.pause("orders")
