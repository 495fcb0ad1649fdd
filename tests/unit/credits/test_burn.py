"""In which order credits are used, and what of them can be."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.credits.burn import burn, burn_order, lapsed, usable
from tallystick.credits.model import Grant

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = st.integers(-5, 5).map(lambda hours: NOW + timedelta(hours=hours))
LATER = st.integers(6, 20).map(lambda hours: NOW + timedelta(hours=hours))


@st.composite
def made(draw: st.DrawFn) -> Grant:
    amount = draw(st.integers(1, 1000))
    capped = draw(st.booleans())
    return Grant(
        account_id=UUID(int=1),
        credit_grant_id=UUID(int=draw(st.integers(0, 2**64))),
        idempotency_key="k",
        ledger_entry_id=UUID(int=2),
        source="manual",
        amount=amount,
        remaining=draw(st.integers(0, amount)),
        priority=draw(st.integers(0, 3)),
        effective_at=draw(HOURS),
        expires_at=draw(st.none() | LATER),
        cap_at=draw(HOURS) if capped else None,
        cap=draw(st.integers(0, 500)) if capped else None,
        reference="",
        reason="",
        created_at=draw(HOURS),
    )


GRANTS = st.lists(made(), max_size=6, unique_by=lambda grant: grant.credit_grant_id)
AT = st.one_of(HOURS, LATER)


@given(GRANTS, st.integers(1, 5000), AT)
def test_all_is_taken_that_can_be_and_no_more_than_is_wanted(
    grants: list[Grant], wanted: int, at: datetime
) -> None:
    taken = sum(part.units for part in burn(grants, wanted, at))
    assert taken == min(wanted, sum(usable(grant, at) for grant in grants))


@given(GRANTS, st.integers(1, 5000), AT)
def test_a_later_grant_is_touched_only_when_those_before_are_empty(
    grants: list[Grant], wanted: int, at: datetime
) -> None:
    taken = {part.credit_grant_id: part.units for part in burn(grants, wanted, at)}
    in_order = [grant for grant in sorted(grants, key=burn_order) if usable(grant, at)]
    for before, after in pairwise(in_order):
        if after.credit_grant_id in taken:
            assert taken[before.credit_grant_id] == usable(before, at)


@given(made(), AT)
def test_a_grant_is_usable_lapsed_or_not_yet_begun(grant: Grant, at: datetime) -> None:
    assert 0 <= usable(grant, at) <= grant.remaining
    if at < grant.effective_at:
        assert (usable(grant, at), lapsed(grant, at)) == (0, 0)
    else:
        assert usable(grant, at) + lapsed(grant, at) == grant.remaining
    if grant.expires_at is not None and at >= grant.expires_at:
        assert usable(grant, at) == 0
