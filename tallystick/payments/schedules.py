"""Subscriptions that a gateway renews by itself: begun with their first payment, and cancelled.

The wish is written with the first invoice. The payment of just that invoice through the wished
gateway is the charge that begins the schedule; paid in any other way, the schedule stays ours.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tallystick.catalog.model import PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.payments import schedule_store as store
from tallystick.payments.events import GATEWAY_SCHEDULE_UNWANTED, GatewayScheduleUnwanted
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateway_schedule import News, ended_by_gateway
from tallystick.payments.model import Payment
from tallystick.payments.requests import Charge, SubscribeRequest, SubscriptionView
from tallystick.payments.schedule_store import Schedule
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import gateway_owned
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import ScheduleOwner, Status, Subscription
from tallystick.subscriptions.periods import Period

log = structlog.get_logger()

MONTH_DAYS: Final = 30
DAY: Final = timedelta(days=1)


async def wish(
    conn: Connection,
    on: Subscription,
    plan: PlanVersion,
    first: Invoice,
    *,
    gateway: str,
    now: datetime,
) -> bool:
    """Let the gateway renew a monthly subscription once its first invoice is paid there.

    False where it can not: a gateway takes the same amount each time, so the plan has flat prices
    in advance alone, and the first invoice is a plain one.
    """
    if on.schedule_owner != "tallystick" or not is_plain(plan, first):
        return False
    new = Schedule(
        account_id=on.account_id,
        subscription_id=on.subscription_id,
        gateway=msgspec.convert(gateway, ScheduleOwner),
        # 29 days and 2 hours are 30: rounded down, the next month would be charged before its time.
        initial_days=-((on.period_start - on.period_end) // DAY),
        currency=first.currency,
        recurring_minor=first.total.minor,
        period_days=MONTH_DAYS,
        rebills=None,
        created_at=now,
    )
    await store.wish(conn, new)
    return True


def is_plain(plan: PlanVersion, first: Invoice) -> bool:
    """Tell whether each period costs what the first one does."""
    is_flat = all(
        isinstance(price, FlatPrice) and price.billing == "in_advance" for price in plan.prices
    )
    is_whole = first.due == first.total and first.total.minor > 0
    is_fee = all(line.kind == "subscription" for line in first.lines)
    return is_flat and not plan.trial_days and is_whole and is_fee


async def request_of(conn: Connection, payment: Payment, charge: Charge) -> SubscribeRequest | None:
    """Return what a payment begins beside its charge; None: nothing, it is a plain charge."""
    schedule = await _of_payment(conn, payment)
    if schedule is None:
        return None
    return SubscribeRequest(
        charge=charge,
        initial_days=schedule.initial_days,
        recurring=schedule.recurring,
        period_days=schedule.period_days,
        rebills=schedule.rebills,
    )


async def link(conn: Connection, payment: Payment, reference: str) -> None:
    """Hand a subscription over to the gateway that took its first payment, and renews it.

    In the transaction that books the payment: from then on our billing run leaves it alone. One
    that has ended meanwhile must not be renewed, so the gateway is told to end it.
    """
    schedule = await _of_payment(conn, payment)
    if schedule is None or not await store.link(conn, schedule, reference):
        return
    on = await subscriptions.lock(conn, schedule.account_id, schedule.subscription_id)
    await gateway_owned.hand_over(conn, on, schedule.gateway, reference)
    if on.status is Status.CANCELED:
        log.error("schedule_of_ended_subscription", subscription_id=str(on.subscription_id))
        await _unwanted(conn, on, schedule.gateway, reference)


async def cancel(
    conn: Connection, on: Subscription, *, at_once: bool, seller: Party, now: datetime
) -> None:
    """Let a gateway's subscription end, now or with what is paid for, and tell the gateway.

    It is told through the outbox, again and again until it has heard. Raises Conflict
    `subscription_not_active`.
    """
    reference = on.external_id or ""
    if at_once:
        news = News(
            account_id=on.account_id,
            subscription_id=on.subscription_id,
            event_id=f"cancelled:{on.subscription_id}:{on.period_index}",
            period=Period(on.period_start, max(now, on.period_start)),
        )
        await ended_by_gateway(conn, news, seller=seller, now=now)
    else:
        await gateway_owned.end_with_period(conn, on)
    await _unwanted(conn, on, on.schedule_owner, reference)


async def tell_gateway(gateways: Gateways, unwanted: GatewayScheduleUnwanted) -> None:
    """Let the gateway renew a subscription no more; again does no harm. Raises Unavailable."""
    gateway = gateways.get(unwanted.gateway)
    try:
        await gateway.cancel_subscription(unwanted.reference, f"cancel:{unwanted.reference}")
    except NotFound:
        # It may be called otherwise there, and be charged on: a person has to look.
        log.error(  # noqa: TRY400 - the gateway's answer says no more than this
            "schedule_not_found",
            gateway=unwanted.gateway,
            subscription_id=str(unwanted.subscription_id),
        )


async def view_at_gateway(gateways: Gateways, on: Subscription) -> SubscriptionView:
    """Ask the gateway how it has a subscription that it renews; nothing changes here.

    Call it outside any transaction. Raises Conflict `gateway_can_not` where the schedule is ours,
    or the gateway does not tell; NotFound `gateway_object_missing`; Unavailable.
    """
    if on.schedule_owner == "tallystick" or on.external_id is None:
        raise Conflict("gateway_can_not", "No gateway renews this subscription; it is ours.")
    return await gateways.get(on.schedule_owner).view_subscription(on.external_id)


async def _of_payment(conn: Connection, payment: Payment) -> Schedule | None:
    """Return the schedule that waits for just this payment."""
    if payment.invoice_id is None:
        return None
    invoice = await invoices.get_invoice(conn, payment.account_id, payment.invoice_id)
    if invoice.subscription_id is None or payment.amount != invoice.total:
        return None
    found = await store.find(conn, payment.account_id, invoice.subscription_id)
    waits = found is not None and found.reference is None and found.gateway == payment.gateway
    return found if waits else None


async def _unwanted(
    conn: Connection, on: Subscription, gateway: ScheduleOwner, reference: str
) -> None:
    told = GatewayScheduleUnwanted(on.subscription_id, gateway, reference)
    await outbox.append(conn, on.account_id, GATEWAY_SCHEDULE_UNWANTED, told)


async def schedule_of(conn: Connection, account_id: UUID, subscription_id: UUID) -> Schedule | None:
    """Return what a gateway keeps of a subscription; None: nothing."""
    return await store.find(conn, account_id, subscription_id)
