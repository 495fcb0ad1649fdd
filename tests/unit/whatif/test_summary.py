from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.money.amount import Money
from tallystick.subscriptions.periods import Period
from tallystick.whatif.model import LineChange, Outcome, Summary
from tallystick.whatif.summary import Tally, deciles
from tallystick.whatif.variance import exceeded, percent

JANUARY = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
ONCE = Decimal(1)
AMOUNTS = st.integers(0, 10**12)
LINES = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | AMOUNTS, st.none() | AMOUNTS),
    max_size=3,
    unique_by=lambda line: line[0],
)


def outcome(account: int, *lines: tuple[str, int | None, int | None]) -> Outcome:
    changes = tuple(
        LineChange(price_code=code, meter_code=None, quantity=ONCE, now=eur(now), then=eur(then))
        for code, now, then in lines
    )
    return Outcome(
        account_id=UUID(int=account),
        subscription_id=UUID(int=account),
        plan_version_id=UUID(int=0),
        period=JANUARY,
        now=Money(sum(now or 0 for _, now, _ in lines), "EUR"),
        then=Money(sum(then or 0 for _, _, then in lines), "EUR"),
        lines=changes,
    )


def eur(minor: int | None) -> Money | None:
    return None if minor is None else Money(minor, "EUR")


def summed(outcomes: list[Outcome]) -> Summary:
    tally = Tally()
    for one in outcomes:
        tally.add(one)
    (summary,) = tally.result().summaries
    return summary


@given(st.lists(st.tuples(st.integers(1, 5), LINES), min_size=1, max_size=20))
def test_the_whole_is_the_sum_of_the_rows_and_of_the_lines(
    rows: list[tuple[int, list[tuple[str, int | None, int | None]]]],
) -> None:
    outcomes = [outcome(account, *lines) for account, lines in rows]
    whole = summed(outcomes)
    assert whole.now.minor == sum(one.now.minor for one in outcomes)
    assert whole.then.minor == sum(one.then.minor for one in outcomes)
    assert whole.now.minor == sum(line.now.minor for line in whole.lines)
    assert whole.then.minor == sum(line.then.minor for line in whole.lines)
    assert whole.period_count == len(outcomes)
    assert whole.more_count + whole.less_count + whole.same_count == whole.account_count
    assert whole.account_count == len({account for account, _ in rows})


@given(st.lists(st.integers(-100, 100), min_size=1))
def test_a_decile_is_a_value_that_so_many_do_not_exceed(values: list[int]) -> None:
    for tenth, found in enumerate(deciles(sorted(values)), start=1):
        assert found in values
        assert 10 * sum(one <= found for one in values) >= tenth * len(values)
        assert 10 * sum(one < found for one in values) < tenth * len(values)


def test_the_deciles_of_ten_are_the_first_nine() -> None:
    assert deciles(range(1, 11)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert deciles([]) == []


def test_an_account_counts_by_its_own_whole() -> None:
    """One month 5 more, the next 7 less: it pays 2 less."""
    whole = summed([outcome(1, ("a", 10, 15)), outcome(1, ("a", 10, 3)), outcome(2, ("a", 1, 1))])
    assert (whole.more_count, whole.less_count, whole.same_count) == (0, 1, 1)
    assert whole.lowered is not None
    assert whole.lowered.difference == Money(-2, "EUR")


def test_currencies_are_never_added_up() -> None:
    tally = Tally()
    tally.add(outcome(1, ("a", 10, 15)))
    dollars = Money(3, "USD")
    tally.add(replace(outcome(2), now=dollars, then=dollars))
    assert [one.currency for one in tally.result().summaries] == ["EUR", "USD"]


@pytest.mark.parametrize(
    ("now", "then", "shown"),
    [(300, 301, "0.33"), (300, 200, "-33.33"), (800, 801, "0.13"), (5, 5, "0.00"), (0, 5, "None")],
)
def test_the_percentage_has_two_decimals(now: int, then: int, shown: str) -> None:
    assert str(percent(summed([outcome(1, ("a", now, then))]))) == shown


@given(AMOUNTS, AMOUNTS, st.decimals(0, 1000, places=3))
def test_a_variance_is_held_exactly(now: int, then: int, percent_max: Decimal) -> None:
    whole = summed([outcome(1, ("a", now, then))])
    allowed = Fraction(percent_max) * now / 100
    assert exceeded(whole, percent_max) is (abs(then - now) > allowed)
