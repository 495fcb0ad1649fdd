"""The simulator as an ASGI application: the API, the control routes and the pages."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

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
from tallystick.simulators.stripe import pages
from tallystick.simulators.stripe.api import Api
from tallystick.simulators.stripe.clock import Clock, SimulatedClock
from tallystick.simulators.stripe.control import Control
from tallystick.simulators.stripe.deliveries import RETRY_GAPS, Deliveries
from tallystick.simulators.stripe.duties import DUTIES
from tallystick.simulators.stripe.faults import Faults
from tallystick.simulators.stripe.hosted import Hosted
from tallystick.simulators.stripe.ids import Ids
from tallystick.simulators.stripe.reactions import REACTIONS
from tallystick.simulators.stripe.state import State
from tallystick.simulators.stripe.timers import Timekeeper
from tallystick.simulators.stripe.webhook_endpoints import STARTUP_ID, add

log = structlog.get_logger()
TICK_SECONDS = 0.5


def wall_clock() -> int:
    """Return the machine's time, in whole seconds since 1970, UTC."""
    return int(time.time())


class Options(msgspec.Struct, frozen=True):
    """How a simulator is set up. `state_path` None keeps everything in memory alone."""

    webhook_url: str | None = None
    webhook_secret: str | None = None
    webhook_events: tuple[str, ...] = ("*",)
    retry_gaps: Sequence[float] = RETRY_GAPS
    state_path: Path | None = None


class App:
    """The ASGI application. `clock` gives `created` times, `source` the randomness of ids."""

    def __init__(
        self,
        options: Options,
        *,
        clock: Clock = wall_clock,
        source: random.Random | None = None,
        signed_at: Callable[[], int] = wall_clock,
    ) -> None:
        """Open the state. Raises SetupError when its file can not be used."""
        self._options = options
        file = StateFile(options.state_path) if options.state_path else None
        simulated = SimulatedClock(clock)
        self.state = State(simulated, Ids(source or secrets.SystemRandom()), file)
        self.state.reactions = REACTIONS
        self._timekeeper = Timekeeper(self.state, simulated, DUTIES)
        faults = Faults()
        self._deliveries = Deliveries(
            self.state, faults, wall_clock=signed_at, retry_gaps=options.retry_gaps
        )
        self._api = Api(self.state, faults)
        self._hosted = Hosted(self._api)
        self._control = Control(
            self.state, self._api, self._deliveries, self._timekeeper, prepare=self._prepare
        )
        self._prepare()

    def close(self) -> None:
        """Let no request wait any longer: the server is about to stop."""
        self._api.close()

    def _prepare(self) -> None:
        """Set up, or take away, the endpoint that the command line names."""
        with self.state.change():
            if self._options.webhook_url:
                add(
                    self.state,
                    STARTUP_ID,
                    self._options.webhook_url,
                    self._options.webhook_secret or "whsec_simulator",
                    list(self._options.webhook_events),
                )
            else:
                self.state.drop("webhook_endpoint", STARTUP_ID)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._deliveries.start()
        ticking = asyncio.create_task(self._tick())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        ticking.cancel()
        await self._deliveries.stop()
        self.state.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tick(self) -> None:
        """Do what falls due while nobody asks."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self._timekeeper.run_due()
            except Exception:
                log.exception("stripe_simulator_duty_failed")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await receive_request(scope, receive)
        if request is None:
            await send_reply(send, Reply(413, b"The body is longer than 1 MiB."))
            return
        try:
            reply = await self._answer(request)
        except ConnectionCut:
            scope["extensions"][CUT]()
            # The server sees the loss of the connection a moment later; then nothing is sent.
            await receive()
            return
        await send_reply(send, reply)

    async def _answer(self, request: Request) -> Reply:
        path = request.path
        if path.startswith("/_sim/"):
            return self._control.answer(request)
        if request.method == "GET" and path in pages.SCRIPTS:
            return pages.script()
        page = await self._hosted.answer(request) if path.startswith("/_page/") else None
        return page or await self._api.answer(request)
