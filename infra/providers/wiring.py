"""The providers that the environment names; the defaults need nothing outside this machine."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from infra.providers.folder import FolderMailer
from infra.providers.mail import checked_sender
from infra.providers.resilience import Resilience, ResilientCarrier, ResilientGateway, ResilientMailer
from infra.providers.simulated import SimulatedCarrier, SimulatedGateway
from shared.kernel.errors import ConfigurationError
from shared.notifications.model import Mailer

MAILS = Path(tempfile.gettempdir()) / "trefoil-mails"
"""Where a function's mails go without TREFOIL_SMTP_URL: to its own disk, and they end with it. For trials."""

FIRST_WAIT = 0.02
"""Seconds; a worker sleeps through a retry's wait, so it is short: the channel's own backoff does the rest."""


def of_function(service: str, settings: Mapping[str, str]) -> Any:
    """The provider of a cloud's function for one service.

    Raises ConfigurationError naming the setting that is wrong.
    """
    return providers(settings, MAILS)[service]


def providers(settings: Mapping[str, str], mails: Path) -> dict[str, Any]:
    """The provider of each service that has one; mails go to the folder `mails` unless TREFOIL_SMTP_URL is set.

    Raises ConfigurationError naming the setting.
    """
    seed = settings.get("TREFOIL_SEED", "trefoil")
    failed = _rate(settings, "TREFOIL_CARRIER_FAILURE_RATE", 0.01)
    undeliverable = _rate(settings, "TREFOIL_CARRIER_UNDELIVERABLE_RATE", 0.01)
    if failed + undeliverable > 1:
        names = "TREFOIL_CARRIER_FAILURE_RATE and TREFOIL_CARRIER_UNDELIVERABLE_RATE"
        raise ConfigurationError(f"{names} add up to {failed + undeliverable:g}; they share the parcels, lower one")
    gateway = SimulatedGateway(
        seed=seed,
        decline_rate=_rate(settings, "TREFOIL_PAYMENT_DECLINE_RATE", 0.03),
        transient_rate=_rate(settings, "TREFOIL_PAYMENT_TRANSIENT_RATE", 0.005),
    )
    carrier = SimulatedCarrier(
        seed=seed,
        failure_rate=failed,
        undeliverable_rate=undeliverable,
        transient_rate=_rate(settings, "TREFOIL_CARRIER_TRANSIENT_RATE", 0.005),
    )
    return {
        "payments": ResilientGateway(gateway, _resilience("the payment gateway")),
        "shipping": ResilientCarrier(carrier, _resilience("the carrier")),
        "notifications": ResilientMailer(_mailer(settings, mails), _resilience("the mail server")),
    }


def _resilience(name: str) -> Resilience:
    return Resilience(name, first_wait=FIRST_WAIT)


def _rate(settings: Mapping[str, str], name: str, default: float) -> float:
    text = settings.get(name, str(default))
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ConfigurationError(f"{name} is '{text}'; set it to a share from 0 to 1, such as 0.03")
    return rate


def _mailer(settings: Mapping[str, str], mails: Path) -> Mailer:
    try:
        sender = checked_sender(settings.get("TREFOIL_MAIL_FROM", "shop@example.com"))
    except ConfigurationError as error:
        raise ConfigurationError(f"TREFOIL_MAIL_FROM: {error}") from error
    url = settings.get("TREFOIL_SMTP_URL")
    return _smtp(url, sender) if url else FolderMailer(mails, sender)


def _smtp(url: str, sender: str) -> Mailer:
    from infra.providers.smtp import SmtpMailer  # noqa: PLC0415 - smtplib and ssl are for those who send

    form = "TREFOIL_SMTP_URL is not of the form smtp://[user:password@]host[:port][?starttls]"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 25
    except ValueError:
        raise ConfigurationError(form) from None  # the URL may hold a password
    if parts.scheme != "smtp" or not host:
        raise ConfigurationError(form)
    return SmtpMailer(
        host,
        port,
        sender,
        starttls="starttls" in parse_qs(parts.query, keep_blank_values=True),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
