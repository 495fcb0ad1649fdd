"""The CCBill simulator's own HTTP server."""

import contextlib
from collections.abc import Iterator

from tallystick.simulators.ccbill.app import App, Options, wall_clock
from tallystick.simulators.ccbill.state import Clock
from tallystick.simulators.server import running_app, serve_app

PORT = 12113


def serve(options: Options, port: int = PORT) -> None:
    """Run until SIGTERM or SIGINT; print `listening on http://127.0.0.1:PORT` when ready.

    Port 0 takes a free one. Raises SetupError when the port or the state file is in use.
    """
    serve_app(lambda: App(options), port)


@contextlib.contextmanager
def running(
    options: Options | None = None, *, port: int = 0, clock: Clock = wall_clock
) -> Iterator[str]:
    """Run a simulator in a thread, for tests; the value is its base URL."""
    with running_app(lambda: App(options or Options(), clock=clock), port) as base_url:
        yield base_url
