"""Endpoints: made, changed, disabled, and their secrets.

Runs under the writer's scope, for whoever the caller has found to be the owner: no other role
reads or writes secrets.
"""

import secrets as random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.outgoing_webhooks import endpoint_store
from tallystick.outgoing_webhooks.model import (
    DisabledReason,
    Endpoint,
    EndpointChanges,
    NewEndpoint,
)
from tallystick.outgoing_webhooks.signing import SECRET_BYTES, show_secret
from tallystick.outgoing_webhooks.urls import Reach, check_url

ENDPOINTS_MAX: Final = 50
"""So many endpoints an account, or the business, may have."""
DESCRIPTION_LENGTH_MAX: Final = 500
SIGNS_ALONG: Final = timedelta(hours=24)
"""So long an old secret signs along with the new one."""


class EndpointRules:
    """What an endpoint's fields may be: where it may be, and which types of events there are."""

    def __init__(self, reach: Reach, event_types: Iterable[str]) -> None:
        self.reach = reach
        self.event_types = frozenset(event_types)

    def check_url(self, url: str) -> str:
        """Return the address in its normal form; raises BadInput naming `url`."""
        return check_url(url, self.reach)

    def check_types(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return the types, each once; raises BadInput `unknown_event_type` naming each place."""
        wrong = [
            FieldError(f"event_types[{at}]", "unknown_event_type", "is no type of event")
            for at, name in enumerate(wanted)
            if name not in self.event_types
        ]
        if wrong:
            detail = f"{wrong[0].field}: {wrong[0].message}"
            raise BadInput("validation_failed", detail, errors=wrong)
        return tuple(dict.fromkeys(wanted))


async def create(
    conn: Connection, owner: UUID, new: NewEndpoint, rules: EndpointRules, now: datetime
) -> tuple[Endpoint, str]:
    """Make an endpoint; return it with its secret, which is told here and nowhere else.

    Raises BadInput, or Conflict `webhook_endpoints_max`.
    """
    if await endpoint_store.count(conn, owner) >= ENDPOINTS_MAX:
        detail = f"There are {ENDPOINTS_MAX} webhook endpoints already; delete one first."
        raise Conflict("webhook_endpoints_max", detail)
    made = Endpoint(
        account_id=owner,
        webhook_endpoint_id=new_id(),
        url=rules.check_url(new.url),
        description=_description(new.description),
        event_types=rules.check_types(new.event_types),
        is_enabled=True,
        disabled_reason=None,
        failing_since=None,
        created_at=now,
    )
    await endpoint_store.insert(conn, made)
    return made, await _new_secret(conn, made, now)


async def change(
    conn: Connection,
    owner: UUID,
    endpoint_id: UUID,
    changes: EndpointChanges,
    rules: EndpointRules,
) -> Endpoint:
    """Change what is named. What waits for a disabled endpoint goes on when it is enabled.

    Raises BadInput, or NotFound `webhook_endpoint_not_found`.
    """
    was = await _locked(conn, owner, endpoint_id)
    now_is = _changed(was, changes, rules)
    await endpoint_store.save(conn, now_is)
    return now_is


async def rotate_secret(
    conn: Connection, owner: UUID, endpoint_id: UUID, now: datetime, keep: timedelta = SIGNS_ALONG
) -> tuple[Endpoint, str]:
    """Make a new secret and return it, once; the old one signs along for `keep`."""
    endpoint = await _locked(conn, owner, endpoint_id)
    await endpoint_store.expire_secrets(conn, owner, endpoint_id, now + keep, now)
    return endpoint, await _new_secret(conn, endpoint, now)


async def delete(conn: Connection, owner: UUID, endpoint_id: UUID) -> None:
    """Drop an endpoint with its secrets and its deliveries."""
    if not await endpoint_store.delete(conn, owner, endpoint_id):
        raise unknown("webhook_endpoint")


async def get(conn: Connection, owner: UUID, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint; raises NotFound `webhook_endpoint_not_found`."""
    found = await endpoint_store.find(conn, owner, endpoint_id)
    if found is None:
        raise unknown("webhook_endpoint")
    return found


async def owner_of(conn: Connection, endpoint_id: UUID) -> UUID:
    """Return whose it is, for staff; raises NotFound `webhook_endpoint_not_found`."""
    found = await endpoint_store.owner(conn, endpoint_id)
    if found is None:
        raise unknown("webhook_endpoint")
    return found


async def list_endpoints(
    conn: Connection, owner: UUID | None, request: PageRequest
) -> Page[Endpoint]:
    """List endpoints of one owner, or of all, newest first."""
    rows = await endpoint_store.page(conn, owner, request)
    total = await endpoint_store.count(conn, owner)
    return make_page(
        rows, total, request, lambda one: After(one.created_at, one.webhook_endpoint_id)
    )


def _changed(was: Endpoint, changes: EndpointChanges, rules: EndpointRules) -> Endpoint:
    """Return the endpoint as it will be; a new address or enabling it forgets its failures."""
    url = was.url if changes.url is None else rules.check_url(changes.url)
    text, types = changes.description, changes.event_types
    enabled = was.is_enabled if changes.is_enabled is None else changes.is_enabled
    begins_anew = url != was.url or (enabled and not was.is_enabled)
    return replace(
        was,
        url=url,
        description=was.description if text is None else _description(text),
        event_types=was.event_types if types is None else rules.check_types(types),
        is_enabled=enabled,
        disabled_reason=None if enabled else was.disabled_reason or DisabledReason.BY_HAND,
        failing_since=None if begins_anew else was.failing_since,
    )


def _description(text: str) -> str:
    if len(text) > DESCRIPTION_LENGTH_MAX or not all(map(str.isprintable, text)):
        message = f"must be one line of {DESCRIPTION_LENGTH_MAX} characters at most"
        raise BadInput.field("description", "invalid", message)
    return text.strip()


async def _locked(conn: Connection, owner: UUID, endpoint_id: UUID) -> Endpoint:
    found = await endpoint_store.lock(conn, owner, endpoint_id)
    if found is None:
        raise unknown("webhook_endpoint")
    return found


async def _new_secret(conn: Connection, endpoint: Endpoint, now: datetime) -> str:
    secret = random.token_bytes(SECRET_BYTES)
    await endpoint_store.insert_secret(conn, endpoint, new_id(), secret, now)
    return show_secret(secret)


def _position(endpoint: Endpoint) -> After:
    return After(endpoint.created_at, endpoint.webhook_endpoint_id)
