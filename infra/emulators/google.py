"""Google Cloud on this machine: its own emulators of Pub/Sub and Firestore, which come with the gcloud SDK."""

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.emulators.emulator import HOST, Place, answers
from shared.kernel.errors import ConfigurationError

PROJECT = "trefoil-local"
_FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_GCLOUD_SECONDS = 60
_TEMPORARY = "tmp"


@dataclass(frozen=True)
class Software:
    """Where the SDK and Java are; both are sought when they are not named."""

    sdk: str = ""
    java_home: str = ""
    path: str | None = None
    """Where programs are looked for; the process's own PATH when it is not given."""

    def jar(self, component: str, pattern: str) -> Path:
        """The program of one of the SDK's components; raises ConfigurationError with the remedy when it is missing."""
        found = sorted((self._sdk() / "platform").glob(pattern))
        if not found:
            package = f"google-cloud-cli-{component.removeprefix('cloud-')}"
            raise ConfigurationError(
                f"the gcloud SDK has no {component}: gcloud components install {component} (Debian: {package})"
            )
        return found[-1]

    def java(self) -> str:
        """The Java to run it with."""
        command = str(Path(self.java_home, "bin", "java")) if self.java_home else "java"
        if found := shutil.which(command, path=self.path):
            return found
        where = f"JAVA_HOME is {self.java_home}, which has none" if self.java_home else "it is not on the path"
        raise ConfigurationError(f"Google's emulators need Java 17 or newer, and {where}: install it (default-jre)")

    def _sdk(self) -> Path:
        gcloud = shutil.which("gcloud", path=self.path)
        if not self.sdk and not gcloud:
            raise ConfigurationError(
                "Google's emulators come with the gcloud SDK, and gcloud is not on the path: install it, or name its"
                " folder: CLOUDSDK_ROOT_DIR=PATH"
            )
        root = Path(self.sdk) if self.sdk else Path(str(gcloud)).resolve().parents[1]
        return root if self.sdk or (root / "platform").is_dir() else _ask(str(gcloud))


@dataclass(frozen=True)
class PubSub:
    """Topics, subscriptions and pushes; filters are stored and not obeyed."""

    software: Software

    name: str = "pubsub"
    title: str = "Google's Pub/Sub emulator"
    port: int = 8085
    seconds: float = 60

    def command(self, place: Place) -> list[str]:
        """The program itself: `gcloud beta emulators` would leave it behind."""
        jar = self.software.jar("pubsub-emulator", "pubsub-emulator/lib/cloud-pubsub-emulator-*.jar")
        return [*_java(self.software, place), "-jar", str(jar), f"--host={HOST}", f"--port={place.port}"]

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the user's own project reaches it."""
        return _environment(place, around)

    def ready(self, place: Place) -> bool:
        """Whether it lists topics."""
        return answers(place, f"/v1/projects/{PROJECT}/topics")

    def exports(self, place: Place) -> dict[str, str]:
        """What Google's clients read."""
        return {"PUBSUB_EMULATOR_HOST": f"{HOST}:{place.port}", "GOOGLE_CLOUD_PROJECT": PROJECT}

    def advice(self, _place: Place) -> list[str]:
        """Nothing: what it lacks, the stand-in for Cloud Run adds."""
        return []


@dataclass(frozen=True)
class Firestore:
    """Documents, in any number of databases, which need not be made first."""

    software: Software

    name: str = "firestore"
    title: str = "Google's Firestore emulator"
    port: int = 8086
    seconds: float = 60

    def command(self, place: Place) -> list[str]:
        """The program itself: `gcloud emulators` would leave it behind, and so does the SDK's script."""
        jar = self.software.jar("cloud-firestore-emulator", "cloud-firestore-emulator/cloud-firestore-emulator.jar")
        options = [f"--host={HOST}", f"--port={place.port}"]
        return [*_java(self.software, place), "-cp", str(jar), _FIRESTORE_MAIN, *options]

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the user's own project reaches it."""
        return _environment(place, around)

    def ready(self, place: Place) -> bool:
        """Whether it lists documents."""
        return answers(place, f"/v1/projects/{PROJECT}/databases/ready/documents/ready")

    def exports(self, place: Place) -> dict[str, str]:
        """What Google's clients read."""
        return {"FIRESTORE_EMULATOR_HOST": f"{HOST}:{place.port}", "GOOGLE_CLOUD_PROJECT": PROJECT}

    def advice(self, _place: Place) -> list[str]:
        """Nothing."""
        return []


def base(around: Mapping[str, str]) -> dict[str, str]:
    """The environment without the user's own settings of Google Cloud, Python and Trefoil."""
    own = ("CLOUDSDK_", "FIRESTORE_", "GOOGLE_", "PUBSUB_", "PYTHON", "TREFOIL_")
    return {name: value for name, value in around.items() if not name.startswith(own)}


def _java(software: Software, place: Place) -> list[str]:
    # Errors in English, as Google's clients expect them; no file outside the folder.
    return [
        software.java(),
        "-Duser.language=en",
        f"-Djava.io.tmpdir={place.folder / _TEMPORARY}",
        "-XX:-UsePerfData",
    ]


def _environment(place: Place, around: Mapping[str, str]) -> dict[str, str]:
    (place.folder / _TEMPORARY).mkdir()
    return base(around)


def _ask(gcloud: str) -> Path:
    """What gcloud itself says, where the program on the path only starts another; it takes a second."""
    command = [gcloud, "info", "--format=value(installation.sdk_root)"]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - the user's own gcloud
            command, capture_output=True, check=True, text=True, timeout=_GCLOUD_SECONDS
        )
        return Path(done.stdout.strip())
    raise ConfigurationError(f"{gcloud} does not say where its SDK is: name its folder, CLOUDSDK_ROOT_DIR=PATH")
