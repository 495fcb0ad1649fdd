"""How money is given to the invoices that a payment is for. Pure."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.invoices.model import Invoice
from tallystick.money.amount import Money
from tallystick.payments.model import Part


class Shares(msgspec.Struct, frozen=True):
    """What each invoice gets, and what none of them takes: together what was received."""

    parts: tuple[Part, ...]
    over: Money


def share_out(received: Money, parts: Sequence[Part], due: Mapping[UUID, Money]) -> Shares:
    """Return who gets what: each in its order what it was to get, then what is due beyond that.

    Never more than is due by now. 70.00 for parts of 50.00 and 30.00, both due in full, are 50.00
    and 20.00; 70.00 for a part of 30.00 of an invoice of 49.00 are 49.00, and 21.00 are over.
    """
    left = received.minor
    given: dict[UUID, int] = {}
    for part in parts:
        given[part.invoice_id] = min(part.amount_minor, due[part.invoice_id].minor, left)
        left -= given[part.invoice_id]
    for part in parts:
        more = min(due[part.invoice_id].minor - given[part.invoice_id], left)
        given[part.invoice_id] += more
        left -= more
    shared = tuple(replace(part, paid_minor=given[part.invoice_id]) for part in parts)
    return Shares(shared, Money(left, received.currency))


def parts_of(invoices: Sequence[Invoice]) -> tuple[Part, ...]:
    """Return parts over all that is due on these invoices of one currency, due first before others.

    An invoice without a due date is due from its issue; one on which nothing is due has no part.
    """
    ordered = sorted(invoices, key=lambda one: (one.due_at or one.created_at, one.invoice_id))
    return tuple(Part(one.invoice_id, one.due.minor) for one in ordered if one.due.minor > 0)


def total_of(parts: Sequence[Part]) -> int:
    """Return what the parts sum to, in minor units."""
    return sum(part.amount_minor for part in parts)
