"""What the stand-in is started with, as one JSON argument."""

from typing import Literal

from msgspec import Struct

Shape = Literal["wrapped", "unwrapped", "eventarc"]
"""How a function gets its messages: see `shapes`."""


class Settings(Struct, frozen=True):
    """Where it listens and keeps its files, and what it runs."""

    port: int
    folder: str
    source: str
    """The file with the functions `receive` and `tick`."""
    path: str
    """The folder that it imports the rest from."""
    python: str
    """The interpreter, which has functions-framework and all that the source needs."""
    contract: str
    """The AsyncAPI document that says which services there are."""
    shape: Shape
    tick_seconds: float
    """How often the tick is rung; 0 for only when it is asked for."""
    workers: int
    """Processes of one function: instances, as far as Cloud Run is concerned."""
