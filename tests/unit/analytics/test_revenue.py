"""A month's revenue: every interval, never across currencies, rounded once."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tallystick.analytics.revenue import Group, totals_of

GROUPS = st.builds(
    Group,
    tier=st.sampled_from(["free", "pro"]),
    currency=st.sampled_from(["EUR", "USD", "JPY"]),
    status=st.sampled_from(["active", "past_due", "trialing", "paused", "canceled"]),
    count=st.integers(0, 1000),
    monthly=st.fractions(0, 10**9, max_denominator=365),
)


def group(tier: str, status: str, monthly: str, currency: str = "USD", count: int = 1) -> Group:
    return Group(
        tier=tier, currency=currency, status=status, count=count, monthly=Fraction(monthly)
    )


def test_live_ones_count_trials_bring_nothing_and_the_rest_is_left_out() -> None:
    totals = totals_of(
        [
            group("pro", "active", "4900"),
            group("pro", "past_due", "1000"),
            group("pro", "trialing", "4900", count=3),
            group("pro", "paused", "4900"),
            group("starter", "active", "1900/3"),
            group("starter", "active", "500", "EUR"),
        ]
    )
    assert (totals.active_count, totals.trial_count, totals.past_due_count) == (3, 3, 1)
    dollars, euros = totals.by_currency["USD"], totals.by_currency["EUR"]
    assert (dollars.monthly_minor, euros.monthly_minor) == (6533, 500)
    assert (dollars.tiers["pro"].count, dollars.tiers["pro"].monthly_minor) == (5, 5900)
    assert list(dollars.tiers) == ["pro", "starter"]


@given(st.lists(GROUPS, max_size=20))
def test_a_currency_is_the_sum_of_its_own_groups_and_rounds_once(groups: list[Group]) -> None:
    totals = totals_of(groups)
    for currency, total in totals.by_currency.items():
        earning = [
            one.monthly
            for one in groups
            if one.currency == currency and one.status in {"active", "past_due"}
        ]
        exact = sum(earning, Fraction())
        assert abs(total.monthly_minor - exact) <= Fraction(1, 2)
        assert sum(tier.count for tier in total.tiers.values()) == sum(
            one.count
            for one in groups
            if one.currency == currency and one.status in {"active", "past_due", "trialing"}
        )
