"""What a gateway says of a subscription that it renews by itself."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account
from tallystick.api.answers import major
from tallystick.api.services import Services
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, account_scope
from tallystick.kernel.errors import NotFound
from tallystick.payments import schedules
from tallystick.subscriptions import service as subscriptions

TAGS: Final = ["Subscriptions"]


class ScheduleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's schedule; `reference` is its name of the subscription, null: not begun yet.

    `retry_at` is when the gateway tries a renewal again that it could not take the price of.
    """

    gateway: str
    reference: str | None
    currency: str
    recurring_amount: Decimal
    recurring_amount_cents: int
    period_days: int
    next_renewal_at: datetime | None
    retry_at: datetime | None


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as its gateway has it now; `status` is ours.

    `renews`: it will be charged again by itself. The counts are the gateway's, since it began.
    """

    subscription: str
    status: str
    gateway: str
    reference: str
    is_active: bool
    renews: bool
    rebills: int
    refunds: int
    voids: int
    chargebacks: int


@get(
    "/subscriptions/{subscription_id:str}/schedule",
    opt={"permission": "billing:read"},
    tags=TAGS,
    summary="The gateway's schedule of a subscription",
)
async def read_schedule(
    subscription_id: str, services: Services, account: Account
) -> ScheduleAnswer:
    """Return when the gateway renews it next, or tries again; 404 where the schedule is ours."""
    wanted = ids.parse("subscription", subscription_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        on = await subscriptions.get_subscription(conn, account.account_id, wanted)
        kept = await schedules.schedule_of(conn, account.account_id, on.subscription_id)
    if kept is None:
        raise NotFound("schedule_not_found", "No gateway renews this subscription by itself.")
    return ScheduleAnswer(
        gateway=kept.gateway,
        reference=kept.reference,
        currency=kept.currency.lower(),
        recurring_amount=major(kept.recurring_minor, kept.currency),
        recurring_amount_cents=kept.recurring_minor,
        period_days=kept.period_days,
        next_renewal_at=kept.next_renewal_at,
        retry_at=kept.retry_at,
    )


@get(
    "/api/v1/admin/subscriptions/{subscription_id:str}/gateway-status",
    opt={"permission": "staff:read", "gateway": True},
    tags=TAGS,
    summary="What the gateway says of a subscription that it renews",
)
async def read_gateway_status(subscription_id: str, services: Services) -> GatewayStatus:
    """Ask the gateway now, beside our own status; nothing changes here.

    409 `gateway_can_not` where the schedule is ours, 503 when the gateway does not answer.
    """
    wanted = ids.parse("subscription", subscription_id)
    async with services.db.transaction(STAFF) as conn:
        account_id = await subscriptions.account_of(conn, wanted)
        on = await subscriptions.get_subscription(conn, account_id, wanted)
    seen = await schedules.view_at_gateway(services.gateways, on)
    return GatewayStatus(
        subscription=subscription_id,
        status=on.status.value,
        gateway=on.schedule_owner,
        reference=on.external_id or "",
        is_active=seen.is_active,
        renews=seen.renews,
        rebills=seen.rebill_count,
        refunds=seen.refund_count,
        voids=seen.void_count,
        chargebacks=seen.chargeback_count,
    )


ACCOUNT_ROUTES: Final = (read_schedule,)
ROUTES: Final = (read_gateway_status,)
