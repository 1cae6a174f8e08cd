"""How the broker's errors are called on the wire; the SDK makes its own exceptions of these names."""

from typing import Any

from proton import Condition, symbol

from infra.emulators.servicebus.broker import errors

CONDITIONS: dict[type[errors.BrokerError], tuple[str, int]] = {
    errors.EntityNotFound: ("amqp:not-found", 404),
    errors.EntityDisabled: ("com.microsoft:entity-disabled", 400),
    errors.NotAllowed: ("amqp:not-allowed", 400),
    errors.InvalidRequest: ("com.microsoft:argument-error", 400),
    errors.NotSupported: ("amqp:not-implemented", 501),
    errors.MessageTooLarge: ("amqp:link:message-size-exceeded", 413),
    errors.QuotaExceeded: ("amqp:resource-limit-exceeded", 403),
    errors.MessageNotFound: ("com.microsoft:message-not-found", 404),
    errors.MessageLockLost: ("com.microsoft:message-lock-lost", 410),
    errors.SessionLockLost: ("com.microsoft:session-lock-lost", 410),
    errors.SessionCannotBeLocked: ("com.microsoft:session-cannot-be-locked", 410),
    errors.NoSession: ("com.microsoft:timeout", 408),
}
"""Condition of links and deliveries, and status of answers to management requests."""


def condition(error: errors.BrokerError) -> Condition:
    """The error for a link or a delivery. The SDK expects all three fields of it, so there is always an info map."""
    name, status = CONDITIONS[type(error)]
    info: dict[Any, Any] = {symbol("com.microsoft:status-code"): status}
    return Condition(name, str(error), info)
