"""Payments by hand that wait for finance, in words. Pure."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.console.billing_views import OfAccount, of_account
from tallystick.console.formats import formats_of
from tallystick.kernel import ids
from tallystick.payments.model import Payment


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of which the payer told; `proof` is in the payer's words."""

    id: str
    of: OfAccount
    told: str
    way: str
    reference: str
    proof: str
    amount: str
    minor: int


def approval_rows(found: Sequence[Payment], of: Mapping[UUID, Account]) -> tuple[ApprovalRow, ...]:
    """Return the payments, each in its account's words."""
    return tuple(approval_row(one, of[one.account_id]) for one in found)


def approval_row(payment: Payment, account: Account) -> ApprovalRow:
    """Return one payment in its account's words."""
    formats = formats_of(account)
    return ApprovalRow(
        id=ids.show("payment", payment.payment_id),
        of=of_account(account),
        told=formats.utc(payment.created_at),
        way=(payment.method_code or "by hand").replace("_", " "),
        reference=payment.reference or "",
        proof=payment.proof_note or "",
        amount=formats.money(payment.amount),
        minor=payment.amount_minor,
    )
