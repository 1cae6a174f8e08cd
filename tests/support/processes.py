"""Functions of the test suites in processes of their own, started together, and killed where they kill themselves."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

_ROOT = Path(__file__).parents[2]

_PATIENCE = 60.0
"""Seconds, after which a process that has not ended is an error."""

_Process = subprocess.Popen[str]


def run_together(function: Callable[..., Any], arguments: Sequence[Sequence[Any]]) -> list[Any]:
    """Run a function once for each list of arguments, all at the same time; return what they returned, as JSON has it.

    Each is held until all have been loaded, so that they really compete.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(_loaded(function, each)) for each in arguments]
        for process in running:
            _release(process)
        return [_result(process) for process in running]


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in another process; return what it returned."""
    (result,) = run_together(function, [arguments])
    return result


def run_until_killed(function: Callable[..., Any], *arguments: Any) -> None:
    """Run a function that ends in `die`; anything else that ends it is an error."""
    with _loaded(function, arguments) as process:
        _, errors = process.communicate("go\n", _PATIENCE)
        assert process.returncode == -signal.SIGKILL, f"not killed but ended with {process.returncode}: {errors}"


def die() -> NoReturn:
    """End this process as a power cut would: no exception passes, nothing is closed."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@contextmanager
def running(function: Callable[..., Any], *arguments: Any) -> Iterator[None]:
    """Run a function that prints a line when it is where it should be, and then waits for its input to end."""
    with _loaded(function, arguments) as process:
        _release(process)
        assert process.stdout is not None
        process.stdout.readline()
        yield


@contextmanager
def _loaded(function: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[_Process]:
    command = [sys.executable, "-m", __name__, f"{function.__module__}:{function.__qualname__}", json.dumps(arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "loaded\n", process.communicate()[1]
            yield process
        except BaseException:
            process.kill()
            raise


def _release(process: _Process) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _result(process: _Process) -> Any:
    output, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def _main(place: str, arguments: str) -> None:
    module, _, name = place.partition(":")
    function = getattr(importlib.import_module(module), name)
    print("loaded", flush=True)  # noqa: T201 - how it talks to its parent
    sys.stdin.readline()
    print(json.dumps(function(*json.loads(arguments))))  # noqa: T201 - as above


if __name__ == "__main__":
    _main(*sys.argv[1:])
