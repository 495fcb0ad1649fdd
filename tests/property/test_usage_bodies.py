"""Whatever bytes come in as events: events go on, and everything else is BadInput."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import BadInput
from tallystick.metering.model import Batch
from tallystick.metering.prepare import Target, prepare, read_rules
from tallystick.metering.requests import read_events, read_lago_events

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONTENT_TYPES = st.sampled_from(
    ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"]
)
NAMES = [
    "id", "source", "type", "subject", "specversion", "time", "data", "meter", "properties",
    "event", "events", "transaction_id", "code", "timestamp", "external_subscription_id",
    "external_customer_id", "precise_total_amount_cents", "data_base64",
]  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1.0", "2026-01-02T03:04:05Z", "1767323045.5", "call", "cust-1", "\0"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=8)
    ),
    max_leaves=20,
)
EVENT: dict[str, Any] = {
    "id": "1", "source": "s", "type": "call", "subject": "cust-1", "specversion": "1.0",
}  # fmt: skip
NEARLY = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3).map(lambda got: EVENT | got)
RULES = read_rules(
    [
        Meter(
            meter_id=UUID(int=1), code="tokens", name="tokens", unit="unit", event_type="call",
            aggregation="sum", property="n", created_at=NOW,
        )
    ]
)  # fmt: skip


def read(content_type: str, body: bytes) -> Batch | None:
    with suppress(BadInput):
        batch = read_events(content_type, body, each=True)
        positions = sorted([*batch.positions, *batch.invalid])
        assert positions == list(range(len(positions)))
        return batch
    return None


def keep(batch: Batch) -> None:
    """Prepare what was read, as the ingest would: it must not fail either."""
    targets = {event.subject: Target(UUID(int=1), NOW) for event in batch.events}
    made = prepare(batch, targets, RULES, NOW)
    assert len(made.rows) + len({*made.unmatched, *made.faults}) == len(batch.events)
    for row in made.rows:
        assert "\\u0000" not in row[6].replace("\\\\", "")
        assert "\0" not in "".join((row[3], row[4], row[5]))
        assert isinstance(msgspec.json.decode(row[6]), dict)


@given(CONTENT_TYPES, st.binary(max_size=64))
@example("application/json", b"[" * 100_000)
@example("application/json", b'{"event":' * 100_000)
@example("application/json", b'{"events":[{"transaction_id":1e999999999999}]}')
def test_bytes_are_events_or_bad_input(content_type: str, body: bytes) -> None:
    batch = read(content_type, body)
    if batch is not None:
        keep(batch)


@given(CONTENT_TYPES, VALUES | NEARLY | st.lists(NEARLY, max_size=3))
def test_any_json_is_events_or_bad_input(content_type: str, value: Any) -> None:
    for told in (value, {"event": value}, {"events": value}):
        body = msgspec.json.encode(told)
        batch = read(content_type, body)
        if batch is not None:
            keep(batch)
        with suppress(BadInput):
            keep(read_lago_events(body))


@given(NEARLY, st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_damaged_body_is_events_or_bad_input(told: Any, at: int, damage: bytes) -> None:
    body = msgspec.json.encode(told)
    at %= len(body)
    batch = read("application/cloudevents+json", body[:at] + damage + body[at + len(damage) :])
    if batch is not None:
        keep(batch)
