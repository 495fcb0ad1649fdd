"""An answer held back before it is sent, so that it can be kept, compared or replaced."""

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send


class Captured(msgspec.Struct):
    """A whole answer: status, headers and body."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = []
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    async def send(self, send: Send) -> None:
        """Send the answer on."""
        await send(
            {"type": "http.response.start", "status": self.status, "headers": self.headers}  # type: ignore[typeddict-item, unused-ignore]  # litestar wants every key
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


async def capture(app: ASGIApp, scope: Scope, receive: Receive) -> Captured:
    """Run the application and return its answer instead of sending it."""
    captured = Captured()

    async def hold(message: Message) -> None:
        if message["type"] == "http.response.start":
            captured.status = message["status"]
            captured.headers = list(message["headers"])
        elif message["type"] == "http.response.body":
            captured.body += message["body"]

    await app(scope, receive, hold)
    return captured
