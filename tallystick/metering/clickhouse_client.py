"""The driver of ClickHouse: blocking calls in threads, errors in our words, one address.

`clickhouse-connect` is imported when a store is opened, for it is an extra.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import structlog

from tallystick.kernel.errors import SetupError, Unavailable

log = structlog.get_logger()
T = TypeVar("T")

THREADS_MAX: Final = 8
CONNECT_TIMEOUT_S: Final = 5
ANSWER_TIMEOUT_S: Final = 50
"""Less than what a statement of PostgreSQL may take, whose transaction waits meanwhile."""
QUERY_BYTES_MAX: Final = 64 * 1024 * 1024

# An insert is answered when it is on disk, on most replicas where there are several, and on the
# shard it belongs to; a read sees all that was answered. What a single server has none of, it
# ignores.
SETTINGS: Final = {
    "async_insert": 0,
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "distributed_foreground_insert": 1,
    "select_sequential_consistency": 1,
    "max_query_size": QUERY_BYTES_MAX,
}
_CODE: Final = re.compile(r"[Cc]ode: ([0-9]+)")
_AWAY: Final = "Usage can not be reached right now; nothing is lost, try again shortly."


class ClickHouse:
    """One server or cluster; safe for many tasks at once."""

    def __init__(self, client: Any, error: type[Exception], threads_max: int = THREADS_MAX) -> None:
        self._client = client
        self._error = error
        self._threads = ThreadPoolExecutor(threads_max, thread_name_prefix="clickhouse")

    async def fetch(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of a query; raises Unavailable `usage_store_unavailable`."""
        query = partial(self._client.query, sql, parameters=parameters, settings=SETTINGS)
        found = await self._run(query)
        return found.result_rows  # type: ignore[no-any-return]  # the client is imported late

    async def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Write rows in one block; raises Unavailable, and whether they were written is unknown."""
        await self._run(
            partial(self._client.insert, table, rows, column_names=columns, settings=SETTINGS)
        )

    async def make_tables(self) -> None:
        """Make what is missing; safe to run by several at once."""
        await self._run(partial(self._client.command, self.schema()))

    @staticmethod
    def schema() -> str:
        """Return the statement that makes the table on a single server."""
        folder = resources.files("tallystick.metering") / "clickhouse"
        return (folder / "single_node.sql").read_text()

    async def has_tables(self) -> bool:
        """Return whether the tables are there."""
        found = await self.fetch("EXISTS TABLE usage_events", {})
        return bool(found[0][0])

    async def close(self) -> None:
        """Wait for running calls and close all connections."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self._threads.shutdown()
        self._client.close()

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (self._error, OSError) as error:
            # Never the message: it may hold the query, and in it what an event said.
            found = _CODE.search(str(error))
            code = found[1] if found else None
            log.warning("usage_store_failed", error=type(error).__name__, code=code)
            raise Unavailable("usage_store_unavailable", _AWAY, extra={"retry_after": 1}) from error


def open_clickhouse(url: str) -> ClickHouse:
    """Open the server of a URL, which blocks; raises SetupError.

    `clickhouse_missing` when the driver is not installed, `usage_store_unavailable` when the
    server does not answer or refuses us. `USAGE_STORE_URL` is checked by the settings.
    """
    try:
        from clickhouse_connect import get_client  # noqa: PLC0415 - an extra
        from clickhouse_connect.driver.exceptions import Error  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SetupError(
            "clickhouse_missing", "USAGE_STORE_URL needs `pip install tallystick[clickhouse]`."
        ) from error
    try:
        client = get_client(
            **dict(_address(url)),
            autogenerate_session_id=False,  # one session takes one query at a time
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=ANSWER_TIMEOUT_S,
            query_limit=0,
        )
    except (Error, OSError) as error:
        raise SetupError(
            "usage_store_unavailable",
            "The server of USAGE_STORE_URL does not answer, or does not know this user,"
            " password or database.",
        ) from error
    return ClickHouse(client, Error)


def _address(url: str) -> Iterator[tuple[str, Any]]:
    parts = urlsplit(url)
    is_secure = parts.scheme == "clickhouses"
    yield "host", parts.hostname
    yield "port", parts.port or (8443 if is_secure else 8123)
    yield "secure", is_secure
    yield "username", unquote(parts.username or "default")
    yield "password", unquote(parts.password or "")
    yield "database", parts.path.strip("/") or "default"
