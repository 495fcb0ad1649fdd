"""What-ifs as staff see them. Pure."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tallystick.console.formats import NONE, Formats
from tallystick.console.invoice_views import Fact
from tallystick.kernel import ids
from tallystick.kernel.paging import Page
from tallystick.whatif.model import Extreme, Outcome, Question, Summary, WhatIf
from tallystick.whatif.variance import percent

STAFF: Final = Formats("en-GB", ZoneInfo("UTC"))
"""Many accounts with many locales stand here, so staff read one."""


class WhatIfRow(msgspec.Struct, frozen=True, kw_only=True):
    """A what-if in a list."""

    id: str
    asked: str
    span: str
    chosen: str
    status: str
    progress: str


class WhatIfListView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what-ifs."""

    rows: tuple[WhatIfRow, ...]
    page: int
    total_pages: int


class PriceView(msgspec.Struct, frozen=True, kw_only=True):
    """What one price bills over all periods."""

    code: str
    now: str
    then: str
    difference: str


class SummaryView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in one currency; a decile is a label with a difference."""

    currency: str
    facts: tuple[Fact, ...]
    deciles: tuple[Fact, ...]
    prices: tuple[PriceView, ...]


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """What one period of an account costs now and would cost."""

    account: str
    days: str
    now: str
    then: str
    difference: str


class OutcomeListView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of them."""

    rows: tuple[OutcomeView, ...]
    page: int
    total_pages: int


class WhatIfView(msgspec.Struct, frozen=True, kw_only=True):
    """A what-if with what came of it."""

    id: str
    status: str
    facts: tuple[Fact, ...]
    summaries: tuple[SummaryView, ...]
    skipped: tuple[Fact, ...]


def what_if_list(found: Page[WhatIf]) -> WhatIfListView:
    """Return a page of what-ifs."""
    rows = tuple(
        WhatIfRow(
            id=ids.show("what_if", one.what_if_id),
            asked=STAFF.utc(one.created_at),
            span=_span(one.question.start, one.question.end),
            chosen=_chosen(one.question),
            status=one.status,
            progress=f"{one.done_count:,} of {one.account_count:,}",
        )
        for one in found.items
    )
    return WhatIfListView(rows=rows, page=found.request.page, total_pages=found.total_pages)


def what_if_view(one: WhatIf) -> WhatIfView:
    """Return one what-if."""
    result = one.result
    return WhatIfView(
        id=ids.show("what_if", one.what_if_id),
        status=one.status,
        facts=(
            Fact("Tried", _tried(one.question)),
            Fact("On", _chosen(one.question)),
            Fact("Periods in", _span(one.question.start, one.question.end)),
            Fact("Accounts done", f"{one.done_count:,} of {one.account_count:,}"),
            *((Fact("Failed", one.error),) if one.error else ()),
        ),
        summaries=tuple(_summary(each) for each in result.summaries) if result else (),
        skipped=tuple(
            Fact(reason.replace("_", " ").capitalize(), f"{count:,}")
            for reason, count in (result.skipped if result else one.skipped).items()
        ),
    )


def outcome_list(found: Page[Outcome]) -> OutcomeListView:
    """Return a page of what single periods cost."""
    rows = tuple(
        OutcomeView(
            account=ids.show("account", one.account_id),
            days=_span(one.period.start, one.period.end),
            now=STAFF.money(one.now),
            then=STAFF.money(one.then),
            difference=STAFF.money(one.difference),
        )
        for one in found.items
    )
    return OutcomeListView(rows=rows, page=found.request.page, total_pages=found.total_pages)


def _summary(one: Summary) -> SummaryView:
    change = percent(one)
    share = "" if change is None else f" ({STAFF.percent(change)})"
    counts = f"{one.more_count:,}, {one.less_count:,}, {one.same_count:,}"
    return SummaryView(
        currency=one.currency,
        facts=(
            Fact("Now", STAFF.money(one.now)),
            Fact("Then", STAFF.money(one.then)),
            Fact("Difference", STAFF.money(one.difference) + share),
            Fact("Accounts, periods", f"{one.account_count:,}, {one.period_count:,}"),
            Fact("Pay more, less, the same", counts),
            Fact("Most more", _extreme(one.raised)),
            Fact("Most less", _extreme(one.lowered)),
        ),
        deciles=tuple(
            Fact(f"{tenth}0%", STAFF.money(each)) for tenth, each in enumerate(one.deciles, 1)
        ),
        prices=tuple(
            PriceView(
                code=line.price_code,
                now=STAFF.money(line.now),
                then=STAFF.money(line.then),
                difference=STAFF.money(line.then - line.now),
            )
            for line in one.lines
        ),
    )


def _extreme(one: Extreme | None) -> str:
    if one is None:
        return NONE
    return f"{STAFF.money(one.difference)}, {ids.show('account', one.account_id)}"


def _tried(asked: Question) -> str:
    if asked.plan_version_id is not None:
        return ids.show("plan_version", asked.plan_version_id)
    return f"A draft of {asked.draft.plan_code}" if asked.draft else NONE


def _chosen(asked: Question) -> str:
    plan = f" on {asked.plan_code}" if asked.plan_code else ""
    if asked.account_ids is None:
        return f"All accounts{plan}"
    return f"{len(asked.account_ids):,} named accounts{plan}"


def _span(start: datetime, end: datetime) -> str:
    return STAFF.days(start.astimezone(UTC), end.astimezone(UTC))
