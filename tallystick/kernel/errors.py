"""The errors of the domain: they carry a kind and a stable code, and know nothing of HTTP.

TallystickError
├── BadInput          what was sent can not be taken; names the fields
├── NotFound          no such object for this caller
├── Conflict          the object is not in the state that the request needs
├── NotSignedIn       no valid credential
├── Forbidden         signed in, yet not allowed
├── PaymentRequired   declined, or not enough credit
├── TooMany           over a rate or a queue's bound
├── Unavailable       a gateway or a part of ours is down or not configured
└── SetupError        the machine or its settings; one sentence says what to do
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One field that can not be taken: its path (`lines[2].unit`), a stable code, a sentence."""

    field: str
    code: str
    message: str


class TallystickError(Exception):
    """Base of every error of ours. `code` is stable; `detail` is a sentence for people."""

    kind: ClassVar[str] = "error"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.extra = dict(extra or {})


class BadInput(TallystickError):
    """What was sent can not be taken as it is."""

    kind = "bad_input"

    @classmethod
    def field(cls, field: str, code: str, message: str) -> "BadInput":
        """Return the error for one field."""
        return cls(
            "validation_failed",
            f"{field}: {message}",
            errors=[FieldError(field=field, code=code, message=message)],
        )


class NotFound(TallystickError):
    """There is no such object for this caller; another account's object looks the same."""

    kind = "not_found"


class Conflict(TallystickError):
    """The object is not in the state that the request was decided on."""

    kind = "conflict"


class NotSignedIn(TallystickError):
    """No credential, or none that is valid now."""

    kind = "not_signed_in"


class Forbidden(TallystickError):
    """The caller is known and may not do this."""

    kind = "forbidden"


class PaymentRequired(TallystickError):
    """A card was declined, or credit does not suffice."""

    kind = "payment_required"


class TooMany(TallystickError):
    """Over a rate or a bound; `extra["retry_after"]` is in whole seconds."""

    kind = "too_many"


class Unavailable(TallystickError):
    """A gateway, or a part of ours, is down or not configured; nothing was changed."""

    kind = "unavailable"


class SetupError(TallystickError):
    """The machine or the settings are not as needed; the detail says what to do."""

    kind = "setup"
