"""The Stripe simulator's own HTTP server."""

import contextlib
import random
from collections.abc import Iterator

from tallystick.simulators.server import running_app, serve_app
from tallystick.simulators.stripe.app import App, Options, wall_clock
from tallystick.simulators.stripe.clock import Clock

PORT = 8420


def serve(options: Options, port: int = PORT) -> None:
    """Run until SIGTERM or SIGINT; print `listening on http://127.0.0.1:PORT` when ready.

    Port 0 takes a free one. Raises SetupError when the port or the state file is in use.
    """
    serve_app(lambda: App(options), port)


@contextlib.contextmanager
def running(
    options: Options | None = None,
    *,
    port: int = 0,
    clock: Clock = wall_clock,
    source: random.Random | None = None,
) -> Iterator[str]:
    """Run a simulator in a thread, for tests; the value is its base URL."""
    with running_app(
        lambda: App(options or Options(), clock=clock, source=source), port
    ) as base_url:
        yield base_url
