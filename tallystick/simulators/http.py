"""The little of HTTP that the simulators need between the ASGI server and their handlers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 1024 * 1024
# The name under which the server hands over the means to cut a connection.
CUT = "tallystick.cut"


class ConnectionCut(Exception):
    """The connection is to be cut, with no answer: a fault that was asked for."""


class Request(msgspec.Struct, frozen=True):
    """A request that has fully arrived; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def base_url(self) -> str:
        """Where the caller reached us, such as `http://127.0.0.1:8420`."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"


class Reply(msgspec.Struct, frozen=True):
    """An answer; `body` as it goes over the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


def as_json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a JSON answer."""
    kind = {"content-type": "application/json"}
    return Reply(status, msgspec.json.encode(value), {**kind, **(headers or {})})


async def receive_request(scope: Scope, receive: Receive) -> Request | None:
    """Return the request once its body is here; None when the caller left, or it is too long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            break
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    return Request(scope["method"], scope["path"], query, headers, body)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send the answer."""
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    await send({"type": "http.response.body", "body": reply.body})
