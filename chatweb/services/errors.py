"""What a service refuses, as sentences for the person. HTTP numbers live elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from chatweb.database import Unavailable

__all__ = [
    "Conflict", "Invalid", "ModelFailed", "NotAllowed", "NotFound", "ServiceError", "StaleForm",
    "TooMany", "Unavailable", "Unfinished", "Unrecognised",
]  # fmt: skip


class ServiceError(Exception):
    """Something was refused, and nothing was changed unless the kind says so; the message is a
    sentence for the person."""


class NotFound(ServiceError):
    """Not there, or not theirs: both look the same."""

    def __init__(self) -> None:
        super().__init__("There is nothing here, or it belongs to somebody else.")


class Invalid(ServiceError):
    """What was sent cannot be taken as it is; ``fields``: what is wrong with which part of it."""

    def __init__(self, sentence: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.fields = dict(fields or {})


class StaleForm(Invalid):
    """The form's own id is no longer good; with a fresh one it can be sent again."""


class Unrecognised(ServiceError):
    """Who is asking cannot be told."""


class NotAllowed(ServiceError):
    """Whoever is asking may not do this."""


class Conflict(ServiceError):
    """Not possible in the state things are in."""


class Unfinished(ServiceError):
    """The question is kept and being answered, but the end cannot be waited for here and now."""


class TooMany(ServiceError):
    """More than is allowed in a while; after ``retry_after`` seconds there is room again."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class ModelFailed(ServiceError):
    """The question is kept, but its answer ended without being whole; the message says why."""
