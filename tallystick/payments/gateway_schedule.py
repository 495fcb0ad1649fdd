"""News of subscriptions that a gateway renews by itself: each period's invoice in our books.

The gateway's word decides: what it took is booked as received, what it failed to take is owed.
Every function takes part in the caller's transaction, of the writer's scope, and a gateway's event
counts once, however often it is told.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.biller import Biller, read_book
from tallystick.invoices.compose import Bill
from tallystick.invoices.dues import came_of
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments import booking, renewal_store, store
from tallystick.payments.model import Part, Payment, PaymentStatus
from tallystick.payments.renewal_store import Renewal
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.gateway_steps import ending, renewal
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.sold import plan_of


class News(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the gateway about a subscription of ours, under the gateway's id of the event.

    `period` is half-open, UTC, as the gateway counts it.
    """

    account_id: UUID
    subscription_id: UUID
    event_id: str
    period: Period
    reference: str | None = None


async def renewed_by_gateway(
    conn: Connection, news: News, received: Money | None, *, seller: Party, now: datetime
) -> Invoice | None:
    """Note that the gateway began a period and took `received` for it (None: all that is due).

    Its invoice is issued, if there is none yet, and paid with that. None: the event was told
    before, or the plan asks nothing. Raises NotFound; Conflict `schedule_not_the_gateways`,
    `subscription_not_active`, `gateway_period_over`; BadInput for a period without time.
    """
    on = await _begin(conn, news)
    if await _is_known(conn, on, news):
        return None
    invoice = await _invoice(conn, on, news, seller, now)
    await _note(conn, on, news, "renewed", invoice, now=now)
    if invoice is None:
        return None
    amount = invoice.due if received is None else received
    if amount.minor > 0:
        # Whatever else is under way for this invoice: the money has come.
        payment = _payment(on, news, invoice, amount, status=PaymentStatus.CANCELLED, now=now)
        await store.insert(conn, payment)
        await booking.succeed(conn, payment, amount, news.reference, now)
    return await invoices.get_invoice(conn, on.account_id, invoice.invoice_id)


async def failed_at_gateway(
    conn: Connection, news: News, code: str, *, seller: Party, now: datetime
) -> Invoice | None:
    """Note that the gateway began a period and could not take its price; `code` as in `declines`.

    Its invoice is issued, if there is none yet, and open: the subscription falls behind. Answers
    and raises as `renewed_by_gateway` does.
    """
    on = await _begin(conn, news)
    if await _is_known(conn, on, news):
        return None
    invoice = await _invoice(conn, on, news, seller, now)
    await _note(conn, on, news, "failed", invoice, now=now)
    if invoice is not None and invoice.due.minor > 0:
        payment = _payment(on, news, invoice, invoice.due, status=PaymentStatus.PROCESSING, now=now)
        if await store.insert(conn, payment):
            await booking.fail(conn, payment, code, hard=False)
    return invoice


async def ended_by_gateway(
    conn: Connection, news: News, *, seller: Party, now: datetime
) -> Subscription:
    """Note that the gateway ends the subscription with `news.period`; what was used is invoiced.

    The same again, or the end of one that has ended, changes nothing. Raises NotFound, Conflict
    `schedule_not_the_gateways`.
    """
    on = await subscriptions.lock(conn, news.account_id, news.subscription_id)
    if on.status is Status.CANCELED or await _is_known(conn, on, news):
        return on
    plan = await plan_of(conn, on)
    end = max(news.period.end, on.period_start)
    step = ending(on, plan, Period(on.period_start, end))
    invoice = await _bill(conn, on, step, seller, now)
    await _note(conn, on, news, "ended", invoice, now=now)
    return await subscriptions.get_subscription(conn, on.account_id, on.subscription_id)


async def _begin(conn: Connection, news: News) -> Subscription:
    if news.period.start >= news.period.end:
        raise BadInput.field("period", "period_reversed", "must end after it begins")
    return await subscriptions.lock(conn, news.account_id, news.subscription_id)


async def _is_known(conn: Connection, on: Subscription, news: News) -> bool:
    return await renewal_store.is_known(conn, on.account_id, on.schedule_owner, news.event_id)


async def _invoice(
    conn: Connection, on: Subscription, news: News, seller: Party, now: datetime
) -> Invoice | None:
    """Return the invoice of the period, issued now if no earlier news of it did."""
    named = on.account_id, on.subscription_id
    earlier = await renewal_store.invoice_of(conn, *named, news.period.start)
    if earlier is not None:
        return await invoices.get_invoice(conn, on.account_id, earlier)
    step = renewal(on, await plan_of(conn, on), news.period)
    return await _bill(conn, on, step, seller, now)


async def _bill(
    conn: Connection, on: Subscription, step: Step, seller: Party, now: datetime
) -> Invoice | None:
    book = await read_book(conn, [on])
    plan = await plan_of(conn, on)
    came = [await came_of(conn, on, due, book.meters) for due in step.dues]
    bill = Bill(
        on=on,
        step=step,
        lines=tuple(line for one in came for line in one.lines),
        fees=tuple(fee for one in came for fee in one.fees),
        plan_name=plan.plan_name,
    )
    await Biller(conn, now, seller, None).issue_one(bill, book)
    return await invoices.invoice_of_bill(conn, on.account_id, bill.key)


async def _note(
    conn: Connection,
    on: Subscription,
    news: News,
    kind: str,
    invoice: Invoice | None,
    *,
    now: datetime,
) -> None:
    note = Renewal(
        account_id=on.account_id,
        gateway=on.schedule_owner,
        event_id=news.event_id,
        subscription_id=on.subscription_id,
        kind=kind,
        period_start=news.period.start,
        period_end=news.period.end,
        invoice_id=invoice.invoice_id if invoice else None,
        created_at=now,
    )
    await renewal_store.insert(conn, note)


def _payment(
    on: Subscription,
    news: News,
    invoice: Invoice,
    amount: Money,
    *,
    status: PaymentStatus,
    now: datetime,
) -> Payment:
    return Payment(
        account_id=on.account_id,
        payment_id=new_id(),
        request_key=f"gateway:{on.schedule_owner}:{news.event_id}",
        gateway=on.schedule_owner,
        payment_method_id=None,
        currency=amount.currency,
        amount_minor=amount.minor,
        status=status,
        reference=news.reference,
        failure_code=None,
        note=None,
        next_attempt_at=None,
        created_at=now,
        settled_at=None,
        parts=(Part(invoice.invoice_id, amount.minor),),
    )
