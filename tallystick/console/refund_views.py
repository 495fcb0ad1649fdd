"""Money that goes back, in words: refunds, disputes, and what is left of payments. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.console.billing_views import OfAccount, of_account
from tallystick.console.formats import Formats, formats_of
from tallystick.console.step_views import Step
from tallystick.credit_notes.model import Dispute, DisputeStatus, Refund, RefundStatus
from tallystick.kernel import ids
from tallystick.kernel.errors import BadInput
from tallystick.kernel.paging import Page
from tallystick.money.amount import Money
from tallystick.money.errors import BadAmount
from tallystick.money.text import parse_money
from tallystick.payments.refund_model import Giver
from tallystick.payments.refund_payment import left_by_status

REFUND_STEP: Final = Step(
    name="refund",
    button="It was paid",
    title="Refund",
    sentence="Say that the money was paid back by hand. It is booked, which can not be undone.",
    confirm="It was paid back",
    done="The refund is booked.",
    fields=("reference",),
)
_PROBLEMS: Final[Mapping[str, str]] = {
    "by_hand": "No gateway can do it: pay it back by hand.",
    "refund_failed": "It came back from the bank.",
}
_STATES: Final[Mapping[RefundStatus, str]] = {
    RefundStatus.REQUESTED: "waiting",
    RefundStatus.PROCESSING: "processing",
    RefundStatus.MADE: "made",
    RefundStatus.CANCELED: "canceled",
}
_DISPUTES: Final[Mapping[DisputeStatus, str]] = {
    DisputeStatus.WARNING: "The bank asks; no money moved",
    DisputeStatus.OPENED: "The bank has the money",
    DisputeStatus.WON: "The money came again",
    DisputeStatus.LOST: "The money is gone",
}


class RefundRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be, or was, paid back; `note` says why it waits, or how it was made."""

    of: OfAccount
    id: str
    invoice: str
    amount: str
    asked: str
    status: str
    note: str
    may_retry: bool
    may_be_made: bool


class DisputeRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank took back, or asks about."""

    of: OfAccount
    invoice: str
    amount: str
    status: str
    state: str
    reason: str
    told: str
    respond_by: str


class PaymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of an invoice, with what can be given back of it; empty: nothing."""

    id: str
    paid_on: str
    gateway: str
    status: str
    amount: str
    left: str


class Rows(msgspec.Struct, frozen=True):
    """One page of a list."""

    rows: tuple[RefundRow, ...] | tuple[DisputeRow, ...]
    page: int
    total_pages: int


def refund_list(found: Page[Refund], of: Mapping[UUID, Account]) -> Rows:
    """Return a page of refunds."""
    rows = tuple(refund_row(one, of[one.account_id]) for one in found.items)
    return Rows(rows, found.request.page, found.total_pages)


def dispute_list(found: Page[Dispute], of: Mapping[UUID, Account]) -> Rows:
    """Return a page of disputes."""
    rows = tuple(dispute_row(one, of[one.account_id]) for one in found.items)
    return Rows(rows, found.request.page, found.total_pages)


def refund_row(one: Refund, account: Account) -> RefundRow:
    """Return a refund as it stands in a list."""
    formats = formats_of(account)
    waits = one.status is RefundStatus.REQUESTED
    return RefundRow(
        of=of_account(account),
        id=ids.show("refund", one.refund_id),
        invoice=ids.show("invoice", one.invoice_id),
        amount=formats.money(one.amount),
        asked=formats.day(one.requested_at),
        status=_STATES[one.status],
        note=_note(one, formats),
        may_retry=one.status is RefundStatus.PROCESSING
        or (waits and one.problem not in {None, "by_hand"}),
        may_be_made=waits,
    )


def dispute_row(one: Dispute, account: Account) -> DisputeRow:
    """Return a dispute as it stands in a list."""
    formats = formats_of(account)
    is_return = one.kind == "return"
    return DisputeRow(
        of=of_account(account),
        invoice=ids.show("invoice", one.invoice_id),
        amount=formats.money(one.amount),
        status="returned" if is_return else one.status.value,
        state="It came back for good" if is_return else _DISPUTES[one.status],
        reason=(one.code or "").replace("_", " "),
        told=formats.day(one.opened_at),
        respond_by=formats.utc(one.respond_by) if one.respond_by else "",
    )


def payment_rows(givers: Sequence[Giver], formats: Formats) -> tuple[PaymentRow, ...]:
    """Return payments that came in, the newest first."""
    newest = sorted(givers, key=lambda one: (one.settled_at, one.payment_id), reverse=True)
    return tuple(_payment(one, formats) for one in newest)


def read_amount(told: str, currency: str, locale: str) -> int | None:
    """Return the amount of a form in minor units, None for an empty one; raises BadInput."""
    if not told.strip():
        return None
    try:
        return parse_money(told.strip(), currency, locale).minor
    except BadAmount as error:
        raise BadInput.field("amount", error.code, f"{told}: {error}") from error


def _payment(one: Giver, formats: Formats) -> PaymentRow:
    left = left_by_status(one)
    return PaymentRow(
        id=ids.show("payment", one.payment_id),
        paid_on=formats.day(one.settled_at),
        gateway=one.gateway,
        status=one.status.value,
        amount=formats.money(Money(one.received_minor, one.currency)),
        left=formats.money(Money(left, one.currency)) if left else "",
    )


def _note(one: Refund, formats: Formats) -> str:
    if one.status is RefundStatus.MADE:
        return f"{one.made_through}: {one.reference}"
    said = [f"{formats.money(one.made)} of it is paid back."] if one.made.minor else []
    if one.problem is not None:
        refusal = f"The gateway refused it: {one.problem.replace('_', ' ')}."
        said.append(_PROBLEMS.get(one.problem, refusal))
    return " ".join(said)
