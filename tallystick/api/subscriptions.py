"""The account's subscriptions: read, begun, changed, paused, ended.

A change bills at once what is due by then, in the same transaction: the invoice is there when the
answer comes.
"""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from litestar import delete, get, patch, post
from msgspec import Meta

from tallystick.accounts.model import Account, Principal
from tallystick.accounts.policy import permissions
from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.subscription_answers import (
    SubscriptionAnswer,
    SubscriptionList,
    free_tier,
    mirrored_answer,
    subscription_answer,
)
from tallystick.catalog import service as catalog
from tallystick.invoices.biller import bill_now
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, Connection, account_scope
from tallystick.kernel.errors import BadInput, Conflict, Forbidden
from tallystick.mirror import reads as mirror
from tallystick.payments import methods, schedules
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.changes import When
from tallystick.subscriptions.lifecycle import EXTERNAL_ID_LENGTH_MAX, Start
from tallystick.subscriptions.model import (
    BillingTime,
    Remainder,
    ScheduleOwner,
    Subscription,
    TrialEnd,
)
from tallystick.subscriptions.sold import plan_of

TAGS: Final = ["Subscriptions"]
WRITE: Final = {"permission": "billing:write"}
ONE: Final = "/subscriptions/{subscription_id:str}"

Work = Callable[[Connection, UUID, datetime], Awaitable[object]]
GatewayId = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": EXTERNAL_ID_LENGTH_MAX,
            "pattern": "^[!-~]+$",
            "description": "The gateway's id of the subscription.",
        }
    ),
]
Moment = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": r"^(now|period_end)$",
            "description": "`now`, or `period_end`: when what was paid for ends.",
        }
    ),
]


class Subscribe(Body, frozen=True, kw_only=True):
    """Put the account on a plan, from now on or from `starts_at`.

    `billing_time` calendar: periods are weeks, months ... of the calendar. `must_pay_first`: it is
    incomplete until its first invoice is paid. `invoice_separately`: its bills have invoices of
    their own, else one invoice bills all that the account is due at one instant. `trial_end` says
    what the end of a trial does without a payment method. For staff alone: `trial_days` other than
    the plan's, a start in the past, `anchor_on`, a day that periods are counted from, and a
    gateway as `schedule_owner`, which renews it by itself as `external_id`.
    """

    plan: fields.Code
    quantity: fields.SeatCount = 1
    billing_time: BillingTime = "anniversary"
    starts_at: fields.Instant | None = None
    ends_at: fields.Instant | None = None
    anchor_on: date | None = None
    trial_days: fields.TrialDays | None = None
    trial_end: TrialEnd = "bill"
    must_pay_first: bool = False
    invoice_separately: bool = False
    schedule_owner: ScheduleOwner = "tallystick"
    external_id: GatewayId | None = None


class ChangeTerms(Body, frozen=True, kw_only=True):
    """Another plan, or its newest version, or another quantity; what is left out stays.

    Without `when` and `at` it comes at once if it costs as much or more, else when what was paid
    for ends.
    """

    plan: fields.Code | None = None
    quantity: fields.SeatCount | None = None
    when: Moment | None = None
    at: fields.Instant | None = None


class Invoicing(Body, frozen=True, kw_only=True):
    """`invoice_separately`: on invoices of its own, else with all that is due at one instant."""

    invoice_separately: bool


class Pause(Body, frozen=True, kw_only=True):
    """Without `resumes_at` the pause lasts until it is resumed."""

    resumes_at: fields.Instant | None = None


class Cancel(Body, frozen=True, kw_only=True):
    """`at_period_end` true: it runs to the period's end; false: it ends now; or at `ends_at`.

    What was paid for and is not used is credited; `remainder` says otherwise, for staff alone.
    """

    at_period_end: bool = True
    ends_at: fields.Instant | None = None
    remainder: Remainder | None = None


@get("/subscription", opt={"permission": "billing:read"}, tags=TAGS, summary="Subscription")
async def read_subscription(services: Services, account: Account) -> SubscriptionAnswer:
    """Return the account's subscription and its current period.

    Of several it is the one that the account has had longest. An account without one that lives
    at a gateway is shown what was read there: its `id` is the gateway's.
    """
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        subscription = await subscriptions.current_subscription(conn, account.account_id)
        if subscription is None:
            lived = await mirror.newest_subscription(conn, account.account_id)
            return mirrored_answer(lived) if lived else free_tier(account)
        plan = await plan_of(conn, subscription)
    return subscription_answer(subscription, plan)


