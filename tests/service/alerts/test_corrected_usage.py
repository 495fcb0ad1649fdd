"""Alerts and budgets after usage was corrected: they see it, and tell nothing twice."""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tallystick.accounts.model import Account
from tallystick.alerts.status import statuses
from tallystick.corrections.model import Change, Named, Terms
from tallystick.corrections.service import Corrections
from tallystick.kernel.db import Actor, account_scope, acting

if TYPE_CHECKING:
    from tests.service.alerts.conftest import Alarm

FINN = Actor("user", "usr_finn", "req_1")
TERMS = Terms(reason="it was a test")
HALF = (Decimal(50),)


class Corrector:
    """Corrects the events of an account, named as the alarm named them: e0, then e1."""

    def __init__(self, alarm: "Alarm", account: Account) -> None:
        self.account_id = account.account_id
        self.corrections = Corrections(alarm.db, lambda: alarm.now, timedelta(hours=1))

    async def reverse(self, event_id: str) -> None:
        with acting(FINN):
            named = Named(self.account_id, "test", event_id)
            assert (await self.corrections.reverse(named, TERMS)).state == "applied"

    async def amend(self, event_id: str, n: int) -> None:
        with acting(FINN):
            named = Named(self.account_id, "test", event_id)
            change = Change(properties={"n": n})
            assert (await self.corrections.amend(named, change, TERMS)).state == "applied"


async def test_usage_that_falls_below_and_rises_again_is_told_once(alarm: "Alarm") -> None:
    account = await alarm.account()
    corrector = Corrector(alarm, account)
    await alarm.rule(account, "80", "100")
    await alarm.use(account, 80)
    await alarm.look()
    assert await alarm.fired(account) == [("percent", "80")]
    await corrector.reverse("e0")
    assert await alarm.look() == 1
    await alarm.use(account, 90)
    await alarm.look()
    assert await alarm.fired(account) == [("percent", "80")]
    await corrector.amend("e1", 100)
    assert await alarm.look() == 1
    assert await alarm.fired(account) == [("percent", "80"), ("percent", "100")]
    outbox = await alarm.rows("SELECT FROM outbox WHERE kind = 'usage.alert_fired'")
    assert len(outbox) == 2


async def test_what_was_taken_out_before_anybody_looked_is_not_told(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.rule(account, "80")
    await alarm.use(account, 80)
    await Corrector(alarm, account).reverse("e0")
    await alarm.look()
    assert await alarm.fired(account) == []


async def test_a_correction_alone_may_reach_a_threshold(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.rule(account, "80")
    await alarm.budget(account, "100", watch="meter", meter="calls", actual_percents=HALF)
    await alarm.use(account, 1)
    await alarm.look()
    assert await alarm.fired(account) == []
    await Corrector(alarm, account).amend("e0", 80)
    await alarm.look()
    assert sorted(await alarm.fired(account)) == [("percent", "50"), ("percent", "80")]


async def test_a_budget_stands_at_what_corrections_left(alarm: "Alarm") -> None:
    account = await alarm.account()
    budget = await alarm.budget(account, "100", watch="meter", meter="calls", actual_percents=HALF)
    await alarm.use(account, 80, 10)
    await alarm.look()
    await Corrector(alarm, account).reverse("e0")
    async with alarm.db.transaction(account_scope(account.account_id)) as conn:
        (status,) = await statuses(conn, account.account_id, [budget], alarm.now)
    assert status.used == 10
    assert await alarm.fired(account) == [("percent", "50")]
