"""The API's description, completed: problems, ways to sign in, headers, bodies of ingest.

The framework describes parameters, bodies and answers from the handlers' types. What is the same
for every route is added here, once.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import msgspec
from litestar import Litestar

Json = dict[str, Any]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_PROBLEM_CONTENT: Final[Json] = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
}
_PROBLEM_SCHEMA: Final[Json] = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457); `code` is stable.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_SCHEMES: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "API key (`tsk_…`) or JWT"},
    "session": {"type": "apiKey", "in": "cookie", "name": "session_token"},
}
_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your name for this intent: the same key and body get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_ACCOUNT: Final[Json] = {
    "name": "X-Account-Id",
    "in": "header",
    "required": False,
    "description": "The account that the request is about, where the credential leaves it open.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def describe(app: Litestar) -> Json:
    """Return the whole description (OpenAPI 3.1) of an application built with one."""
    description: Json = deepcopy(app.openapi_schema.to_schema())
    components = description.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
    components["securitySchemes"] = _SCHEMES
    handlers = _handlers(app)
    for path, method, operation in _operations(description):
        _complete(operation, method, handlers[path, method])
    description.pop("servers", None)
    return description


def write(description: Json) -> bytes:
    """Write the description as the file that is kept in the repository."""
    return msgspec.json.format(msgspec.json.encode(description, order="sorted"), indent=1) + b"\n"


def _operations(description: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in description["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _handlers(app: Litestar) -> dict[tuple[str, str], Json]:
    """Return each handler's `opt` by path and method."""
    found: dict[tuple[str, str], Json] = {}
    for route in app.routes:
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items():
            path = getattr(route, "path_format", "") or "/"
            found[path, method.lower()] = handler.opt
    return found


def _complete(operation: Json, method: str, opt: Json) -> None:
    responses = operation["responses"]
    for status in [status for status in responses if status >= "400"]:
        del responses[status]
    responses["default"] = {"description": "Refused.", "content": _PROBLEM_CONTENT}
    if "request_body" in opt:
        operation["requestBody"] = opt["request_body"]
    if opt.get("public"):
        operation["security"] = []
        return
    operation["security"] = [{"bearer": []}, {"session": []}]
    extra = [_ACCOUNT, _IDEMPOTENCY_KEY] if method == "post" else [_ACCOUNT]
    operation["parameters"] = [*operation.get("parameters", []), *extra]
