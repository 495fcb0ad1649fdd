"""`tallystick demo`: the whole product on one machine, as processes like in production.

The database, the simulators of Stripe and CCBill, the server and the worker run as children; this
process shows progress, loads sample data once, and stops everything when it is stopped itself. The
data has a home of its own, apart from a real installation's.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError

import msgspec

from tallystick.app import open_services
from tallystick.demo_data import SignIns, load
from tallystick.kernel.embedded import EmbeddedPostgres, default_home
from tallystick.kernel.errors import SetupError
from tallystick.kernel.logs import configure_logs
from tallystick.kernel.migrate import migrate
from tallystick.processes import listening_socket
from tallystick.settings import Settings, read_settings

START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 15
_POLL_S: Final = 0.1
_SELLER: Final = {
    "TALLYSTICK_SELLER_NAME": "Tallystick Demo Ltd",
    "TALLYSTICK_SELLER_ADDRESS": "1 Exchequer Row|London EC2R 8AH|United Kingdom",
    "TALLYSTICK_SELLER_EMAIL": "billing@tallystick.example",
    "TALLYSTICK_SELLER_TAX_ID": "GB 123 4567 82",
}


def run_demo(environment: Mapping[str, str], port: int) -> None:
    """Start everything, say where it is, and wait until stopped; children end with us."""
    home = default_home(environment, os.geteuid()) / "demo"
    # Said in so many words: a shell's background job is started with SIGINT ignored.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: _interrupt())
    with ExitStack() as stack:
        with listening_socket("127.0.0.1", port):
            pass  # refused now, with a sentence, rather than after everything else was started
        say("starting PostgreSQL")
        server = EmbeddedPostgres.start(home, progress=say)
        stack.callback(server.stop)
        stack.callback(say, "stopping")
        try:
            _run(stack, home, server.dsn, environment, port)
        except KeyboardInterrupt:
            say("")


def _run(stack: ExitStack, home: Path, dsn: str, environment: Mapping[str, str], port: int) -> None:
    asyncio.run(migrate(dsn, progress=say))
    webhook_secret = f"whsec_{secrets.token_hex(16)}"
    address = f"http://127.0.0.1:{port}"
    say("starting the simulators of Stripe and CCBill")
    stripe = stack.enter_context(
        _simulator(home, "stripe", environment, address, "--webhook-secret", webhook_secret)
    )
    ccbill = stack.enter_context(_simulator(home, "ccbill", environment, address))
    settings_text = {
        **environment,
        **_SELLER,
        "DATABASE_URL": dsn,
        "TALLYSTICK_PORT": str(port),
        "DEFAULT_CURRENCY": "EUR",
        "DEFAULT_MONTHLY_PRICE_CENTS": "990",
        **_stripe_settings(_simulator_address(home, "stripe"), webhook_secret),
        **_ccbill_settings(_simulator_address(home, "ccbill")),
        "TALLYSTICK_MAIL_URL": (home / "mail").as_uri(),
    }
    configure_logs(json=False, level="WARNING")  # the children's logs are in files, ours is here
    sign_ins = asyncio.run(_load(read_settings(settings_text, os.geteuid()), dsn, home))
    say("starting the server and the worker")
    web = stack.enter_context(child(home, "server", settings_text, "serve"))
    worker = stack.enter_context(child(home, "worker", settings_text, "worker"))
    _wait_for(f"{address}/readyz", web, home)
    _show(address, sign_ins, home)
    _watch({"stripe": stripe, "ccbill": ccbill, "server": web, "worker": worker}, home)


def _stripe_settings(simulator: str, webhook_secret: str) -> dict[str, str]:
    return {
        "STRIPE_SECRET_KEY": "sk_test_demo_simulator",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_demo_simulator",
        "STRIPE_WEBHOOK_SECRET": webhook_secret,
        "STRIPE_BASE_URL": simulator,
        "STRIPE_JS_URL": f"{simulator}/stripe.js",
    }


def _ccbill_settings(simulator: str) -> dict[str, str]:
    """Return what the simulator's README tells; its prices are limited in the demo's euros too."""
    return {
        "CCBILL_BASE_URL": simulator,
        "CCBILL_WIDGET_URL": f"{simulator}/v1.13.1/ccbill-advanced-widget.js",
        "CCBILL_FRONTEND_CLIENT_ID": "sim-frontend",
        "CCBILL_FRONTEND_CLIENT_SECRET": "sim-frontend-secret",
        "CCBILL_BACKEND_CLIENT_ID": "sim-backend",
        "CCBILL_BACKEND_CLIENT_SECRET": "sim-backend-secret",
        "CCBILL_CLIENT_ACCNUM": "900000",
        "CCBILL_PRICE_LIMITS": "USD:2.95-100.00,EUR:2.95-100.00",
        "CCBILL_DATALINK_URL": simulator,
        "CCBILL_DATALINK_USERNAME": "simlink",
        "CCBILL_DATALINK_PASSWORD": "simlink-secret",
    }


def _simulator(
    home: Path, name: str, environment: Mapping[str, str], address: str, *more: str
) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    """Run the simulator of a gateway; what it keeps outlives the demo."""
    return child(
        home, name, environment,
        "simulators", name, "--port", "0", "--state", str(home / f"{name}.sqlite"),
        "--webhook-url", f"{address}/api/{name}/webhook", *more,
    )  # fmt: skip


@contextmanager
def child(
    home: Path, name: str, environment: Mapping[str, str], *arguments: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command of ours, logging to a file; it ends when we do, however we end."""
    log = (home / f"{name}.log").open("wb")
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "tallystick", *arguments],
        env={**environment, "TALLYSTICK_WITH_PARENT": "true"},
        stdin=subprocess.PIPE,  # its end tells the child that we are gone
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C comes to us alone; we stop them in order
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


