"""Credits: what takes, gives, holds and tells them. Credit math happens here and nowhere else."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.credits import account_store, debit_store, grant_store
from tallystick.credits.amounts import to_units
from tallystick.credits.burn import burn_order
from tallystick.credits.costs import CostBook
from tallystick.credits.debit_store import NewDebit, UsageFilter
from tallystick.credits.debits import (
    batch_key,
    debit_batch,
    debit_within,
    need_debited,
    repeated,
)
from tallystick.credits.model import (
    Balance,
    Debit,
    Debited,
    Grant,
    Outcome,
    Settings,
    UsageRow,
    UsageSum,
)
from tallystick.credits.prices import Prices, read_book
from tallystick.credits.watch import save_and_watch
from tallystick.kernel.db import Connection, Database
from tallystick.kernel.errors import BadInput, Conflict, NotFound, TallystickError
from tallystick.kernel.group_commit import WAITING_MAX, GroupCommitter
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.ledger import service as ledger
from tallystick.pricing.bounds import used_quantity

TEXT_LENGTH_MAX: Final = 200
KEY_LENGTH_MAX: Final = 255
METADATA_BYTES_MAX: Final = 4096
BATCH_MAX: Final = 1000
_REPRICED_MAX: Final = 5


class Deduct(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken, at `at` (the account's present), for the intent `key`.

    Either `credits` (up to 5 decimals), or a `quantity` that the operation's cost prices.
    `metadata` is JSON.
    """

    account_id: UUID
    key: str
    at: datetime
    operation: str
    model: str | None = None
    quantity: Decimal | None = None
    credits: Decimal | None = None
    description: str = ""
    metadata: str | None = None


class CreditService:
    """Takes credits in batches, over a connection of its own; `close` writes the rest."""

    def __init__(self, db: Database, *, waiting_max: int = WAITING_MAX) -> None:
        self._prices = Prices(db)
        # One lane: what is asked is decided in the order in which it was asked. A second lane was
        # slower. A second committer for half of the accounts took 9,800 debits/s instead of 8,400
        # with 256 in flight and 2,900 instead of 4,600 with 16 (two cores, one run): batches half
        # as large cost the database more than its second process gains.
        self._committer: GroupCommitter[NewDebit, Debited] = GroupCommitter(
            db, debit_batch, key=batch_key, repeat=repeated, waiting_max=waiting_max, lanes=1
        )

    async def deduct(self, wanted: Deduct) -> Debited:
        """Take credits and commit it, whatever transaction runs around.

        Grants, allocations, ledger entry and usage log are one commit. The same key with the same
        content answers as the first time (outcome `replayed`). Never call it inside a transaction
        that has touched the account's credits: that one holds them until it ends.

        Raises PaymentRequired `insufficient_credits` (`required`, `available`); Conflict
        `credit_key_conflict`; NotFound `credit_cost_not_found`; BadInput; Unavailable `ledger_busy`
        or `database_unavailable`, after which the same key is safe to send again.
        """
        check(wanted)
        for _ in range(_REPRICED_MAX):
            debit = await self._priced(wanted)
            answer = await self._committer.submit(NewDebit(new_id(), debit))
            if answer.outcome is not Outcome.STALE:
                return need_debited(debit, answer)
            await self._prices.reload()
        raise Conflict("credit_costs_changing", "Costs change all the time; send it again.")

    async def deduct_many(self, wanted: Sequence[Deduct]) -> list[Debited | TallystickError]:
        """Do up to 1,000 deductions in their order, each for itself; answer by position."""
        if not 1 <= len(wanted) <= BATCH_MAX:
            raise BadInput.field("items", "too_many", f"must be 1 to {BATCH_MAX}")
        return list(await asyncio.gather(*(self._answer(one) for one in wanted)))

    async def _answer(self, wanted: Deduct) -> Debited | TallystickError:
        try:
            return await self.deduct(wanted)
        except TallystickError as error:
            return error

    async def deduct_within(self, conn: Connection, wanted: Deduct) -> Debited:
        """Take credits as a part of the open transaction; else as `deduct`."""
        check(wanted)
        for _ in range(_REPRICED_MAX):
            answer = await debit_within(conn, await self.priced_on(conn, wanted))
            if answer.outcome is not Outcome.STALE:
                return answer
        raise Conflict("credit_costs_changing", "Costs change all the time; send it again.")

    async def priced_on(self, conn: Connection, wanted: Deduct) -> Debit:
        """Return the debit with its credits, by the costs as the open transaction sees them."""
        return priced(wanted, await read_book(conn) if wanted.credits is None else None)

    async def _priced(self, wanted: Deduct) -> Debit:
        """Return the debit with its credits; whoever is refused is so by the newest costs."""
        if wanted.credits is not None:
            return priced(wanted, None)
        book = await self._prices.book()
        try:
            return priced(wanted, book)
        except (NotFound, BadInput):
            newest = await self._prices.reload()
            if newest is book:
                raise
            return priced(wanted, newest)

    async def close(self) -> None:
        """Take nothing more, and commit what was taken."""
        await self._committer.close()


