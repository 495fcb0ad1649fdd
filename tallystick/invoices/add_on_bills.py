"""Puts add-ons on subscriptions and takes them off, and bills what is due of that at once."""

from datetime import datetime
from uuid import UUID

from tallystick.catalog import offers
from tallystick.documents.document import Party
from tallystick.invoices.biller import Biller, bill_now, read_book
from tallystick.invoices.compose import Bill
from tallystick.invoices.dues import lines_of
from tallystick.kernel.db import Connection
from tallystick.subscriptions import add_ons
from tallystick.subscriptions.add_ons import Asked
from tallystick.subscriptions.model import AttachedAddOn, Subscription
from tallystick.subscriptions.sold import plan_of
from tallystick.subscriptions.terms import FlatDue


async def sell_add_on(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    code: str,
    asked: Asked,
    *,
    now: datetime,
    seller: Party,
) -> AttachedAddOn:
    """Give a subscription the add-on that is sold under this code; `now` is the account's present.

    What is due before is billed first. Under the writer's scope. Raises NotFound
    `subscription_not_found`, `add_on_not_found`; BadInput; Conflict `add_on_not_in_currency`,
    `subscription_not_active`.
    """
    on = await bill_now(conn, account_id, subscription_id, now=now, seller=seller)
    add_on = await offers.sold_add_on(conn, code)
    made = await add_ons.put_on(conn, on, add_on, asked, now)
    dues = add_ons.due_when_put_on(on, await plan_of(conn, on), made)
    await _bill(conn, on, dues, now, seller)
    return made


async def end_add_on(
    conn: Connection,
    account_id: UUID,
    subscription_add_on_id: UUID,
    at: datetime | None,
    *,
    now: datetime,
    seller: Party,
) -> AttachedAddOn:
    """Let an add-on end at `at` (None: now); what was paid ahead for it is given back.

    Raises NotFound `subscription_add_on_not_found`, BadInput, Conflict `add_on_ended`.
    """
    found = await add_ons.find(conn, account_id, subscription_add_on_id)
    on = await bill_now(conn, account_id, found.subscription_id, now=now, seller=seller)
    ended = await add_ons.take_off(conn, found, at, now)
    dues = add_ons.due_when_taken_off(on, await plan_of(conn, on), found, ended.ends_at or now)
    await _bill(conn, on, dues, now, seller)
    return ended


async def _bill(
    conn: Connection, on: Subscription, dues: tuple[FlatDue, ...], now: datetime, seller: Party
) -> None:
    if not dues:
        return
    book = await read_book(conn, [on])
    step = add_ons.step_of(on, dues, now)
    lines = [line for due in dues for line in await lines_of(conn, on, due, book.meters)]
    plan_name = book.plans[on.plan_version_id].plan_name
    bill = Bill(on=on, step=step, lines=tuple(lines), plan_name=plan_name)
    await Biller(conn, now, seller, None).issue_one(bill, book)
