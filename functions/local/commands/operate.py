"""`trefoil pause`, `resume`, `replay`, `audit` and `topology`."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from functions.local.console import DEFAULT_DATA, Data, Json, err, out, print_json
from infra.local.wiring import local
from shared.catalog import CATALOG
from shared.kernel.audit import find_missing, repair
from shared.kernel.emission import Emitter
from shared.kernel.history import History
from shared.kernel.ports import Outgoing

_Service = Annotated[str, typer.Argument(help="The service's name.")]


def pause(service: _Service, data: Data = DEFAULT_DATA) -> None:
    """Deliver nothing more to a service; its messages wait.

    Example: trefoil pause shipping
    """
    with local(data) as opened:
        opened.system.operations.pause(CATALOG.service(service).name)
    out.print(f"{service} is paused; `trefoil resume {service}` lets it go on")


def resume(service: _Service, data: Data = DEFAULT_DATA) -> None:
    """Deliver to a paused service again.

    Example: trefoil resume shipping
    """
    with local(data) as opened:
        opened.system.operations.resume(CATALOG.service(service).name)
    out.print(f"{service} goes on")


def replay(service: _Service, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Send history to one service: every committed message that it handles. What it knows does not happen twice.

    A service that was added later learns what happened before it. Commands from outside are not kept, so they are
    not among it.

    Example: trefoil replay order_status
    """
    definition = CATALOG.service(service)
    sent = 0
    with local(data) as opened:
        history = History(CATALOG, opened.store)
        wanted = (
            message
            for teller, _, message in history.emitted()
            if message.due is None and service in history.audience(teller, message)
        )
        emitter = Emitter(definition)
        while chunk := list(islice(wanted, 1000)):
            messages = [emitter.stored(message) for message in chunk]
            addressed = [
                Outgoing(m.id, m.type, m.subject, m.body, service) for m in messages if isinstance(m, Outgoing)
            ]
            sent += len(addressed) - len(opened.system.bus.publish(addressed))
    if json:
        print_json({"service": service, "sent": sent})
    else:
        out.print(f"{sent:,} messages sent to {service}; `trefoil work --until-idle` handles them")


def audit(
    data: Data = DEFAULT_DATA,
    mend: Annotated[bool, typer.Option("--repair", help="Publish what never arrived.")] = False,
    json: Json = False,
) -> None:
    """Compare what was committed with what its receivers committed; exit 1 if anything is missing.

    Exact while nobody works; otherwise something that is under way may be named, and sent once more to no harm.

    Example: trefoil audit --repair
    """
    with local(data) as opened:
        missing = list(find_missing(History(CATALOG, opened.store), opened.system))
        repaired = repair(opened.system, missing) if mend else 0
    if json:
        named = [{"service": m.service, "id": m.id, "type": m.type} for m in missing]
        print_json({"missing": named, "repaired": repaired})
    else:
        for each in missing:
            err.print(f"{each.type} {each.id} never arrived at {each.service}", style="red", markup=False)
        out.print(f"{len(missing):,} missing, {repaired:,} published again" if missing else "Nothing is missing.")
    if len(missing) > repaired:
        raise typer.Exit(1)


def topology(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if the file is out of date.")] = False,
    file: Annotated[Path, typer.Option(help="Where the document stands.")] = Path("shared/asyncapi.json"),
) -> None:
    """Write the AsyncAPI document that Terraform, SAM and the emulators read.

    Example: trefoil topology --check
    """
    from shared.kernel.topology import asyncapi, render  # noqa: PLC0415 - only this command pays for it

    document = render(asyncapi(CATALOG)).encode()
    if file.is_file() and file.read_bytes() == document:
        out.print(f"{file} is up to date")
        return
    if check:
        err.print(f"{file} is out of date; run `trefoil topology`", style="red")
        raise typer.Exit(1)
    file.write_bytes(document)
    out.print(f"{file} written")
