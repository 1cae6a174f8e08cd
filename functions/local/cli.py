"""The command line: one module a group of commands, one table of them here."""

import sys

import typer

from functions.local.commands import dead, emulators, feed, look, operate, run, work
from functions.local.console import err
from shared.kernel.errors import ConfigurationError, TrefoilError

app = typer.Typer(
    name="trefoil",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Event handlers on three clouds and on your laptop: each message takes effect once, and none is lost.",
)
for command in (
    run.run,
    feed.send,
    work.work,
    look.status,
    look.show,
    look.trace,
    operate.pause,
    operate.resume,
    operate.replay,
    operate.audit,
    operate.topology,
):
    app.command()(command)
app.add_typer(feed.imports, name="import")
app.add_typer(dead.app, name="dead")
app.add_typer(emulators.app, name="emulators")


def main() -> None:
    """Run a command; a failure that Trefoil names is one sentence, never a traceback."""
    try:
        app()
    except ConfigurationError as error:
        err.print(f"error: {error}", style="red", markup=False)
        sys.exit(2)
    except (TrefoilError, OSError) as error:
        err.print(f"error: {error}", style="red", markup=False)
        sys.exit(1)
