"""The two long-running processes, and the database under them."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from tallystick.app import ServerApp, open_services, open_usage
from tallystick.issuers.checks import missing_parts
from tallystick.issuers.model import Issuer
from tallystick.issuers.service import list_issuers
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, open_database
from tallystick.kernel.embedded import EmbeddedPostgres
from tallystick.kernel.errors import SetupError, Unavailable
from tallystick.kernel.logs import configure_logs
from tallystick.kernel.migrate import migrate, missing_count
from tallystick.lago_sync.client import lago_of
from tallystick.metering.clickhouse_client import open_clickhouse
from tallystick.settings import Settings, problems
from tallystick.taxes import service as taxes
from tallystick.taxes.model import TaxRate
from tallystick.taxes.rules import places_without_rate
from tallystick.work import worker_of

LISTEN_BACKLOG = 2048


@contextmanager
def database(settings: Settings, progress: Callable[[str], None]) -> Iterator[str]:
    """Give the address of the database: the one named, or the embedded one, held meanwhile."""
    if settings.database_url:
        yield settings.database_url
        return
    server = EmbeddedPostgres.start(settings.home, progress=progress)
    try:
        yield server.dsn
    finally:
        server.stop()


def run_server(settings: Settings) -> None:
    """Serve HTTP until told to stop; a port in use is one sentence."""
    configure_logs(json=settings.log_json, level=settings.log_level)
    with listening_socket(settings.host, settings.port) as held, database(settings, _say) as dsn:
        asyncio.run(_prepare(settings, dsn))
        config = uvicorn.Config(
            ServerApp(settings, dsn),
            loop="uvloop",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=10,
        )
        uvicorn.Server(config).run(sockets=[held])


def run_worker(settings: Settings) -> None:
    """Do due work until told to stop."""
    configure_logs(json=settings.log_json, level=settings.log_level)
    with database(settings, _say) as dsn:
        asyncio.run(_prepare(settings, dsn))
        asyncio.run(_work(settings, dsn))


@contextmanager
def listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything else is begun; raises SetupError `port_in_use`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((host, port))
        except OSError as error:
            raise SetupError(
                "port_in_use",
                f"Port {port} on {host} can not be used ({error.strerror}); "
                "stop what listens there, or choose another with --port.",
            ) from error
        held.listen(LISTEN_BACKLOG)
        yield held


async def find_problems(settings: Settings) -> tuple[str, ...]:
    """Return what is wrong with the settings and the database, one sentence each."""
    found = list(problems(settings))
    found += await _ask_lago(settings) if not found else []
    found += await _ask_usage_store(settings)
    if settings.database_url:
        try:
            missing = await missing_count(settings.database_url)
        except SetupError as error:
            found.append(error.detail)
        else:
            if missing:
                found.append(f"The database lacks {missing} migrations; run `tallystick migrate`.")
    return tuple(found)


async def find_hints(settings: Settings) -> tuple[str, ...]:
    """Return what works, and ought to be better.

    No issuer whose invoices say enough; an issuer registered for a tax whose rate is missing, so
    that its invoices wait.
    """
    if not settings.database_url:
        return ()
    db = await open_database(settings.database_url, connections_max=1)
    try:
        async with db.transaction(STAFF) as conn:
            known = await list_issuers(conn)
            rates = await taxes.list_rates(conn, day=system_clock().date())
    finally:
        await db.close()
    standing = [one for one in known if one.retired_at is None]
    return (*_incomplete(standing), *_untaxed(standing, rates))


def _incomplete(standing: Sequence[Issuer]) -> Iterator[str]:
    if any(not missing_parts(one) for one in standing):
        return
    missing = ", ".join(missing_parts(standing[0])) if standing else "everything"
    yield f"No issuer is complete: invoices lack {missing}; see /api/v1/admin/issuers."


def _untaxed(standing: Sequence[Issuer], rates: Sequence[TaxRate]) -> Iterator[str]:
    today = system_clock().date()
    for issuer in standing:
        places = places_without_rate(taxes.seller_of(issuer), rates, today)
        if places:
            yield (
                f"Issuer {issuer.code} is registered for taxes whose rates are missing:"
                f" {', '.join(map(str, places))}. Invoices to buyers there wait for them; run"
                " `tallystick taxes load`, or add them at /api/v1/admin/tax-rates."
            )


async def make_usage_tables(url: str) -> None:
    """Make the tables of usage in ClickHouse; raises SetupError."""
    server = await asyncio.to_thread(open_clickhouse, url)
    try:
        await server.make_tables()
    except Unavailable as error:
        detail = "ClickHouse refused to make the table; may this user CREATE TABLE?"
        raise SetupError(error.code, detail) from error
    finally:
        await server.close()


async def _ask_usage_store(settings: Settings) -> list[str]:
    """Ask ClickHouse, if it is to keep usage, whether it is there and has its table."""
    try:
        usage = await open_usage(settings.usage_store_url)
    except SetupError as error:
        return [error.detail]
    if usage:
        await usage.server.close()
    return []


async def _ask_lago(settings: Settings) -> list[str]:
    """Ask the Lago server whether it takes our key."""
    lago = lago_of(settings.lago_api_url, settings.lago_api_key, system_clock)
    if lago is None:
        return []
    try:
        problem = await lago.find_problem()
    finally:
        await lago.close()
    return [f"LAGO_API_URL: {problem}."] if problem else []


async def _prepare(settings: Settings, dsn: str) -> None:
    """Migrate our own embedded database; someone else's is only looked at."""
    if settings.database_url is None:
        await migrate(dsn, progress=_say)
    elif missing := await missing_count(dsn):
        raise SetupError(
            "migrations_missing",
            f"The database lacks {missing} migrations; run `tallystick migrate` first.",
        )


async def _work(settings: Settings, dsn: str) -> None:
    async with open_services(settings, dsn) as services:
        work = asyncio.create_task(worker_of(services).run())
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            return


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress, for whoever started it