@get("/subscriptions", opt={"permission": "billing:read"}, tags=TAGS, summary="Subscriptions")
async def list_subscriptions(services: Services, account: Account) -> SubscriptionList:
    """List the account's subscriptions."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await subscriptions.list_subscriptions(conn, account.account_id)
        shown = [subscription_answer(one, await plan_of(conn, one)) for one in found]
    return SubscriptionList(shown, len(shown))


@get(ONE, opt={"permission": "billing:read"}, tags=TAGS, summary="One subscription")
async def read_one(
    subscription_id: str, services: Services, account: Account
) -> SubscriptionAnswer:
    """Return one of the account's subscriptions."""
    wanted = ids.parse("subscription", subscription_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await subscriptions.get_subscription(conn, account.account_id, wanted)
        plan = await plan_of(conn, found)
    return subscription_answer(found, plan)


@post("/subscriptions", opt=WRITE, tags=TAGS, summary="Subscribe")
async def subscribe(
    data: Subscribe, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """Put the account on a plan; what is due in advance is billed at once."""
    now = principal.now(services.clock())
    start = _start(data, principal, now, timedelta(hours=services.settings.incomplete_hours))
    async with services.db.transaction(WRITER) as conn:
        plan = await catalog.current_plan_version(conn, data.plan)
        made = await subscriptions.subscribe(conn, account, plan, now, start)
        after = await _bill(conn, services, account, made.subscription_id, now)
        sold = await plan_of(conn, after)
    return subscription_answer(after, sold)


@patch(ONE, opt=WRITE, tags=TAGS, summary="Set how it is invoiced")
async def set_invoicing(
    subscription_id: str, data: Invoicing, services: Services, account: Account
) -> SubscriptionAnswer:
    """Say whether its next bills stand on invoices of their own."""
    wanted = ids.parse("subscription", subscription_id)
    async with services.db.transaction(WRITER) as conn:
        after = await changing.set_invoicing(
            conn, account.account_id, wanted, separately=data.invoice_separately
        )
        plan = await plan_of(conn, after)
    return subscription_answer(after, plan)


@post(f"{ONE}/change", opt=WRITE, tags=TAGS, status_code=200, summary="Change plan or quantity")
async def change(
    subscription_id: str,
    data: ChangeTerms,
    services: Services,
    account: Account,
    principal: Principal,
) -> SubscriptionAnswer:
    """Change the plan or the quantity; parts of periods are billed and given back as shares."""
    when: When | None = data.at
    if data.when is not None:
        when = "now" if data.when == "now" else "period_end"

    async def work(conn: Connection, wanted: UUID, now: datetime) -> None:
        plan = await catalog.current_plan_version(conn, data.plan) if data.plan else None
        await changing.change_terms(
            conn,
            account.account_id,
            wanted,
            plan=plan,
            quantity=data.quantity,
            when=when,
            now=now,
        )

    return await _changed(services, account, principal, subscription_id, work)


@delete(f"{ONE}/change", opt=WRITE, tags=TAGS, status_code=200, summary="Take a change back")
async def drop_change(
    subscription_id: str, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """Take back the change that is scheduled."""

    async def work(conn: Connection, wanted: UUID, now: datetime) -> None:
        await changing.drop_change(conn, account.account_id, wanted, now)

    return await _changed(services, account, principal, subscription_id, work)


@post(f"{ONE}/pause", opt=WRITE, tags=TAGS, status_code=200, summary="Pause")
async def pause(
    subscription_id: str, data: Pause, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """Pause from now on: what was used is billed, what was paid in advance is credited."""

    async def work(conn: Connection, wanted: UUID, now: datetime) -> None:
        await changing.pause(conn, account.account_id, wanted, now, data.resumes_at)

    return await _changed(services, account, principal, subscription_id, work)


@post(f"{ONE}/resume", opt=WRITE, tags=TAGS, status_code=200, summary="Resume")
async def resume(
    subscription_id: str, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """Go on: after a pause, or with what was to end with its period."""

    async def work(conn: Connection, wanted: UUID, now: datetime) -> None:
        found = await subscriptions.get_subscription(conn, account.account_id, wanted)
        step = changing.keep if found.cancel_at_period_end else changing.resume
        await step(conn, account.account_id, wanted, now)

    return await _changed(services, account, principal, subscription_id, work)


@post(f"{ONE}/reactivate", opt=WRITE, tags=TAGS, status_code=200, summary="Reactivate")
async def reactivate(
    subscription_id: str, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """Begin a canceled subscription again, on the version of the plan that it had."""

    async def work(conn: Connection, wanted: UUID, now: datetime) -> None:
        await changing.reactivate(conn, account.account_id, wanted, now)

    return await _changed(services, account, principal, subscription_id, work)


@post(f"{ONE}/cancel", opt=WRITE, tags=TAGS, status_code=200, summary="Cancel")
async def cancel(
    subscription_id: str, data: Cancel, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """End the subscription, now, with its period or later; what was used is billed."""
    if data.remainder not in {None, "credit"}:
        _require_staff(principal, "remainder")

    async def work(conn: Connection, wanted: UUID, now: datetime) -> None:
        account_id, rest = account.account_id, data.remainder
        on = await subscriptions.lock(conn, account_id, wanted)
        if on.schedule_owner != "tallystick":
            _need_no_date(data)
            at_once = not data.at_period_end
            await schedules.cancel(conn, on, at_once=at_once, seller=services.seller, now=now)
            return
        if data.ends_at is not None:
            await changing.end_at(conn, account_id, wanted, data.ends_at, now=now, remainder=rest)
        elif data.at_period_end:
            await changing.cancel_at_period_end(conn, account_id, wanted, now, rest)
        else:
            await changing.cancel_now(conn, account_id, wanted, now, rest)

    return await _changed(services, account, principal, subscription_id, work, at_gateways=True)


def _need_no_date(data: Cancel) -> None:
    if data.ends_at is not None:
        raise BadInput.field(
            "ends_at", "not_at_gateway", "a gateway ends it now or with what is paid for"
        )


async def _changed(
    services: Services,
    account: Account,
    principal: Principal,
    subscription_id: str,
    work: Work,
    *,
    at_gateways: bool = False,
) -> SubscriptionAnswer:
    """Bill what is due, do the work, and bill what is due by it.

    What a gateway renews can not be changed here, unless the work is for those too.
    """
    wanted = ids.parse("subscription", subscription_id)
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        on = await _bill(conn, services, account, wanted, now)
        if on.schedule_owner != "tallystick" and not at_gateways:
            raise Conflict(
                "schedule_at_gateway",
                "A gateway renews this subscription; cancel it there and begin another plan.",
            )
        await work(conn, wanted, now)
        after = await _bill(conn, services, account, wanted, now)
        plan = await plan_of(conn, after)
    return subscription_answer(after, plan)


async def _bill(
    conn: Connection, services: Services, account: Account, wanted: UUID, now: datetime
) -> Subscription:
    return await bill_now(
        conn,
        account.account_id,
        wanted,
        now=now,
        seller=services.seller,
        has_method=methods.has_method,
    )


def _start(data: Subscribe, principal: Principal, now: datetime, pay_within: timedelta) -> Start:
    is_past = data.starts_at is not None and data.starts_at < now
    for name, is_asked in (
        ("trial_days", data.trial_days is not None),
        ("anchor_on", data.anchor_on is not None),
        ("starts_at", is_past),
        ("schedule_owner", data.schedule_owner != "tallystick"),
        ("external_id", data.external_id is not None),
    ):
        if is_asked:
            _require_staff(principal, name)
    return Start(
        starts_at=data.starts_at,
        quantity=data.quantity,
        billing_time=data.billing_time,
        anchor_on=data.anchor_on,
        trial_days=data.trial_days,
        trial_end=data.trial_end,
        ends_at=data.ends_at,
        must_pay_first=data.must_pay_first,
        invoice_separately=data.invoice_separately,
        schedule_owner=data.schedule_owner,
        external_id=data.external_id,
        pay_within=pay_within,
    )


def _require_staff(principal: Principal, field: str) -> None:
    if "staff:admin" not in permissions(principal):
        raise Forbidden("not_allowed", f"Only staff may set {field} like this.")


ACCOUNT_ROUTES: Final = (
    set_invoicing,
    read_subscription,
    list_subscriptions,
    read_one,
    subscribe,
    change,
    drop_change,
    pause,
    resume,
    reactivate,
    cancel,
)
