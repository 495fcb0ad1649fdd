"""Credits in words: what is left of which grant, what is told of little and of overdrafts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tallystick.console.credit_views import balance_facts, grant_rows, package_views, watch_note
from tallystick.console.formats import Formats
from tallystick.credits.model import Balance, Grant, Package, Settings

FORMATS = Formats("en-GB", ZoneInfo("Europe/Paris"))
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PACKAGE = Package(
    credit_package_id=UUID(int=1), code="small", name="Small", credits=50_000_000,
    currency="EUR", amount_minor=900, created_at=NOW,
)  # fmt: skip


def grant(**fields: Any) -> Grant:
    given: dict[str, Any] = {
        "account_id": UUID(int=1), "credit_grant_id": UUID(int=2), "idempotency_key": "k",
        "ledger_entry_id": UUID(int=3), "source": "plan", "amount": 10_000_000,
        "remaining": 4_050_000, "priority": 50, "effective_at": NOW - DAY, "expires_at": None,
        "cap_at": None, "cap": None, "reference": "", "reason": "Credits of the plan",
        "created_at": NOW - DAY,
    }  # fmt: skip
    return Grant(**given | fields)


def test_a_grant_says_what_is_left_and_until_when() -> None:
    (row,) = grant_rows([grant(expires_at=NOW + 29 * DAY)], NOW, FORMATS)
    assert (row.source, row.left, row.given, row.until) == ("Plan", "40.5", "100", "30 Nov 2026")
    assert row.note == "Credits of the plan"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"effective_at": NOW + DAY}, "40.5 from 2 Nov 2026 on"),
        ({"cap_at": NOW + DAY, "cap": 1_000_000}, "10 of it stay after 2 Nov 2026"),
    ],
)
def test_a_grant_says_what_is_special_of_it(fields: dict[str, Any], note: str) -> None:
    (row,) = grant_rows([grant(**fields)], NOW, FORMATS)
    assert row.note == note


def test_what_lapsed_is_not_shown_though_no_worker_ran() -> None:
    assert grant_rows([grant(expires_at=NOW)], NOW, FORMATS) == ()


def test_only_what_there_is_is_told_beside_the_balance() -> None:
    plain = Balance(usable=1, reserved=0, owed=0, overdraft_max=0)
    assert [one.name for one in balance_facts(plain, 0, 0, FORMATS)] == ["Used this month"]
    busy = Balance(usable=0, reserved=200_000, owed=100_000, overdraft_max=500_000)
    told = [(one.name, one.value) for one in balance_facts(busy, 250_000, 10_000_000, FORMATS)]
    assert told == [
        ("Used this month", "2.5"),
        ("From the plan, each period", "100"),
        ("Held for running work", "2"),
        ("Owed", "1"),
        ("Overdraft", "5"),
    ]


def test_a_package_says_its_price_and_how_long_it_lasts() -> None:
    (one,) = package_views([PACKAGE], FORMATS)
    assert (one.credits, one.price, one.lasts) == ("500", "€9.00", "They do not expire")


def test_a_top_up_is_told_with_its_maximum() -> None:
    wanted = Settings(
        top_up_below=2_000_000, top_up_package_id=UUID(int=1), top_up_month_max_minor=2700
    )
    assert watch_note(wanted, PACKAGE, FORMATS) == (
        "Below 20 credits, Small is bought by itself, for at most €27.00 a calendar month."
    )
    assert not watch_note(Settings(), None, FORMATS)
