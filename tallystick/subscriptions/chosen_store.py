"""SQL of the subscriptions of chosen accounts, read account by account in batches."""

from collections.abc import Collection
from datetime import datetime
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
# Since when each is on its present plan with its present quantity.
TERMS_FROM: Final = """
SELECT DISTINCT ON (account_id, subscription_id) subscription_id, starts_at
FROM subscription_terms WHERE account_id = ANY ($1::uuid[])
ORDER BY account_id, subscription_id, bill_index DESC
"""


async def count_accounts(conn: Connection, choice: Choice) -> int:
    """Return how many accounts have such a subscription."""
    return int(await conn.fetchval(COUNT, *_arguments(choice)))


async def batch(
    conn: Connection, choice: Choice, after: UUID, account_count: int
) -> tuple[Subscription, ...]:
    """Return those of the next accounts behind one, in the order of accounts."""
    rows = await conn.fetch(BATCH, *_arguments(choice), after, account_count)
    return tuple(msgspec.convert(dict(row), Subscription) for row in rows)


async def terms_from(conn: Connection, account_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return since when the subscriptions of these accounts are on what they are on now."""
    rows = await conn.fetch(TERMS_FROM, list(account_ids))
    return {row["subscription_id"]: row["starts_at"] for row in rows}


def _arguments(choice: Choice) -> tuple[object, ...]:
    accounts, versions = choice.account_ids, choice.plan_version_ids
    return (
        None if accounts is None else list(accounts),
        None if versions is None else list(versions),
        choice.start,
        choice.end,
    )
