"""Giving back what an invoice used, and taking back what it left, when it becomes void.

`give_back` is for who voids an invoice, in the same transaction: what it billed is as if it had
never been, so coupons, credit, carried amounts and changed usage are there for later invoices.
"""

from collections import Counter
from datetime import datetime
from uuid import UUID

from tallystick.catalog import offers
from tallystick.invoices import adjustment_store, store
from tallystick.invoices.derivation import Derivation, decode
from tallystick.invoices.usage_changes import note_change_again
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict


async def give_back(conn: Connection, account_id: UUID, invoice_id: UUID, wall: datetime) -> None:
    """Undo what issuing the invoice did to coupons, credit, carried amounts and changed usage.

    Once for an invoice: who calls has locked it. What prepaid money and credit of credit notes paid
    is not touched. Raises Conflict `invoice_credit_used` when a later invoice used what it left.
    """
    if not await adjustment_store.withdraw(conn, account_id, invoice_id):
        raise Conflict(
            "invoice_credit_used",
            "A later invoice used what this one left; give it back by a credit note instead.",
        )
    await adjustment_store.give_back(conn, account_id, invoice_id)
    found = [
        decode(one) for one in (await store.derivations(conn, account_id, invoice_id)).values()
    ]
    await offers.give_back(conn, account_id, _taken(found))
    for one in found:
        if one.changed is not None:
            await note_change_again(conn, account_id, one.changed, one.price.code, wall)


def _taken(derivations: list[Derivation]) -> Counter[UUID]:
    taken: Counter[UUID] = Counter()
    for one in derivations:
        if one.coupon is not None:
            taken[one.coupon.redemption_id] += sum(p.taken_minor for p in one.coupon.covered)
    return taken
