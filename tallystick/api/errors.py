"""From an error of the domain, or of the framework, to `application/problem+json` (RFC 9457).

This is the one table between kinds of errors and HTTP. Texts of gateways, keys and stack traces
stay in the log; what leaves is a code, a sentence and the request's id.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from tallystick.kernel.errors import FieldError, TallystickError
from tallystick.money.errors import MoneyError

log = structlog.get_logger()

PROBLEM: Final = "application/problem+json"
TYPE: Final = "urn:tallystick:error:"
QUERY_ALIASES: Final = "query_aliases"
"""Where a route keeps its parameters' names as they are sent, by those of our functions."""

STATUS_BY_KIND: Final[Mapping[str, int]] = {
    "bad_input": 422,
    "not_found": 404,
    "conflict": 409,
    "not_signed_in": 401,
    "forbidden": 403,
    "payment_required": 402,
    "too_many": 429,
    "unavailable": 503,
    "setup": 503,
    "error": 500,
}
# Codes whose status is not that of their kind.
STATUS_BY_CODE: Final[Mapping[str, int]] = {
    "malformed_json": 400,
    "invalid_signature": 400,
    "invalid_payload": 400,
    "account_required": 400,
    "already_paid": 400,
    "manual_payment_differs": 400,
    "manual_payment_incomplete": 400,
    "payment_method_not_available": 400,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "unsupported_content_encoding": 415,
}
_JSON_PATH: Final = re.compile(r"^(?P<message>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every refused request is answered with; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] = []


def answer_to(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer whatever was raised, where no framework chooses between the functions below."""
    if isinstance(error, TallystickError):
        return domain_error(request, error)
    if isinstance(error, MoneyError):
        return money_error(request, error)
    return unexpected_error(request, error)


def domain_error(request: Request[Any, Any, Any], error: TallystickError) -> Response[Any]:
    """Answer with the error as it was raised."""
    status = STATUS_BY_CODE.get(error.code, STATUS_BY_KIND[error.kind])
    headers = {}
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    if error.code in {"rate_limited", "usage_throttled"}:
        headers["RateLimit-Limit"] = str(error.extra["limit"])
        headers["RateLimit-Remaining"] = str(error.extra.get("remaining", 0))
        headers["RateLimit-Reset"] = headers["Retry-After"]
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tallystick"'
    if error.code == "unsupported_content_encoding":
        headers["Accept-Encoding"] = _codings(request)  # RFC 9110, 15.5.16
    return problem(
        request, status, error.code, error.detail, error.errors, headers=headers, extra=error.extra
    )


def _codings(request: Request[Any, Any, Any]) -> str:
    """Return in which ways a route's body may come; no request goes by without its route."""
    return "gzip, identity" if request.scope["route_handler"].opt.get("gzip") else "identity"


def money_error(request: Request[Any, Any, Any], error: MoneyError) -> Response[Any]:
    """Answer an amount or currency that can not be: bad input, whatever route it came through."""
    return problem(request, 422, error.code, str(error), ())


def framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer what the framework refused: unknown paths and methods, parameters, bodies."""
    if isinstance(error, ValidationException):
        handler = request.scope.get("route_handler")
        found = _fields(error, handler.opt.get(QUERY_ALIASES, {}) if handler else {})
        return problem(request, 422, "validation_failed", "The request has a wrong field.", found)
    headers = dict(error.headers or {})
    if isinstance(error, NotFoundException):
        return problem(request, 404, "route_not_found", "There is nothing at this address.", ())
    if isinstance(error, MethodNotAllowedException):
        return problem(
            request, 405, "method_not_allowed", "Not with this method.", (), headers=headers
        )
    status = error.status_code
    code = {400: "bad_request", 413: "body_too_large"}.get(status, "http_error")
    detail = f"{HTTPStatus(status).phrase}."
    return problem(request, status, code, detail, (), headers=headers)


def unexpected_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Log a fault of ours and answer 500 with nothing but the request's id to ask about."""
    log.error("request_failed", exc_info=error)
    detail = "Something went wrong here; nothing was changed. Ask with the request's id."
    return problem(request, 500, "internal_error", detail, ())


def problem(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    detail: str,
    errors: Sequence[FieldError],
    *,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, object] | None = None,
) -> Response[Any]:
    """Make the answer; `extra` members (such as `required` and `available`) stand beside."""
    body = Problem(
        type=TYPE + code,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=str(request.scope.get("request_id", "")),
        errors=list(errors),
    )
    content = {**dict(extra or {}), **msgspec.to_builtins(body)}
    return Response(
        msgspec.json.encode(content), status_code=status, media_type=PROBLEM, headers=headers
    )


def body_error(error: msgspec.ValidationError) -> FieldError:
    """Turn `Expected `int`, got `str` - at `$.lines[2].quantity`` into a field and a message."""
    match = _JSON_PATH.match(str(error))
    message = match["message"] if match else str(error)
    path = (match["path"] or "") if match else ""
    unknown = re.search(r"contains unknown field `([^`]*)`", message)
    missing = re.search(r"missing required field `([^`]*)`", message)
    if unknown:
        return FieldError(
            _join(path, unknown[1]), "unknown_field", "is not a field of this request"
        )
    if missing:
        return FieldError(_join(path, missing[1]), "missing", "is required")
    return FieldError(path.lstrip(".") or "body", "invalid", message.replace("`", "")[:300])


def _join(path: str, name: str) -> str:
    return f"{path}.{name}".lstrip(".")


def _fields(error: ValidationException, aliases: Mapping[str, str]) -> list[FieldError]:
    extra = error.extra if isinstance(error.extra, list) else []
    found = [_field(item, aliases) for item in extra if isinstance(item, dict)]
    return found or [FieldError("request", "invalid", str(error.detail)[:300])]


def _field(item: Mapping[str, Any], aliases: Mapping[str, str]) -> FieldError:
    name, message = str(item.get("key", "request")), str(item.get("message", ""))
    if name == "data":  # the handlers' word for the body, which was left out
        return FieldError("body", "missing", "is required")
    return FieldError(aliases.get(name, name), "invalid", message[:300])
