"""Whole lists of one account, through the services that page them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import CreditNote
from tallystick.credits import service as credits_
from tallystick.credits.model import Grant
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import LIMIT_MAX, Page, PageRequest, page_request
from tallystick.payments import service as payments
from tallystick.payments.model import Payment

T = TypeVar("T")


async def all_invoices(conn: Connection, account_id: UUID) -> list[Invoice]:
    """Return every invoice of the account, the first one first."""
    return await _whole(lambda page: invoices.list_invoices(conn, account_id, None, page))


async def all_credit_notes(conn: Connection, account_id: UUID) -> list[CreditNote]:
    """Return every credit note of the account, the first one first."""
    return await _whole(lambda page: notes.list_notes(conn, account_id, page))


async def all_payments(conn: Connection, account_id: UUID) -> list[Payment]:
    """Return every payment of the account, the first one first."""
    return await _whole(lambda page: payments.list_payments(conn, account_id, page))


async def all_grants(conn: Connection, account_id: UUID) -> list[Grant]:
    """Return every credit grant of the account, the first one first."""
    return await _whole(lambda page: credits_.list_grants(conn, account_id, page))


async def _whole(read: Callable[[PageRequest], Awaitable[Page[T]]]) -> list[T]:
    found: list[T] = []
    cursor: str | None = None
    while True:
        page = await read(page_request(1, LIMIT_MAX, cursor))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found[::-1]
