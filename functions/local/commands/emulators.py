"""`trefoil emulators`: the clouds on this machine, without an account and without Docker."""

import shlex
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.table import Table

from functions.local.console import Json, err, out, print_json
from infra.emulators.supervisor import Running
from infra.emulators.wiring import supervisor

app = typer.Typer(no_args_is_help=True, help="Start and stop the clouds' emulators on this machine.")

_NAMES = (
    "aws (MiniStack), localstack, gcp (pubsub, firestore and cloudrun), azure (servicebus, azurite and azurefunctions),"
    " or one of these six"
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help=f"{_NAMES}.")]
_AnyName = Annotated[str | None, typer.Argument(metavar="[NAME]", help=f"{_NAMES}; all, if it is left out.")]
_Port = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        help="Where it listens: 4566 for aws, 4567 for localstack, 8085 for pubsub, 8086 for firestore, 8087 for"
        " cloudrun, 5672 for servicebus, 10002 for azurite, 7071 for azurefunctions. The emulators of gcp, and those of"
        " azure, take this port and the two after it.",
    ),
]
_AnyPort = Annotated[int | None, typer.Option(min=1, max=65535, help="Only what listens there.")]


@app.command("up")
def up(name: _Name, port: _Port = None) -> None:
    """Start an emulator, or all that make a cloud, unless they run already, and print the settings for a shell.

    Example: eval "$(trefoil emulators up aws)"
    """
    started = supervisor().up_all(name, port)
    exports = {setting: value for each in started for setting, value in each.exports.items()}
    for setting, value in exports.items():
        typer.echo(f"export {setting}={shlex.quote(value)}")
    for each in started:
        _say(f"{each.emulator.title} is ready at {each.place.endpoint}; its files are in {each.place.folder}")
    if exports:
        _say(f'Clients find it after: eval "$(trefoil emulators up {name}{_option(started[0])})"')
    for line in (line for each in started for line in each.emulator.advice(each.place)):
        err.print(line, style="yellow", markup=False, soft_wrap=True)


@app.command("down")
def down(name: _AnyName = None, port: _AnyPort = None) -> None:
    """Stop emulators and remove all that they held.

    Example: trefoil emulators down aws
    """
    stopped = supervisor().down(name, port)
    for each in stopped:
        what = "is stopped" if each.alive else "had died; it is cleared away"
        _say(f"{each.emulator.title} on port {each.place.port} {what}")
    if not stopped:
        _say("Nothing was running.")


@app.command("status")
def status(json: Json = False) -> None:
    """Show which emulators run, and which have died.

    Example: trefoil emulators status
    """
    found = supervisor().status()
    if json:
        print_json(list(_as_json(found)))
        return
    if not found:
        out.print("No emulator was started.")
        return
    table = Table()
    for column in ("name", "emulator", "endpoint", "process", "state", "files"):
        table.add_column(column, overflow="fold")
    for each in _as_json(found):
        table.add_row(*(str(value) for value in each.values()))
    out.print(table)


def _as_json(found: Iterable[Running]) -> Iterable[dict[str, Any]]:
    for each in found:
        yield {
            "name": each.emulator.name,
            "emulator": each.emulator.title,
            "endpoint": each.place.endpoint,
            "process": each.pid,
            "state": "running" if each.alive else "died",
            "files": str(each.place.folder),
        }


def _option(running: Running) -> str:
    port = running.place.port
    return "" if port == running.emulator.port else f" --port {port}"


def _say(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)
