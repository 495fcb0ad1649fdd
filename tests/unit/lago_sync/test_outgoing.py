"""What a stored event looks like on its way to Lago."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, MeterFilter
from tallystick.lago_sync.outgoing import compensation, outgoing, timestamp
from tallystick.metering.walk_model import StoredEvent

AT = datetime(2026, 2, 10, 8, 30, 0, 678901, tzinfo=UTC)
ACME = UUID(int=0xA)
ACCOUNT = Account(
    account_id=ACME, name="Acme", email="a@example.com", currency="USD", timezone="UTC",
    country="US", locale="en-US", created_at=AT, external_id="acme",
)  # fmt: skip
PREFIX = "acct_0000000000000000000000000a.0000000000000000000000000000000f"


def event(properties: str = '{"n": 5}', event_type: str = "call") -> StoredEvent:
    return StoredEvent(
        account_id=ACME, key=UUID(int=0xF), at=AT, event_type=event_type, source="gw",
        event_id="1", properties=properties, tx=7,
    )  # fmt: skip


def meter(code: str = "tokens", **changes: Any) -> Meter:
    told = {"aggregation": "sum", "property": "n", "event_type": "call", **changes}
    return Meter(
        meter_id=UUID(int=len(code)), code=code, name=code, unit="unit", created_at=AT, **told
    )


def sent(*meters: Meter, properties: str = '{"n": 5}', named: bool = True) -> list[Any]:
    accounts = {ACME: ACCOUNT} if named else {}
    return [json.loads(row.event) for row in outgoing([event(properties)], meters, accounts)]


def test_an_event_is_sent_once_for_each_meter_that_counts_it() -> None:
    told = sent(meter(), meter("calls", aggregation="count", property=None),
                meter("others", event_type="other"))  # fmt: skip
    assert told == [
        {
            "transaction_id": f"{PREFIX}.{code}",
            "external_subscription_id": "acme",
            "code": code,
            "timestamp": "1770712200.678901",
            "properties": {"n": "5"},
        }
        for code in ("tokens", "calls")
    ]


def test_an_account_without_a_name_of_its_own_is_called_by_its_id() -> None:
    (told,) = sent(meter(), named=False)
    assert told["external_subscription_id"] == "acct_0000000000000000000000000a"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.1", "0.1"),
        ("123456789012345.123456789012", "123456789012345.123456789012"),
        ("1e3", "1000"),
        ('"7.50"', "7.50"),
    ],
)
def test_numbers_go_as_text_for_lago_would_make_floats_of_them(
    written: str, expected: object
) -> None:
    (told,) = sent(meter(), properties=f'{{"n": {written}}}')
    assert told["properties"] == {"n": expected}


def test_what_is_no_number_goes_as_it_came() -> None:
    told = sent(meter(), properties='{"n": 1, "on": true, "list": ["x"], "none": null}')
    assert told[0]["properties"] == {"n": "1", "on": True, "list": ["x"], "none": None}


@pytest.mark.parametrize("properties", ["{}", '{"n": "junk"}', '{"n": -5}', '{"n": [1]}'])
def test_what_counts_nothing_is_not_sent(properties: str) -> None:
    assert sent(meter(), properties=properties) == []


def test_an_amount_that_came_with_the_event_goes_with_it() -> None:
    (told,) = sent(meter(), properties='{"n": 1, "precise_total_amount_cents": "12.5"}')
    assert told["precise_total_amount_cents"] == "12.5"


@pytest.mark.parametrize(
    ("operator", "values", "properties", "counts"),
    [
        ("is", ("x", "5"), '{"p": "x"}', True),
        ("is", ("x", "5"), '{"p": 5}', True),
        ("is", ("true",), '{"p": true}', True),
        ("is", ("x",), "{}", False),
        ("is", ("x",), '{"p": ["x"]}', False),
        ("is_not", ("x",), '{"p": "x"}', False),
        ("is_not", ("x",), "{}", True),
        ("exists", (), '{"p": 0}', True),
        ("exists", (), '{"p": null}', False),
        ("is_absent", (), "{}", True),
    ],
)
def test_what_a_filter_keeps_out_is_not_sent(
    operator: Any, values: tuple[str, ...], properties: str, *, counts: bool
) -> None:
    wanted = MeterFilter(property="p", operator=operator, values=values)
    told = properties.replace("{", '{"n": 1, ').replace(", }", "}")
    assert bool(sent(meter(filters=(wanted,)), properties=told)) is counts


def test_taking_an_event_back_is_an_event_of_the_opposite_value() -> None:
    row = compensation(event('{"n": 2.5, "model": "x"}'), meter(), ACCOUNT)
    assert row is not None
    told = json.loads(row.event)
    assert told["transaction_id"] == f"{PREFIX}.tokens.void"
    assert told["timestamp"] == "1770712200.678901"
    assert told["properties"] == {"n": "-2.5", "model": "x"}


def test_what_never_counted_is_not_taken_back() -> None:
    assert compensation(event(event_type="other"), meter(), ACCOUNT) is None
    assert compensation(event('{"n": 0}'), meter(), ACCOUNT) is None
    assert compensation(event('{"n": "junk"}'), meter(), ACCOUNT) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"aggregation": "count", "property": None},
        {"aggregation": "max"},
        {"aggregation": "latest"},
    ],
)
def test_what_no_event_can_take_back_says_so(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tokens"):
        compensation(event(), meter(**changes), ACCOUNT)


def test_instants_keep_their_microseconds() -> None:
    assert timestamp(datetime(1970, 1, 1, tzinfo=UTC)) == "0.000000"
    assert timestamp(datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == "1767225600.000001"
    assert Decimal(timestamp(AT)) == Decimal("1770712200.678901")
