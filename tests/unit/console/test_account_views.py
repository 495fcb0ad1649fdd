"""Accounts, subscriptions and test clocks as staff see them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.console.account_views import account_list, account_view, clock_view
from tallystick.console.formats import formats_of
from tallystick.kernel.paging import Page, PageRequest
from tallystick.kernel.test_clocks import TestClock
from tallystick.subscriptions.model import Status, Subscription

START = datetime(2026, 10, 31, 23, tzinfo=UTC)  # midnight in Paris
END = datetime(2026, 11, 30, 23, tzinfo=UTC)
ACCOUNT = Account(
    account_id=UUID(int=1),
    name="Atelier",
    email="a@atelier.example",
    currency="EUR",
    timezone="Europe/Paris",
    country="FR",
    locale="en-GB",
    created_at=START,
)
PLAN = PlanVersion(
    plan_version_id=UUID(int=3),
    plan_id=UUID(int=4),
    plan_code="studio",
    plan_name="Studio",
    version=1,
    currency="EUR",
    interval="month",
    interval_count=1,
    prices=(),
    limits={},
    created_at=START,
)
SUBSCRIPTION = Subscription(
    account_id=UUID(int=1),
    subscription_id=UUID(int=5),
    currency="EUR",
    plan_version_id=UUID(int=3),
    plan_id=UUID(int=4),
    status=Status.ACTIVE,
    started_at=START,
    timezone="Europe/Paris",
    period_index=0,
    period_start=START,
    period_end=END,
    next_bill_at=END,
    used_from=START,
    flat_from=START,
    covered_from=START,
    created_at=START,
)
CLOCK = TestClock(
    test_clock_id=UUID(int=6),
    name="Demo",
    now_at=START,
    target_at=START,
    from_at=START,
    created_at=START,
)


def facts(subscription: Subscription | None, plan: PlanVersion | None) -> dict[str, str]:
    return {fact.name: fact.value for fact in account_view(ACCOUNT, subscription, plan).facts}


def test_an_account_shows_its_plan_and_period_in_its_own_days() -> None:
    shown = facts(SUBSCRIPTION, PLAN)
    assert shown["Subscription"] == "Studio, active"
    assert shown["Current period"] == "1\u201330 Nov 2026"
    assert shown["External id"] == "\u2013"


def test_an_account_without_a_subscription_says_so() -> None:
    assert facts(None, None)["Subscription"] == "none"


def test_what_holds_billing_up_and_what_ends_is_told() -> None:
    told = replace(SUBSCRIPTION, bill_error="meter_missing", cancel_at_period_end=True, ends_at=END)
    assert facts(told, PLAN)["Billing is held up"] == "meter_missing"
    assert facts(told, PLAN)["Ends"] == "1 Dec 2026"


@pytest.mark.parametrize(
    ("next_bill_at", "suggested"),
    [
        (END, "2026-11-30T23:00"),
        (END.replace(second=1), "2026-11-30T23:01"),
        (None, "2026-11-01T23:00"),
        (START, "2026-11-01T23:00"),
    ],
)
def test_the_clock_form_offers_the_next_bill_or_the_next_day(
    next_bill_at: datetime | None, suggested: str
) -> None:
    assert clock_view(CLOCK, next_bill_at, formats_of(ACCOUNT)).suggested == suggested


def test_a_clock_is_told_in_utc() -> None:
    moving = replace(CLOCK, target_at=END, is_advancing=True)
    shown = clock_view(moving, None, formats_of(ACCOUNT))
    assert (shown.status, shown.now, shown.target) == (
        "advancing",
        "31 Oct 2026, 23:00 UTC",
        "30 Nov 2026, 23:00 UTC",
    )


def test_each_row_of_the_list_is_written_as_its_account_reads() -> None:
    french = replace(ACCOUNT, locale="fr-FR", external_id="atelier")
    shown = account_list(Page((ACCOUNT, french), 41, PageRequest(page=2), None))
    assert [row.since for row in shown.rows] == ["1 Nov 2026", "1 nov. 2026"]
    assert (shown.page, shown.total_pages, shown.rows[1].external_id) == (2, 3, "atelier")
