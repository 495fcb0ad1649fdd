"""What is to come for the account, and what a change would invoice."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import get, post
from litestar.params import Parameter
from msgspec import Meta

from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.answers import major, plain
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.subscription_answers import SubscriptionAnswer, subscription_answer
from tallystick.invoices.model import DraftLine
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.amount import Money
from tallystick.subscriptions.lifecycle import QUANTITY_MAX, Start
from tallystick.subscriptions.model import BillingTime, Remainder, TrialEnd
from tallystick.timeline import ahead, preview
from tallystick.timeline.ahead import Item
from tallystick.timeline.preview import Asked, Preview
from tallystick.timeline.walk import PlannedInvoice

TAGS: Final = ["Subscriptions"]
READ: Final = {"permission": "billing:read"}
AHEAD_DEFAULT: Final = timedelta(days=366)
AHEAD_MAX: Final = timedelta(days=3_660)

Do = Literal["subscribe", "change", "cancel", "pause", "resume", "reactivate", "nothing"]


class PreviewBody(Body, frozen=True, kw_only=True):
    """A change to look at; nothing is done.

    `subscribe` takes `plan`, `quantity`, `billing_time`, `anchor_on`, `trial_days`, `trial_end`,
    `ends_at` and as `at` its start; `change` `plan`, `quantity`, `when` or `at`; `cancel` `when` or
    `at`, and `remainder`; `pause` `at`, when it goes on by itself. All but `subscribe` take
    `subscription`, else it is the account's current one; `reactivate` needs it.
    """

    do: Do = "nothing"
    subscription: fields.SubscriptionId | None = None
    plan: fields.Code | None = None
    quantity: (
        Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": QUANTITY_MAX})] | None
    ) = None
    billing_time: BillingTime | None = None
    anchor_on: date | None = None
    trial_days: fields.TrialDays | None = None
    trial_end: TrialEnd | None = None
    ends_at: fields.Instant | None = None
    when: Literal["now", "period_end"] | None = None
    at: fields.Instant | None = None
    remainder: Remainder | None = None


_TAKES: Final[Mapping[Do, frozenset[str]]] = {
    "subscribe": frozenset(
        {
            "plan",
            "quantity",
            "billing_time",
            "anchor_on",
            "trial_days",
            "trial_end",
            "ends_at",
            "at",
        }
    ),
    "change": frozenset({"subscription", "plan", "quantity", "when", "at"}),
    "cancel": frozenset({"subscription", "when", "at", "remainder"}),
    "pause": frozenset({"subscription", "at"}),
    "resume": frozenset({"subscription"}),
    "reactivate": frozenset({"subscription"}),
    "nothing": frozenset({"subscription"}),
}


_WHOSE_ALONE: Final[Mapping[Do, type[preview.Resume | preview.Reactivate | preview.Nothing]]] = {
    "resume": preview.Resume,
    "reactivate": preview.Reactivate,
    "nothing": preview.Nothing,
}


class PreviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """One amount; the period is half-open, UTC."""

    kind: str
    description: str
    price: str | None
    meter: str | None
    quantity: str
    unit: str | None
    period_start: datetime | None
    period_end: datetime | None
    amount: Decimal
    amount_cents: int
    subscription: str | None


class PreviewInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that would be issued at `at`; with usage as far as it is known by now."""

    at: datetime
    subscriptions: list[str]
    currency: str
    period_start: datetime | None
    period_end: datetime | None
    subtotal: Decimal
    subtotal_cents: int
    tax: Decimal
    tax_cents: int
    total: Decimal
    total_cents: int
    lines: list[PreviewLine]


class PreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would be invoiced at once, what next (null: nothing more), and the subscription."""

    now: list[PreviewInvoice]
    next: PreviewInvoice | None
    subscription: SubscriptionAnswer


class TimelineItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to come. What does not belong to its `kind` is null.

    `amount` of an invoice is what is known by now, tax included; `has_usage`: usage up to `at`
    comes on top. `subscription` and `plan` are null where an invoice bills several `subscriptions`.
    `credits`: how many would go if none were used until then.
    """

    at: datetime
    kind: str
    subscription: str | None
    subscriptions: list[str]
    plan: str | None
    period_start: datetime | None
    period_end: datetime | None
    currency: str | None
    amount: Decimal | None
    amount_cents: int | None
    has_usage: bool
    invoice: str | None
    payment: str | None
    credit_grant: str | None
    credits: str | None


class TimelineAnswer(msgspec.Struct, frozen=True):
    """What is to come between the account's present and `until`, in order; 500 items at most."""

    timeline: list[TimelineItem]
    now: datetime
    until: datetime
    total: int


@post("/preview", opt=READ, tags=TAGS, status_code=200, summary="Preview a change")
async def preview_change(
    data: PreviewBody, services: Services, account: Account, principal: Principal
) -> PreviewAnswer:
    """Return the invoices that a change would make, now and next; nothing is written."""
    now = principal.now(services.clock())
    asked = asked_of(data)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await preview.preview(conn, account, asked, now)
    return preview_answer(found)


