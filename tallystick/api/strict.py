"""Bodies and queries are taken as documented or refused: no `"1"` for 1, no unknown field.

Litestar converts bodies laxly (`"1"`, `1.0` and `1e3` pass as an int), so the body is decoded
here, strictly, by the type of the handler's `data` parameter. Query parameters are text and
stay convertible, but an unknown one is refused: a typo must not be ignored.
"""

from typing import Any, Final

import msgspec
from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from tallystick.api.errors import body_error
from tallystick.kernel.errors import BadInput, FieldError

BODY_BYTES_MAX: Final = 1 << 20
INGEST_BYTES_MAX: Final = 8 << 20
_QUERY_NAMES: Final = "query_names"


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every request body."""


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is decoded strictly into what the handler declares."""

    async def json(self) -> Any:
        """Return the body as the handler's `data` type; raises BadInput naming the field."""
        kind = self.content_type[0]
        if kind not in {"application/json", ""}:
            raise BadInput("unsupported_media_type", "Send the body as application/json.")
        body = await self.body()
        parameter = self.route_handler.parsed_fn_signature.parameters["data"]
        return decode(body, parameter.annotation)


def decode(body: bytes, wanted: Any) -> Any:
    """Decode JSON strictly; raises BadInput `malformed_json` or with the path of the field."""
    try:
        return msgspec.json.decode(body, type=wanted, strict=True)
    except msgspec.ValidationError as error:
        wrong = body_error(error)
        raise BadInput(
            "validation_failed", f"{wrong.field}: {wrong.message}", errors=[wrong]
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("malformed_json", "The body is not well-formed JSON.") from error


def collect_query_names(app: Litestar) -> None:
    """Note at start-up which query parameters each handler knows."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, model in route.route_handler_map.values():
                names = {parameter.field_alias for parameter in model.expected_query_params}
                handler.opt[_QUERY_NAMES] = frozenset(names)


def refuse_unknown_query(
    connection: ASGIConnection[Any, Any, Any, Any], h: BaseRouteHandler
) -> None:
    """Refuse a query parameter that the route does not have (a guard of every route)."""
    known = h.opt.get(_QUERY_NAMES, frozenset())
    wrong = [name for name in connection.query_params if name not in known]
    if wrong and not h.opt.get("any_query"):
        errors = [FieldError(name, "unknown_field", "is not a parameter here") for name in wrong]
        raise BadInput("validation_failed", f"{wrong[0]}: is not a parameter here", errors=errors)
