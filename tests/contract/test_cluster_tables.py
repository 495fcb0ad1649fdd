"""The tables for a cluster are those of one server: the same columns, read by the same engine."""

from importlib.resources import files

import pytest

from tallystick.metering.clickhouse_client import ClickHouse

FOLDER = files("tallystick.metering") / "clickhouse"
LOCAL, DISTRIBUTED = (
    one.strip() for one in (FOLDER / "cluster.sql").read_text().split(";") if one.strip()
)
ALONE = (FOLDER / "single_node.sql").read_text()


def columns(statement: str) -> str:
    """What stands between the table's parentheses."""
    return statement.partition("(\n")[2].partition("\n)")[0]


def settings(statement: str) -> str:
    return statement.partition("ORDER BY")[2].strip()


def test_a_shard_keeps_what_one_server_keeps() -> None:
    assert columns(LOCAL) == columns(ALONE)
    assert settings(LOCAL) == settings(ALONE)
    assert "ReplicatedReplacingMergeTree(" in LOCAL
    assert "'{replica}', fence)" in LOCAL


def test_an_accounts_events_are_on_one_shard() -> None:
    assert "usage_events_local, cityHash64(account_id))" in DISTRIBUTED
    assert DISTRIBUTED.startswith("CREATE TABLE IF NOT EXISTS usage_events ON CLUSTER")


@pytest.mark.parametrize("statement", [LOCAL, DISTRIBUTED], ids=["shard", "distributed"])
def test_clickhouse_can_read_it(clickhouse: ClickHouse, statement: str) -> None:
    shown = clickhouse._client.command(f"EXPLAIN AST {statement}")
    assert "CreateQuery" in str(shown)
