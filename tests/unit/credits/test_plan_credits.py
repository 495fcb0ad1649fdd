"""What plans give for a period in which they change."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tallystick.credits.model import NewGrant
from tallystick.credits.plan_credits import due_by_last, entitled

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
SECONDS = int((END - START).total_seconds())

UNITS = st.integers(0, 10**12)
CHANGES = st.lists(st.tuples(st.integers(0, SECONDS), UNITS), max_size=6)


def plan(units: int, second: int | None = None) -> NewGrant:
    at = None if second is None else START + timedelta(seconds=second)
    return NewGrant(source="plan", units=units, effective_at=at)


def plans(first: int, changes: list[tuple[int, int]]) -> list[NewGrant]:
    return [plan(first), *(plan(units, second) for second, units in sorted(changes))]


@given(UNITS, st.lists(st.integers(0, SECONDS), max_size=6))
def test_changes_between_equal_plans_give_what_one_plan_gives(
    units: int, seconds: list[int]
) -> None:
    changing = plans(units, [(second, units) for second in seconds])
    assert entitled(changing, START, END) == units


@given(UNITS, CHANGES)
def test_each_plan_gives_for_every_second_that_it_held(
    first: int, changes: list[tuple[int, int]]
) -> None:
    exact, since, units = Fraction(0), 0, first
    for second, following in [*sorted(changes), (SECONDS, 0)]:
        exact += Fraction(units * (second - since), SECONDS)
        since, units = second, following
    assert abs(entitled(plans(first, changes), START, END) - exact) <= Fraction(1, 2)


@given(UNITS, CHANGES)
def test_what_the_changes_make_due_sums_to_what_is_given(
    first: int, changes: list[tuple[int, int]]
) -> None:
    whole = plans(first, changes)
    due = [due_by_last(whole[: count + 1], START, END) for count in range(len(whole))]
    assert sum(due) == entitled(whole, START, END)


def test_a_change_in_the_middle_is_half_of_each() -> None:
    middle = SECONDS // 2
    assert entitled([plan(100), plan(300, middle)], START, END) == 200
    assert due_by_last([plan(100), plan(300, middle)], START, END) == 100
    assert due_by_last([plan(300), plan(100, middle)], START, END) == -100
