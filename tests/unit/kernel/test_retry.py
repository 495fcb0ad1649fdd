from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.due import retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_waits_double_from_two_seconds() -> None:
    waits = [(retry_after(NOW, count) - NOW).total_seconds() for count in (1, 2, 3, 4)]
    assert waits == [2, 4, 8, 16]


@given(st.integers(min_value=0, max_value=10**9))
def test_a_wait_is_never_shorter_than_the_one_before_nor_above_an_hour(count: int) -> None:
    assert retry_after(NOW, count) <= retry_after(NOW, count + 1) <= NOW + timedelta(hours=1)
    assert retry_after(NOW, count) > NOW
