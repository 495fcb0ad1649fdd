"""Both stores of usage, PostgreSQL and ClickHouse, hold what the port promises, to the microsecond.

Against the model of `tests/property/test_usage_rollups.py`, which knows neither.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tallystick.kernel.db import WRITER, account_scope, open_database
from tallystick.metering import service
from tallystick.metering.clickhouse_client import ClickHouse
from tallystick.metering.clickhouse_store import ClickHouseUsage
from tallystick.metering.model import Status
from tallystick.metering.prepare import Row, event_key
from tallystick.metering.usage_store import UsageStore
from tallystick.metering.write import write
from tests.property.test_usage_rollups import (
    ENCODE,
    END,
    INSTANTS,
    PROPERTIES,
    Event,
    RollUps,
    passes,
    value_of,
)

STORES = ("postgresql", "clickhouse")
SENT = st.lists(
    st.tuples(st.integers(0, 30), INSTANTS, PROPERTIES, st.booleans()), min_size=1, max_size=10
)


def store_of(name: str, clickhouse: ClickHouse) -> UsageStore | None:
    """Return what stands beside PostgreSQL."""
    return ClickHouseUsage(clickhouse) if name == "clickhouse" else None


class Store(RollUps):
    """Roll-ups or not: the same events, by the way that ingest takes, and the same reads."""

    @rule(sent=SENT)
    def send(self, sent: list[tuple[int, datetime, dict[str, Any], bool]]) -> None:
        rows: list[Row] = []
        expected: list[str] = []
        for number, at, properties, _ in sent:
            event = Event(UUID(bytes=event_key(self.kind, str(number)).bytes), at, properties)
            rows.append(self.row(event))
            first = self.stored.get(event.key)
            is_same = first is not None and (
                properties == first.properties and (at == first.at or not sent[len(expected)][3])
            )
            expected.append("duplicate" if is_same else "conflict" if first else "accepted")
            self.stored.setdefault(event.key, event)
        stated = [at if is_stated else None for _, at, _, is_stated in sent]
        assert self.run(self.write(rows, stated)) == [Status(told) for told in expected]

    def row(self, event: Event) -> Row:
        said = ENCODE(event.properties).decode()
        return (self.account_id, event.key, event.at, self.kind, "s", "1", said)

    async def write(
        self, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> Sequence[Status]:
        async with self.db.transaction(WRITER) as conn:
            return await write(conn, rows, stated, END)

    @rule(one=INSTANTS, other=INSTANTS, shares=st.lists(st.decimals(0, 1, places=3), max_size=3))
    def read_percentiles(self, one: datetime, other: datetime, shares: list[Decimal]) -> None:
        start, end = sorted((one, other))

        async def read(meter: Any) -> Sequence[Decimal | None]:
            async with self.db.transaction(account_scope(self.account_id)) as conn:
                return await service.percentiles(
                    conn, self.account_id, meter, start, end, shares=shares
                )

        for meter in self.meters:
            if meter.aggregation == "unique_count":
                continue
            inside = [e for e in self.counted() if start <= e.at < end and passes(meter, e)]
            values = sorted(v for e in inside if (v := value_of(meter, e)) is not None)
            told = [
                values[max(1, ceil(share * len(values))) - 1] if values else None
                for share in shares
            ]
            assert list(self.run(read(meter))) == told


@pytest.mark.parametrize("name", STORES)
def test_totals_are_what_a_plain_reading_gives_whatever_happens(
    dsn: str, clickhouse: ClickHouse, name: str
) -> None:
    beside = store_of(name, clickhouse)
    Store.loop = asyncio.new_event_loop()
    Store.db = Store.loop.run_until_complete(open_database(dsn, connections_max=4, beside=beside))
    try:
        run_state_machine_as_test(
            Store,
            settings=settings(
                max_examples=20,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        Store.loop.run_until_complete(Store.db.close())
        Store.loop.close()
