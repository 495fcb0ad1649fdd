"""How endpoints and their deliveries look, and what a request says of them."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from litestar.params import Parameter
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.answers import Pagination, pagination
from tallystick.api.event_types import EVENT_TYPES
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.ids import HOUSE
from tallystick.kernel.paging import Page
from tallystick.outgoing_webhooks.deliveries import DeliveryLog
from tallystick.outgoing_webhooks.endpoints import DESCRIPTION_LENGTH_MAX
from tallystick.outgoing_webhooks.model import (
    Delivery,
    DeliveryStatus,
    DeliveryTry,
    Endpoint,
    EndpointChanges,
    NewEndpoint,
    Replayed,
)
from tallystick.outgoing_webhooks.urls import URL_LENGTH_MAX

KEEP_HOURS_MAX: Final = 168
TOLD_ONCE: Final = {"told_once": "secret"}
"""The opt of a route whose secret is in its first answer only, not in the one that is kept."""

Url = Annotated[
    str,
    Meta(
        extra_json_schema={
            "format": "webhook-url",
            "minLength": 9,
            "maxLength": URL_LENGTH_MAX,
            "description": "An address that begins with https://, of the public internet.",
        }
    ),
]
EventType = Annotated[str, Meta(extra_json_schema={"enum": list(EVENT_TYPES)})]
EventTypes = Annotated[tuple[EventType, ...], Meta(max_length=len(EVENT_TYPES))]
Description = Annotated[
    str,
    Meta(
        extra_json_schema={
            "maxLength": DESCRIPTION_LENGTH_MAX,
            "pattern": "^[ -~]*$",
            "description": "One line, for people.",
        }
    ),
]
StatusQuery = Annotated[
    Literal["waiting", "delivered", "failed"] | None, Parameter(description="none: all")
]
EndpointQuery = Annotated[
    str | None, Parameter(description="an endpoint's id", pattern=r"^we_[0-9a-z]{26}$")
]
AccountQuery = Annotated[
    str | None, Parameter(description="an account's id", pattern=r"^acct_[0-9a-z]{26}$")
]
TypeQuery = Annotated[
    str | None, Parameter(description="a type of event", pattern=r"^[a-z_]+\.[a-z_]+$")
]
EXAMPLE: Final = {
    "url": "https://example.com/hooks/tallystick",
    "event_types": ["invoice.paid", "payment.failed"],
}


class EndpointBody(Body, frozen=True, kw_only=True):
    """An endpoint to be made; without `event_types` it is told of everything."""

    url: Url
    description: Description = ""
    event_types: EventTypes = ()

    def asked(self) -> NewEndpoint:
        """Return what is to be made."""
        return NewEndpoint(url=self.url, description=self.description, event_types=self.event_types)


class EndpointChangeBody(Body, frozen=True, kw_only=True):
    """What is to be changed; what is left out stays."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None
    enabled: bool | None = None

    def asked(self) -> EndpointChanges:
        """Return what is to be changed."""
        return EndpointChanges(
            url=self.url,
            description=self.description,
            event_types=self.event_types,
            is_enabled=self.enabled,
        )


class RotateBody(Body, frozen=True, kw_only=True):
    """For how long the old secret signs along: 24 hours, or 0 where somebody else knows it."""

    keep_hours: Annotated[int, Meta(ge=0, le=KEEP_HOURS_MAX)] = 24


class ReplayBody(Body, frozen=True, kw_only=True):
    """Which events of `[since, until)` are sent again: those that failed or were never told.

    `delivered`: also those that arrived.
    """

    since: fields.Instant
    until: fields.Instant
    delivered: bool = False


class EndpointAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint; `account` null: the business's own, told of every account.

    `secret` is shown once, when it is made or rotated. `event_types` empty: all.
    """

    id: str
    account: str | None
    url: str
    description: str
    event_types: list[str]
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created: datetime
    secret: str | None = None


class EndpointList(msgspec.Struct, frozen=True):
    """A part of the endpoints, newest first."""

    webhook_endpoints: list[EndpointAnswer]
    pagination: Pagination
    total: int


class DeliveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint; `id` is its `webhook-id`.

    `status_code` and `error` are those of the last try; `next_try` is null when it has ended.
    """

    id: str
    endpoint: str
    account: str | None
    type: str
    occurred: datetime
    status: str
    try_count: int
    next_try: datetime | None
    status_code: int | None
    error: str | None
    created: datetime
    done: datetime | None


class DeliveryList(msgspec.Struct, frozen=True):
    """A part of the deliveries, newest first."""

    webhook_deliveries: list[DeliveryAnswer]
    pagination: Pagination
    total: int


class TryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One try; `answer` is the first kilobyte of what came back."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    answer: str | None
    error: str | None


class DeliveryLogAnswer(msgspec.Struct, frozen=True):
    """A delivery with what is sent (null before the first try) and what each try brought."""

    delivery: DeliveryAnswer
    body: str | None
    tries: list[TryAnswer]


class ReplayAnswer(msgspec.Struct, frozen=True):
    """How many are sent again, and how many for the first time; `more`: ask again for the rest."""

    again: int
    made: int
    more: bool


class EventTypeList(msgspec.Struct, frozen=True):
    """Every type of event."""

    event_types: list[str]
    total: int


def endpoint_answer(endpoint: Endpoint, secret: str | None = None) -> EndpointAnswer:
    """Show an endpoint."""
    return EndpointAnswer(
        id=ids.show("webhook_endpoint", endpoint.webhook_endpoint_id),
        account=_account(endpoint.account_id),
        url=endpoint.url,
        description=endpoint.description,
        event_types=list(endpoint.event_types),
        enabled=endpoint.is_enabled,
        disabled_reason=endpoint.disabled_reason,
        failing_since=endpoint.failing_since,
        created=endpoint.created_at,
        secret=secret,
    )


def endpoint_list(found: Page[Endpoint]) -> EndpointList:
    """Show a part of the endpoints."""
    return EndpointList(
        [endpoint_answer(one) for one in found.items], pagination(found), found.total
    )


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """Show a delivery."""
    return DeliveryAnswer(
        id=ids.show("webhook_delivery", delivery.webhook_delivery_id),
        endpoint=ids.show("webhook_endpoint", delivery.webhook_endpoint_id),
        account=_account(delivery.event_account_id),
        type=delivery.kind,
        occurred=delivery.occurred_at,
        status=delivery.status,
        try_count=delivery.try_count,
        next_try=delivery.next_try_at,
        status_code=delivery.status_code,
        error=delivery.error,
        created=delivery.created_at,
        done=delivery.done_at,
    )


def delivery_list(found: Page[Delivery]) -> DeliveryList:
    """Show a part of the deliveries."""
    return DeliveryList(
        [delivery_answer(one) for one in found.items], pagination(found), found.total
    )


def log_answer(log: DeliveryLog) -> DeliveryLogAnswer:
    """Show a delivery with its tries."""
    body = None if log.body is None else log.body.decode()
    return DeliveryLogAnswer(delivery_answer(log.delivery), body, [_try(one) for one in log.tries])


def replay_answer(replayed: Replayed) -> ReplayAnswer:
    """Show what a replay set going."""
    return ReplayAnswer(replayed.again, replayed.made, replayed.more)


def status_of(text: str | None) -> DeliveryStatus | None:
    """Return the status that a query names."""
    return None if text is None else DeliveryStatus(text)


def _account(account_id: UUID) -> str | None:
    return None if account_id == HOUSE else ids.show("account", account_id)


def _try(one: DeliveryTry) -> TryAnswer:
    return TryAnswer(
        number=one.number,
        at=one.at,
        duration_ms=one.duration_ms,
        status_code=one.status_code,
        answer=one.answer,
        error=one.error,
    )
