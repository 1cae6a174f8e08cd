"""Finds another Python on this machine: zips are compiled with it, emulated functions run in it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from shared.kernel.errors import ConfigurationError

_ASK = "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
_SECONDS = 30


def find_python(version: str, named: str, setting: str) -> Path:
    """The interpreter of a version such as `3.13`: the named one, else this one, the one on the path, pyenv's.

    Raises ConfigurationError, which names the setting, when there is none, or when the named one is something else.
    """
    for command in [named] if named else _candidates(version):
        if path := _answer(command, version):
            return path
    where = f"'{named}' is not one" if named else f"neither python{version} on the path nor pyenv's is one"
    raise ConfigurationError(f"Python {version} is needed, and {where}: install it, or name it: {setting}")


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    yield f"python{version}"
    # pyenv's shim stands on the path even where the version is not the chosen one, and then it fails.
    with suppress(OSError, subprocess.SubprocessError):
        prefix = _output(["pyenv", "prefix", version])
        yield str(Path(prefix, "bin", f"python{version}"))


def _answer(command: str, version: str) -> Path | None:
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        found, path = _output([command, "-I", "-S", "-c", _ASK]).split(" ", maxsplit=1)
        return Path(path) if found == version else None
    return None


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=_SECONDS)  # noqa: S603 - ours
    return done.stdout.strip()


def main() -> int:
    """Print the interpreter of a version, for make: `python -m infra.emulators.interpreters 3.13 [NAMED]`."""
    version, named = (*sys.argv[1:], "")[:2]
    try:
        sys.stdout.write(f"{find_python(version, named, 'PYTHON313=PATH')}\n")
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
