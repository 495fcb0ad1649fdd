"""Where billing stands, and lists over all accounts, in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.console.formats import formats_of
from tallystick.console.invoice_views import Fact
from tallystick.console.note_views import NoteRow, note_rows
from tallystick.console.viewer import (
    ACCOUNTS,
    APPROVALS,
    CREDIT_NOTES,
    DISPUTES,
    MAILS,
    REFUNDS,
    UNCLEAR,
    WEBHOOKS,
    Link,
)
from tallystick.credit_notes.model import CreditNote, Refund
from tallystick.kernel import ids
from tallystick.kernel.paging import Page
from tallystick.mail.model import Mail
from tallystick.subscriptions.model import DueCount, Subscription

LINKS: Final = (
    Link(CREDIT_NOTES, "Credit notes"),
    Link(REFUNDS, "Refunds"),
    Link(DISPUTES, "Disputes"),
    Link(UNCLEAR, "Unclear payments"),
    Link(APPROVALS, "Payments to approve"),
    Link(MAILS, "Mails"),
    Link(WEBHOOKS, "Webhooks"),
)


class ParkedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that could not be billed, and why."""

    account: str
    name: str
    due: str
    reason: str
    tries: int
    again: str


class OfAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a row is; `base` is the account's page."""

    base: str
    name: str


class StaffNoteRow(msgspec.Struct, frozen=True):
    """A credit note and whose it is."""

    of: OfAccount
    note: NoteRow


class MailRow(msgspec.Struct, frozen=True, kw_only=True):
    """A mail with an invoice, and what became of it."""

    of: OfAccount
    invoice: str
    to: str
    status: str
    note: str
    asked: str
    sent: str


class Rows(msgspec.Struct, frozen=True):
    """One page of a list."""

    rows: tuple[StaffNoteRow, ...] | tuple[MailRow, ...]
    page: int
    total_pages: int


def billing_facts(draft_count: int, due: DueCount, refunds: Sequence[Refund]) -> tuple[Fact, ...]:
    """Return the numbers; those of bills are without accounts on test clocks."""
    return (
        Fact("Drafts", str(draft_count)),
        Fact("Bills that wait", str(due.waiting)),
        Fact("Subscriptions parked", str(due.parked)),
        Fact("Refunds that wait", str(len(refunds))),
    )


def parked_rows(
    parked: Sequence[Subscription], of: Mapping[UUID, Account]
) -> tuple[ParkedRow, ...]:
    """Return the subscriptions that could not be billed, each in its account's words."""
    return tuple(_parked(one, of[one.account_id]) for one in parked)


def note_list(found: Page[CreditNote], of: Mapping[UUID, Account]) -> Rows:
    """Return a page of credit notes."""
    rows = tuple(
        StaffNoteRow(
            of_account(of[one.account_id]),
            note_rows([one], formats_of(of[one.account_id]))[0],
        )
        for one in found.items
    )
    return Rows(rows, found.request.page, found.total_pages)


def mail_list(found: Page[Mail], of: Mapping[UUID, Account]) -> Rows:
    """Return a page of mails."""
    rows = tuple(_mail(one, of[one.account_id]) for one in found.items)
    return Rows(rows, found.request.page, found.total_pages)


def frame(account: str, path: str) -> dict[str, str]:
    """Return where a list is one step back from, and how its other pages are asked for."""
    query = f"{path}?account_id={account}&" if account else f"{path}?"
    back = f"{ACCOUNTS}/{account}" if account else "/staff/billing"
    return {"back": back, "back_text": "The account" if account else "Billing", "query": query}


def of_account(account: Account) -> OfAccount:
    """Return whose a row is."""
    shown = ids.show("account", account.account_id)
    return OfAccount(base=f"{ACCOUNTS}/{shown}", name=account.name)


def _parked(one: Subscription, account: Account) -> ParkedRow:
    formats = formats_of(account)
    return ParkedRow(
        account=ids.show("account", one.account_id),
        name=account.name,
        due=formats.day(one.next_bill_at),
        reason=one.bill_error or "",
        tries=one.bill_try_count,
        again=formats.utc(one.bill_retry_at) if one.bill_retry_at else "",
    )


def _mail(one: Mail, account: Account) -> MailRow:
    formats = formats_of(account)
    return MailRow(
        of=of_account(account),
        invoice=ids.show("invoice", one.invoice_id) if one.invoice_id else "",
        to=", ".join(one.addresses),
        status=one.status.value,
        note=" ".join(_mail_notes(one)),
        asked=formats.instant(one.created_at),
        sent=formats.instant(one.sent_at) if one.sent_at else "",
    )


def _mail_notes(one: Mail) -> Iterator[str]:
    if one.try_count > 1 or one.error:
        yield f"Tried {one.try_count} times." if one.try_count != 1 else "Tried once."
    if one.error:
        yield f"The server said: {one.error}"
