"""What the host is started with, as one JSON argument."""

from msgspec import Struct


class Settings(Struct, frozen=True):
    """Where it listens and keeps its files, and what it runs."""

    port: int
    folder: str
    app: str
    """The folder with `function_app.py` and `host.json`."""
    path: str
    """The folder that it imports the rest from; the same one for an unpacked zip."""
    python: str
    """The interpreter, which has azure-functions-runtime and all that the app needs."""
    workers: int
    """Worker processes: FUNCTIONS_WORKER_PROCESS_COUNT."""
    schedules: bool
    """Whether timers ring by themselves, and not only when they are asked to."""
