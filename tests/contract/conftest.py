"""ClickHouse in this process, by chDB: the same SQL engine; one for each test process."""

import tempfile
from collections.abc import Iterator

import pytest
from clickhouse_connect import get_client
from clickhouse_connect.driver.exceptions import Error

from tallystick.metering.clickhouse_client import ClickHouse


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[ClickHouse]:
    """An engine with our tables; accounts are new in every test, so the tables are shared."""
    with tempfile.TemporaryDirectory(prefix="tallystick-chdb-") as folder:
        client = get_client(interface="chdb", path=folder)
        server = ClickHouse(client, Error, threads_max=1)
        client.command(server.schema())
        yield server
        client.close()
