"""MiniStack as we start it: alarms come back whole, functions run from their zip alone in our Python."""

import json
import os
import re
import urllib.request
import zipfile
from importlib.util import find_spec
from pathlib import Path

import boto3
import pytest

from functions.package import PROVIDED, Build, build
from infra.emulators.aws import LocalStack, MiniStack
from infra.emulators.emulator import Place
from infra.emulators.interpreters import find_python
from infra.emulators.ministack import complete
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import supervisor
from shared.kernel.errors import ConfigurationError

ALARM = {
    "AlarmName": "orders & dead",
    "AlarmDescription": "Dead letters <wait>",
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Dimensions": [{"Name": "QueueName", "Value": "orders-dead"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:people"],
    "OKActions": [],
    "ActionsEnabled": True,
}


def python_313() -> Path | None:
    try:
        return find_python("3.13", os.environ.get("PYTHON313", ""), "")
    except ConfigurationError:
        return None


def describe_in_xml(emulator) -> str:
    """As Terraform's provider asks; boto3 asks in CBOR or JSON."""
    body = b"Action=DescribeAlarms&Version=2010-08-01"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{emulator.region}/monitoring/aws4_request, ...",
    }
    request = urllib.request.Request(emulator.endpoint, body, headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
        return answer.read().decode()


def test_an_alarm_comes_back_as_it_was_put_when_terraform_asks(ministack):
    cloudwatch = boto3.client("cloudwatch", **ministack.client_arguments)
    cloudwatch.put_metric_alarm(**ALARM)

    text = describe_in_xml(ministack)
    cloudwatch.delete_alarms(AlarmNames=[ALARM["AlarmName"]])

    assert "<AlarmDescription>Dead letters &lt;wait&gt;</AlarmDescription>" in text
    assert "<Statistic>Maximum</Statistic>" in text
    assert "<Period>60</Period>" in text
    assert "<TreatMissingData>notBreaching</TreatMissingData>" in text
    assert "<ActionsEnabled>true</ActionsEnabled>" in text
    assert "<AlarmActions><member>arn:aws:sns:us-east-1:000000000000:people</member></AlarmActions>" in text
    assert "<Dimensions><member><Name>QueueName</Name><Value>orders-dead</Value></member></Dimensions>" in text
    assert len(re.findall("<Threshold>", text)) == 1


@pytest.mark.requires(find_spec("ministack"), install="MiniStack: make emulators")
def test_ministack_itself_still_leaves_fields_of_an_alarm_out():
    """When this fails, `infra/emulators/ministack.py` has nothing left to mend: start `ministack` itself."""
    from ministack.services import cloudwatch  # noqa: PLC0415 - where it is not installed, the test is skipped

    cloudwatch._alarms["it"] = {**ALARM, "AlarmName": "it", "AlarmArn": "arn", "StateValue": "OK"}
    try:
        answer = cloudwatch._describe_alarms({}, {}, is_cbor=False)
    finally:
        del cloudwatch._alarms["it"]

    assert b"<AlarmName>it</AlarmName>" in answer[2]
    assert b"<TreatMissingData>" not in answer[2]


def test_only_what_an_answer_lacks_is_added_and_composite_alarms_are_left_alone():
    alarms = {"it": {"AlarmName": "it", "Period": 60, "Unit": None, "Statistic": "Sum", "StateUpdatedTimestamp": 0}}
    inner = "<M><member><AlarmName>it</AlarmName><Period>60</Period></member></M>"
    composite = "<CompositeAlarms><member><AlarmName>it</AlarmName></member></CompositeAlarms>"

    text = complete(inner + composite, alarms)

    added = "<Statistic>Sum</Statistic><StateUpdatedTimestamp>1970-01-01T00:00:00Z</StateUpdatedTimestamp>"
    assert text == inner.replace("</AlarmName>", f"</AlarmName>{added}") + composite


@pytest.fixture(scope="module")
def provided_zip(tmp_path_factory, requires) -> bytes:
    """The real zip for emulators, with a handler that tells where it runs."""
    python = python_313()
    requires(python, "Python 3.13")
    out = tmp_path_factory.mktemp("zip") / "aws.zip"
    build(Build("3.13", PROVIDED, python, out))
    code = """
import os, sys

def tell(event, context):
    import botocore, msgspec, shared.catalog
    if event.get("fail"):
        raise ValueError("as asked")
    return {
        "event": event,
        "version": sys.version_info[:2],
        "path": sys.path,
        "files": [botocore.__file__, msgspec.__file__, shared.catalog.__file__],
        "root": os.environ["LAMBDA_TASK_ROOT"],
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "remaining": context.get_remaining_time_in_millis(),
    }
"""
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("probe.py", code)
    return out.read_bytes()


@pytest.fixture(scope="module")
def probe(ministack, provided_zip):
    client = boto3.client("lambda", **ministack.client_arguments)
    client.create_function(
        FunctionName="probe",
        Runtime=PROVIDED,
        Role="arn:aws:iam::000000000000:role/probe",
        Handler="probe.tell",
        Code={"ZipFile": provided_zip},
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="probe")
    return lambda event: client.invoke(FunctionName="probe", Payload=json.dumps(event).encode())


def test_a_function_runs_in_python_313_from_its_zip_and_nothing_else(ministack, probe):
    told = json.loads(probe({"number": 1})["Payload"].read())

    root = told["root"]
    standard = [path for path in told["path"] if not path.startswith(root)]
    assert told["event"] == {"number": 1}
    assert told["version"] == [3, 13]
    assert all(path.startswith(f"{root}/") for path in told["files"])
    assert standard
    assert not any("site-packages" in path or str(Path(__file__).parents[2]) in path for path in standard)
    assert 0 < told["remaining"] <= 30_000


def test_a_function_talks_to_the_emulator_that_runs_it(ministack, probe):
    told = json.loads(probe({})["Payload"].read())

    assert told["endpoint"] == ministack.endpoint


def test_an_error_of_a_function_comes_back_with_its_type(probe):
    answer = probe({"fail": True})

    error = json.loads(answer["Payload"].read())
    assert answer["FunctionError"]
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as asked")


def test_two_emulators_at_once_share_nothing(ministack, tmp_path):
    emulators = supervisor(tmp_path)
    other = emulators.up("aws", free_port())
    try:
        boto3.client("sqs", **ministack.client_arguments).create_queue(QueueName="only-here")
        there = boto3.client("sqs", **{**ministack.client_arguments, "endpoint_url": other.place.endpoint})

        assert there.list_queues().get("QueueUrls", []) == []
    finally:
        emulators.down()


@pytest.mark.requires(find_spec("ministack"), install="MiniStack: make emulators")
def test_the_users_own_settings_do_not_reach_the_emulator(tmp_path):
    around = {
        "PATH": "/usr/bin",
        "HOME": "/home/me",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "https://elsewhere",
        "PYTHONPATH": "/my/modules",
        "TREFOIL_STAGE": "prod",
        "LAMBDA_EXECUTOR": "docker",
    }
    place = Place(1234, tmp_path)

    made = MiniStack().environment(place, around)

    assert made["HOME"] == "/home/me"
    assert made["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1234"
    assert made["LAMBDA_EXECUTOR"] == "local"
    assert not {"AWS_PROFILE", "PYTHONPATH", "TREFOIL_STAGE"} & made.keys()
    assert made["PATH"] == f"{tmp_path / 'bin'}:/usr/bin"
    assert made["TMPDIR"].startswith(str(tmp_path))


def test_a_named_python_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"Python 3\.13 is needed, and '/no/such/python' is not one"):
        MiniStack("/no/such/python").environment(Place(1234, tmp_path), {"PATH": ""})


def test_without_a_python_for_functions_it_starts_and_says_so(tmp_path, monkeypatch):
    def none(version, named, setting):
        raise ConfigurationError("none")

    monkeypatch.setattr("infra.emulators.aws.find_python", none)
    place = Place(1234, tmp_path)

    MiniStack().environment(place, {"PATH": ""})

    (advice,) = MiniStack().advice(place)
    assert advice.startswith("No Python 3.13 was found, so no function will run")


def test_what_is_not_installed_is_named_with_the_target_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setattr("infra.emulators.aws.find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match="MiniStack is not installed: run `make emulators`"):
        MiniStack().command(Place(1234, tmp_path))
    with pytest.raises(ConfigurationError, match="LocalStack is not installed: run `make localstack`"):
        LocalStack(tmp_path / "python").command(Place(1234, tmp_path))
