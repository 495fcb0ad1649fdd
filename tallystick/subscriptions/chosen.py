"""The subscriptions of chosen accounts, for what looks at many: in batches, under staff's scope."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.subscriptions import chosen_store as store
from tallystick.subscriptions.model import Choice, Subscription

FIRST = UUID(int=0)
"""Before every account."""


async def count_accounts(conn: Connection, choice: Choice) -> int:
    """Return how many accounts have a subscription that was chosen."""
    return await store.count_accounts(conn, choice)


async def next_batch(
    conn: Connection, choice: Choice, after: UUID, account_count: int
) -> tuple[Subscription, ...]:
    """Return the chosen subscriptions of the next accounts behind `after`, by account.

    All of an account's stand in one batch; empty behind the last account.
    """
    return await store.batch(conn, choice, after, account_count)


async def terms_from(conn: Connection, account_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return by id since when each of the accounts' subscriptions is on its plan and quantity."""
    return await store.terms_from(conn, account_ids)
