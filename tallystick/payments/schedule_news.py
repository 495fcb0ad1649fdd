"""What gateways tell of the subscriptions that they renew, applied: once each, in any order."""

from datetime import datetime, timedelta
from typing import Final

from tallystick.documents.document import Party
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money
from tallystick.payments import attempt_store, renewal_store, schedule_store
from tallystick.payments.facts import (
    RenewalFailed,
    RenewalMoved,
    SubscriptionCanceled,
    SubscriptionEnded,
    SubscriptionRenewed,
)
from tallystick.payments.gateway_schedule import (
    News,
    ended_by_gateway,
    failed_at_gateway,
    renewed_by_gateway,
)
from tallystick.payments.verdicts import Handled, Parked, Skipped, Verdict
from tallystick.subscriptions import changing, gateway_owned
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period

Fact = SubscriptionRenewed | RenewalFailed | SubscriptionCanceled | SubscriptionEnded | RenewalMoved
DAY: Final = timedelta(days=1)
PERIOD_DAYS: Final = 30
"""How long a period is where neither the gateway nor we know."""


class ScheduleNews:
    """Applies facts of gateway-owned subscriptions; what can not be so waits for a person."""

    def __init__(self, db: Database, clock: Clock, seller: Party) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller

    async def apply(self, gateway: str, fact: Fact) -> Verdict:
        """Apply a fact."""
        reference = fact.subscription_reference
        try:
            async with self._db.own_transaction(WRITER) as conn:
                found = await _find(conn, gateway, reference)
                if found is None:
                    return await _unknown(conn, gateway, reference, fact)
                on = await self._begun(conn, found)
                now = await account_now(conn, on.account_id, self._clock())
                if isinstance(fact, RenewalFailed) and await _is_overtaken(conn, on, fact):
                    return Skipped("overtaken")
                problem = await self._follow(conn, on, fact, now)
                return Handled(on.account_id) if problem is None else Parked(problem)
        except (Conflict, BadInput) as error:
            # Its transaction is rolled back: nothing of it is booked.
            return Parked(error.code)

    async def _begun(self, conn: Connection, on: Subscription) -> Subscription:
        """Let it begin if its first payment is booked, and the news of that is still on its way."""
        named = on.account_id, on.subscription_id
        if on.status is Status.INCOMPLETE:
            return await changing.complete_if_waiting(conn, *named)
        return await subscriptions.lock(conn, *named)

    async def _follow(
        self, conn: Connection, on: Subscription, fact: Fact, now: datetime
    ) -> str | None:
        """Apply a fact to a locked subscription; return why it has to wait."""
        if isinstance(fact, SubscriptionRenewed):
            return await self._renewed(conn, on, fact, now)
        if isinstance(fact, RenewalFailed):
            await self._failed(conn, on, fact, now)
        elif isinstance(fact, SubscriptionEnded):
            await self._ended(conn, on, fact, now)
        elif isinstance(fact, SubscriptionCanceled):
            await gateway_owned.end_with_period(conn, on)
        else:
            await self._moved(conn, on, fact)
        return None

    async def _renewed(
        self, conn: Connection, on: Subscription, fact: SubscriptionRenewed, now: datetime
    ) -> str | None:
        taken = amount_in(fact, on.currency)
        if taken is None:
            return "currency_differs"
        period = await _period(conn, on, fact.renewed_at, fact.next_renewal_at)
        news = _news(on, f"renewed:{fact.charge_reference}", period, fact.charge_reference)
        await renewed_by_gateway(conn, news, taken, seller=self._seller, now=now)
        await _look_ahead(conn, on, fact.next_renewal_at)
        return None

    async def _failed(
        self, conn: Connection, on: Subscription, fact: RenewalFailed, now: datetime
    ) -> None:
        period = await _period(conn, on, fact.renewed_at, None)
        event = f"failed:{fact.subscription_reference}:{fact.renewed_at:%Y-%m-%dT%H:%M:%S}"
        news = _news(on, event, period)
        await failed_at_gateway(conn, news, fact.code, seller=self._seller, now=now)
        await _look_ahead(conn, on, None, await _retry_at(conn, on, fact))

    async def _ended(
        self, conn: Connection, on: Subscription, fact: SubscriptionEnded, now: datetime
    ) -> None:
        end = max(fact.ended_at, on.period_start)
        event = f"ended:{fact.subscription_reference}:{fact.ended_at:%Y-%m-%dT%H:%M:%S}"
        news = _news(on, event, Period(on.period_start, end))
        await ended_by_gateway(conn, news, seller=self._seller, now=now)
        await _look_ahead(conn, on, None)

    async def _moved(self, conn: Connection, on: Subscription, fact: RenewalMoved) -> None:
        """Let it run until the day that the gateway names, also when it had ended."""
        await gateway_owned.run_until(conn, on, fact.next_renewal_at)
        await _look_ahead(conn, on, fact.next_renewal_at)