@get("/subscription/timeline", opt=READ, tags=TAGS, summary="What is to come")
async def read_timeline(
    services: Services,
    account: Account,
    principal: Principal,
    until: Annotated[
        datetime | None, Parameter(description="Up to here; else a year ahead, ten at most.")
    ] = None,
) -> TimelineAnswer:
    """List invoices, ends of trials, changes, expiries and retries to come, in order."""
    now = principal.now(services.clock())
    end = now + AHEAD_DEFAULT if until is None else fields.check_instant("until", until)
    if end > now + AHEAD_MAX:
        message = f"may be {AHEAD_MAX.days} days ahead at most"
        raise BadInput.field("until", "too_far", message)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        items = await ahead.timeline(conn, account, now, end)
    return TimelineAnswer([item_answer(one) for one in items], now, end, len(items))


def asked_of(data: PreviewBody) -> Asked:
    """Return the change that a body asks for; raises BadInput naming what does not belong."""
    _check(data)
    named = ids.parse("subscription", data.subscription) if data.subscription else None
    at = fields.check_instant("at", data.at) if data.at else None
    match data.do:
        case "subscribe":
            return preview.Subscribe(plan=data.plan or "", start=_start(data, at))
        case "change":
            return preview.ChangeTerms(
                subscription_id=named, plan=data.plan, quantity=data.quantity, when=at or data.when
            )
        case "cancel":
            ends: Literal["now"] | datetime | None = "now" if data.when == "now" else at
            return preview.Cancel(subscription_id=named, when=ends, remainder=data.remainder)
        case "pause":
            return preview.Pause(subscription_id=named, resumes_at=at)
        case "resume" | "reactivate" | "nothing":
            return _WHOSE_ALONE[data.do](subscription_id=named)


def _start(data: PreviewBody, at: datetime | None) -> Start:
    return Start(
        starts_at=at,
        quantity=1 if data.quantity is None else data.quantity,
        billing_time=data.billing_time or "anniversary",
        anchor_on=data.anchor_on,
        trial_days=data.trial_days,
        trial_end=data.trial_end or "bill",
        ends_at=fields.check_instant("ends_at", data.ends_at) if data.ends_at else None,
    )


def _check(data: PreviewBody) -> None:
    given = {name for name in data.__struct_fields__ if getattr(data, name) is not None} - {"do"}
    wrong = [
        FieldError(name, "unexpected", f"does not belong to {data.do}")
        for name in sorted(given - _TAKES[data.do])
    ]
    needed = {"subscribe": "plan", "reactivate": "subscription"}.get(data.do)
    if needed and needed not in given:
        wrong.append(FieldError(needed, "missing", "is required"))
    if data.when is not None and data.at is not None:
        wrong.append(FieldError("at", "unexpected", "goes without when: send one of them"))
    if wrong:
        detail = f"{wrong[0].field}: {wrong[0].message}"
        raise BadInput("validation_failed", detail, errors=wrong)


def preview_answer(found: Preview) -> PreviewAnswer:
    """Show what a change would do."""
    return PreviewAnswer(
        now=[_invoice(one) for one in found.now],
        next=None if found.next is None else _invoice(found.next),
        subscription=subscription_answer(found.subscription, found.plan),
    )


def _invoice(planned: PlannedInvoice) -> PreviewInvoice:
    draft = planned.invoice
    amounts: dict[str, Any] = {}
    for name, money in (("subtotal", draft.subtotal), ("tax", draft.tax), ("total", draft.total)):
        amounts |= _amount(name, money)
    return PreviewInvoice(
        at=planned.at,
        subscriptions=[ids.show("subscription", one) for one in planned.subscription_ids],
        currency=draft.currency.lower(),
        period_start=draft.period_start,
        period_end=draft.period_end,
        lines=[_line(line) for line in draft.lines],
        **amounts,
    )


def _line(line: DraftLine) -> PreviewLine:
    return PreviewLine(
        kind=line.kind,
        description=line.description,
        price=line.price_code,
        meter=line.meter_code,
        quantity=plain(line.quantity),
        unit=line.unit,
        period_start=line.period_start,
        period_end=line.period_end,
        subscription=_shown("subscription", line.subscription_id),
        **_amount("amount", line.amount),
    )


def _amount(name: str, money: Money) -> dict[str, Any]:
    return {name: major(money.minor, money.currency), f"{name}_cents": money.minor}


def item_answer(item: Item) -> TimelineItem:
    """Show one thing to come."""
    total = item.total
    return TimelineItem(
        at=item.at,
        kind=item.kind,
        subscription=_shown("subscription", item.subscription_id),
        subscriptions=[ids.show("subscription", one) for one in item.subscription_ids],
        plan=item.plan_code,
        period_start=item.period.start if item.period else None,
        period_end=item.period.end if item.period else None,
        currency=total.currency.lower() if total else None,
        amount=major(total.minor, total.currency) if total else None,
        amount_cents=total.minor if total else None,
        has_usage=item.has_usage,
        invoice=_shown("invoice", item.invoice_id),
        payment=_shown("payment", item.payment_id),
        credit_grant=_shown("credit_grant", item.credit_grant_id),
        credits=None if item.credits is None else plain(item.credits),
    )


def _shown(kind: str, value: Any) -> str | None:
    return None if value is None else ids.show(kind, value)


ACCOUNT_ROUTES: Final = (preview_change, read_timeline)
