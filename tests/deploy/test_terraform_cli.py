"""terraform/cli.py: where providers come from, which state is used, what Terraform is told."""

import json
import re
import shutil
import subprocess

import pytest

from terraform import cli

AWS, GCP = cli.CLOUDS["aws"], cli.CLOUDS["gcp"]
PLACE = {"GOOGLE_CLOUD_PROJECT": "shop-412345", "GOOGLE_REGION": "europe-west3"}

UNPACKED = f"hashicorp/aws/5.100.0/{cli._platform()}"
PACKED = f"hashicorp/aws/terraform-provider-aws_5.100.0_{cli._platform()}.zip"


def tree(folder, provider=UNPACKED):
    """A mirror of the registry that holds one provider."""
    (folder / cli.REGISTRY / provider).mkdir(parents=True)
    return folder


@pytest.mark.parametrize("provider", [UNPACKED, PACKED])
@pytest.mark.parametrize("named", ["mirror", f"mirror/{cli.REGISTRY}", "."])
def test_the_mirror_that_is_named_is_taken(tmp_path, named, provider):
    tree(tmp_path / "mirror", provider)
    other = tree(tmp_path / "other" / "deeper")

    found = cli.mirror({"TF_MIRROR": str(tmp_path / named)}, [str(other)])

    assert found == tmp_path / "mirror"


def test_a_named_mirror_without_providers_is_an_error_and_nothing_else_is_taken(tmp_path):
    other = tree(tmp_path / "other")
    named = tree(tmp_path / "named", "hashicorp/aws/5.100.0/plan9_mips")

    with pytest.raises(cli.UsageError, match=r"TF_MIRROR is .*/named, which holds no"):
        cli.mirror({"TF_MIRROR": str(named)}, [str(other)])


@pytest.mark.parametrize("depth", ["", "plugins", "terraform/plugins"])
def test_the_first_tree_in_a_software_folder_is_found(tmp_path, depth):
    tree(tmp_path / "first" / depth)
    tree(tmp_path / "second")

    found = cli.mirror({}, [str(tmp_path / name) for name in ("none", "first", "second")])

    assert found == tmp_path / "first" / depth


def test_a_tree_for_another_machine_is_passed_over(tmp_path):
    tree(tmp_path / "first", "hashicorp/aws/5.100.0/plan9_mips")
    tree(tmp_path / "second")

    found = cli.mirror({}, [str(tmp_path / "first"), str(tmp_path / "second")])

    assert found == tmp_path / "second"


def test_without_a_tree_providers_are_downloaded(tmp_path):
    assert cli.mirror({}, [str(tmp_path)]) is None


def test_a_users_own_configuration_is_left_alone(tmp_path):
    tree(tmp_path / "found")
    own = tmp_path / "terraform.rc"
    own.touch()

    found = [
        cli.mirror({"TF_CLI_CONFIG_FILE": str(path)}, [str(tmp_path / "found")]) for path in (own, tmp_path / "gone.rc")
    ]

    assert found == [None, tmp_path / "found"]


def test_what_the_mirror_holds_is_not_downloaded_and_all_else_is(tmp_path):
    text = cli.configuration(tree(tmp_path / "a ${folder}"))

    path = str(tmp_path / "a $${folder}")
    assert text.split() == [
        *("provider_installation", "{", "filesystem_mirror", "{", "path", "=", *json.dumps(path).split()),
        *("include", "=", '["registry.terraform.io/hashicorp/aws"]', "}"),
        *("direct", "{", "exclude", "=", '["registry.terraform.io/hashicorp/aws"]', "}", "}"),
    ]


@pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")
def test_terraform_reads_the_configuration(tmp_path, monkeypatch):
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(cli.configuration(tree(tmp_path / "a ${folder}")))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))

    done = subprocess.run(["terraform", "version"], capture_output=True, text=True, check=True, timeout=60)

    assert "CLI configuration" not in done.stdout + done.stderr


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


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, "GOOGLE_CLOUD_PROJECT and GOOGLE_REGION"),
        ({"GOOGLE_REGION": "europe-west3"}, "GOOGLE_CLOUD_PROJECT"),
        ({"GOOGLE_CLOUD_PROJECT": "shop-412345", "GOOGLE_REGION": ""}, "GOOGLE_REGION"),
    ],
)
def test_a_place_that_nothing_names_is_asked_for(settings, missing):
    with pytest.raises(cli.UsageError, match=f"nothing says where to deploy: set {missing}$"):
        cli.variables(GCP, settings)


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
        "TF_MIRROR": str(tree(tmp_path / "mirror")),
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

    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in said] == [True, True, True, True]


@pytest.mark.parametrize("words", [(), ("aws",), ("aws", "import"), ("mars", "apply")])
def test_anything_else_is_answered_with_the_usage(calls, capsys, words):
    assert calls(*words) == (2, [])

    assert capsys.readouterr().err.startswith("usage: terraform/cli.py {aws,gcp} {plan,apply,destroy}")
