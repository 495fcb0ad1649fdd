"""API keys: made, listed, revoked. All of it runs under the writer's scope."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from tallystick.accounts import identity_store as store
from tallystick.accounts.checks import check_name, check_scopes
from tallystick.accounts.model import ApiKey, KeyScope
from tallystick.accounts.service import get_account
from tallystick.accounts.tokens import API_KEY_PREFIX, new_token, token_hash
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page


async def create_api_key(
    conn: Connection,
    account_id: UUID | None,
    *,
    name: str,
    scopes: Collection[KeyScope],
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which is never to be had again.

    `account_id` None makes a key of the business, which may name any account. Raises BadInput for
    the name or the scopes (`admin` only without an account), NotFound for the account.
    """
    check_name(name)
    check_scopes(scopes, account_id)
    if account_id is not None:
        await get_account(conn, account_id)
    secret = new_token(API_KEY_PREFIX)
    key = ApiKey(
        api_key_id=new_id(),
        account_id=account_id,
        name=name,
        last_four=secret[-4:],
        scopes=tuple(sorted(set(scopes))),
        created_at=now,
    )
    await store.insert_key(conn, key, token_hash(secret))
    return key, secret


async def revoke_api_key(
    conn: Connection, api_key_id: UUID, account_id: UUID | None, now: datetime
) -> ApiKey:
    """End a key from now on; again changes nothing.

    With an `account_id` only a key of that account; raises NotFound `api_key_not_found`.
    """
    key = await store.revoke_key(conn, api_key_id, account_id, now)
    if key is None:
        raise unknown("api_key")
    return key


async def list_api_keys(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> Page[ApiKey]:
    """Return an account's keys (None: all of the installation), revoked ones too, newest first."""
    rows = await store.list_keys(conn, account_id, request)
    total = await store.count_keys(conn, account_id)
    return make_page(rows, total, request, lambda row: After(at=row.created_at, id=row.api_key_id))
