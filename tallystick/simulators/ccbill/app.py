"""The simulator as an ASGI application: the API, DataLink, pages, and the control routes."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tallystick.simulators.ccbill import flexforms, pages
from tallystick.simulators.ccbill.api import Api
from tallystick.simulators.ccbill.config import DEFAULT_RETRIES, Config, Webhook
from tallystick.simulators.ccbill.control import Control
from tallystick.simulators.ccbill.deliveries import Deliveries
from tallystick.simulators.ccbill.faults import Faults
from tallystick.simulators.ccbill.schedule import advance
from tallystick.simulators.ccbill.state import Clock, State
from tallystick.simulators.http import (
    CUT,
    ConnectionCut,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    receive_request,
    send_reply,
)
from tallystick.simulators.state_store import StateFile

SEED_MAX = 10**11


def wall_clock() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


class Options(msgspec.Struct, frozen=True):
    """How a simulator is set up. `state_path` None keeps everything in memory alone.

    With a `seed` the same requests get the same ids; without one, ids never repeat.
    """

    webhook_url: str | None = None
    retry_gaps: Sequence[float] = DEFAULT_RETRIES
    seed: int | None = None
    state_path: Path | None = None
    config: Config = Config()


class App:
    """The ASGI application."""

    def __init__(self, options: Options, *, clock: Clock = wall_clock) -> None:
        """Open the state. Raises SetupError when its file can not be used."""
        self._options = options
        seed = secrets.randbelow(SEED_MAX) if options.seed is None else options.seed
        file = StateFile(options.state_path) if options.state_path else None
        self.state = State(clock, self._setup(), seed, file)
        faults = Faults()
        self._deliveries = Deliveries(self.state, faults)
        self._api = Api(self.state, faults, self._deliveries)
        self._control = Control(self.state, self._api, self._deliveries, self._setup)

    def close(self) -> None:
        """Let no request wait any longer: the server is about to stop."""
        self._api.close()

    def _setup(self) -> Config:
        config = msgspec.structs.replace(
            self._options.config, webhook_retries_s=tuple(self._options.retry_gaps)
        )
        if self._options.webhook_url is None:
            return config
        hook = Webhook(self._options.webhook_url)
        return msgspec.structs.replace(config, webhooks=(hook, *config.webhooks))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._deliveries.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._deliveries.stop()
        self.state.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await receive_request(scope, receive)
        if request is None:
            await send_reply(send, Reply(413, b"The body is longer than 1 MiB."))
            return
        try:
            reply = await self._answer(request)
            await send_reply(send, reply)
        except ConnectionCut:
            scope["extensions"][CUT]()
            # The server sees the loss of the connection a moment later; then nothing is sent.
            await receive()
        finally:
            # Webhooks follow the answer, as a rule.
            self._deliveries.wake()

    async def _answer(self, request: Request) -> Reply:
        # What has become due by itself comes before what is asked.
        advance(self.state, 0)
        if request.path.startswith("/_sim/"):
            return self._control.answer(request)
        page = pages.answer(request) or flexforms.answer(self.state, request)
        if page:
            return page
        return await self._api.answer(request)
