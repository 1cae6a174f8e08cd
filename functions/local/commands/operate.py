"""`trefoil pause`, `resume`, `replay`, `audit` and `topology`."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from functions.local.console import DEFAULT_DATA, Data, Json, err, out, print_json
from functions.local.deployment import HERE, Cloud, On, deployment, who_handles
from shared.catalog import CATALOG
from shared.kernel.audit import find_missing, repair
from shared.kernel.emission import Emitter
from shared.kernel.history import History
from shared.kernel.ports import Depth, Outgoing

_Service = Annotated[str, typer.Argument(help="The service's name.")]


def pause(service: _Service, cloud: On = HERE, data: Data = DEFAULT_DATA) -> None:
    """Deliver nothing more to a service; its messages wait.

    Example: trefoil pause shipping
    """
    with deployment(cloud, data) as system:
        system.operations.pause(CATALOG.service(service).name)
    out.print(f"{service} is paused; `trefoil resume {service}` lets it go on")


def resume(service: _Service, cloud: On = HERE, data: Data = DEFAULT_DATA) -> None:
    """Deliver to a paused service again.

    Example: trefoil resume shipping
    """
    with deployment(cloud, data) as system:
        system.operations.resume(CATALOG.service(service).name)
    out.print(f"{service} goes on")


def replay(service: _Service, cloud: On = HERE, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Send history to one service: every committed message that it handles. What it knows does not happen twice.

    A service that was added later learns what happened before it. Commands from outside are not kept, so they are
    not among it.

    Example: trefoil replay order_status
    """
    definition = CATALOG.service(service)
    sent = 0
    with deployment(cloud, data) as system:
        history = History(CATALOG, system.store)
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
            sent += len(addressed) - len(system.bus.publish(addressed))
    if json:
        print_json({"service": service, "sent": sent})
    else:
        out.print(f"{sent:,} messages sent to {service}; {who_handles(cloud)}")


def audit(
    cloud: On = HERE,
    data: Data = DEFAULT_DATA,
    mend: Annotated[bool, typer.Option("--repair", help="Publish what never arrived.")] = False,
    json: Json = False,
) -> None:
    """Compare what was committed with what its receivers committed; exit 1 if anything is missing.

    Exact while nobody works; otherwise something that is under way may be named, and sent once more to no harm.

    Example: trefoil audit --repair
    """
    with deployment(cloud, data) as system:
        missing = list(find_missing(History(CATALOG, system.store), system))
        depths = [] if cloud is Cloud.LOCAL else [system.operations.depth(name) for name in CATALOG.services]
        repaired = repair(system, missing) if mend else 0
    if json:
        named = [{"service": m.service, "id": m.id, "type": m.type} for m in missing]
        print_json({"missing": named, "repaired": repaired})
    else:
        for each in missing:
            err.print(f"{each.type} {each.id} never arrived at {each.service}", style="red", markup=False)
        out.print(f"{len(missing):,} missing, {repaired:,} published again" if missing else "Nothing is missing.")
        if doubt := _doubt(depths):
            err.print(doubt, style="yellow")
    if len(missing) > repaired:
        raise typer.Exit(1)


def _doubt(depths: Sequence[Depth]) -> str:
    """Why the audit of a cloud may be wrong just now."""
    if not all(depth.told for depth in depths):
        return "this cloud does not tell what waits: whatever is missing may be under way, so repeat it after a while"
    if under_way := sum(depth.held for depth in depths):
        return f"{under_way:,} messages wait, and no queue shows which: repeat it when they are handled"
    return ""


def topology(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if a file is out of date.")] = False,
    file: Annotated[Path, typer.Option(help="Where the AsyncAPI document stands.")] = Path("shared/asyncapi.json"),
    template: Annotated[Path, typer.Option(help="Where the SAM template stands.")] = Path("template.yaml"),
) -> None:
    """Write what follows from the code: the AsyncAPI document that Terraform and emulators read, and SAM's template.

    Example: trefoil topology --check
    """
    # Only this command pays for these.
    from infra.aws.sam import template as sam  # noqa: PLC0415
    from infra.aws.sam.yaml import render as as_yaml  # noqa: PLC0415
    from shared.kernel.topology import asyncapi, render  # noqa: PLC0415

    document = asyncapi(CATALOG)
    written = {file: render(document).encode(), template: as_yaml(sam.template(document)).encode()}
    stale = [path for path, content in written.items() if not (path.is_file() and path.read_bytes() == content)]
    for path, content in written.items():
        if path not in stale:
            out.print(f"{path} is up to date")
        elif check:
            err.print(f"{path} is out of date; run `trefoil topology`", style="red")
        else:
            path.write_bytes(content)
            out.print(f"{path} written")
    if check and stale:
        raise typer.Exit(1)
