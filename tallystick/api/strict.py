"""Bodies and queries are taken as documented or refused: no `"1"` for 1, no unknown field.

Litestar converts bodies laxly (`"1"`, `1.0` and `1e3` pass as an int), so the body is decoded
here, strictly, by the type of the handler's `data` parameter. Query parameters are text and
stay convertible, but an unknown one is refused: a typo must not be ignored.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from tallystick.api.errors import QUERY_ALIASES, body_error
from tallystick.kernel.errors import BadInput, FieldError, NotFound

BODY_BYTES_MAX: Final = 1 << 20
INGEST_BYTES_MAX: Final = 8 << 20
_QUERY_NAMES: Final = "query_names"
_QUERY_INTEGERS: Final = "query_integers"
_QUERY_OPTIONAL: Final = "query_optional"
_QUERY_TIMES: Final = "query_times"
_QUERY_LISTS: Final = "query_lists"
_QUERY_REQUIRED: Final = "query_required"
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_NUL: Final = "\0"


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
        decoded = msgspec.json.decode(body, type=wanted, strict=True)
        # A NUL stands in JSON as this escape; no text of the database can hold one.
        if b"\\u0000" in body:
            _refuse_nul(msgspec.json.decode(body))
    except msgspec.ValidationError as error:
        wrong = body_error(error)
        raise BadInput(
            "validation_failed", f"{wrong.field}: {wrong.message}", errors=[wrong]
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("malformed_json", "The body is not well-formed JSON.") from error
    return decoded


def _refuse_nul(value: Any) -> None:
    wrong = [
        FieldError(path.lstrip(".") or "body", "control_character", "must not hold NUL")
        for path in _nul_paths(value, "")
    ]
    if wrong:
        raise BadInput("validation_failed", f"{wrong[0].field}: must not hold NUL", errors=wrong)


def _nul_paths(value: Any, path: str) -> Iterator[str]:
    """Yield the path of each text, or of each name, that holds a NUL."""
    if isinstance(value, str) and _NUL in value:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            if _NUL in name:
                yield path
            yield from _nul_paths(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _nul_paths(inner, f"{path}[{at}]")


def collect_query_names(app: Litestar) -> None:
    """Note at start-up which query parameters each handler knows."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, model in route.route_handler_map.values():
                query = model.expected_query_params
                handler.opt[_QUERY_NAMES] = frozenset(p.field_alias for p in query)
                handler.opt[QUERY_ALIASES] = {p.field_name: p.field_alias for p in query}
                handler.opt[_QUERY_REQUIRED] = tuple(
                    sorted(p.field_alias for p in query if p.is_required)
                )
                handler.opt[_QUERY_OPTIONAL] = frozenset(
                    p.field_alias for p in query if p.default is None
                )
                signature = handler.parsed_fn_signature.parameters
                handler.opt[_QUERY_TIMES] = frozenset(
                    p.field_alias
                    for p in query
                    if p.field_name in signature
                    and signature[p.field_name].has_inner_subclass_of(datetime)
                )
                handler.opt[_QUERY_LISTS] = frozenset(
                    p.field_alias
                    for p in query
                    if (known := signature.get(p.field_name)) and known.has_inner_subclass_of(list)
                )
                # Each of our whole numbers has one as its default.
                handler.opt[_QUERY_INTEGERS] = frozenset(
                    p.field_alias for p in query if type(p.default) is int
                )


async def refuse_what_is_not_described(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse what no route takes: a compressed body, a NUL, an unknown or doubled parameter.

    A guard of every route.
    """
    coding = connection.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", ""} and not (handler.opt.get("gzip") and coding == "gzip"):
        raise BadInput("unsupported_content_encoding", "This body can not be compressed so.")
    if _NUL in connection.scope["path"]:
        raise NotFound("route_not_found", "There is nothing at this address.")
    if handler.opt.get("any_query"):
        return
    wrong = list(_query_faults(connection, handler))
    if wrong:
        detail = f"{wrong[0].field}: {wrong[0].message}"
        raise BadInput("validation_failed", detail, errors=wrong)


def _query_faults(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> Iterator[FieldError]:
    known, integers = handler.opt[_QUERY_NAMES], handler.opt[_QUERY_INTEGERS]
    sent = connection.query_params.dict()
    for name in handler.opt[_QUERY_REQUIRED]:
        if name not in sent:
            yield FieldError(name, "missing", "is required")
    for name, texts in sent.items():
        if name not in known:
            yield FieldError(name, "unknown_field", "is not a parameter here")
        elif len(texts) > 1 and name not in handler.opt[_QUERY_LISTS]:
            yield FieldError(name, "repeated", "may be sent once")
        elif any(_NUL in text for text in texts):
            yield FieldError(name, "control_character", "must not hold NUL")
        # The framework would read `null` as nothing, `1.0` and `1e1` as whole numbers, and a
        # number as so many seconds since 1970.
        elif name in handler.opt[_QUERY_OPTIONAL] and texts[0].lower() in {"", "null"}:
            yield FieldError(name, "invalid", "is no value; leave the parameter out")
        elif name in handler.opt[_QUERY_TIMES] and not _TIME.fullmatch(texts[0]):
            yield FieldError(name, "invalid_time", "must be an RFC 3339 instant with its offset")
        elif name in integers and not _INTEGER.fullmatch(texts[0]):
            yield FieldError(name, "invalid", "must be a whole number")