async def _load(settings: Settings, dsn: str, home: Path) -> SignIns:
    """Load the sample once; how to sign in is kept beside the data."""
    kept = home / "sign-in.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=SignIns)
    say("loading sample data")
    async with open_services(settings, dsn) as services:
        sign_ins = await load(services)
    kept.touch(mode=0o600)
    kept.write_bytes(msgspec.json.encode(sign_ins))
    return sign_ins


def _simulator_address(home: Path, name: str) -> str:
    """Return the address that a simulator prints when it is ready."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        for line in (home / f"{name}.log").read_text().splitlines():
            if line.startswith("listening on "):
                return line.removeprefix("listening on ").strip()
        time.sleep(_POLL_S)
    raise _not_started(name, home)


def _wait_for(address: str, process: "subprocess.Popen[bytes]", home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310 - our own server
                return
        except (URLError, OSError):
            time.sleep(_POLL_S)
    raise _not_started("server", home)


def _watch(children: Mapping[str, "subprocess.Popen[bytes]"], home: Path) -> None:
    """Wait; a child that ends by itself ends the demo with a sentence."""
    while True:
        for name, process in children.items():
            if process.poll() is not None:
                raise SetupError(
                    "demo_stopped", f"The {name} stopped by itself; see {home / name}.log."
                )
        time.sleep(0.5)


def _not_started(name: str, home: Path) -> SetupError:
    return SetupError("demo_not_started", f"The {name} did not start; see {home / name}.log.")


def _show(address: str, who: SignIns, home: Path) -> None:
    print(  # noqa: T201 - what the user came for
        f"""
  Tallystick runs at {address}

  customer   {who.owner_email}   {who.owner_password}
  staff      {who.staff_email}   {who.staff_password}
  API key    {who.api_key}

  panel      {address}/         an account's billing on one page
  API        {address}/docs
  mail       {home / "mail"}
  data, logs {home}

  Ctrl-C stops it; the data stays.
""",
        flush=True,
    )


def say(text: str) -> None:
    """Show progress."""
    print(f"demo: {text}" if text else "", file=sys.stderr, flush=True)  # noqa: T201 - progress


def _interrupt() -> None:
    raise KeyboardInterrupt
