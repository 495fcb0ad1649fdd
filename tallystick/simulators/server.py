"""The simulators' HTTP server, on the loopback address alone."""

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tallystick.kernel.errors import SetupError
from tallystick.simulators.http import CUT, Receive, Scope, Send

HOST: Final = "127.0.0.1"


class SimulatorApp(Protocol):
    """An ASGI application whose waiting requests can be cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""

    def close(self) -> None:
        """Let no request wait any longer: the server is about to stop."""


class _Protocol(HttpToolsProtocol):
    """Hands the application the means to cut its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # a TypedDict that we widen
        scope["extensions"] = {CUT: self.transport.abort}


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn would raise them again and end with a trace."""

    def __init__(self, config: uvicorn.Config, app: SimulatorApp) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; requests that a fault delays are cut instead of waited for."""
        self._app.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def serve_app(make: Callable[[], SimulatorApp], port: int) -> None:
    """Run until SIGTERM or SIGINT; print `listening on http://127.0.0.1:PORT` when ready.

    Port 0 takes a free one. Raises SetupError when the port is in use.
    """
    with _bound(port) as listener:
        server = _server(make())
        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, lambda *_: setattr(server, "should_exit", True))
        sys.stdout.write(f"listening on {_url(listener)}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])


@contextlib.contextmanager
def running_app(make: Callable[[], SimulatorApp], port: int = 0) -> Iterator[str]:
    """Run an application in a thread, for tests; the value is its base URL."""
    with _bound(port) as listener:
        server = _server(make())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            # The socket is bound and listening: a request that comes early waits in its queue.
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(2048)
        except OSError as error:
            raise SetupError(
                "port_unusable",
                f"Port {port} on {HOST} can not be used ({error.strerror}). Stop what listens "
                "there, or choose another one with --port (0 takes a free one).",
            ) from error
        yield listener


def _server(app: SimulatorApp) -> _Server:
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config, app)


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"
