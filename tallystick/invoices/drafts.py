"""Invoices that still move: those that people write, and periods in their grace time.

They become final like any other; how those of periods are made is in `period_drafts.py`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices import draft_store, period_drafts, store
from tallystick.invoices.draft_lines import (
    LINES_MAX,
    NewLine,
    check_draft,
    check_terms,
    summed,
    written_line,
)
from tallystick.invoices.finalize import finalize_draft, issue
from tallystick.invoices.model import DraftLine, Invoice, Status
from tallystick.invoices.rebill import fees_of, stored_lines
from tallystick.invoices.terms import Terms
from tallystick.issuers import service as issuers
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.taxes import service as taxes

log = structlog.get_logger()

NAME: Final = "drafts"
BATCH_MAX: Final = 20
RETRY: Final = timedelta(hours=1)


async def write_invoice(
    conn: Connection,
    account: Account,
    lines: Sequence[NewLine],
    terms: Terms,
    *,
    is_final: bool,
    finalize_at: datetime | None,
    seller: Party,
    at: datetime,
) -> Invoice:
    """Write an invoice over these lines at `at`, the account's present: final at once, or a draft.

    A draft without a time of its own becomes final after the grace period of its account, or
    issuer; where there is none, when somebody says so. Under the writer's scope. Raises BadInput;
    Conflict as `taxes_on` does.
    """
    check_draft(lines, terms)
    written = tuple(written_line(line, account.currency, at) for line in lines)
    rates = (await taxes.read_terms(conn, [account]))[account.account_id]
    draft = summed(account, account.currency, written, terms, taxes=rates, at=at)
    if is_final:
        return await _whole(conn, await issue(conn, account, draft, seller=seller, at=at))
    issuer = (await issuers.issuers_of(conn, [account], seller, at))[account.account_id]
    hours = issuer.grace_hours if account.grace_hours is None else account.grace_hours
    if finalize_at is None and hours:
        finalize_at = at + timedelta(hours=hours)
    invoice_id = new_id()
    await store.insert_draft(conn, account.account_id, draft, invoice_id=invoice_id, at=at)
    await _insert_lines(conn, account.account_id, invoice_id, written)
    await draft_store.set_draft(conn, account.account_id, invoice_id, draft, finalize_at)
    return await _whole(conn, await _lock(conn, account.account_id, invoice_id))


async def add_lines(
    conn: Connection, account: Account, invoice_id: UUID, lines: Sequence[NewLine], at: datetime
) -> Invoice:
    """Add lines to a draft; raises NotFound, BadInput, Conflict `invoice_not_draft`."""
    was = await _lock(conn, account.account_id, invoice_id)
    check_draft(lines, was.terms)
    new = tuple(written_line(line, was.currency, at) for line in lines)
    written = (*await _lines_of(conn, was), *new)
    if len(written) > LINES_MAX:
        raise BadInput.field("lines", "too_many", f"may be {LINES_MAX} at most")
    return await _rewrite(conn, account, was, written, terms=was.terms, at=at)


async def change_terms(
    conn: Connection, account: Account, invoice_id: UUID, terms: Terms, at: datetime
) -> Invoice:
    """Let a draft say something else; raises NotFound, BadInput, Conflict `invoice_not_draft`."""
    was = await _lock(conn, account.account_id, invoice_id)
    written = await _lines_of(conn, was)
    check_terms(terms)
    return await _rewrite(conn, account, was, written, terms=terms, at=at)


async def discard(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    """Throw a draft away; raises NotFound, Conflict `invoice_not_draft`, `draft_bills_period`."""
    was = await _lock(conn, account_id, invoice_id)
    if was.is_of_period:
        raise Conflict(
            "draft_bills_period",
            "The draft bills a period, which nothing else would bill; make it final, and void it.",
        )
    await draft_store.delete(conn, account_id, invoice_id)


async def finalize(
    conn: Connection,
    account: Account,
    invoice_id: UUID,
    *,
    seller: Party,
    at: datetime,
    late_window: timedelta = CORRECTION_WINDOW,
) -> Invoice:
    """Make a draft final at `at`: its taxes are reckoned anew, it says what holds now.

    That of a period is made anew as a whole, with usage of closed periods that changed, if they
    ended within `late_window`. Raises NotFound, Conflict `invoice_not_draft`, and as `taxes_on`
    does.
    """
    was = await _lock(conn, account.account_id, invoice_id)
    if was.is_of_period:
        made = await period_drafts.finalize(
            conn, account, was, seller=seller, at=at, late_window=late_window, is_asked=True
        )
        assert made is not None  # noqa: S101 -- one that is asked for is issued over nothing too
        return await _whole(conn, made)
    return await _whole(conn, await _finalize_written(conn, account, was, seller=seller, at=at))


async def _finalize_written(
    conn: Connection, account: Account, was: Invoice, *, seller: Party, at: datetime
) -> Invoice:
    rates = (await taxes.read_terms(conn, [account]))[account.account_id]
    written = await _lines_of(conn, was)
    draft = summed(account, was.currency, written, was.terms, taxes=rates, at=at)
    return await finalize_draft(conn, account, draft, was=was, seller=seller, at=at)


async def draft_count(conn: Connection) -> int:
    """Return how many drafts of all accounts wait to become final; under the staff's scope."""
    return await draft_store.count(conn)


