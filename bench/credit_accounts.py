"""Accounts with credits, and keys for them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from tallystick.accounts import keys, service
from tallystick.accounts.model import NewAccount
from tallystick.credits import grants
from tallystick.credits.model import NewGrant
from tallystick.kernel.db import WRITER, Database

AT = datetime(2026, 3, 1, tzinfo=UTC)
GRANTED = 10**12
_EACH_TIME = 500


async def open_accounts(db: Database, count: int) -> list[UUID]:
    """Make accounts with ten million credits each."""
    made = []
    for first in range(0, count, _EACH_TIME):
        async with db.transaction(WRITER) as conn:
            for _ in range(first, min(first + _EACH_TIME, count)):
                new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
                account_id = (await service.create_account(conn, new, AT)).account_id
                given = NewGrant(source="manual", units=GRANTED, reason="bench")
                await grants.grant(conn, account_id, given, key="bench", at=AT)
                made.append(account_id)
    return made


async def make_keys(db: Database, accounts: Sequence[UUID]) -> list[str]:
    """Make a key for each that may take credits."""
    made = []
    async with db.transaction(WRITER) as conn:
        for account_id in accounts:
            _, secret = await keys.create_api_key(
                conn, account_id, name="bench", scopes=["credits:write"], now=AT
            )
            made.append(secret)
    return made
