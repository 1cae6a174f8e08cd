"""What holds for the stack of each cloud: well formed, valid, and its own tests pass.

AWS's is checked with its provider, the others with stand-ins that know the schema (tests/support/terraform_schemas).
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from infra import naming
from tests.support.terraform import ROOT, failures

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@pytest.fixture(params={"aws": "stack", "gcp": "gcp_stack", "azure": "azure_stack"}.items(), ids=lambda param: param[0])
def each_stack(request):
    """Every cloud's."""
    return request.getfixturevalue(request.param[1])


def test_every_file_is_formatted(stack):
    done = stack.run("fmt", "-check", "-recursive", "../..", check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_stack_is_valid(each_stack):
    told = json.loads(each_stack.run("validate", "-json", check=False).stdout)

    assert (told["valid"], told["diagnostics"]) == (True, [])


def test_terraforms_own_tests_pass(each_stack):
    files = sorted(
        path.relative_to(each_stack.folder).as_posix() for path in each_stack.folder.glob("tests/*.tftest.hcl")
    )

    messages = each_stack.test(*(f"-filter={file}" for file in files))

    (summary,) = messages["test_summary"]
    assert failures(messages) == []
    assert summary["test_summary"]["status"] == "pass"
    assert sorted(messages["test_abstract"][0]["test_abstract"]) == files


def test_the_names_that_it_allows_are_those_that_the_code_allows(each_stack):
    variables = (each_stack.folder / "variables.tf").read_text()

    pattern = naming._PART.pattern
    assert re.findall(r'regex\("\^(.*)\$", var\.(name|stage)\)', variables) == [(pattern, "name"), (pattern, "stage")]


@pytest.mark.requires(CHECKOV.exists(), install="checkov: make tools")
def test_checkov_finds_nothing_that_is_not_explained(stack, tmp_path):
    tree = stack.folder.parents[1]
    options = ["--framework=terraform", "--output=json", "--quiet", "--skip-download"]
    offline = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LOG_LEVEL": "ERROR"}

    done = subprocess.run(
        [CHECKOV, "--directory", tree, *options], env=offline, check=False, capture_output=True, text=True, timeout=120
    )

    told = json.loads(done.stdout)
    assert [f"{found['check_id']} {found['resource']}" for found in told["results"]["failed_checks"]] == []
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["resource_count"] > len({"bus", "channel", "function", "store", "timers"})
