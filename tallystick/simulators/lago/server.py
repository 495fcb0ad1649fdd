"""The Lago simulator's own HTTP server."""

import contextlib
from collections.abc import Iterator
from typing import Final

from tallystick.simulators.lago.app import App, wall_clock
from tallystick.simulators.lago.state import Clock
from tallystick.simulators.server import running_app, serve_app

PORT: Final = 12112


def serve(port: int = PORT) -> None:
    """Run until SIGTERM or SIGINT; print `listening on http://127.0.0.1:PORT` when ready.

    Port 0 takes a free one. Raises SetupError when the port is in use.
    """
    serve_app(App, port)


@contextlib.contextmanager
def running(clock: Clock = wall_clock) -> Iterator[str]:
    """Run a simulator in a thread, for tests; the value is its base URL."""
    with running_app(lambda: App(clock)) as base_url:
        yield base_url
