"""Making, changing and retiring issuers; who issues for an account; taking numbers."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.issuers import store
from tallystick.issuers.checks import check_issuer, former_numbers
from tallystick.issuers.formats import series_period, show_number
from tallystick.issuers.logo import read_logo
from tallystick.issuers.model import Issuer, Logo, Numbered
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown

DEFAULT_CODE: Final = "MAIN"
"""The code of the issuer that is made of the settings."""


async def create_issuer(conn: Connection, new: Issuer) -> Issuer:
    """Make an issuer; one that is to be the default takes the place of the present one.

    Under the writer's scope. Raises BadInput naming every bad field, Conflict `issuer_code_taken`.
    """
    check_issuer(new)
    if new.is_default:
        await store.lock_choice(conn)
        await store.unset_default(conn, new.issuer_id)
    if not await store.insert(conn, new):
        raise Conflict("issuer_code_taken", "Another issuer has this code; use a new one.")
    return new


async def change_issuer(conn: Connection, issuer_id: UUID, asked: Mapping[str, Any]) -> Issuer:
    """Change the fields that are named; documents already issued stay as they are.

    Raises NotFound `issuer_not_found`, BadInput, Conflict `issuer_retired`, `issuer_is_default`
    where the default would be nobody.
    """
    if asked.get("is_default"):
        await store.lock_choice(conn)
    was = _known(await store.lock(conn, issuer_id))
    if was.retired_at is not None:
        raise Conflict("issuer_retired", "The issuer is retired; it can not be changed.")
    if was.is_default and not asked.get("is_default", True):
        raise _is_default()
    now = replace(was, **asked, follows_settings=False)
    if await store.has_series(conn, issuer_id):
        now = replace(now, former_numbers=former_numbers(was, now))
    check_issuer(now)
    if now.is_default:
        await store.unset_default(conn, issuer_id)
    await store.update(conn, now)
    return now


async def retire_issuer(conn: Connection, issuer_id: UUID, now: datetime) -> Issuer:
    """Let an issuer issue nothing more; accounts that name it must name another one first.

    Raises NotFound, Conflict `issuer_is_default`, `issuer_in_use`, `issuer_retired`.
    """
    was = _known(await store.lock(conn, issuer_id))
    if was.is_default:
        raise _is_default()
    if was.retired_at is not None:
        raise Conflict("issuer_retired", "The issuer is retired already.")
    if await accounts.count_of_issuer(conn, issuer_id):
        raise Conflict("issuer_in_use", "Accounts name this issuer; let them name another first.")
    retired = replace(was, retired_at=now)
    await store.update(conn, retired)
    return retired


async def set_logo(conn: Connection, issuer_id: UUID, content: bytes | None) -> Issuer:
    """Print this picture on what is issued from now on, None: no picture.

    Raises NotFound, BadInput `invalid_logo`, `too_large`, Conflict `issuer_retired`.
    """
    logo = None if content is None else read_logo(content)
    if logo is not None:
        await store.insert_logo(conn, logo)
    return await change_issuer(conn, issuer_id, {"logo_id": logo and logo.logo_id})


async def get_logo(conn: Connection, logo_id: str) -> Logo:
    """Return a picture, also one that an older document has; raises NotFound `logo_not_found`."""
    found = await store.find_logo(conn, logo_id)
    if found is None:
        raise unknown("logo")
    return found


async def get_issuer(conn: Connection, issuer_id: UUID) -> Issuer:
    """Return one issuer; raises NotFound `issuer_not_found`."""
    return _known(await store.find(conn, issuer_id))


async def list_issuers(conn: Connection) -> tuple[Issuer, ...]:
    """Return all issuers by code, the retired ones last."""
    return await store.every(conn)


async def follow_settings(conn: Connection, told: Party, now: datetime) -> Issuer:
    """Return the default issuer, made of what the settings say where there is none yet.

    One that nobody has changed since follows the settings. Under the writer's scope.
    """
    known = await store.lock_default(conn)
    if known is None:
        await store.insert(conn, _made_of(told, now))
        return _known(await store.default(conn))
    if not known.follows_settings:
        return known
    followed = replace(
        known,
        legal_name=told.name,
        address=told.address,
        email=told.email,
        vat_number=told.tax_id,
    )
    if followed != known:
        await store.update(conn, followed)
    return followed


async def issuers_of(
    conn: Connection, who: Collection[Account], told: Party, now: datetime
) -> dict[UUID, Issuer]:
    """Return who issues for each of these accounts, by account; one query.

    Under the writer's scope: the default is made of the settings where there is none.
    """
    known = await known_issuers(conn, who)
    default = None
    if None in known.values():
        default = await follow_settings(conn, told, now)
    return {account_id: issuer or _known(default) for account_id, issuer in known.items()}


async def known_issuers(conn: Connection, who: Collection[Account]) -> dict[UUID, Issuer | None]:
    """Return who would issue for each of these accounts; None while no default was made."""
    named = {account.issuer_id for account in who if account.issuer_id is not None}
    found = await store.by_ids(conn, sorted(named))
    known = {issuer.issuer_id: issuer for issuer in found}
    default = next((issuer for issuer in found if issuer.is_default), None)
    return {
        account.account_id: known[account.issuer_id] if account.issuer_id else default
        for account in who
    }


async def find_issuer_of(conn: Connection, account: Account) -> Issuer | None:
    """Return who issues for the account; None while the default was not made of the settings."""
    found = await store.by_ids(conn, [account.issuer_id] if account.issuer_id else [])
    if account.issuer_id is not None:
        return next((one for one in found if one.issuer_id == account.issuer_id), None)
    return next((one for one in found if one.is_default), None)


async def named(conn: Connection, issuer_id: UUID | None, told: Party, now: datetime) -> Issuer:
    """Return the issuer that is named, None: the default, for who is to issue from now on.

    Under the writer's scope. Raises NotFound, Conflict `issuer_retired`.
    """
    if issuer_id is None:
        return await store.default(conn) or await follow_settings(conn, told, now)
    found = await get_issuer(conn, issuer_id)
    if found.retired_at is not None:
        raise Conflict("issuer_retired", "The issuer is retired; name another one.")
    return found


async def take_numbers(conn: Connection, wanted: Sequence[Numbered]) -> tuple[str, ...]:
    """Return a number for each, in order, without a gap in any series.

    In the open transaction, of the writer's scope: each series is locked until it ends, in the
    order of their keys; when it is rolled back the same numbers are given again.
    """
    keys = [_series(one) for one in wanted]
    counts = Counter(keys)
    following = {
        key: await store.take_numbers_locking_series(conn, key, counts[key])
        for key in sorted(counts)
    }
    shown = []
    for key, one in zip(keys, wanted, strict=True):
        shown.append(show_number(one, following[key]))
        following[key] += 1
    return tuple(shown)


def _series(wanted: Numbered) -> store.Series:
    return store.Series(wanted.issuer.issuer_id, wanted.kind, series_period(wanted), wanted.is_test)


def _made_of(told: Party, now: datetime) -> Issuer:
    return Issuer(
        issuer_id=new_id(),
        code=DEFAULT_CODE,
        legal_name=told.name,
        created_at=now,
        address=told.address,
        email=told.email,
        vat_number=told.tax_id,
        is_default=True,
        follows_settings=True,
    )


def _known(found: Issuer | None) -> Issuer:
    if found is None:
        raise unknown("issuer")
    return found


def _is_default() -> Conflict:
    return Conflict(
        "issuer_is_default", "It is the default; make another issuer the default first."
    )
