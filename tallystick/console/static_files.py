"""Styles, scripts and the mark: the files of `static/`, and no others."""

import hashlib
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from tallystick.kernel.errors import NotFound

_TYPES: Final = {
    "console.css": "text/css",
    "card.js": "text/javascript",
    "payment.js": "text/javascript",
    "clock.js": "text/javascript",
    "panel.js": "text/javascript",
    "panel_account.js": "text/javascript",
    "panel_api.js": "text/javascript",
    "panel_ccbill.js": "text/javascript",
    "panel_lists.js": "text/javascript",
    "panel_methods.js": "text/javascript",
    "panel_page.js": "text/javascript",
    "panel_pay.js": "text/javascript",
    "panel_setups.js": "text/javascript",
    "panel_stripe.js": "text/javascript",
    "panel_tokens.js": "text/javascript",
    "mark.svg": "image/svg+xml",
}


class StaticFile(msgspec.Struct, frozen=True):
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str


@cache
def _file(name: str) -> StaticFile:
    content = (files("tallystick.console") / "static" / name).read_bytes()
    return StaticFile(content, _TYPES[name], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


@get("/static/{name:str}", opt={"public": True, "always_on": True}, include_in_schema=False)
async def read_static_file(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return a file of the pages; asked about each time, answered with 304 while it is the same."""
    if name not in _TYPES:
        raise NotFound("route_not_found", "There is nothing at this address.")
    file = _file(name)
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if file.etag in _named(request.headers.get("if-none-match", "")):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _named(if_none_match: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in if_none_match.split(",")}


ROUTES: Final = (read_static_file,)
