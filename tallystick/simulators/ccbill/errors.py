"""Errors as CCBill's REST API answers them."""

from datetime import datetime
from typing import Any

MEDIA_TYPE = "application/vnd.com.cwie.error.v1+json"
Json = dict[str, Any]
# A field's path, or None, and what is wrong with it.
Wrong = tuple[str | None, str]


class CcbillError(Exception):
    """A refusal with its HTTP status and CCBill's code: the pair says what it means."""

    def __init__(self, status: int, code: int, message: str, wrong: tuple[Wrong, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.wrong = wrong

    def body(self, error_id: str, url: str, at: datetime) -> Json:
        """Return the body; `url` is relative."""
        return {
            "id": error_id,
            "url": url,
            "errors": [{"field": field, "message": text} for field, text in self.wrong],
            "generalMessage": self.message,
            "errorCode": self.code,
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}",
        }


class Unauthorized(Exception):
    """No valid OAuth client or token: OAuth's own body, or none."""

    def __init__(self, error: str, description: str, scheme: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.scheme = scheme


def invalid(*wrong: Wrong) -> CcbillError:
    """Return the error of a body or query that does not pass."""
    return CcbillError(400, 200000, "Validation failed!", wrong)


def bad_account() -> CcbillError:
    """Return the error of an account that is not ours."""
    return CcbillError(400, 100100, "Invalid client account.")


def expired_token() -> CcbillError:
    """Return the error of a token whose time or uses are over."""
    return CcbillError(400, 100102, "Expired payment token.")


def no_such_token() -> CcbillError:
    """Return the error of a token that does not exist."""
    return CcbillError(404, 100101, "Invalid payment token.")


def forbidden() -> CcbillError:
    """Return the error of a client that may not do this."""
    return CcbillError(403, 100020, "Forbidden.")


def not_found() -> CcbillError:
    """Return the error of an unknown path."""
    return CcbillError(404, 130000, "Resource not found.")


def failed(code: int, message: str) -> CcbillError:
    """Return an error of the server's own."""
    return CcbillError(500, code, message)
