"""The errors that Stripe answers with, in its own shape (https://docs.stripe.com/api/errors).

They are the simulator's product, not failures of ours: so no subclass of `TallystickError`.
"""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

DOCS = "https://docs.stripe.com/error-codes/"
LOGS = "https://dashboard.stripe.com/test/logs/"


class StripeError(Exception):
    """An HTTP status with the members of Stripe's `error` object.

    `stands` says whether what the request wrote before is kept: a decline leaves its failed
    charge behind, a refused parameter leaves nothing.
    """

    def __init__(
        self, status: int, kind: str, message: str, *, stands: bool = False, **members: object
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stands = stands
        self.members = {"type": kind, "message": message, **members}

    def body(self, request_id: str) -> Json:
        """Return the answer's body; members that are None are left out."""
        error = {name: value for name, value in self.members.items() if value is not None}
        if "code" in error:
            error["doc_url"] = DOCS + str(error["code"]).replace("_", "-")
        error["request_log_url"] = LOGS + request_id
        return {"error": error}


def invalid(
    message: str, *, code: str | None = None, param: str | None = None, status: int = 400
) -> StripeError:
    """Return an `invalid_request_error`: the request can not be taken."""
    return StripeError(status, "invalid_request_error", message, code=code, param=param)


def unknown_parameters(names: Sequence[str]) -> StripeError:
    """Return the answer to parameters that the route does not have."""
    word = "parameter" if len(names) == 1 else "parameters"
    message = f"Received unknown {word}: {', '.join(names)}"
    return invalid(message, code="parameter_unknown", param=names[0])


def missing_parameter(name: str) -> StripeError:
    """Return the answer to a required parameter that was not sent."""
    return invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)


def no_such(kind: str, key: str, param: str, *, status: int = 400) -> StripeError:
    """Return `resource_missing`: 404 where the id stands in the path, 400 in a parameter."""
    message = f"No such {kind}: '{key}'"
    return invalid(message, code="resource_missing", param=param, status=status)


def no_such_url(method: str, path: str) -> StripeError:
    """Return the answer to a route that Stripe, or this simulator of it, does not have."""
    message = f"Unrecognized request URL ({method}: {path})."
    return invalid(message, status=404)


def unauthorized(message: str) -> StripeError:
    """Return 401: no key, or one that is not a test key."""
    return invalid(message, status=401)


def secret_key_required() -> StripeError:
    """Return 403: a publishable key was used where only a secret key may be."""
    return invalid(
        "This API call cannot be made with a publishable API key. Please use a secret API key.",
        code="secret_key_required",
        status=403,
    )


def idempotency(status: int, message: str, code: str | None = None) -> StripeError:
    """Return an `idempotency_error`: 400 for another request, 409 while the first one runs."""
    return StripeError(status, "idempotency_error", message, code=code)
