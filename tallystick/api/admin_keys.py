"""For staff: keys for machines."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.accounts import keys
from tallystick.accounts.model import ApiKey, KeyScope
from tallystick.api import fields
from tallystick.api.answers import Pagination, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.kernel.paging import PageRequest

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: API keys"]
ADMIN: Final = {"permission": "staff:admin"}


class NewKey(Body, frozen=True, kw_only=True):
    """A key to be made; without `account` it is the business's own, for any account."""

    name: fields.Line
    scopes: Annotated[list[KeyScope], Meta(extra_json_schema={"minItems": 1})]
    account: fields.AccountId | None = None


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key. `secret` is shown once, when it is made."""

    id: str
    account: str | None
    name: str
    last_four: str
    scopes: list[KeyScope]
    created: datetime
    revoked_at: datetime | None
    secret: str | None = None


class KeyList(msgspec.Struct, frozen=True):
    """One part of all keys, newest first, without their secrets."""

    api_keys: list[KeyAnswer]
    pagination: Pagination
    total: int


@get(f"{BASE}/api-keys", opt=ADMIN, tags=TAGS, summary="API keys")
async def list_keys(services: Services, paging: PageRequest) -> KeyList:
    """List all keys, newest first, without their secrets."""
    async with services.db.transaction(WRITER) as conn:
        found = await keys.list_api_keys(conn, None, paging)
    return KeyList([key_answer(key) for key in found.items], pagination(found), found.total)


@post(f"{BASE}/api-keys", opt=ADMIN, tags=TAGS, summary="Make an API key")
async def create_key(data: NewKey, services: Services) -> KeyAnswer:
    """Make a key; its secret is in this answer and nowhere else."""
    account_id = ids.parse("account", data.account) if data.account else None
    async with services.db.transaction(WRITER) as conn:
        key, secret = await keys.create_api_key(
            conn, account_id, name=data.name, scopes=data.scopes, now=services.clock()
        )
    return msgspec.structs.replace(key_answer(key), secret=secret)


@post(
    f"{BASE}/api-keys/{{api_key_id:str}}/revoke",
    opt=ADMIN,
    tags=TAGS,
    status_code=200,
    summary="Revoke an API key",
)
async def revoke_key(api_key_id: str, services: Services) -> KeyAnswer:
    """End a key at once, for good."""
    wanted = ids.parse("api_key", api_key_id)
    async with services.db.transaction(WRITER) as conn:
        return key_answer(await keys.revoke_api_key(conn, wanted, None, services.clock()))


def key_answer(key: ApiKey) -> KeyAnswer:
    """Show a key without its secret."""
    return KeyAnswer(
        id=ids.show("api_key", key.api_key_id),
        account=ids.show("account", key.account_id) if key.account_id else None,
        name=key.name,
        last_four=key.last_four,
        scopes=list(key.scopes),
        created=key.created_at,
        revoked_at=key.revoked_at,
    )


ROUTES: Final = (list_keys, create_key, revoke_key)