def amount_in(fact: SubscriptionRenewed, currency: str) -> Money | None:
    """Return what was taken in the subscription's currency; None where neither amount is in it."""
    told = (fact.amount, fact.accounted)
    return next((one for one in told if one is not None and one.currency == currency), None)


async def _find(conn: Connection, gateway: str, reference: str) -> Subscription | None:
    """Return the subscription; staff may have typed its id with the zero that webhooks have."""
    for name in (reference, f"0{reference}"):
        found = await subscriptions.find_by_external_id(conn, gateway, name)
        if found is not None:
            return found
    return None


async def _unknown(conn: Connection, gateway: str, reference: str, fact: Fact) -> Verdict:
    """Return what news of a subscription are that none here is: of a single sale, or early."""
    sale = await attempt_store.find_by_reference(conn, gateway, reference)
    is_money = isinstance(fact, SubscriptionRenewed)
    if sale is not None and not is_money:
        return Skipped("single_sale")
    return Parked("subscription_unknown", reference)


async def _is_overtaken(conn: Connection, on: Subscription, fact: RenewalFailed) -> bool:
    """Tell whether later news made this failure nothing: it was paid after all, or all has ended.

    A renewal of 20 December that failed then and was paid on the 23rd is paid until January, so a
    failure that names a day in the first half of that time is of what is paid.
    """
    if on.status is Status.CANCELED:
        return True
    last = await renewal_store.last(conn, on.account_id, on.subscription_id)
    is_paid = last is not None and last.kind == "renewed"
    return is_paid and fact.renewed_at < on.period_start + (on.period_end - on.period_start) / 2


async def _retry_at(conn: Connection, on: Subscription, fact: RenewalFailed) -> datetime | None:
    """Return when the gateway tries again: of failures in any order, the later date."""
    kept = await schedule_store.find(conn, on.account_id, on.subscription_id)
    if kept is None or kept.retry_at is None or fact.retry_at is None:
        return fact.retry_at
    return max(kept.retry_at, fact.retry_at)


async def _period(
    conn: Connection, on: Subscription, start: datetime, end: datetime | None
) -> Period:
    """Return which period the news are of.

    While a renewal has failed, all news are of the period that it was for: a gateway that takes the
    money three days later pays for those days too, so it stays one invoice. The first failure may
    also be told after the second one: what is up to half a period older is of the same one.

    A gateway may name the day alone, which begins before what happened on it: renewed on the day
    of the sale, by a person at the gateway, the new period begins with the present one.
    """
    last = await renewal_store.last(conn, on.account_id, on.subscription_id)
    if last is not None and last.kind == "failed":
        half = (last.period_end - last.period_start) / 2
        if start >= last.period_start - half:
            return Period(last.period_start, last.period_end)
    if on.period_start - DAY < start < on.period_start:
        start = on.period_start
    if end is not None and end > start:
        return Period(start, end)
    kept = await schedule_store.find(conn, on.account_id, on.subscription_id)
    days = PERIOD_DAYS if kept is None else kept.period_days
    return Period(start, start + timedelta(days=days))


def _news(on: Subscription, event_id: str, period: Period, reference: str | None = None) -> News:
    return News(
        account_id=on.account_id,
        subscription_id=on.subscription_id,
        event_id=event_id,
        period=period,
        reference=reference,
    )


async def _look_ahead(
    conn: Connection,
    on: Subscription,
    next_renewal_at: datetime | None,
    retry_at: datetime | None = None,
) -> None:
    await schedule_store.look_ahead(
        conn,
        on.account_id,
        on.subscription_id,
        next_renewal_at=next_renewal_at,
        retry_at=retry_at,
    )
