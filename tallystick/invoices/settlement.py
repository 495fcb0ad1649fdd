"""How what is on an account pays an invoice when it is issued. Pure.

After tax: the total is asked for whole, and this is how much of it is paid at once. Credit that
credit notes left goes first, the oldest first, then prepaid money; neither is taken beyond what is
due, nor below nothing.
"""

from collections.abc import Sequence

import msgspec

from tallystick.invoices.customer_credit_model import CustomerCredit, Use
from tallystick.money.amount import Money


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of which credit, how much prepaid money, and what is still due."""

    credit: tuple[Use, ...]
    prepaid: Money
    due: Money

    @property
    def paid(self) -> Money:
        """Both together."""
        return sum((use.amount for use in self.credit), self.prepaid)


def settlement(total: Money, credit: Sequence[CustomerCredit], prepaid: Money) -> Settlement:
    """Return what pays a total, as far as it reaches; all are of one currency."""
    nothing = Money.zero(total.currency)
    uses = uses_of(credit, total)
    due = total - sum((use.amount for use in uses), nothing)
    paid = max(min(prepaid, due), nothing)
    return Settlement(credit=uses, prepaid=paid, due=due - paid)


def uses_of(open_: Sequence[CustomerCredit], due: Money) -> tuple[Use, ...]:
    """Return what is taken of each credit, in their order, until nothing is due."""
    uses: list[Use] = []
    for one in open_:
        part = min(one.left, due)
        if part.minor > 0:
            uses.append(Use(one.customer_credit_id, part))
            due -= part
    return tuple(uses)
