"""`trefoil status`, `trefoil show` and `trefoil trace`."""

from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from functions.local.console import DEFAULT_DATA, Data, Json, amount, clock_time, number, out, print_json, time_of_day
from functions.local.deployment import HERE, Cloud, On, deployment
from functions.local.ledger import Ledger, take_stock
from shared.catalog import CATALOG
from shared.kernel.codec import read_own
from shared.kernel.commit import Commit
from shared.kernel.errors import TrefoilError
from shared.kernel.history import History
from shared.kernel.mask import masked_json
from shared.kernel.ports import Depth
from shared.kernel.service import Service
from shared.kernel.stream import Folder, View
from shared.kernel.trace import Fate, Node
from shared.kernel.trace import trace as trace_flow

_BooksToo = Annotated[
    bool | None,
    typer.Option("--books/--no-books", help="The books take reading everything, so a cloud gives them when asked."),
]


def status(cloud: On = HERE, data: Data = DEFAULT_DATA, books: _BooksToo = None, json: Json = False) -> None:
    """Every channel, and the books: placed = fulfilled + cancelled + open; captured = fulfilled + refunded + in flight.

    Example: trefoil status --json
    """
    whole = cloud is Cloud.LOCAL if books is None else books
    with deployment(cloud, data) as system:
        depths = {name: system.operations.depth(name) for name in CATALOG.services}
        ledger = take_stock(system) if whole else None
        timers = system.operations.timers() if whole else None
    if json:
        print_json({"channels": depths} | ({"timers": timers, **ledger.as_json()} if ledger else {}))
        return
    out.print(_channels(depths))
    if ledger:
        out.print(_books(ledger))
        out.print(f"{timers:,} timers are set")


def _channels(depths: dict[str, Depth]) -> Table:
    table = Table(title="Channels", title_justify="left")
    for column in ("service", "waiting", "leased", "dead"):
        table.add_column(column, justify="left" if column == "service" else "right")
    for name, depth in depths.items():
        label = f"{name} (paused)" if depth.paused else name
        table.add_row(label, number(depth.waiting), number(depth.leased), number(depth.dead))
    return table


def _books(ledger: Ledger) -> Table:
    table = Table(title="Books", title_justify="left", show_header=False)
    orders = ledger.orders
    ends = f"{orders['fulfilled']:,} fulfilled + {orders['cancelled']:,} cancelled + {orders['open']:,} open"
    table.add_row("orders", f"{orders['placed']:,} placed = {ends}")
    for currency, money in ledger.money.items():
        table.add_row("placed", amount(money.placed, currency))
        parts = (amount(minor, currency) for minor in (money.fulfilled, money.refunded, money.in_flight))
        fulfilled, refunded, in_flight = parts
        equation = (
            f"{amount(money.captured, currency)} = {fulfilled} fulfilled + {refunded} refunded + {in_flight} in flight"
        )
        table.add_row("captured", equation)
    for name in ("users", "readings", "mails", "alerts"):
        table.add_row(name, number(getattr(ledger, name)))
    return table


def show(
    service: Annotated[str, typer.Argument(help="The service's name.")],
    subject: Annotated[
        str, typer.Argument(help="What the stream is about: an order's id, `1997-01-01.05` for revenue.")
    ],
    cloud: On = HERE,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """A service's view of one subject: the state, and every commit that led to it. Secret fields are masked.

    Example: trefoil show orders 00004-19970101-1
    """
    definition = CATALOG.service(service)
    stream = f"{service}/{subject}"
    with deployment(cloud, data) as system:
        view = View.load(Folder(definition), system.store, stream)
        commits = History(CATALOG, system.store).commits(stream)
    if not commits:
        raise TrefoilError(f"'{service}' knows nothing of '{subject}'; `trefoil trace {subject}` asks every service")
    state = masked_json(definition.state, msgspec.json.encode(view.state))
    if json:
        shown = [_commit_as_json(definition, commit) for commit in commits]
        print_json({"stream": stream, "version": view.version, "state": state, "commits": shown})
        return
    out.print(f"[bold]{stream}[/bold] at version {view.version}")
    out.print_json(data=state)
    for commit in commits:
        out.print(_commit_table(definition, commit))


def _messages(service: Service, commit: Commit) -> list[dict[str, Any]]:
    shown = []
    for message in commit.messages:
        envelope = read_own(message.body)
        shape = service.outgoing().payload_class(envelope.type)
        data = masked_json(shape, envelope.data)
        shown.append(
            {"id": envelope.id, "type": envelope.type, "cause": message.cause, "due": message.due, "data": data}
        )
    return shown


def _commit_as_json(service: Service, commit: Commit) -> dict[str, Any]:
    handled, claims = (
        [{"source": m.source, "id": m.id, "type": m.type} for m in ms] for ms in (commit.handled, commit.claims)
    )
    return {
        "version": commit.version,
        "time": commit.time,
        "handled": handled,
        "claims": claims,
        "released": commit.released,
        "messages": _messages(service, commit),
    }


def _commit_table(service: Service, commit: Commit) -> Table:
    title = f"version {commit.version}, {clock_time(commit.time)}"
    table = Table(title=title, title_justify="left", show_header=False)
    for verb, entries in (("claimed", commit.claims), ("handled", commit.handled)):
        for entry in entries:
            table.add_row(verb, entry.type, escape(entry.id))
    for _, id_ in commit.released:
        table.add_row("released", "", escape(id_))
    for message in _messages(service, commit):
        verb = f"due {clock_time(message['due'])}" if message["due"] else "emitted"
        table.add_row(verb, message["type"], escape(msgspec.json.encode(message["data"]).decode()))
    return table


def trace(
    start: Annotated[
        str, typer.Argument(metavar="SUBJECT|ID", help="A subject, or the id of a message that a service emitted.")
    ],
    cloud: On = HERE,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Read a whole flow back as one tree: what caused what, and when.

    Example: trefoil trace 00004-19970101-1
    """
    with deployment(cloud, data) as system:
        roots = trace_flow(History(CATALOG, system.store), system, start)
    if not roots:
        raise TrefoilError(
            f"nothing is known of '{start}': name a subject, or the id of a message that a service emitted"
        )
    if json:
        print_json(roots)
        return
    for root in roots:
        tree = Tree(f"{_label(root)} [dim]{clock_time(root.time)}[/dim]")
        for fate in root.fates:
            _grow(tree, fate)
        out.print(tree)


def _label(node: Node) -> str:
    marks = " [dim](private)[/dim]" if node.private else ""
    if node.due is not None:
        marks = f" [dim](timer, due {time_of_day(node.due)})[/dim]"
    return f"[bold]{node.type}[/bold] {escape(node.id)}{marks}"


def _grow(tree: Tree, fate: Fate) -> None:
    colour = {"handled": "green", "waiting": "yellow", "perhaps waiting": "yellow"}.get(fate.outcome, "red")
    branch = tree.add(f"[{colour}]{fate.outcome}[/{colour}] by {fate.service} [dim]{time_of_day(fate.time)}[/dim]")
    for child in fate.caused:
        twig = branch.add(_label(child))
        for further in child.fates:
            _grow(twig, further)
