"""terraform/cli.py: which state is used, what Terraform is told."""

import os
import re
import shutil
import subprocess

import pytest

from terraform import cli
from tests.support.terraform import mirrored

AWS, GCP, AZURE = cli.CLOUDS["aws"], cli.CLOUDS["gcp"], cli.CLOUDS["azure"]
PLACE = {"GOOGLE_CLOUD_PROJECT": "shop-412345", "GOOGLE_REGION": "europe-west3"}
AZURES_PLACE = {"ARM_SUBSCRIPTION_ID": "01234567-89ab-cdef-0123-456789abcdef", "AZURE_LOCATION": "westeurope"}


def test_name_and_stage_are_trefoils_own():
    assert cli.variables(AWS, {}) == {"TF_VAR_name": "trefoil", "TF_VAR_stage": "dev"}
    assert cli.variables(AWS, {"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "prod"}) == {
        "TF_VAR_name": "shop",
        "TF_VAR_stage": "prod",
    }


def test_project_and_region_are_googles_own_settings():
    told = cli.variables(GCP, {**PLACE, "TF_VAR_region": "europe-west1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})

    assert told == {
        "TF_VAR_name": "trefoil",
        "TF_VAR_stage": "dev",
        "TF_VAR_project": "shop-412345",
        "TF_VAR_region": "europe-west1",
    }


def test_subscription_and_region_are_azures_own_settings():
    told = cli.variables(AZURE, {**AZURES_PLACE, "GOOGLE_REGION": "europe-west3"})

    assert told == {
        "TF_VAR_name": "trefoil",
        "TF_VAR_stage": "dev",
        "TF_VAR_subscription": "01234567-89ab-cdef-0123-456789abcdef",
        "TF_VAR_region": "westeurope",
    }


@pytest.mark.parametrize(
    ("cloud", "settings", "missing"),
    [
        (GCP, {}, "GOOGLE_CLOUD_PROJECT and GOOGLE_REGION"),
        (GCP, {"GOOGLE_REGION": "europe-west3"}, "GOOGLE_CLOUD_PROJECT"),
        (GCP, {"GOOGLE_CLOUD_PROJECT": "shop-412345", "GOOGLE_REGION": ""}, "GOOGLE_REGION"),
        (AZURE, PLACE, "ARM_SUBSCRIPTION_ID and AZURE_LOCATION"),
        (AZURE, {**AZURES_PLACE, "AZURE_LOCATION": ""}, "AZURE_LOCATION"),
    ],
)
def test_a_place_that_nothing_names_is_asked_for(cloud, settings, missing):
    with pytest.raises(cli.UsageError, match=f"nothing says where to deploy: set {missing}$"):
        cli.variables(cloud, settings)


def test_an_emulators_functions_are_told_where_it_is():
    told = cli.variables(AWS, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})

    assert told["TF_VAR_endpoint_url"] == "http://127.0.0.1:4566"
    assert told["TF_VAR_runtime"] == "provided.al2023"


def test_another_runtime_on_the_emulator_is_the_users_choice():
    told = cli.variables(AWS, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "TF_VAR_runtime": "python3.13"})

    assert told["TF_VAR_runtime"] == "python3.13"


def test_each_name_stage_and_emulator_has_a_state_of_its_own():
    settings = [
        {},
        {"TREFOIL_STAGE": "prod"},
        {"TREFOIL_NAME": "shop"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4567"},
    ]

    assert [cli.workspace(AWS, each) for each in settings] == [
        "trefoil-dev",
        "trefoil-prod",
        "shop-dev",
        "trefoil-dev-127.0.0.1-4566",
        "trefoil-dev-127.0.0.1-4567",
    ]


def test_an_emulator_of_another_cloud_is_none_of_its_business():
    settings = {"TREFOIL_STAGE": "prod", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}

    assert cli.workspace(GCP, settings) == "trefoil-prod"


@pytest.mark.parametrize("words", [["-var", "stage=prod"], ["-var=name=shop"], ["--var=stage=prod"]])
def test_a_name_past_its_state_is_refused(words):
    with pytest.raises(cli.UsageError, match="set TREFOIL_"):
        cli.check(words)


def test_other_variables_are_let_through():
    cli.check(["-var", "snap_start=true", "-var", 'tags={ name="x" }', "-auto-approve"])


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A stand-in for Terraform and for Python, which note what they are called with."""
    notes = tmp_path / "notes"
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n"
        f'echo "${{0##*/}} $* [$TF_WORKSPACE $TF_VAR_runtime$TF_VAR_draining]" >> {notes}\n'
        'echo "${SAYS:-said}"\nexit ${FAILS:-0}\n'
    )
    program.chmod(0o755)
    shutil.copy(program, program.with_name("python"))
    monkeypatch.setattr(cli.sys, "executable", str(program.with_name("python")))
    monkeypatch.setattr(cli, "CONFIGURATION", tmp_path / "build" / "terraform.rc")
    environment = {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "TF_WORKSPACE": "another",
        "TF_MIRROR": str(mirrored(tmp_path / "mirror")),
    }

    def run(*words, **more):
        notes.write_text("")
        code = cli.main(words, environment | more)
        return code, [re.sub(rf"-chdir={cli.STACKS}/\w+ ", "", line) for line in notes.read_text().splitlines()]

    return run


def test_a_deployment_is_initialised_chosen_packed_and_applied(calls):
    code, called = calls("aws", "apply", "-auto-approve", "-var", "memory_mib=1024")

    assert code == 0
    assert called == [
        "terraform init -input=false [ ]",
        "terraform workspace select -or-create trefoil-dev [ ]",
        "python -m functions.package aws [ ]",
        "terraform apply -parallelism=30 -auto-approve -var memory_mib=1024 [trefoil-dev ]",
    ]
    assert cli.CONFIGURATION.read_text() == cli.configuration(cli.CONFIGURATION.parents[1] / "mirror")


def test_nothing_is_approved_unless_the_user_says_so(calls):
    for command in ("apply", "destroy"):
        assert "approve" not in " ".join(calls("aws", command)[1])


def test_an_emulator_gets_the_zip_that_brings_its_own_start(calls):
    _, called = calls("aws", "apply", AWS_ENDPOINT_URL="http://127.0.0.1:4566", TREFOIL_STAGE="try")

    assert called[1:] == [
        "terraform workspace select -or-create trefoil-try-127.0.0.1-4566 [ provided.al2023]",
        "python -m functions.package aws --runtime provided.al2023 [ provided.al2023]",
        "terraform apply -parallelism=30 [trefoil-try-127.0.0.1-4566 provided.al2023]",
    ]


@pytest.mark.parametrize(
    ("command", "more"), [("destroy", {}), ("apply", {"TF_VAR_package": "mine.zip"})], ids=["destroy", "own zip"]
)
def test_a_zip_is_built_only_where_one_is_wanted(calls, command, more):
    _, called = calls("aws", command, **more)

    assert {line.split()[0] for line in called} == {"terraform"}
    assert called[-1].split()[:2] == ["terraform", command]


def test_a_state_of_another_place_is_noticed_before_it_is_destroyed(calls):
    """Terraform itself only warns, finds nothing in this place, and forgets what lies in the other."""
    _, called = calls("aws", "destroy", "-auto-approve")

    assert called == [
        "terraform init -input=false [ ]",
        "terraform workspace select -or-create trefoil-dev [ ]",
        "terraform plan -input=false -target=module.bus.terraform_data.place [trefoil-dev ]",
        "terraform destroy -parallelism=30 -auto-approve [trefoil-dev ]",
    ]


def test_a_deployment_to_google_cloud_begins_as_one_to_aws(calls):
    code, called = calls("gcp", "apply", "-auto-approve", **PLACE, PYTHON313="python3.13", SAYS="{}")

    assert code == 0
    assert called == [
        "terraform init -input=false [ ]",
        "terraform workspace select -or-create trefoil-dev [ ]",
        "python -m functions.package gcp [ ]",
        "terraform output -json [trefoil-dev ]",
        "terraform apply -parallelism=30 -auto-approve [trefoil-dev ]",
    ]


def test_a_deployment_to_azure_drains_nothing_for_there_a_filter_can_be_changed(calls):
    code, called = calls("azure", "apply", "-auto-approve", **AZURES_PLACE, PYTHON313="/opt/python3.13")

    assert code == 0
    assert called == [
        "terraform init -input=false [ ]",
        "terraform workspace select -or-create trefoil-dev [ ]",
        "python -m functions.package azure --interpreter /opt/python3.13 [ ]",
        "terraform apply -parallelism=30 -auto-approve [trefoil-dev ]",
    ]


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_filters_of_the_last_deployment_are_drained(calls, command):
    outputs = '{"filters": {"value": {"users": {"60ab8486": "attributes.to=1"}}}, "tick_id": {"value": "tick"}}'

    _, called = calls("gcp", command, "-var", "draining={}", **PLACE, SAYS=outputs)

    draining = '{"users": {"60ab8486": "attributes.to=1"}}'
    assert called[-1] == f"terraform {command} -parallelism=30 -var draining={{}} [trefoil-dev {draining}]"


def test_what_the_user_has_drained_is_the_users_choice(calls):
    _, called = calls("gcp", "apply", **PLACE, TF_VAR_draining="{}")

    assert called[-2:] == [
        "python -m functions.package gcp [ {}]",
        "terraform apply -parallelism=30 [trefoil-dev {}]",
    ]


def test_nothing_is_drained_where_all_is_destroyed(calls):
    _, called = calls("gcp", "destroy", **PLACE)

    assert [line.split()[1] for line in called] == ["init", "workspace", "plan", "destroy"]


@pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")
def test_before_a_first_deployment_nothing_is_drained(tmp_path):
    """Terraform itself, in a folder without a state."""
    assert cli.carried(GCP, [shutil.which("terraform"), f"-chdir={tmp_path}"], {}) == {}


STACK = """\
variable "filter" {}

variable "draining" {
  type    = map(map(string))
  default = {}
}

locals {
  filters = merge(lookup(var.draining, "users", {}), { (sha1(var.filter)) = var.filter })
}

resource "terraform_data" "subscription" {
  for_each = local.filters
}

output "filters" {
  value = { users = local.filters }
}
"""
"""What the stack for Google Cloud does with filters, and nothing else."""


@pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")
def test_an_older_filter_is_drained_until_the_user_says_that_it_is(tmp_path, monkeypatch):
    """Terraform itself, with its state."""
    (tmp_path / "gcp").mkdir()
    (tmp_path / "gcp" / "main.tf").write_text(STACK)
    monkeypatch.setattr(cli, "STACKS", tmp_path)
    monkeypatch.setattr(cli, "CONFIGURATION", tmp_path / "build" / "terraform.rc")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TF_VAR_package": "the.zip", **PLACE}

    def deployed(filter_, *words):
        code = cli.main(["gcp", "apply", "-auto-approve", *words], environment | {"TF_VAR_filter": filter_})
        at_stack = ["terraform", f"-chdir={tmp_path / 'gcp'}"]
        done = subprocess.run([*at_stack, "state", "list"], env=environment, capture_output=True, text=True, check=True)
        return code, len(done.stdout.split())

    counts = [deployed("one"), deployed("one"), deployed("two"), deployed("two"), deployed("two", "-var=draining={}")]

    assert counts == [(0, 1), (0, 1), (0, 2), (0, 2), (0, 1)]


def test_a_failure_ends_it_and_is_shown(calls, capsys):
    with pytest.raises(SystemExit) as ended:
        calls("aws", "apply", FAILS="3")

    assert ended.value.code == 3
    assert capsys.readouterr().err == "said\n"


def test_bad_input_is_one_sentence(calls, capsys):
    assert calls("aws", "apply", "-var", "stage=prod") == (2, [])
    assert calls("aws", "apply", TF_MIRROR="/none") == (2, [])
    assert calls("aws", "apply", PATH="/none") == (2, [])
    assert calls("gcp", "apply") == (2, [])
    assert calls("azure", "apply") == (2, [])

    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in said] == [True] * 5


@pytest.mark.parametrize("words", [(), ("aws",), ("aws", "import"), ("mars", "apply")])
def test_anything_else_is_answered_with_the_usage(calls, capsys, words):
    assert calls(*words) == (2, [])

    assert capsys.readouterr().err.startswith("usage: terraform/cli.py {aws,gcp,azure} {plan,apply,destroy}")
