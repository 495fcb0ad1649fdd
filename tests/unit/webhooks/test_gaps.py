"""When a gateway is asked for its events."""

from datetime import UTC, datetime, timedelta

import pytest

from tallystick.webhooks.gaps import OVERLAP, ask_since, reason_to_ask
from tallystick.webhooks.model import Signs

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALM = Signs(checked_until=NOW - HOUR, finished_at=NOW - HOUR, last_received_at=NOW - HOUR)


def waiting(since: timedelta, heard: timedelta, asked: timedelta) -> Signs:
    return Signs(
        checked_until=NOW - DAY,
        oldest_open_at=NOW - since,
        last_received_at=NOW - heard,
        finished_at=NOW - asked,
    )


def test_a_gateway_where_nothing_ever_was_is_not_asked() -> None:
    assert reason_to_ask(Signs(), NOW, started=True) is None


def test_after_a_start_it_is_asked_once() -> None:
    assert reason_to_ask(CALM, NOW, started=True) == "start"
    assert reason_to_ask(CALM, NOW, started=False) is None


def test_what_another_process_has_just_asked_is_not_asked_again() -> None:
    just = Signs(checked_until=NOW - MINUTE, finished_at=NOW - MINUTE)
    assert reason_to_ask(just, NOW, started=True) is None


@pytest.mark.parametrize(
    ("signs", "reason"),
    [
        (waiting(16 * MINUTE, 16 * MINUTE, 16 * MINUTE), "silence"),
        (waiting(DAY, HOUR, HOUR), "silence"),
        (waiting(MINUTE, HOUR, HOUR), None),
        (waiting(HOUR, MINUTE, HOUR), None),
        (waiting(HOUR, HOUR, MINUTE), None),
    ],
)
def test_silence_counts_while_a_charge_waits(signs: Signs, reason: str | None) -> None:
    assert reason_to_ask(signs, NOW, started=False) == reason


def test_it_is_asked_once_a_day_in_any_case() -> None:
    busy = Signs(checked_until=NOW - DAY, finished_at=NOW - DAY, last_received_at=NOW)
    assert reason_to_ask(busy, NOW, started=False) == "regular"


@pytest.mark.parametrize(
    ("signs", "since"),
    [
        (Signs(checked_until=NOW - DAY, first_received_at=NOW - 9 * DAY), NOW - DAY),
        (Signs(first_received_at=NOW - 9 * DAY, oldest_open_at=NOW - 8 * DAY), NOW - 9 * DAY),
        (Signs(oldest_open_at=NOW - 8 * DAY), NOW - 8 * DAY),
        (Signs(), NOW),
    ],
)
def test_it_is_asked_since_all_was_known_and_a_little_more(signs: Signs, since: datetime) -> None:
    assert ask_since(signs, NOW) == since - OVERLAP
