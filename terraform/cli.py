#!/usr/bin/env python3
"""Runs Terraform on one cloud's stack: `python terraform/cli.py aws apply`; further arguments go to Terraform.

It needs the standard library only. What it adds to plain Terraform: where providers come from, a state for each name,
stage and emulator, the zip, and the variables that follow from Trefoil's own settings. `make deploy-aws`, `make
deploy-gcp`, `make deploy-azure` and their `destroy-…` call it.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
STACKS = ROOT / "terraform" / "stacks"
CONFIGURATION = ROOT / "build" / "terraform.rc"

REGISTRY = "registry.terraform.io"
"""The folder that a mirror of the registry begins with."""

SOFTWARE_FOLDERS = (
    "~/.terraform.d",
    "~/.local/share",
    "/opt",
    "/usr/local",
    "/usr/local/lib",
    "/usr/local/share",
    "/usr/lib",
    "/usr/share",
    "/srv",
)

COMMANDS = ("plan", "apply", "destroy")

PLACE = "module.bus.terraform_data.place"
"""Where a state's resources lie."""

PARALLELISM = 30
"""Most of a deployment is waiting, above all for queues to settle: thirty waits at a time halve it."""


@dataclass(frozen=True)
class Cloud:
    """What the stacks differ in. Variables have the names under which Terraform finds them in the environment."""

    needed: Mapping[str, str] = field(default_factory=dict)
    """Settings that must be there, by the variable that each becomes."""
    endpoint: str = ""
    """The setting that says where an emulator is."""
    emulated: Mapping[str, str] = field(default_factory=dict)
    """Variables on an emulator, beside its address; the user's own go before them."""
    carried: Mapping[str, str] = field(default_factory=dict)
    """Variables that are outputs of the last deployment, unless the user sets them."""
    zipped: Mapping[str, str] = field(default_factory=dict)
    """Options of `python -m functions.package`, by the setting or variable that each takes its value from."""


CLOUDS = {
    "aws": Cloud(
        endpoint="AWS_ENDPOINT_URL",
        emulated={"TF_VAR_runtime": "provided.al2023"},
        zipped={"TF_VAR_runtime": "--runtime", "PYTHON313": "--interpreter"},
    ),
    "gcp": Cloud(
        needed={"TF_VAR_project": "GOOGLE_CLOUD_PROJECT", "TF_VAR_region": "GOOGLE_REGION"},
        carried={"TF_VAR_draining": "filters"},
    ),
    "azure": Cloud(
        needed={"TF_VAR_subscription": "ARM_SUBSCRIPTION_ID", "TF_VAR_region": "AZURE_LOCATION"},
        zipped={"PYTHON313": "--interpreter"},
    ),
}


class UsageError(Exception):
    """What was asked for can't be done; the text says where and what to do about it."""


def mirror(environment: Mapping[str, str], folders: Iterable[str] = SOFTWARE_FOLDERS) -> Path | None:
    """The folder that TF_MIRROR names, else the first with providers for this machine; None means download."""
    if named := environment.get("TF_MIRROR"):
        if found := next(_trees([named]), None):
            return found
        raise UsageError(
            f"TF_MIRROR is {named}, which holds no {REGISTRY}/ with providers for {_platform()}: "
            "correct it, or unset it to have Terraform look elsewhere"
        )
    if Path(environment.get("TF_CLI_CONFIG_FILE", "")).is_file():
        return None  # whoever wrote it has said where providers come from
    return next(_trees(folders), None)


def _trees(folders: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        place = Path(folder).expanduser()
        if place.name == REGISTRY:
            place = place.parent
        for depth in ("", "*/", "*/*/"):
            trees = (tree for tree in sorted(place.glob(f"{depth}{REGISTRY}")) if any(_providers(tree)))
            yield from (tree.parent.resolve() for tree in trees)


def _providers(tree: Path) -> Iterator[str]:
    """Providers in a tree for this machine, unpacked (version/platform) or packed (name_version_platform.zip)."""
    for provider in sorted(tree.glob("*/*")):
        if any(provider.glob(f"*/{_platform()}")) or any(provider.glob(f"*_{_platform()}.zip")):
            yield f"{REGISTRY}/{provider.parent.name}/{provider.name}"


def _platform() -> str:
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    return f"{platform.system().lower()}_{names.get(machine, machine)}"


def configuration(folder: Path) -> str:
    """Terraform's CLI configuration: what the mirror holds comes from there, all else is downloaded."""
    held = json.dumps(list(_providers(folder / REGISTRY)))
    path = json.dumps(str(folder)).replace("${", "$${").replace("%{", "%%{")
    return (
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path    = {path}\n    include = {held}\n  }}\n"
        f"  direct {{\n    exclude = {held}\n  }}\n"
        "}\n"
    )


