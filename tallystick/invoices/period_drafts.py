"""Drafts of billed periods: what they come to now, and how they become final.

The lines of such a draft are those that it had when it was written or changed last; whoever reads
it through `service` sees what it comes to at present, made anew from the subscriptions as they
were by the functions that make it final.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import structlog
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices import period_draft_store, store
from tallystick.invoices.besides import Besides, after
from tallystick.invoices.besides_use import lock_besides, read_besides, use_besides
from tallystick.invoices.biller import Biller, read_book
from tallystick.invoices.compose import Bill, Composed, Failed, compose
from tallystick.invoices.finalize import finalize_draft
from tallystick.invoices.late_usage import read_late
from tallystick.invoices.model import DraftLine, Invoice, InvoiceDraft, InvoiceLine
from tallystick.invoices.rebill import fees_of, stored_lines
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import TallystickError
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.money.errors import MoneyError
from tallystick.taxes import service as taxes

log = structlog.get_logger()

_NOBODY: Final = Party("")


async def composed(
    conn: Connection, account: Account, was: Invoice, besides: Besides, at: datetime
) -> Composed | None:
    """Return what a draft comes to if it is final at `at`, by the usage that is known now.

    None: to nothing, and that is not issued. Raises what keeps it from that.
    """
    before = await period_draft_store.drafted(conn, was.account_id, was.invoice_id)
    book = await read_book(conn, before)
    book = replace(book, add_ons={on.subscription_id: on.add_ons for on in before})
    bills: list[Bill] = []
    for one in await Biller(conn, at, _NOBODY, None).draft_all(before, book):
        if isinstance(one, Failed):
            raise one.error
        bills.append(one)
    terms = (await taxes.read_terms(conn, [account]))[account.account_id]
    made = compose(account, bills, besides, at, terms)
    if not made:
        return None
    (only,) = made  # bills that stood together once always do
    return replace(only, draft=replace(only.draft, terms=was.terms))


async def written_lines(conn: Connection, was: Invoice) -> tuple[DraftLine, ...]:
    """Return the lines that staff wrote on a draft; of no subscription, as theirs alone are."""
    (whole,) = await store.with_lines(conn, was.account_id, [replace(was, lines=())])
    kept = [
        (line, derivation)
        for line, derivation in await stored_lines(conn, whole)
        if line.kind == "one_off" and line.subscription_id is None
    ]
    return tuple(fees_of(kept, {}))


async def rewrite(
    conn: Connection, account: Account, was: Invoice, written: tuple[DraftLine, ...]
) -> InvoiceDraft:
    """Return what a locked draft comes to with these lines of staff; raises as `composed`."""
    at = was.finalize_at or was.created_at
    besides = await _read_besides(conn, account, at)
    made = await composed(
        conn, account, was, replace(besides, skips_zero=False, written=written), at
    )
    assert made is not None  # noqa: S101 -- only where nothing is skipped it has no invoice
    return made.draft


async def finalize(
    conn: Connection,
    account: Account,
    was: Invoice,
    *,
    seller: Party,
    at: datetime,
    late_window: timedelta,
    is_asked: bool,
) -> Invoice | None:
    """Make a locked draft of a period final at `at`, with coupons, credit and taxes of that moment.

    None: it comes to nothing, nobody `is_asked` for it, and its issuer does not issue such: it is
    gone. Raises as `drafts.finalize`.
    """
    account_id, invoice_id = was.account_id, was.invoice_id
    written = await written_lines(conn, was)
    besides = (await lock_besides(conn, [account], at, late_window))[account_id]
    skips = besides.skips_zero and not is_asked
    besides = replace(besides, written=written, skips_zero=skips)
    made = await composed(conn, account, was, besides, at)
    if made is None:
        await period_draft_store.delete(conn, account_id, invoice_id)
        return None
    await period_draft_store.write_lines(conn, account_id, invoice_id, made.draft)
    final = await finalize_draft(conn, account, made.draft, was=was, seller=seller, at=at)
    await use_besides(conn, made, invoice_id, at)
    return final


async def as_they_are(conn: Connection, found: Sequence[Invoice]) -> tuple[Invoice, ...]:
    """Return these invoices of one account, its drafts of periods with what they come to now."""
    if not any(one.is_of_period for one in found):
        return tuple(found)
    shown = await present_drafts(conn, found[0].account_id)
    present = {now.invoice_id: now for _, now in shown}
    return tuple(present.get(one.invoice_id, one) for one in found)


async def present_drafts(conn: Connection, account_id: UUID) -> tuple[tuple[Invoice, Invoice], ...]:
    """Return the account's drafts of periods, as written and as they would become final.

    One after the other, each at its `finalize_at`. One that can not be made now is left out.
    """
    drafts = [
        one
        for invoice_id in await period_draft_store.open_drafts(conn, account_id)
        if (one := await store.find(conn, account_id, invoice_id)) is not None
    ]
    if not drafts:
        return ()
    account = await accounts.get_account(conn, account_id)
    besides = await _read_besides(conn, account, drafts[0].finalize_at or drafts[0].created_at)
    shown: list[tuple[Invoice, Invoice]] = []
    for was in drafts:
        own = replace(besides, written=await written_lines(conn, was), skips_zero=False)
        try:
            made = await composed(conn, account, was, own, was.finalize_at or was.created_at)
        except (TallystickError, MoneyError) as error:
            log.warning("draft_not_made", invoice_id=str(was.invoice_id), reason=str(error))
            continue
        if made is not None:
            besides = after(besides, made.coupons, made.used, made.changes)
            shown.append((was, _shown(was, made)))
    return tuple(shown)


async def _read_besides(conn: Connection, account: Account, at: datetime) -> Besides:
    late = await read_late(conn, [account.account_id], at, CORRECTION_WINDOW)
    return await read_besides(conn, account, late)


def _shown(was: Invoice, made: Composed) -> Invoice:
    draft = made.draft
    lines = tuple(_line(was, at, line) for at, line in enumerate(draft.lines, 1))
    return replace(was, subtotal=draft.subtotal, tax=draft.tax, total=draft.total, lines=lines)


def _line(was: Invoice, position: int, line: DraftLine) -> InvoiceLine:
    """Return a line as it is shown; the id is of its place, until the invoice is final."""
    return InvoiceLine(
        invoice_line_id=uuid5(was.invoice_id, str(position)),
        position=position,
        kind=line.kind,
        description=line.description,
        price_code=line.price_code,
        meter_code=line.meter_code,
        quantity=line.quantity,
        unit=line.unit,
        period_start=line.period_start,
        period_end=line.period_end,
        amount=line.amount,
        subscription_id=line.subscription_id,
    )