def check(wanted: Deduct) -> None:
    """Raise BadInput unless what is wanted can be written down."""
    _check_text("operation", wanted.operation, length_min=1)
    if wanted.model is not None:
        _check_text("model", wanted.model, length_min=1)
    _check_text("description", wanted.description)
    if not 1 <= len(wanted.key) <= KEY_LENGTH_MAX:
        raise BadInput.field("key", "invalid_length", f"must have 1 to {KEY_LENGTH_MAX} characters")
    if wanted.metadata is not None and len(wanted.metadata.encode()) > METADATA_BYTES_MAX:
        raise BadInput.field("metadata", "too_large", f"may have {METADATA_BYTES_MAX} bytes")
    if wanted.quantity is not None:
        used_quantity(wanted.quantity)
    if wanted.credits is None and wanted.quantity is None:
        raise BadInput.field("quantity", "missing", "say how much is used, or the credits")


def priced(wanted: Deduct, book: CostBook | None) -> Debit:
    """Return the debit with its credits: those given, or what the quantity costs by the book."""
    cost_id, epoch = None, None
    if wanted.credits is not None or book is None or wanted.quantity is None:
        units = to_units(wanted.credits or Decimal(0))
    else:
        named = wanted.account_id, wanted.operation, wanted.model
        units, cost_id = book.price(*named, wanted.quantity, wanted.at)
        epoch = book.epoch
    return Debit(
        account_id=wanted.account_id,
        key=wanted.key,
        at=wanted.at,
        operation=wanted.operation,
        model=wanted.model,
        quantity=wanted.quantity,
        units=units,
        description=wanted.description,
        metadata=wanted.metadata,
        cost_id=cost_id,
        epoch=epoch,
    )


async def balance(conn: Connection, account_id: UUID, at: datetime) -> Balance:
    """Return what the account has at `at`: what lapsed by then is gone, worker or not."""
    return await account_store.balance(conn, account_id, at)


async def settings(conn: Connection, account_id: UUID) -> Settings:
    """Return what is set for the account."""
    return await account_store.settings(conn, account_id)


async def set_settings(conn: Connection, account_id: UUID, new: Settings, at: datetime) -> Settings:
    """Set overdraft, alert and top-up. Raises Conflict for less overdraft than is in use."""
    state = await account_store.lock(conn, account_id)
    if new.overdraft_max < state.owed:
        raise Conflict(
            "credits_below_floor", "The overdraft is in use; it can not be less than what is used."
        )
    await ledger.set_floor(conn, account_id, -new.overdraft_max)
    fields = msgspec.structs.asdict(new)
    await save_and_watch(conn, msgspec.structs.replace(state, **fields), at)
    return new


async def set_own_settings(
    conn: Connection, account_id: UUID, new: Settings, at: datetime
) -> Settings:
    """Set alert and top-up as the account itself may; its overdraft stays as it is."""
    state = await account_store.lock(conn, account_id)
    kept = msgspec.structs.replace(new, overdraft_max=state.overdraft_max)
    return await set_settings(conn, account_id, kept, at)


async def usage_log(
    conn: Connection, account_id: UUID, wanted: UsageFilter, request: PageRequest
) -> Page[UsageRow]:
    """Return a page of what used credits, newest first."""
    rows = await debit_store.page(conn, account_id, wanted, request)
    total = await debit_store.count(conn, account_id, wanted)
    return make_page(rows, total, request, lambda row: After(row.at, row.ledger_entry_id))


async def usage_sums(
    conn: Connection, account_id: UUID, wanted: UsageFilter
) -> tuple[UsageSum, ...]:
    """Return what was used by operation and model."""
    return await debit_store.sums(conn, account_id, wanted)


async def used(conn: Connection, account_id: UUID, wanted: UsageFilter) -> int:
    """Return the credits used, in 1/100,000."""
    return await debit_store.used(conn, account_id, wanted)


async def list_grants(conn: Connection, account_id: UUID, request: PageRequest) -> Page[Grant]:
    """Return a page of the account's grants, newest first."""
    rows = await grant_store.page(conn, account_id, request)
    total = await grant_store.count(conn, account_id)
    return make_page(rows, total, request, lambda one: After(one.created_at, one.credit_grant_id))


async def live_grants(conn: Connection, account_id: UUID) -> tuple[Grant, ...]:
    """Return the grants with anything left, in the order in which they are used."""
    return tuple(sorted(await grant_store.live(conn, account_id), key=burn_order))


def _check_text(field: str, text: str, *, length_min: int = 0) -> None:
    fits = length_min <= len(text.strip()) and len(text) <= TEXT_LENGTH_MAX
    if not (fits and (text.isprintable() or not text)):
        message = f"must have {length_min} to {TEXT_LENGTH_MAX} characters that can be printed"
        raise BadInput.field(field, "invalid_text", message)
