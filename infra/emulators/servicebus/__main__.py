"""Runs the Service Bus emulator in the foreground: `python -m infra.emulators.servicebus --config FILE --port N`."""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from infra.emulators.servicebus.administration.entities import Administration
from infra.emulators.servicebus.administration.server import AdministrationServer
from infra.emulators.servicebus.amqp.codec import pack, unpack
from infra.emulators.servicebus.amqp.server import HOST, Server
from infra.emulators.servicebus.broker.namespace import Namespace
from infra.emulators.servicebus.broker.store import NoStore, Store
from infra.emulators.servicebus.config import read
from infra.emulators.servicebus.store import SqliteStore
from shared.kernel.errors import ConfigurationError

PORT = 5672

_LAST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 2 stands for a setting that is wrong, and says which."""
    options = _options(arguments)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # Proton tells of every socket; what matters of that is told by the server.
    logging.getLogger("proton").setLevel(logging.ERROR)
    try:
        _serve(options)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m infra.emulators.servicebus", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="entities, in the layout of Config.json")
    parser.add_argument("--port", type=_port, default=PORT, help="where to listen on 127.0.0.1 (%(default)s)")
    parser.add_argument("--administration", type=_port, help="where to serve administration, by HTTP (nowhere)")
    parser.add_argument("--data", type=Path, help="a file to keep messages in; without it they end with the emulator")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"'{text}' is no port")
    return int(text)


def _serve(options: argparse.Namespace) -> None:
    port, data = options.port, options.data
    settings = read(options.config)
    with ExitStack() as stack:
        store: Store = NoStore()
        if data is not None:
            store = SqliteStore(data, pack, unpack)
            stack.callback(store.close)
        namespace = Namespace(settings, _milliseconds, uuid4, store)
        server = Server(namespace, port, lambda: _say(f"Service Bus emulator is ready on {HOST}:{port}"))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        if options.administration:
            administration = AdministrationServer(options.administration, Administration(namespace), server.call)
            administration.start()
            stack.callback(administration.stop)
        try:
            server.run()
        except OSError as error:
            raise ConfigurationError(f"port {port} of {HOST} can't be had: {error}") from error
        _say("Service Bus emulator has stopped")


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _say(text: str) -> None:
    logging.getLogger(__name__).info("%s", text)


if __name__ == "__main__":
    sys.exit(main())
