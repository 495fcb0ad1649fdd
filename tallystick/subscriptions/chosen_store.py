"""SQL of the subscriptions of chosen accounts, read account by account in batches."""

from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.subscriptions.model import Choice, Subscription

_CHOSEN: Final = """
    ($1::uuid[] IS NULL OR account_id = ANY ($1))
    AND ($2::uuid[] IS NULL OR plan_version_id = ANY ($2))
    AND started_at < $4 AND (ends_at IS NULL OR ends_at > $3)"""
COUNT: Final = f"SELECT count(DISTINCT account_id) FROM subscriptions WHERE {_CHOSEN}"  # noqa: S608 -- our own condition
# All subscriptions of an account stand in one batch.
BATCH: Final = f"""
SELECT s.* FROM subscriptions s
JOIN (SELECT DISTINCT account_id FROM subscriptions WHERE {_CHOSEN} AND account_id > $5
      ORDER BY account_id LIMIT $6) AS batch USING (account_id)
WHERE {_CHOSEN}
ORDER BY s.account_id, s.started_at, s.subscription_id
"""  # noqa: S608 -- our own condition


async def count_accounts(conn: Connection, choice: Choice) -> int:
    """Return how many accounts have such a subscription."""
    return int(await conn.fetchval(COUNT, *_arguments(choice)))


async def batch(
    conn: Connection, choice: Choice, after: UUID, account_count: int
) -> tuple[Subscription, ...]:
    """Return those of the next accounts behind one, in the order of accounts."""
    rows = await conn.fetch(BATCH, *_arguments(choice), after, account_count)
    return tuple(msgspec.convert(dict(row), Subscription) for row in rows)


def _arguments(choice: Choice) -> tuple[object, ...]:
    accounts, versions = choice.account_ids, choice.plan_version_ids
    return (
        None if accounts is None else list(accounts),
        None if versions is None else list(versions),
        choice.start,
        choice.end,
    )
