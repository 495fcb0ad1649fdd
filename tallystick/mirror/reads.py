"""What an account sees of its own that lives at a gateway."""

from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import Page, PageRequest
from tallystick.mirror import store
from tallystick.payments.mirrored import MirroredInvoice, MirroredSubscription


async def newest_subscription(conn: Connection, account_id: UUID) -> MirroredSubscription | None:
    """Return the account's subscription at a gateway: one that lives, else the newest."""
    return await store.newest_subscription(conn, account_id)


async def list_invoices(
    conn: Connection, account_id: UUID, status: str | None, request: PageRequest
) -> Page[MirroredInvoice]:
    """Return one page of the account's invoices at gateways, newest first."""
    found, total = await store.invoices(conn, account_id, status, request)
    return Page(items=tuple(found), total=total, request=request, next_cursor=None)
