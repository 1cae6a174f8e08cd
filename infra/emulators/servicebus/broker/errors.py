"""What the broker refuses.

BrokerError
  EntityNotFound        -> no queue, topic or subscription of that name
  EntityDisabled        -> its status does not allow it just now
  NotAllowed            -> this can't be done with that entity
  InvalidRequest        -> the request makes no sense
  NotSupported          -> Service Bus may know it, this broker doesn't
  MessageTooLarge       -> over the size that one message may have
  QuotaExceeded         -> the entity is full
  MessageNotFound       -> no deferred message has that number
  MessageLockLost       -> the lock has expired, or was never there
  SessionLockLost       -> the same for a session
  SessionCannotBeLocked -> somebody else has that session
  NoSession             -> no session had messages while the receiver waited
"""


class BrokerError(Exception):
    """Something that a client is told, and that changes nothing."""


class EntityNotFound(BrokerError):
    """There is no queue, topic or subscription of that name."""


class EntityDisabled(BrokerError):
    """The entity was told to take or to deliver nothing."""


class NotAllowed(BrokerError):
    """The entity is not made for this."""


class InvalidRequest(BrokerError):
    """An argument is missing or wrong."""


class NotSupported(BrokerError):
    """Service Bus may know it; this broker doesn't."""


class MessageTooLarge(BrokerError):
    """The message, or the batch, is over the size that may be sent at once."""


class QuotaExceeded(BrokerError):
    """The entity holds as much as it may."""


class MessageNotFound(BrokerError):
    """No deferred message has that sequence number."""


class MessageLockLost(BrokerError):
    """The lock has expired, or was never there."""


class SessionLockLost(BrokerError):
    """The lock of the session has expired, or was never there."""


class SessionCannotBeLocked(BrokerError):
    """Somebody else has that session."""


class NoSession(BrokerError):
    """No session had messages while the receiver waited for one."""
