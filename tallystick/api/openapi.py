"""The API's description, completed: bodies, answers, problems, ways to sign in, headers.

The framework finds routes and their parameters. Schemas come from msgspec, which decodes the
bodies, so that both say the same; what is the same for every route is added here, once.
"""

from collections.abc import Iterator
from copy import deepcopy
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from tallystick.api import openapi_parts as parts
from tallystick.api.openapi_schemas import components

Json = dict[str, Any]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_NOISE: Final = frozenset({"allowEmptyValue", "allowReserved", "deprecated"})


def describe(app: Litestar) -> Json:
    """Return the whole description (OpenAPI 3.1) of an application built with one."""
    description: Json = deepcopy(app.openapi_schema.to_schema())
    handlers = _handlers(app)
    # Of two paths the later one by name is the operation's own: `/pdf`, not `/download_pdf`.
    described = sorted(_operations(description), key=lambda found: found[:2], reverse=True)
    used = [handlers[path, method] for path, method, _ in described]
    names: set[str] = set()
    for (_, method, operation), handler in zip(described, used, strict=True):
        operation["operationId"] = _operation_id(handler, names)
        _tidy_parameters(operation)
        _complete(operation, method, handler)
    description["components"] = {
        "schemas": {**components(used), "Problem": parts.PROBLEM_SCHEMA},
        "headers": parts.HEADERS,
        "parameters": parts.HEADER_PARAMETERS,
        "responses": {"Refused": parts.REFUSED},
        "securitySchemes": parts.SCHEMES,
    }
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


def _handlers(app: Litestar) -> dict[tuple[str, str], HTTPRouteHandler]:
    """Return each handler by path and method."""
    return {
        (route.path_format or "/", method.lower()): handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
    }


def _operation_id(handler: HTTPRouteHandler, names: set[str]) -> str:
    """Name the operation after its handler; its second path is an alias."""
    name = handler.handler_name
    if name in names:
        name = f"{name}_alias"
    names.add(name)
    return name


def _tidy_parameters(operation: Json) -> None:
    """Describe parameters as they can be sent: text without null, ids by their pattern."""
    for parameter in operation.get("parameters", []):
        for name in _NOISE:
            parameter.pop(name, None)
        own = _without_null(parameter["schema"])
        says_less = "enum" not in own and parameter["name"] in parts.PARAMETERS
        parameter["schema"] = (
            _without_null(parts.PARAMETERS[parameter["name"]]) if says_less else own
        )
        if parameter["schema"].keys() == {"type", "maxLength"}:
            parameter["schema"]["minLength"] = 1  # to leave it out says nothing, to empty it wrong


def _without_null(schema: Json) -> Json:
    kept = {key: value for key, value in schema.items() if key != "description"}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
        kept["type"] = "string"
    arms = [arm for arm in kept.pop("oneOf", []) if arm != {"type": "null"}]
    kept |= arms[0] if arms else {}
    for bound in ("minimum", "maximum"):
        if bound in kept:
            kept[bound] = int(kept[bound])
    return kept


def _complete(operation: Json, method: str, handler: HTTPRouteHandler) -> None:
    opt = handler.opt
    operation.pop("deprecated", None)
    if "request_body" in opt:
        operation["requestBody"] = opt["request_body"]
    data = handler.parsed_fn_signature.parameters.get("data")
    if data is not None and data.is_optional:
        operation["requestBody"]["required"] = False
    if "example" in opt:
        _add_example(operation["requestBody"], opt["example"])
    is_public = bool(opt.get("public"))
    operation["responses"] = _responses(operation["responses"], method, opt)
    operation["security"] = [] if is_public else _security(method)
    extra = [] if is_public else _header_parameters(method, opt)
    if found := [*operation.get("parameters", []), *opt.get("parameters", []), *extra]:
        operation["parameters"] = found


def _header_parameters(method: str, opt: Json) -> list[Json]:
    if opt.get("streams"):  # made while it is sent, so nobody knows its ETag
        return [parts.header_parameter("X-Account-Id")]
    more = {"get": ["If-None-Match"], "post": ["Idempotency-Key"]}.get(method, [])
    return [parts.header_parameter(name) for name in ("X-Account-Id", *more)]


def _responses(found: Json, method: str, opt: Json) -> Json:
    """Return the answers of an operation: good ones, 304 for reads, and the problem."""
    answers = opt.get("responses") or {
        status: {"description": HTTPStatus(int(status)).phrase, **_content(answer)}
        for status, answer in found.items()
        if status < "400"
    }
    names = ["X-Request-Id", *([] if opt.get("public") else parts.RATE)]
    if method == "get" and not opt.get("streams"):
        names.append("ETag")
        answers = {**answers, "304": {"description": parts.NOT_MODIFIED}}
    elif method == "post" and not opt.get("public"):
        names.append("Idempotent-Replayed")
    headers = parts.headers(*names)
    told = {status: {**answer, "headers": headers} for status, answer in answers.items()}
    if "answer_example" in opt:
        good = next(answer for status, answer in told.items() if status.startswith("2"))
        _add_example(good, opt["answer_example"])
    return {**told, "default": {"$ref": "#/components/responses/Refused"}}


def _content(answer: Json) -> Json:
    return {"content": answer["content"]} if "content" in answer else {}


def _add_example(described: Json, example: Json) -> None:
    described["content"] = {
        kind: {**content, "example": example} for kind, content in described["content"].items()
    }


def _security(method: str) -> list[Json]:
    """Return the ways to sign in; a cookie that changes something needs the CSRF token too."""
    token: Json = {} if method == "get" else {"csrf": []}
    return [
        {"bearer": []},
        {"bearer": [], "sessionId": []},
        {"session": [], **token},
        {"jwtCookie": [], **token},
    ]
