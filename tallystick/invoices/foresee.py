"""What the billing run would issue now: drafted and composed as by the run, nothing written."""

from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.documents.document import Party
from tallystick.invoices.besides_use import read_besides
from tallystick.invoices.biller import Biller, HasMethod, read_book
from tallystick.invoices.compose import Bill, Composed, Failed, compose_what_can
from tallystick.invoices.late_usage import read_late
from tallystick.kernel.db import Connection
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.subscriptions import service as subscriptions

FIRST = UUID(int=0)
"""Before every account."""
_NOBODY = Party("")


class Foreseen(msgspec.Struct, frozen=True):
    """What would come of some accounts, and the last of them."""

    made: tuple[Composed, ...]
    failed: tuple[Failed, ...]
    subscription_count: int
    last_account_id: UUID


async def foresee(
    conn: Connection, now: datetime, after: UUID, limit: int, has_method: HasMethod | None
) -> Foreseen | None:
    """Return what the next accounts behind `after` would be billed by `now`; None: no more are due.

    Each account's first due instant. Nothing is locked: beside a running worker it is what was due
    when it was read.
    """
    due = await subscriptions.due_after(conn, now, after, limit)
    if not due:
        return None
    book = await read_book(conn, due)
    billed: dict[UUID, list[Bill]] = {}
    failed: list[Failed] = []
    for one in await Biller(conn, now, _NOBODY, has_method).draft_all(due, book):
        if isinstance(one, Failed):
            failed.append(one)
        else:
            billed.setdefault(one.on.account_id, []).append(one)
    made: list[Composed] = []
    for whose, bills in billed.items():
        account = book.accounts[whose]
        late = await read_late(conn, [account.account_id], now, CORRECTION_WINDOW)
        besides = await read_besides(conn, account, late)
        done, refused = compose_what_can(account, bills, besides, now, book.terms[whose])
        made += done
        failed += refused
    last = max(one.account_id for one in due)
    return Foreseen(tuple(made), tuple(failed), len(due), last)
