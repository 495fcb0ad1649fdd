"""Lago's errors as they look on the wire (getlago/lago-api, `concerns/api_errors.rb`)."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class LagoError(Exception):
    """A request is refused with this status and body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def bad_request(message: str) -> LagoError:
    """Return the refusal of a body that is not as wanted."""
    return LagoError(400, {"status": 400, "error": f"BadRequest: {message}"})


def unauthorized() -> LagoError:
    """Return the refusal of a call without a key."""
    return LagoError(401, {"status": 401, "error": "Unauthorized"})


def not_found(resource: str) -> LagoError:
    """Return the refusal of what does not exist."""
    code = f"{resource}_not_found"
    return LagoError(404, {"status": 404, "error": "Not Found", "code": code})


def not_allowed(code: str) -> LagoError:
    """Return the refusal of what can not be done at the moment."""
    return LagoError(405, {"status": 405, "error": "Method Not Allowed", "code": code})


def invalid(details: Mapping[str, Any]) -> LagoError:
    """Return the refusal of values, by field, or for a batch by position."""
    body = {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "validation_errors",
        "error_details": dict(details),
    }
    return LagoError(422, body)


def unsupported(what: str) -> LagoError:
    """Return the simulator's own refusal of what it does not imitate."""
    return LagoError(501, {"status": 501, "error": f"The simulator does not support {what}."})