class DraftWork:
    """The work of the kind `drafts`: those whose time has come become final."""

    def __init__(
        self, db: Database, seller: Party, *, late_window: timedelta = CORRECTION_WINDOW
    ) -> None:
        self._db = db
        self._seller = seller
        self._late_window = late_window

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self.next_at)

    async def next_at(self, test_clock_id: UUID) -> datetime | None:
        """Return when the next draft on that clock becomes final."""
        async with self._db.transaction(WRITER) as conn:
            return await draft_store.next_due_at(conn, test_clock_id)

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Make a batch of drafts final at `now`; one that can not be is tried again in an hour.

        Each in a transaction of its own: it takes its account's coupons before the number, and
        whoever holds a number waits for nobody's coupons.
        """
        for count in range(BATCH_MAX):
            async with self._db.transaction(WRITER) as conn:
                due = await draft_store.lock_due(conn, now, test_clock_id, 1)
                if not due:
                    return count
                await self._finalize(conn, *due[0], now)
        return BATCH_MAX

    async def _finalize(
        self, conn: Connection, account_id: UUID, invoice_id: UUID, now: datetime
    ) -> None:
        try:
            async with conn.transaction():
                account = await accounts.get_account(conn, account_id)
                was = await _lock(conn, account_id, invoice_id)
                if not was.is_of_period:
                    await _finalize_written(conn, account, was, seller=self._seller, at=now)
                    return
                await period_drafts.finalize(
                    conn,
                    account,
                    was,
                    seller=self._seller,
                    at=now,
                    late_window=self._late_window,
                    is_asked=False,
                )
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, others go on
            log.error("draft_put_off", invoice_id=str(invoice_id), reason=str(error))  # noqa: TRY400
            await draft_store.put_off(conn, account_id, invoice_id, now + RETRY)


async def _rewrite(
    conn: Connection,
    account: Account,
    was: Invoice,
    written: tuple[DraftLine, ...],
    *,
    terms: Terms,
    at: datetime,
) -> Invoice:
    account_id, invoice_id = was.account_id, was.invoice_id
    if was.is_of_period:
        draft = await period_drafts.rewrite(conn, account, replace(was, terms=terms), written)
    else:
        rates = (await taxes.read_terms(conn, [account]))[account.account_id]
        draft = summed(account, was.currency, written, terms, taxes=rates, at=at)
    await draft_store.delete_lines(conn, account_id, invoice_id)
    await _insert_lines(conn, account_id, invoice_id, draft.lines)
    await draft_store.set_draft(conn, account_id, invoice_id, draft, was.finalize_at)
    return await _whole(conn, await _lock(conn, account_id, invoice_id))


async def _insert_lines(
    conn: Connection, account_id: UUID, invoice_id: UUID, lines: Sequence[DraftLine]
) -> None:
    await store.insert_lines(conn, account_id, invoice_id, lines, [new_id() for _ in lines])


async def _lines_of(conn: Connection, was: Invoice) -> tuple[DraftLine, ...]:
    """Return the lines that people wrote."""
    if was.is_of_period:
        return await period_drafts.written_lines(conn, was)
    return tuple(fees_of(await stored_lines(conn, await _whole(conn, was)), {}))


async def _lock(conn: Connection, account_id: UUID, invoice_id: UUID) -> Invoice:
    found = await store.lock(conn, account_id, invoice_id)
    if found is None:
        raise unknown("invoice")
    if found.status is not Status.DRAFT:
        raise Conflict("invoice_not_draft", "The invoice is final; it can not be changed.")
    return found


async def _whole(conn: Connection, invoice: Invoice) -> Invoice:
    bare = replace(invoice, lines=())
    whole = await store.with_lines(conn, invoice.account_id, [bare])
    (present,) = await period_drafts.as_they_are(conn, whole)
    return present
