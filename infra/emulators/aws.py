"""AWS on this machine: MiniStack, which runs functions as well, and LocalStack as a second opinion on SNS and SQS."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infra.emulators.emulator import HOST, Place, answers
from infra.emulators.interpreters import find_python
from shared.kernel.errors import ConfigurationError

REGION = "us-east-1"
_FUNCTIONS_PYTHON = "3.13"
_BIN = "bin"


@dataclass(frozen=True)
class MiniStack:
    """The whole of AWS that Trefoil uses; functions run as processes."""

    python: str = ""
    """The Python 3.13 for functions; sought when it is not named."""

    name: str = "aws"
    title: str = "MiniStack"
    port: int = 4566
    seconds: float = 60

    def command(self, _place: Place) -> list[str]:
        """Our launcher, in this environment."""
        if not find_spec("ministack"):
            raise ConfigurationError("MiniStack is not installed: run `make emulators`")
        return [sys.executable, "-P", "-m", "infra.emulators.ministack"]

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Everything it writes stays in the folder; functions get a `python3.13` and this emulator's own address."""
        programs = _link_python(self.python, place.folder / _BIN)
        return {
            **_base(place, around),
            **self.exports(place),
            "PATH": f"{programs}:{around.get('PATH', '')}",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(place.port),
            "LAMBDA_EXECUTOR": "local",
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(place.folder / "s3"),
            "STATE_DIR": str(place.folder / "state"),
            # These two listen on ports of their own, where a second MiniStack would meet the first.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # At its start it removes what another MiniStack has running in Docker; this one needs none.
            "DOCKER_HOST": f"unix://{place.folder}/no-docker",
        }

    def ready(self, place: Place) -> bool:
        """Whether its health page answers."""
        return answers(place, "/_ministack/health")

    def exports(self, place: Place) -> dict[str, str]:
        """What boto3, the AWS CLI and Terraform read."""
        return _exports(place)

    def advice(self, place: Place) -> list[str]:
        """Whether functions can run."""
        if (place.folder / _BIN / f"python{_FUNCTIONS_PYTHON}").exists():
            return []
        return [
            f"No Python {_FUNCTIONS_PYTHON} was found, so no function will run: install it, or name it, PYTHON313=PATH"
        ]


@dataclass(frozen=True)
class LocalStack:
    """SNS and SQS as others have rebuilt them; it has no DynamoDB and no functions without downloads and Docker."""

    python: Path
    """The Python of the environment that LocalStack is installed in."""

    name: str = "localstack"
    title: str = "LocalStack"
    port: int = 4567
    seconds: float = 120

    def command(self, _place: Place) -> list[str]:
        """The same program that its container starts."""
        if not self.python.exists():
            raise ConfigurationError("LocalStack is not installed: run `make localstack`")
        return [str(self.python), "-P", "-m", "localstack.runtime.main"]

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Everything it writes stays in the folder; it looks nothing up in the net and reports nothing home."""
        return {
            **_base(place, around),
            "DISABLE_EVENTS": "1",
            "DNS_ADDRESS": "0",
            "FILESYSTEM_ROOT": str(place.folder / "root"),
            "GATEWAY_LISTEN": f"{HOST}:{place.port}",
            # Else the addresses of its queues hold a name that only the internet's DNS can resolve.
            "LOCALSTACK_HOST": f"{HOST}:{place.port}",
            "LOCALSTACK_VOLUME_DIR": str(place.folder / "volume"),
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "SQS_ENDPOINT_STRATEGY": "path",
        }

    def ready(self, place: Place) -> bool:
        """Whether its health page answers."""
        return answers(place, "/_localstack/health")

    def exports(self, place: Place) -> dict[str, str]:
        """What boto3, the AWS CLI and Terraform read."""
        return _exports(place)

    def advice(self, _place: Place) -> list[str]:
        """What it can't do."""
        return ["Here LocalStack serves SNS and SQS; for DynamoDB and functions there is `trefoil emulators up aws`"]


def _exports(place: Place) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": place.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _base(place: Place, around: Mapping[str, str]) -> dict[str, str]:
    """The environment without the user's own settings of AWS, Python and Trefoil, and with its own temporary folder.

    MiniStack unpacks functions there, under names that two of them would share.
    """
    kept = {
        name: value for name, value in around.items() if not name.startswith(("AWS_", "LAMBDA_", "PYTHON", "TREFOIL_"))
    }
    temporary = place.folder / "tmp"
    temporary.mkdir()
    return {**kept, "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}


def _link_python(named: str, folder: Path) -> Path:
    """A folder for the path that holds `python3.13` and nothing else; empty when there is none."""
    folder.mkdir()
    try:
        found = find_python(_FUNCTIONS_PYTHON, named, "PYTHON313=PATH")
    except ConfigurationError:
        if named:
            raise
    else:
        (folder / f"python{_FUNCTIONS_PYTHON}").symlink_to(found)
    return folder
