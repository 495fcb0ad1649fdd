"""What follows from an answer."""

from datetime import UTC, datetime, timedelta

import pytest

from tallystick.outgoing_webhooks.model import Answer
from tallystick.outgoing_webhooks.schedule import (
    TRIES_MAX,
    WAITS,
    Again,
    Arrived,
    GivenUp,
    follow_up,
    is_hopeless,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def answer(code: int | None) -> Answer:
    error = "timeout" if code is None else None
    return Answer(duration=timedelta(seconds=1), status_code=code, error=error)


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_a_success_is_the_end(code: int) -> None:
    assert follow_up(answer(code), 1, NOW, 0.5) == Arrived()


@pytest.mark.parametrize("code", [None, 100, 300, 302, 400, 401, 404, 429, 500, 503])
def test_everything_else_is_tried_again(code: int | None) -> None:
    assert follow_up(answer(code), 1, NOW, 0.0) == Again(NOW + timedelta(seconds=5))


def test_the_tries_span_three_days_and_grow() -> None:
    assert list(WAITS) == sorted(WAITS)
    assert timedelta(days=3) < sum(WAITS, timedelta()) < timedelta(days=4)


def test_the_last_try_gives_up() -> None:
    assert isinstance(follow_up(answer(500), TRIES_MAX - 1, NOW, 0.0), Again)
    assert follow_up(answer(500), TRIES_MAX, NOW, 0.0) == GivenUp()


def test_gone_gives_up_at_once() -> None:
    assert follow_up(answer(410), 1, NOW, 0.0) == GivenUp(gone=True)


def test_waits_are_spread_by_a_tenth_at_most() -> None:
    later = follow_up(answer(500), 2, NOW, 0.999)
    assert isinstance(later, Again)
    assert timedelta(minutes=5) < later.at - NOW < timedelta(minutes=5.5)


def test_five_days_of_nothing_but_failures_are_hopeless() -> None:
    assert is_hopeless(NOW - timedelta(days=5), NOW)
    assert not is_hopeless(NOW - timedelta(days=4, hours=23), NOW)
