"""Clients: made when they are first asked for, once, and with a sentence about what is missing."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from botocore.exceptions import ProfileNotFound

from infra.aws.clients import Clients, with_boto3, with_botocore
from infra.aws.names import Names
from infra.aws.wiring import Aws, aws, function
from shared.kernel.errors import ConfigurationError, TrefoilError
from tests.support.aws_fakes import FakeAws

ROOT = Path(__file__).parents[3]


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """A machine on which nobody has set up AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TREFOIL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_nothing_is_made_before_it_is_asked_for(fake):
    Aws(Names(), Clients(fake))

    assert fake.made == {}


def test_each_service_has_one_client():
    fake = FakeAws()
    clients = Clients(fake)

    pairs = [
        (getattr(clients, name), getattr(clients, name)) for name in ("dynamodb", "functions", "sns", "sqs", "sts")
    ]

    assert all(first is second for first, second in pairs)
    assert fake.made == {"dynamodb": 1, "lambda": 1, "sns": 1, "sqs": 1, "sts": 1}


def test_threads_that_ask_at_once_get_the_same_client():
    fake = FakeAws()
    clients = Clients(fake)
    together = threading.Barrier(8)

    def ask(_):
        together.wait(10)
        return clients.sqs

    with ThreadPoolExecutor(8) as pool:
        found = set(map(id, pool.map(ask, range(8))))

    assert len(found) == 1
    assert fake.made == {"sqs": 1}


def test_a_call_has_time_limits_and_a_bounded_number_of_repeats(fake):
    config = Clients(fake).sqs.meta.config

    assert (config.connect_timeout, config.read_timeout) == (2, 10)
    assert config.retries == {"mode": "standard", "total_max_attempts": 4}
    assert config.max_pool_connections >= 16


def test_a_warm_function_has_the_clients_that_every_message_takes(fake):
    Aws(Names(), Clients(fake)).warm()

    assert fake.made == {"dynamodb": 1, "sns": 1}


@pytest.mark.parametrize("make", [with_boto3, with_botocore])
def test_without_a_region_the_setting_is_named(no_settings, make):
    clients = Clients(make)

    with pytest.raises(ConfigurationError, match=r"AWS_REGION is not set; set it to the deployment's"):
        _ = clients.sqs


@pytest.mark.parametrize("make", [with_boto3, with_botocore])
@pytest.mark.parametrize("setting", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_region_that_is_set_is_used_by_whichever_name(no_settings, monkeypatch, make, setting):
    """The SDK for Python reads AWS_DEFAULT_REGION only; our own error asks for AWS_REGION."""
    monkeypatch.setenv(setting, "eu-west-3")

    with aws() if make is with_boto3 else nullcontext(function()) as made:
        assert made.clients.sqs.meta.region_name == "eu-west-3"


def test_what_aws_refuses_is_one_sentence_for_a_person(no_settings):
    with pytest.raises(TrefoilError, match=r"^AWS: "), aws():
        raise ProfileNotFound(profile="nobody")


def test_a_profile_that_is_not_there_is_one_sentence_for_a_person(no_settings, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(TrefoilError, match=r"^AWS: .*nobody"), aws() as opened:
        _ = opened.clients.sqs


@pytest.mark.parametrize("setting", ["TREFOIL_NAME", "TREFOIL_STAGE"])
def test_a_wrong_name_is_said_before_anything_is_asked(no_settings, monkeypatch, setting):
    monkeypatch.setenv(setting, "Not This")

    with pytest.raises(ConfigurationError, match=setting), aws():
        pytest.fail("it was opened")


def test_an_empty_arn_is_none(no_settings, monkeypatch):
    monkeypatch.setenv("TREFOIL_BUS_ARN", "")
    made = function()
    made.clients = Clients(FakeAws())

    assert made.topic() == "arn:aws:sns:eu-west-1:123456789012:trefoil-dev-bus"


# -- the command line without boto3

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Missing())
sys.argv = ["trefoil", "status", "--cloud", "aws"]
from functions.local.cli import main
main()
"""


@pytest.mark.parametrize("missing", [{"boto3"}, {"boto3", "botocore"}], ids=["boto3", "both"])
def test_without_boto3_the_command_line_says_what_to_install(missing):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AWS_DEFAULT_REGION": "eu-west-1", "COLUMNS": "300", "AWS_EC2_METADATA_DISABLED": "true"},
    )

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: --cloud aws takes boto3: ")
    assert "pip install 'trefoil[aws]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_region_reaches_the_command_line_as_one_sentence(no_settings):
    done = subprocess.run(
        [sys.executable, "-m", "functions.local", "status", "--cloud", "aws"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: AWS_REGION is not set")
