"""Where a period is going, from stored events to rated money; budgets on what is expected."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tallystick.accounts.model import Account
from tallystick.alerts.outlook import Outlook, outlook
from tallystick.alerts.running import running_of
from tallystick.kernel.db import account_scope

if TYPE_CHECKING:
    from tests.service.alerts.conftest import Alarm

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def look_ahead(alarm: "Alarm", account: Account) -> Outlook:
    async with alarm.db.transaction(account_scope(account.account_id)) as conn:
        running = await running_of(conn, account.account_id, alarm.now)
        return await outlook(conn, running, alarm.now)


async def use_daily(alarm: "Alarm", account: Account, day_count: int, quantity: int) -> None:
    """Use so much on each of the next days, and stand at the end of the last one."""
    for _ in range(day_count):
        alarm.now += DAY
        await alarm.use(account, quantity, at=alarm.now - 12 * HOUR)


async def test_ten_days_alike_go_on_to_the_end_and_are_rated(alarm: "Alarm") -> None:
    account = await alarm.account()
    await use_daily(alarm, account, 10, 20)
    found = await look_ahead(alarm, account)
    (calls,) = found.meters
    assert (calls.used, calls.limit) == (Decimal(200), Decimal(100))
    assert (calls.forecast.basis, calls.forecast.day_count) == ("days", 10)
    assert calls.forecast.low == calls.forecast.expected == calls.forecast.high == 620
    # A fee of 49.00, and 0.10 for each of 200, then of 620 calls.
    assert found.spend is not None
    assert (found.spend.so_far.minor, found.spend.expected.minor) == (6900, 11_100)


async def test_the_first_hour_of_a_period_rests_on_the_one_before(alarm: "Alarm") -> None:
    account = await alarm.account()
    await use_daily(alarm, account, 31, 10)
    alarm.now = APRIL + HOUR
    (calls,) = (await look_ahead(alarm, account)).meters
    assert (calls.used, calls.forecast.basis, calls.forecast.day_count) == (
        Decimal(0),
        "weekdays",
        28,
    )
    assert calls.forecast.expected == Decimal("299.583333")  # 29 days and 23 hours


async def test_days_before_the_subscription_are_no_history(alarm: "Alarm") -> None:
    alarm.now = MARCH + 5 * DAY
    account = await alarm.account()
    await alarm.use(account, 1000, at=MARCH + DAY)
    alarm.now += HOUR
    (calls,) = (await look_ahead(alarm, account)).meters
    assert (calls.used, calls.forecast.basis) == (Decimal(0), "none")


async def test_a_budget_is_told_of_before_it_is_used_up_and_by_the_daily_look_alone(
    alarm: "Alarm",
) -> None:
    account = await alarm.account()
    await alarm.budget(account, "10000", forecast_percents=(Decimal(100), Decimal(200)))
    await alarm.use(account, 1)
    await alarm.look()
    assert await alarm.fired(account) == []
    # Without what the events left: the clock alone brings the look.
    await use_daily(alarm, account, 10, 20)
    await alarm.rows("DELETE FROM usage_alert_due RETURNING account_id")
    assert await alarm.look() == 1
    assert await alarm.fired(account) == [("forecast", "100")]
    (row,) = await alarm.alerts(account)
    # 201 calls in ten days, 422.1 expected in the 21 that are left: 49.00 and 623.1 at 0.10.
    assert (row["quantity"], row["limit_quantity"]) == (Decimal(11_131), Decimal(10_000))
    alarm.now += DAY
    await alarm.look()
    assert len(await alarm.fired(account)) == 1
