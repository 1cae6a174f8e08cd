"""terraform/cli.py: where providers come from."""

import json
import shutil
import subprocess

import pytest

from terraform import cli
from tests.support.terraform import mirrored

UNPACKED = f"hashicorp/aws/5.100.0/{cli._platform()}"
PACKED = f"hashicorp/aws/terraform-provider-aws_5.100.0_{cli._platform()}.zip"


@pytest.mark.parametrize("provider", [UNPACKED, PACKED])
@pytest.mark.parametrize("named", ["mirror", f"mirror/{cli.REGISTRY}", "."])
def test_the_mirror_that_is_named_is_taken(tmp_path, named, provider):
    mirrored(tmp_path / "mirror", provider)
    other = mirrored(tmp_path / "other" / "deeper")

    found = cli.mirror({"TF_MIRROR": str(tmp_path / named)}, [str(other)])

    assert found == tmp_path / "mirror"


def test_a_named_mirror_without_providers_is_an_error_and_nothing_else_is_taken(tmp_path):
    other = mirrored(tmp_path / "other")
    named = mirrored(tmp_path / "named", "hashicorp/aws/5.100.0/plan9_mips")

    with pytest.raises(cli.UsageError, match=r"TF_MIRROR is .*/named, which holds no"):
        cli.mirror({"TF_MIRROR": str(named)}, [str(other)])


@pytest.mark.parametrize("depth", ["", "plugins", "terraform/plugins"])
def test_the_first_tree_in_a_software_folder_is_found(tmp_path, depth):
    mirrored(tmp_path / "first" / depth)
    mirrored(tmp_path / "second")

    found = cli.mirror({}, [str(tmp_path / name) for name in ("none", "first", "second")])

    assert found == tmp_path / "first" / depth


def test_a_tree_for_another_machine_is_passed_over(tmp_path):
    mirrored(tmp_path / "first", "hashicorp/aws/5.100.0/plan9_mips")
    mirrored(tmp_path / "second")

    found = cli.mirror({}, [str(tmp_path / "first"), str(tmp_path / "second")])

    assert found == tmp_path / "second"


def test_without_a_tree_providers_are_downloaded(tmp_path):
    assert cli.mirror({}, [str(tmp_path)]) is None


def test_a_users_own_configuration_is_left_alone(tmp_path):
    mirrored(tmp_path / "found")
    own = tmp_path / "terraform.rc"
    own.touch()

    found = [
        cli.mirror({"TF_CLI_CONFIG_FILE": str(path)}, [str(tmp_path / "found")]) for path in (own, tmp_path / "gone.rc")
    ]

    assert found == [None, tmp_path / "found"]


def test_what_the_mirror_holds_is_not_downloaded_and_all_else_is(tmp_path):
    text = cli.configuration(mirrored(tmp_path / "a ${folder}"))

    path = str(tmp_path / "a $${folder}")
    assert text.split() == [
        *("provider_installation", "{", "filesystem_mirror", "{", "path", "=", *json.dumps(path).split()),
        *("include", "=", '["registry.terraform.io/hashicorp/aws"]', "}"),
        *("direct", "{", "exclude", "=", '["registry.terraform.io/hashicorp/aws"]', "}", "}"),
    ]


@pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")
def test_terraform_reads_the_configuration(tmp_path, monkeypatch):
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(cli.configuration(mirrored(tmp_path / "a ${folder}")))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))

    done = subprocess.run(["terraform", "version"], capture_output=True, text=True, check=True, timeout=60)

    assert "CLI configuration" not in done.stdout + done.stderr
