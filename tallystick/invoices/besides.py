"""What an account's next invoices take besides what is due: coupons, credit, changes. Pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.catalog.offer_model import Redemption
from tallystick.invoices.adjustments import Adjustment
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_lines_model import UsageChange
from tallystick.money.amount import Money
from tallystick.money.rounding import round_decimal

LateKey = tuple[UUID | None, UUID | None, str | None]
"""The invoice that billed it, the subscription, the meter."""


class Besides(msgspec.Struct, frozen=True, kw_only=True):
    """All of one account, oldest first.

    `late` are the lines of closed periods whose usage changed (`changes`). `minimum_amounts` are
    what an invoice asks for at least, by currency in major units; `skips_zero`: one over nothing
    but lines of nothing is not issued. `grace` is how long a billed period stays on a draft,
    `written` are the lines that staff wrote on that.
    """

    coupons: tuple[Redemption, ...] = ()
    carried: tuple[Adjustment, ...] = ()
    credit: tuple[Adjustment, ...] = ()
    late: tuple[DraftLine, ...] = ()
    changes: tuple[UsageChange, ...] = ()
    minimum_amounts: Mapping[str, Decimal] = {}
    skips_zero: bool = False
    grace: timedelta = timedelta()
    written: tuple[DraftLine, ...] = ()

    def least(self, currency: str) -> Money | None:
        """Return what an invoice in this currency asks for at least."""
        amount = self.minimum_amounts.get(currency)
        return None if amount is None else round_decimal(amount, currency)

    def late_in(self, currency: str) -> tuple[DraftLine, ...]:
        """Return the lines that an invoice in this currency has."""
        return tuple(line for line in self.late if line.amount.currency == currency)

    def changes_in(self, currency: str) -> tuple[UsageChange, ...]:
        """Return the changes that it puts right; what changes no amount is with any."""
        others = {late_key(one) for one in self.late if one.amount.currency != currency}
        own = {late_key(one) for one in self.late_in(currency)}
        return tuple(one for one in self.changes if key_of(one) not in others - own)


def key_of(change: UsageChange) -> LateKey:
    """Return what tells a change apart from others of the account."""
    return change.invoice_id, change.subscription_id, change.meter_code


def late_key(line: DraftLine) -> LateKey:
    """Return the key of the change that a line puts right."""
    changed = line.derivation.changed
    return changed.invoice_id if changed else None, line.subscription_id, line.meter_code


def after(
    besides: Besides,
    coupons: Sequence[Redemption],
    used: Sequence[tuple[UUID, Money]],
    changes: Sequence[UsageChange],
) -> Besides:
    """Return what an invoice leaves of it, which bills these changes.

    `coupons` are what is left of those that lower it, `used` what it takes of earlier invoices.
    """
    billed = {key_of(one) for one in changes}
    left = {one.redemption_id: one for one in (*besides.coupons, *coupons)}
    return replace(
        besides,
        coupons=tuple(one for one in left.values() if one.ended_at is None),
        carried=_left(besides.carried, used),
        credit=_left(besides.credit, used),
        late=tuple(line for line in besides.late if late_key(line) not in billed),
        changes=tuple(one for one in besides.changes if key_of(one) not in billed),
        written=(),
    )


def _left(
    open_: Sequence[Adjustment], used: Sequence[tuple[UUID, Money]]
) -> tuple[Adjustment, ...]:
    taken = dict(used)
    left = [
        replace(one, left=one.left - taken[one.invoice_id]) if one.invoice_id in taken else one
        for one in open_
    ]
    return tuple(one for one in left if not one.left.is_zero())
