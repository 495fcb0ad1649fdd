"""Credit that credit notes left an account."""

from uuid import UUID

import msgspec

from tallystick.money.amount import Money


class CustomerCredit(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of the credit of one note; the id and the number are the note's."""

    customer_credit_id: UUID
    number: str
    left: Money


class Use(msgspec.Struct, frozen=True):
    """How much of a credit an invoice takes; above zero."""

    customer_credit_id: UUID
    amount: Money
