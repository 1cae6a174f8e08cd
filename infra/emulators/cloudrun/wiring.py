"""The stand-in, as its argument and the environment say."""

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra.emulators.cloudrun.functions import Function, Program
from infra.emulators.cloudrun.resources import Channel, Plan, channels
from infra.emulators.cloudrun.rest import PubSub
from infra.emulators.cloudrun.server import Scheduler, Server
from infra.emulators.cloudrun.settings import Settings
from infra.emulators.cloudrun.standin import StandIn
from infra.emulators.pubsub_filters import compiled
from infra.naming import Deployment, named

_TICK = "tick"
_TICK_SECONDS = 55
"""It ends before the next one begins."""


def run(argument: str) -> None:
    """Serve until the process is told to end; then end every function."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    settings = msgspec.json.decode(argument, type=Settings)
    stand_in = _stand_in(settings, os.environ)
    server = Server(settings.port, stand_in, settings.shape)
    scheduler = Scheduler(stand_in, settings.tick_seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        scheduler.start()
        server.serve_forever()
    finally:
        scheduler.stop()
        stand_in.close()


def _stand_in(settings: Settings, around: Mapping[str, str]) -> StandIn:
    deployment = Deployment(*named(around))
    contract: dict[str, Any] = json.loads(Path(settings.contract).read_text())
    ours = channels(contract)
    for channel in ours.values():
        compiled(channel.pubsub_filter)  # one that can't be obeyed is better found now
    functions = {name: _receiver(settings, deployment, channel, around) for name, channel in ours.items()}
    plan = Plan(around["GOOGLE_CLOUD_PROJECT"], deployment.prefix)
    pubsub = PubSub(around["PUBSUB_EMULATOR_HOST"])
    return StandIn(plan, contract, pubsub, functions, _tick(settings, deployment, around))


def _receiver(settings: Settings, deployment: Deployment, channel: Channel, around: Mapping[str, str]) -> Function:
    name = f"{deployment.prefix}-{channel.service.replace('_', '-')}"
    seconds = channel.function_timeout_seconds
    own = {"TREFOIL_SERVICE": channel.service, "THREADS": str(channel.batch), "WORKERS": str(settings.workers)}
    return _function(settings, name, "receive", seconds, {**_environment(settings, deployment, around), **own})


def _tick(settings: Settings, deployment: Deployment, around: Mapping[str, str]) -> Function:
    own = {"THREADS": "1", "WORKERS": "1"}
    name = f"{deployment.prefix}-{_TICK}"
    return _function(settings, name, _TICK, _TICK_SECONDS, {**_environment(settings, deployment, around), **own})


def _function(settings: Settings, name: str, target: str, seconds: int, environment: Mapping[str, str]) -> Function:
    command = [settings.python, "-P", "-m", "functions_framework", "--source", settings.source]
    command += ["--target", target, "--signature-type", "http"]
    told = {"TREFOIL_SECONDS": str(seconds), "K_SERVICE": name, "FUNCTION_TARGET": target}
    return Function(Program(name, command, {**environment, **told}, seconds), Path(settings.folder))


def _environment(settings: Settings, deployment: Deployment, around: Mapping[str, str]) -> dict[str, str]:
    return {
        **around,
        "PYTHONPATH": settings.path,
        "TREFOIL_CLOUD": "gcp",
        "TREFOIL_NAME": deployment.name,
        "TREFOIL_STAGE": deployment.stage,
    }
