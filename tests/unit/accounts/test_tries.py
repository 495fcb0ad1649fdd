from datetime import UTC, datetime, timedelta

import pytest

from tallystick.accounts.tries import (
    PAIR_TRIES_MAX,
    SINGLE_TRIES_MAX,
    WINDOW,
    FailedTries,
)
from tallystick.kernel.errors import TooMany

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def fail(tries: FailedTries, count: int, email: str = "a@x", address: str = "1.1.1.1") -> None:
    for number in range(count):
        tries.begin(email, address, NOW + number * SECOND)


def test_the_eleventh_try_within_a_quarter_of_an_hour_is_refused() -> None:
    tries = FailedTries()
    fail(tries, PAIR_TRIES_MAX)
    with pytest.raises(TooMany) as caught:
        tries.begin("a@x", "1.1.1.1", NOW + 60 * SECOND)
    assert caught.value.extra["retry_after"] == 14 * 60


def test_it_is_allowed_again_when_the_first_try_is_old_enough() -> None:
    tries = FailedTries()
    fail(tries, PAIR_TRIES_MAX)
    with pytest.raises(TooMany) as caught:
        tries.begin("a@x", "1.1.1.1", NOW + WINDOW - SECOND / 2)
    assert caught.value.extra["retry_after"] == 1
    tries.begin("a@x", "1.1.1.1", NOW + WINDOW)
    with pytest.raises(TooMany):
        tries.begin("a@x", "1.1.1.1", NOW + WINDOW)


def test_a_refused_try_does_not_prolong_the_wait() -> None:
    tries = FailedTries()
    fail(tries, PAIR_TRIES_MAX)
    for number in range(500):
        with pytest.raises(TooMany):
            tries.begin("a@x", "1.1.1.1", NOW + 60 * SECOND + number * SECOND)
    tries.begin("a@x", "1.1.1.1", NOW + WINDOW)


def test_a_stranger_does_not_lock_a_person_out_who_comes_from_elsewhere() -> None:
    tries = FailedTries()
    fail(tries, PAIR_TRIES_MAX)
    tries.begin("a@x", "2.2.2.2", NOW)
    tries.begin("b@x", "1.1.1.1", NOW)


def test_one_address_guessing_at_many_people_is_refused() -> None:
    tries = FailedTries()
    for number in range(SINGLE_TRIES_MAX):
        tries.begin(f"{number}@x", "1.1.1.1", NOW)
    with pytest.raises(TooMany):
        tries.begin("new@x", "1.1.1.1", NOW)
    tries.begin("new@x", "2.2.2.2", NOW)


def test_many_addresses_guessing_at_one_person_are_refused() -> None:
    tries = FailedTries()
    for number in range(SINGLE_TRIES_MAX):
        tries.begin("a@x", f"1.1.1.{number}", NOW)
    with pytest.raises(TooMany):
        tries.begin("a@x", "2.2.2.2", NOW)


def test_a_success_does_not_count() -> None:
    tries = FailedTries()
    for number in range(3 * SINGLE_TRIES_MAX):
        at = NOW + number * timedelta(milliseconds=1)
        tries.begin("a@x", "1.1.1.1", at)
        tries.succeeded("a@x", "1.1.1.1", at)


def test_a_success_of_ones_own_does_not_free_ones_guesses_at_others() -> None:
    tries = FailedTries()
    fail(tries, PAIR_TRIES_MAX, "victim@x")
    tries.begin("own@x", "1.1.1.1", NOW)
    tries.succeeded("own@x", "1.1.1.1", NOW)
    with pytest.raises(TooMany):
        tries.begin("victim@x", "1.1.1.1", NOW + 60 * SECOND)


def test_what_is_remembered_is_bounded_and_the_newest_stays() -> None:
    tries = FailedTries(keys_max=30)
    for number in range(200):
        tries.begin(f"{number}@x", f"{number}", NOW)
    fail(tries, PAIR_TRIES_MAX)
    assert len(tries._tries) <= 30
    with pytest.raises(TooMany):
        tries.begin("a@x", "1.1.1.1", NOW + 60 * SECOND)
