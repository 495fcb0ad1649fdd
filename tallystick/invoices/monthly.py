"""Subscriptions by the month, begun and billed in one step: on a plan, or at a mere price."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.biller import HasMethod, bill_now
from tallystick.invoices.model import BillKey, Invoice
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Status, Subscription

PLAN_CODE: Final = "subscribe-monthly"
"""The plan of all who subscribe at a mere price: each price is a version of it, off every list."""


class Begun(msgspec.Struct, frozen=True):
    """A subscription and the invoice that must be paid before it begins; None: nothing is due."""

    on: Subscription
    invoice: Invoice | None


async def monthly_plan(
    conn: Connection, wanted: str | int, currency: str, now: datetime
) -> PlanVersion:
    """Return the plan that is sold under the code, or a version of just this price in minor units.

    Raises NotFound `plan_not_found`; Conflict `plan_not_monthly`.
    """
    if isinstance(wanted, int):
        return await catalog.off_list_version(conn, by_price(wanted, currency), now)
    plan = await catalog.current_plan_version(conn, wanted)
    if (plan.interval, plan.interval_count) != ("month", 1):
        raise Conflict(
            "plan_not_monthly", "The plan is not billed by the month; use POST /subscriptions."
        )
    return plan


def by_price(minor: int, currency: str) -> NewPlanVersion:
    """Return what is sold at a price a month, in minor units: one fee in advance."""
    amount = Money(minor, currency).to_decimal()
    fee = FlatPrice(currency=currency, code="monthly", amount=amount, billing="in_advance")
    return NewPlanVersion(
        plan_code=PLAN_CODE,
        plan_name="Monthly subscription",
        currency=currency,
        interval="month",
        billing="in_advance",
        prices=(fee,),
    )


async def begin(
    conn: Connection,
    account: Account,
    plan: PlanVersion,
    *,
    now: datetime,
    seller: Party,
    has_method: HasMethod,
) -> Begun:
    """Put the account on the plan and bill what is due first; or go on with one that waits for it.

    Raises as `subscribe` and `bill_now`: Conflict `already_subscribed` and others.
    """
    whose = account.account_id
    on = await _waiting(conn, whose, plan)
    if on is None:
        is_priced = plan.plan_code == PLAN_CODE
        start = Start(must_pay_first=True, off_list=is_priced)
        made = await subscriptions.subscribe(conn, account, plan, now, start)
        on = await bill_now(
            conn, whose, made.subscription_id, now=now, seller=seller, has_method=has_method
        )
    invoice = await invoices.invoice_of_bill(conn, whose, BillKey(on.subscription_id, 0))
    return Begun(on, invoice)


async def begun_with(conn: Connection, account_id: UUID, invoice_id: UUID) -> Begun:
    """Return the subscription whose first invoice this is."""
    invoice = await invoices.get_invoice(conn, account_id, invoice_id)
    on = await subscriptions.get_subscription(conn, account_id, invoice.subscription_ids[0])
    return Begun(on, invoice)


async def _waiting(conn: Connection, account_id: UUID, plan: PlanVersion) -> Subscription | None:
    """Return and lock the subscription to this version whose first invoice is not paid."""
    for one in await subscriptions.list_subscriptions(conn, account_id):
        if one.status is Status.INCOMPLETE and one.plan_version_id == plan.plan_version_id:
            return await subscriptions.lock(conn, account_id, one.subscription_id)
    return None
