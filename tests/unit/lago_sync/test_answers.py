"""What Lago's answers mean for what was sent."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.backoff import wait_after
from tallystick.lago_sync.answers import (
    CurrentUsage,
    Faulty,
    Later,
    NoUsage,
    Stored,
    Whole,
    read_batch,
    read_usage,
)
from tallystick.lago_sync.model import Outgoing
from tallystick.lago_sync.sender import Verdict, verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROWS = tuple(Outgoing(UUID(int=1), str(number), "{}") for number in range(3))


def told(status: int, body: object, **headers: str) -> Any:
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_batch(status, shown, json.dumps(body).encode(), 3, NOW)


def details(found: object) -> dict[str, object]:
    return {"status": 422, "code": "validation_errors", "error_details": found}


def test_a_list_of_all_events_is_success() -> None:
    assert told(200, {"events": [{}, {}, {}]}) == Stored()


@pytest.mark.parametrize("body", [{}, {"events": []}, "<html>", {"events": [{}]}])
def test_a_success_that_does_not_list_the_events_is_none(body: object) -> None:
    assert isinstance(told(200, body), Later)


def test_positions_tell_what_is_there_already_and_what_is_wrong() -> None:
    found = {
        "0": {"transaction_id": ["value_already_exist"]},
        "2": {"timestamp": ["invalid_format"]},
    }
    answer = told(422, details(found))
    assert answer == Faulty({0: None, 2: '{"timestamp":["invalid_format"]}'})
    assert verdict(ROWS, answer) == Verdict(
        done=(ROWS[0],), refused={ROWS[2]: '{"timestamp":["invalid_format"]}'}
    )


@pytest.mark.parametrize(
    "found", [{"events": ["too_many_events"]}, {"7": {"code": ["x"]}}, {"0": {}, "x": {}}, [], None]
)
def test_a_refusal_without_our_positions_is_about_the_whole(found: object) -> None:
    assert isinstance(told(422, details(found)), Whole)


def test_a_refusal_of_the_whole_is_about_an_event_only_if_it_is_the_only_one() -> None:
    assert verdict(ROWS, Whole("no")) == Verdict()
    assert verdict(ROWS[:1], Whole("no")) == Verdict(refused={ROWS[0]: "no"})


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 502, 503, 520, 599])
def test_anything_else_is_tried_again_later(status: int) -> None:
    assert isinstance(told(status, {}), Later)


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"retry_after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"retry_after": "soon"}, None),
        ({"x_ratelimit_reset": "12"}, 12),
        ({}, None),
    ],
)
def test_the_server_may_say_when(headers: dict[str, str], asked: int | None) -> None:
    assert told(429, {}, **headers).asked_s == asked


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=40)
    | st.recursive(
        st.none() | st.text(max_size=5) | st.integers(-5, 5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error_details", "events", "0", "9", "x"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_whatever_comes_back_is_an_answer(status: int, body: bytes) -> None:
    read_batch(status, {}, body, 3, NOW)
    read_usage(status, {}, body, NOW)


def usage(**changes: Any) -> bytes:
    charges = [
        {"units": units, "billable_metric": {"code": code}}
        for code, units in (("tokens", "12.50"), ("tokens", "12.5"), ("calls", "3.0"))
    ]
    shown = {
        "from_datetime": "2026-03-01T00:00:00Z",
        "to_datetime": "2026-03-31T23:59:59Z",
        "charges_usage": charges,
    }
    return json.dumps({"customer_usage": {**shown, **changes}}).encode()


def test_current_usage_is_read_with_a_half_open_period() -> None:
    assert read_usage(200, {}, usage(), NOW) == CurrentUsage(
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
        {"tokens": Decimal("12.5"), "calls": Decimal(3)},
    )


@pytest.mark.parametrize(
    ("status", "code"), [(404, "customer_not_found"), (405, "no_active_subscription")]
)
def test_an_unknown_customer_is_said_so(status: int, code: str) -> None:
    body = json.dumps({"status": status, "code": code}).encode()
    assert read_usage(status, {}, body, NOW) == NoUsage(code)


def test_usage_that_can_not_be_read_is_tried_again() -> None:
    assert isinstance(read_usage(200, {}, usage(charges_usage=[{"units": "x"}]), NOW), Later)


@given(st.integers(0, 10_000), st.none() | st.integers(0, 10**9), st.data())
def test_waits_grow_to_a_bound_and_are_never_shorter_than_asked(
    count: int, asked: int | None, data: st.DataObject
) -> None:
    wait = wait_after(count, asked, lambda below: data.draw(st.integers(0, below - 1)))
    assert timedelta(seconds=min(asked or 0, 3600)) <= wait <= timedelta(hours=1)
    assert wait >= min(timedelta(seconds=2 ** min(count, 10)) / 2, timedelta(minutes=5))


def test_the_first_waits_double() -> None:
    longest = [wait_after(count, None, lambda below: below - 1) for count in range(1, 6)]
    assert [wait.total_seconds() for wait in longest] == [2, 4, 8, 16, 32]
