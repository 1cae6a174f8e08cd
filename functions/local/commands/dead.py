"""`trefoil dead`: look into dead letters, and decide."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from functions.local.console import DEFAULT_DATA, Data, Json, clock_time, err, out, print_json
from functions.local.deployment import HERE, On, deployment, shows_a_sample, who_handles
from shared.catalog import CATALOG
from shared.kernel.codec import decode
from shared.kernel.dropping import drop as drop_letter
from shared.kernel.errors import PermanentError, TransientError, TrefoilError
from shared.kernel.mask import masked_json
from shared.kernel.ports import DeadLetters, Parked

app = typer.Typer(no_args_is_help=True, help="What could not be handled: investigate, send again, or drop.")

_Service = Annotated[str | None, typer.Option("--service", help="Only this service's.")]
_Ids = Annotated[list[str] | None, typer.Argument(help="As `trefoil dead list` names them: orders/12.")]
_All = Annotated[bool, typer.Option("--all", help="All of them, or all of --service, or all with --reason.")]
_Reason = Annotated[str | None, typer.Option("--reason", help="Only letters with this reason, such as TriesExhausted.")]


@app.command("list")
def list_(
    cloud: On = HERE, data: Data = DEFAULT_DATA, service: _Service = None, reason: _Reason = None, json: Json = False
) -> None:
    """List dead letters, with the reason each is here.

    Example: trefoil dead list --service payments
    """
    with deployment(cloud, data) as system:
        letters = list(_select(system.dead_letters, service, reason))
    if json:
        print_json([_as_json(letter, whole=False) for letter in letters])
        return
    if shows_a_sample(cloud):
        err.print("A queue shows a sample: list again to see whether there is more.", style="dim")
    if not letters:
        out.print("There are no dead letters.")
        return
    table = Table()
    for column in ("id", "type", "subject", "reason", "text", "attempts", "last"):
        table.add_column(column)
    for letter in letters:
        type_, subject, _ = _read(letter)
        text = escape(letter.failure.text.strip().splitlines()[-1][:80]) if letter.failure.text.strip() else ""
        name, last = f"{letter.service}/{letter.id}", clock_time(letter.last)
        table.add_row(name, escape(type_), escape(subject), letter.failure.reason, text, str(letter.attempts), last)
    out.print(table)


@app.command("show")
def show(
    id_: Annotated[str, typer.Argument(metavar="ID")], cloud: On = HERE, data: Data = DEFAULT_DATA, json: Json = False
) -> None:
    """Show one dead letter: the whole reason, and the message with secret fields masked.

    Example: trefoil dead show payments/3
    """
    with deployment(cloud, data) as system:
        (letter,) = _named(system.dead_letters, [id_])
    shown = _as_json(letter, whole=True)
    if json:
        print_json(shown)
        return
    shown_as_text = shown | {"first": clock_time(letter.first), "last": clock_time(letter.last)}
    for name, value in shown_as_text.items():
        if name not in ("message", "text"):
            out.print(f"[bold]{name}[/bold] {escape(str(value))}")
    out.print(escape(letter.failure.text.rstrip()))
    if isinstance(shown["message"], dict):
        out.print_json(data=shown["message"])
    else:
        out.print(shown["message"])


@app.command("replay")
def replay(
    ids: _Ids = None,
    cloud: On = HERE,
    data: Data = DEFAULT_DATA,
    all_: _All = False,
    service: _Service = None,
    reason: _Reason = None,
    json: Json = False,
) -> None:
    """Send dead letters to their services again, with all their tries. What took effect already does not do so twice.

    Example: trefoil dead replay --all --reason TriesExhausted
    """
    with deployment(cloud, data) as system:
        desk = system.dead_letters
        letters = _chosen(desk, ids, service, reason, all_=all_)
        for letter in letters:
            desk.replay(letter)
    _print_done(letters, f"sent again; {who_handles(cloud)}", json=json)


@app.command("drop")
def drop(
    ids: _Ids = None,
    cloud: On = HERE,
    data: Data = DEFAULT_DATA,
    all_: _All = False,
    service: _Service = None,
    reason: _Reason = None,
    json: Json = False,
) -> None:
    """Remove dead letters for good.

    Example: trefoil dead drop orders/12
    """
    with deployment(cloud, data) as system:
        letters = _chosen(system.dead_letters, ids, service, reason, all_=all_)
        for letter in letters:
            drop_letter(CATALOG, system, letter)
    _print_done(letters, "dropped", json=json)


def _print_done(letters: list[Parked], what: str, *, json: bool) -> None:
    if json:
        print_json([f"{letter.service}/{letter.id}" for letter in letters])
    else:
        out.print(f"{len(letters):,} {what}")


def _select(desk: DeadLetters, service: str | None, reason: str | None) -> Iterator[Parked]:
    names = [CATALOG.service(service).name] if service else list(CATALOG.services)
    for name in names:
        yield from (letter for letter in desk.parked(name) if reason in (None, letter.failure.reason))


def _chosen(
    desk: DeadLetters, ids: list[str] | None, service: str | None, reason: str | None, *, all_: bool
) -> list[Parked]:
    if bool(ids) == (all_ or bool(service) or bool(reason)):
        raise typer.BadParameter("name letters by id, or choose them with --all, --service or --reason")
    return _named(desk, ids) if ids else list(_select(desk, service, reason))


def _named(desk: DeadLetters, ids: list[str]) -> list[Parked]:
    services = [name for name in CATALOG.services if any(id_.startswith(f"{name}/") for id_ in ids)]
    letters = {f"{name}/{letter.id}": letter for name in services for letter in desk.parked(name)}
    if unknown := [id_ for id_ in ids if id_ not in letters]:
        raise TrefoilError(f"there is no dead letter {', '.join(unknown)}; `trefoil dead list` names them")
    return [letters[id_] for id_ in dict.fromkeys(ids)]


def _as_json(letter: Parked, *, whole: bool) -> dict[str, Any]:
    type_, subject, message = _read(letter)
    failure = letter.failure
    shown: dict[str, Any] = {"id": f"{letter.service}/{letter.id}", "type": type_, "subject": subject}
    shown |= {"reason": failure.reason, "error": failure.error, "text": failure.text, "handler": failure.handler}
    shown |= {"attempts": letter.attempts, "first": letter.first, "last": letter.last}
    return {**shown, "message": message} if whole else shown


def _read(letter: Parked) -> tuple[str, str, Any]:
    """Type, subject and masked envelope; as much as can be read of it."""
    try:
        envelope = decode(letter.body, letter.attributes)
    except PermanentError:
        return "", "", f"({len(letter.body):,} bytes that are not a CloudEvent)"
    try:
        shape = CATALOG.vocabulary.payload_class(envelope.type)
    except (PermanentError, TransientError):
        shape = None
    fields = {name: value for name in envelope.__struct_fields__ if (value := getattr(envelope, name)) is not None}
    fields |= {name: fields[name].isoformat() for name in ("time", "expirytime") if name in fields}
    return envelope.type, envelope.subject, {**fields, "data": masked_json(shape, envelope.data)}
