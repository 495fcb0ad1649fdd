"""How what-ifs are shown: progress, the whole by currency, and what each account would pay."""

from datetime import datetime
from decimal import Decimal

import msgspec

from tallystick.api.answers import Pagination, plain
from tallystick.api.correction_answers import ActorAnswer
from tallystick.kernel import ids
from tallystick.money.amount import Money
from tallystick.whatif.model import (
    Extreme,
    LineChange,
    LineTotal,
    Outcome,
    Result,
    Status,
    Summary,
    WhatIf,
)
from tallystick.whatif.variance import percent


class WhatIfExtreme(msgspec.Struct, frozen=True, kw_only=True):
    """An account, and how much more (below zero: less) it would pay."""

    account: str
    difference: Decimal
    difference_cents: int


class WhatIfPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What one price bills over all periods."""

    price: str
    now: Decimal
    now_cents: int
    then: Decimal
    then_cents: int


class WhatIfCurrency(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in one currency, without taxes.

    `deciles_cents` are the differences that 10, 20 … 90 percent of the accounts do not exceed.
    `difference_percent` is of what is billed now; null when that is nothing.
    """

    currency: str
    account_count: int
    period_count: int
    now: Decimal
    now_cents: int
    then: Decimal
    then_cents: int
    difference: Decimal
    difference_cents: int
    difference_percent: str | None
    more_count: int
    less_count: int
    same_count: int
    deciles_cents: list[int]
    largest_increase: WhatIfExtreme | None
    largest_decrease: WhatIfExtreme | None
    prices: list[WhatIfPrice]


class WhatIfResult(msgspec.Struct, frozen=True):
    """A summary for each currency, and how often what could not be compared, by reason."""

    currencies: list[WhatIfCurrency]
    skipped: dict[str, int]


class WhatIfAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A what-if: `done_count` of `account_count` accounts are done; `result` when all are.

    `plan_version` is null when the version was given as data. `accounts` and `plan` say whose
    subscriptions were chosen; both null: all. It failed for the reason in `error`.
    """

    id: str
    status: Status
    plan_version: str | None
    accounts: list[str] | None
    plan: str | None
    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    account_count: int
    done_count: int
    result: WhatIfResult | None
    error: str | None
    by: ActorAnswer
    created: datetime
    finished: datetime | None


class WhatIfList(msgspec.Struct, frozen=True):
    """One part of the what-ifs, newest first."""

    what_ifs: list[WhatIfAnswer]
    pagination: Pagination
    total: int


class WhatIfLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one price bills now and would bill; null where the version has no such price."""

    price: str
    meter: str | None
    quantity: str
    now_cents: int | None
    then_cents: int | None


class WhatIfRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one period of a subscription costs now, on `plan_version`, and would cost."""

    account: str
    subscription: str
    plan_version: str
    period_start: datetime
    period_end: datetime
    currency: str
    now: Decimal
    now_cents: int
    then: Decimal
    then_cents: int
    difference: Decimal
    difference_cents: int
    lines: list[WhatIfLine]


class WhatIfRows(msgspec.Struct, frozen=True):
    """One part of the rows, the newest periods first."""

    rows: list[WhatIfRow]
    pagination: Pagination
    total: int


def what_if_answer(one: WhatIf) -> WhatIfAnswer:
    """Show a what-if."""
    asked = one.question
    accounts = asked.account_ids
    return WhatIfAnswer(
        id=ids.show("what_if", one.what_if_id),
        status=one.status,
        plan_version=(
            ids.show("plan_version", asked.plan_version_id) if asked.plan_version_id else None
        ),
        accounts=None if accounts is None else [ids.show("account", each) for each in accounts],
        plan=asked.plan_code,
        start=asked.start,
        end=asked.end,
        account_count=one.account_count,
        done_count=one.done_count,
        result=result_answer(one.result) if one.result else None,
        error=one.error,
        by=ActorAnswer(one.actor_kind, one.actor_id),
        created=one.created_at,
        finished=one.finished_at,
    )


def result_answer(result: Result) -> WhatIfResult:
    """Show what came of a what-if."""
    return WhatIfResult([_summary(one) for one in result.summaries], dict(result.skipped))


def row_answer(one: Outcome) -> WhatIfRow:
    """Show one period of a subscription."""
    return WhatIfRow(
        account=ids.show("account", one.account_id),
        subscription=ids.show("subscription", one.subscription_id),
        plan_version=ids.show("plan_version", one.plan_version_id),
        period_start=one.period.start,
        period_end=one.period.end,
        currency=one.now.currency.lower(),
        now=one.now.to_decimal(),
        now_cents=one.now.minor,
        then=one.then.to_decimal(),
        then_cents=one.then.minor,
        difference=one.difference.to_decimal(),
        difference_cents=one.difference.minor,
        lines=[_line(line) for line in one.lines],
    )


def _summary(one: Summary) -> WhatIfCurrency:
    change = percent(one)
    return WhatIfCurrency(
        currency=one.currency.lower(),
        account_count=one.account_count,
        period_count=one.period_count,
        now=one.now.to_decimal(),
        now_cents=one.now.minor,
        then=one.then.to_decimal(),
        then_cents=one.then.minor,
        difference=one.difference.to_decimal(),
        difference_cents=one.difference.minor,
        difference_percent=None if change is None else str(change),
        more_count=one.more_count,
        less_count=one.less_count,
        same_count=one.same_count,
        deciles_cents=[each.minor for each in one.deciles],
        largest_increase=_extreme(one.raised),
        largest_decrease=_extreme(one.lowered),
        prices=[_price(line) for line in one.lines],
    )


def _extreme(one: Extreme | None) -> WhatIfExtreme | None:
    if one is None:
        return None
    return WhatIfExtreme(
        account=ids.show("account", one.account_id),
        difference=one.difference.to_decimal(),
        difference_cents=one.difference.minor,
    )


def _price(one: LineTotal) -> WhatIfPrice:
    return WhatIfPrice(
        price=one.price_code,
        now=one.now.to_decimal(),
        now_cents=one.now.minor,
        then=one.then.to_decimal(),
        then_cents=one.then.minor,
    )


def _line(one: LineChange) -> WhatIfLine:
    return WhatIfLine(
        price=one.price_code,
        meter=one.meter_code,
        quantity=plain(one.quantity),
        now_cents=_minor(one.now),
        then_cents=_minor(one.then),
    )


def _minor(amount: Money | None) -> int | None:
    return None if amount is None else amount.minor
