"""Refusals, as pages for people: the same problem that the API answers, in the console's frame.

`with_pages` wraps the exception handlers of the application. They answer RFC 9457 problems; for a
page the problem becomes HTML, and for somebody who is not signed in the way to the sign-in.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.response import Redirect

from tallystick.console.context import ConsoleContext
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import HOME
from tallystick.kernel.errors import FieldError

Answer = Callable[[WebRequest, Any], Response[Any]]
"""From a request and what was raised to the answer."""

_TITLES: Final = {
    400: "That did not work",
    402: "Not paid",
    403: "Not allowed",
    404: "Nothing here",
    405: "That did not work",
    409: "Not possible now",
    413: "That is too large",
    422: "That can not be taken",
    429: "Too many requests",
    500: "Something went wrong",
    503: "Not available at the moment",
}
# Sentences written for programs, said again for people.
_DETAILS: Final = {
    "account_required": "Your sign-in belongs to no account, or to several; the console shows "
    "one. Ask whoever runs this service.",
    "csrf_token_invalid": "The page was open for too long. Go back, load it again, and retry.",
}
_KEPT_HEADERS: Final = frozenset({"retry-after", "allow"})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a problem (RFC 9457) that a page shows."""

    status: int
    code: str
    detail: str
    request_id: str
    errors: tuple[FieldError, ...] = ()


def with_pages(console: ConsoleContext, answer: Answer) -> Answer:
    """Return an exception handler that answers pages with pages and the rest as `answer` does."""

    def answered(request: WebRequest, error: Any) -> Response[Any]:
        refused = answer(request, error)
        if not is_page(request):
            return refused
        refusal = msgspec.json.decode(refused.content, type=Refusal)
        return error_page(console, request, refusal, dict(refused.headers))

    return answered


def is_page(request: WebRequest) -> bool:
    """Tell whether a person waits for a page: a route that says so, or no route but a browser."""
    handler = request.scope.get("route_handler")
    if handler is not None:
        return bool(handler.opt.get("page"))
    wanted = request.headers.get("accept", "")
    return "text/html" in wanted and not request.url.path.startswith("/api/")


def error_page(
    console: ConsoleContext, request: WebRequest, refusal: Refusal, headers: dict[str, str]
) -> Response[Any]:
    """Answer a page's refusal; nobody signed in goes to the sign-in, and back afterwards."""
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        return Redirect(_sign_in_address(request), status_code=303)
    facts = {
        "title": _TITLES.get(refusal.status, "That did not work"),
        "detail": _DETAILS.get(refusal.code, refusal.detail),
        "refusal": refusal,
    }
    kept = {name: text for name, text in headers.items() if name.lower() in _KEPT_HEADERS}
    return page(console, request, "problem.html", facts, status=refusal.status, headers=kept)


def _sign_in_address(request: WebRequest) -> str:
    """Return the sign-in's address; what was to be posted can not be asked for again."""
    if request.method != "GET" or request.url.path == HOME:
        return "/sign-in"
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?{urlencode({'next': wanted})}"
