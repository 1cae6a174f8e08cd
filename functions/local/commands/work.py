"""`trefoil work`."""

import sys
from typing import Annotated

import typer

from functions.local.console import DEFAULT_DATA, Data
from functions.local.pool import Pool, Stop, work_here
from functions.local.worker import BATCH

Workers = Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")]
_UntilIdle = Annotated[bool, typer.Option("--until-idle", help="End when no channel holds anything.")]
_Batch = Annotated[int, typer.Option(min=1, max=1000, help="Messages taken at once.")]
_Log = Annotated[str, typer.Option(help="INFO, WARNING or ERROR: what is logged, as JSON lines, to stderr.")]


def work(
    data: Data = DEFAULT_DATA,
    until_idle: _UntilIdle = False,
    workers: Workers = 1,
    batch: _Batch = BATCH,
    log: _Log = "WARNING",
) -> None:
    """Handle what waits, until it is told to stop (Ctrl-C) or, with --until-idle, until nothing waits.

    Example: trefoil work --until-idle --workers 2
    """
    if log not in ("INFO", "WARNING", "ERROR"):
        raise typer.BadParameter(f"'{log}' is none of INFO, WARNING, ERROR", param_hint="--log")
    if workers == 1:
        work_here(data, sys.stderr.buffer, log, batch, until_idle=until_idle)
        return
    for _ in Pool(data, workers, batch, until_idle=until_idle).counts(Stop()):
        pass
