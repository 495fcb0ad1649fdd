"""Charges without a clear answer, in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.console.billing_views import OfAccount, of_account
from tallystick.console.formats import Formats, formats_of
from tallystick.kernel import ids
from tallystick.payments.unclear import WORDS, Reason, Unclear

_STATES: Final[Mapping[Reason, str]] = {
    Reason.AMOUNT_DIFFERS: "parked",
    Reason.REFERENCE_DIFFERS: "parked",
    Reason.REFUND_DECLINED_BEFORE: "parked",
    Reason.GATEWAY_NOT_CONFIGURED: "parked",
}


class UnclearRow(msgspec.Struct, frozen=True, kw_only=True):
    """A charge of which nobody can say what became of it, and what was tried."""

    of: OfAccount
    payment: str
    amount: str
    kind: str
    through: str
    state: str
    reason: str
    since: str
    tried: int
    again: str
    may_ask: bool


def unclear_rows(found: Sequence[Unclear], of: Mapping[UUID, Account]) -> tuple[UnclearRow, ...]:
    """Return the charges, each in its account's words."""
    return tuple(_row(one, of[one.account_id]) for one in found)


def _row(one: Unclear, account: Account) -> UnclearRow:
    formats = formats_of(account)
    return UnclearRow(
        of=of_account(account),
        payment=ids.show("payment", one.payment_id),
        amount=formats.money(one.amount),
        kind=one.kind.capitalize(),
        through=f"{one.gateway} {one.gateway_reference or ''}".strip(),
        state=_STATES.get(one.reason, one.outcome),
        reason=WORDS[one.reason],
        since=formats.utc(one.since),
        tried=one.tried_count,
        again=_again(one, formats),
        may_ask=one.reason is not Reason.GATEWAY_NOT_CONFIGURED,
    )


def _again(one: Unclear, formats: Formats) -> str:
    if one.reason is Reason.GATEWAY_NOT_CONFIGURED:
        return "Not again without its keys"
    return f"Next: {formats.utc(one.next_try_at)}" if one.next_try_at else "Next: within a day"
