from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.catalog.model import Meter
from tallystick.metering.cloudevents import BATCH
from tallystick.metering.model import Batch, UsageEvent
from tallystick.metering.prepare import Ages, Prepared, Target, event_key, prepare, read_rules

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = UUID(int=7)
TARGETS = {"cust-1": Target(ACCOUNT, NOW)}


def meter(code: str, event_type: str, summed: str | None) -> Meter:
    return Meter(
        meter_id=UUID(int=1), code=code, name=code, unit="unit", event_type=event_type,
        aggregation="sum" if summed else "count", property=summed, created_at=NOW,
    )  # fmt: skip


RULES = read_rules(
    [meter("calls", "call", None), meter("tokens", "call", "n"), meter("seats", "seat", None)]
)


def prepared(**fields: Any) -> Prepared:
    told = {"source": "s", "id": "1", "type": "call", "subject": "cust-1", "at": NOW}
    event = UsageEvent(**{**told, "properties": {"n": 1}, **fields})
    return prepare(Batch(BATCH, [event]), TARGETS, RULES, NOW)


def faults(**fields: Any) -> list[tuple[str, str]]:
    return [
        (fault.field, fault.code) for found in prepared(**fields).faults.values() for fault in found
    ]


def test_a_sound_event_becomes_a_row() -> None:
    made = prepared(properties={"n": Decimal("1.50"), "m": "x"})
    assert made.rows == [
        (ACCOUNT, event_key("s", "1"), NOW, "call", "s", "1", '{"n":1.50,"m":"x"}')
    ]
    assert (made.indexes, made.unmatched, made.faults) == ([0], {}, {})


def test_an_event_without_an_instant_happened_when_it_arrived() -> None:
    assert prepared(at=None).rows[0][2] == NOW


def test_an_event_may_name_a_meter_instead_of_its_type() -> None:
    assert prepared(type="", meter="tokens").rows[0][3] == "call"


def test_what_matches_nobody_is_told_and_not_written() -> None:
    events = [
        UsageEvent(source="s", id="1", type="call", subject="nobody"),
        UsageEvent(source="s", id="2", type="nothing", subject="cust-1"),
        UsageEvent(source="s", id="3", meter="nothing", subject="cust-1"),
        UsageEvent(source="s", id="4", type="seat", subject="cust-1"),
    ]
    made = prepare(Batch(BATCH, events), TARGETS, RULES, NOW)
    assert made.unmatched == {0: "unknown_subject", 1: "unknown_type", 2: "unknown_type"}
    assert made.indexes == [3]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW + timedelta(hours=1, microseconds=1), "in_the_future"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "in_the_future"),
        (datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=-14))), "in_the_future"),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "too_early"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "too_early"),
    ],
)
def test_an_instant_out_of_bounds_is_refused(at: datetime, code: str) -> None:
    assert faults(at=at) == [("[0].time", code)]


@pytest.mark.parametrize("at", [NOW + timedelta(hours=1), datetime(1970, 1, 1, tzinfo=UTC)])
def test_an_instant_at_the_bound_is_taken(at: datetime) -> None:
    assert faults(at=at) == []


@pytest.mark.parametrize(
    ("properties", "code"),
    [({}, "missing"), ({"n": None}, "missing"), ({"n": -1}, "negative_quantity"),
     ({"n": "x"}, "not_a_number"), ({"n": True}, "not_a_number"), ({"n": 10**15}, "too_large")],
)  # fmt: skip
def test_a_property_that_a_meter_can_not_sum_is_refused(
    properties: dict[str, Any], code: str
) -> None:
    assert faults(properties=properties) == [("[0].data.n", code)]


def test_how_old_and_how_far_ahead_an_event_may_be_is_configurable() -> None:
    ages = Ages(ahead_max=timedelta(0), age_max=timedelta(days=2))
    at = (
        NOW,
        NOW + timedelta(microseconds=1),
        NOW - timedelta(days=2),
        NOW - timedelta(days=2, seconds=1),
    )
    events = [
        UsageEvent(source="s", id=str(one), type="seat", subject="cust-1", at=one) for one in at
    ]
    made = prepare(Batch(BATCH, events), TARGETS, RULES, NOW, ages)
    codes = {index: fault.code for index, (fault,) in made.faults.items()}
    assert codes == {1: "in_the_future", 3: "too_old"}


def test_an_event_that_matches_nobody_has_its_age_too() -> None:
    events = [
        UsageEvent(source="s", id="1", type="seat", subject="nobody", at=NOW + timedelta(days=1))
    ]
    made = prepare(Batch(BATCH, events), TARGETS, RULES, NOW)
    assert [fault.code for fault in made.faults[0]] == ["in_the_future"]


def test_a_fault_points_at_the_place_in_the_request() -> None:
    event = UsageEvent(source="s", id="1", type="call", subject="cust-1")
    made = prepare(Batch(BATCH, [event], places=[7]), TARGETS, RULES, NOW)
    assert made.faults[0][0].field == "[7].data.n"


def test_a_type_that_is_only_counted_needs_no_property() -> None:
    assert faults(type="seat", properties={}) == []


def test_keys_differ_where_source_or_id_differ() -> None:
    keys = {event_key("a", "bc"), event_key("ab", "c"), event_key("abc", ""), event_key("a", "b")}
    assert len(keys) == 4
    # Stored keys must be found again by every later version.
    assert str(event_key("gateway", "1")) == "17a839b4-86be-b906-e784-d94035bb973b"