def variables(cloud: Cloud, environment: Mapping[str, str]) -> dict[str, str]:
    """Terraform's variables, as environment variables. Name and stage are Trefoil's; the others may be set already."""
    name, stage = _deployment(environment)
    told = {variable: environment.get(setting, "") for variable, setting in cloud.needed.items()}
    if address := environment.get(cloud.endpoint):
        told |= {"TF_VAR_endpoint_url": address, **cloud.emulated}
    told = {variable: environment.get(variable) or value for variable, value in told.items()}
    if missing := [setting for variable, setting in cloud.needed.items() if not told[variable]]:
        raise UsageError(f"nothing says where to deploy: set {' and '.join(missing)}")
    return told | {"TF_VAR_name": name, "TF_VAR_stage": stage}


def workspace(cloud: Cloud, environment: Mapping[str, str]) -> str:
    """Where the state is kept: a stage deployed with another's state would replace it, and so would an emulator."""
    address = environment.get(cloud.endpoint, "")
    return "-".join([*_deployment(environment), *re.findall(r"[A-Za-z0-9.]+", urlsplit(address).netloc)])


def _deployment(environment: Mapping[str, str]) -> tuple[str, str]:
    return environment.get("TREFOIL_NAME") or "trefoil", environment.get("TREFOIL_STAGE") or "dev"


def check(words: Sequence[str]) -> None:
    """Refuse what would put a deployment into the state of another."""
    for word in words:
        if found := re.match(r"(?:--?var=)?(name|stage)=", word):
            setting = f"TREFOIL_{found[1].upper()}"
            raise UsageError(f"'{word}' would name the deployment past its state: set {setting} instead")


def package(cloud: str, environment: Mapping[str, str]) -> None:
    """Build the zip, unless the user names one."""
    if "TF_VAR_package" in environment:
        return
    command = [sys.executable, "-m", "functions.package", cloud]
    for setting, option in CLOUDS[cloud].zipped.items():
        command += [option, environment[setting]] if environment.get(setting) else []
    _run(command, environment)


def carried(cloud: Cloud, at_stack: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are outputs of the last deployment; none before the first."""
    wanted = {variable: output for variable, output in cloud.carried.items() if variable not in environment}
    outputs = json.loads(_run([*at_stack, "output", "-json"], environment, quiet=True)) if wanted else {}
    return {variable: json.dumps(outputs[name]["value"]) for variable, name in wanted.items() if name in outputs}


def terraform(name: str, command: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Initialise a cloud's stack, choose its workspace, build its zip, and run the command."""
    program = shutil.which("terraform", path=environment.get("PATH"))
    if program is None:
        raise UsageError("terraform is not on the path: install Terraform 1.11 or newer")
    check(words)
    cloud = CLOUDS[name]
    told = {key: value for key, value in environment.items() if key != "TF_WORKSPACE"} | variables(cloud, environment)
    if folder := mirror(environment):
        CONFIGURATION.parent.mkdir(exist_ok=True)
        CONFIGURATION.write_text(configuration(folder), encoding="utf-8")
        told["TF_CLI_CONFIG_FILE"] = str(CONFIGURATION)
    at_stack = [program, f"-chdir={STACKS / name}"]
    chosen = workspace(cloud, environment)
    _run([*at_stack, "init", "-input=false"], told, quiet=True)
    _run([*at_stack, "workspace", "select", "-or-create", chosen], told, quiet=True)
    # Named again, because another deployment may have chosen its own meanwhile.
    there = {**told, "TF_WORKSPACE": chosen}
    if command == "destroy":
        # Terraform only warns of another place then, and would forget or delete what lies elsewhere.
        _run([*at_stack, "plan", "-input=false", f"-target={PLACE}"], there, quiet=True)
    else:
        package(name, told)
        there |= carried(cloud, at_stack, there)
    _run([*at_stack, command, f"-parallelism={PARALLELISM}", *words], there)


def _run(command: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False) -> bytes:
    """Run a command; a quiet one is heard only when it fails, and what it printed is returned."""
    done = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=quiet)  # noqa: S603 - ours
    if done.returncode:
        sys.stderr.write(b"".join(filter(None, [done.stdout, done.stderr])).decode(errors="replace"))
        raise SystemExit(done.returncode)
    return done.stdout or b""


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Do what the command line asks for; bad input is one sentence, never a traceback."""
    if len(words) < 2 or words[0] not in CLOUDS or words[1] not in COMMANDS:  # noqa: PLR2004 - a cloud and a command
        sys.stderr.write(f"usage: terraform/cli.py {{{','.join(CLOUDS)}}} {{{','.join(COMMANDS)}}} [ARGUMENT...]\n")
        return 2
    try:
        terraform(words[0], words[1], words[2:], environment)
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
