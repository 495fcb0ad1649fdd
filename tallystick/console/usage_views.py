"""Usage against a plan as it stands on a page: words, numbers, and the bars' geometry. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal

import msgspec

from tallystick.catalog.model import PlanVersion
from tallystick.console.formats import Formats
from tallystick.metering.usage_report import MeterUsage, UsageReport

Level = Literal["calm", "near"]

BAR_WIDTH: Final = Decimal(100)
NEAR_PERCENT: Final = Decimal(80)
_HUNDREDTH: Final = Decimal("0.01")
_NOTHING: Final = Decimal(0)


class MeterView(msgspec.Struct, frozen=True, kw_only=True):
    """One meter. Of a bar 100 wide the included part comes first, then what lies over it.

    `level` colours the included part: `near` its end it warns, unless the rest does already.
    `value_now` is the percent of the limit, at most 100; `spoken` says all of it in words.
    """

    name: str
    quantity: str
    of: str
    note: str
    spoken: str
    has_limit: bool
    is_over: bool
    level: Level
    value_now: str
    included_width: str
    over_width: str


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """The current period."""

    plan_name: str
    period: str
    resets_on: str
    meters: tuple[MeterView, ...]
    overage_cost: str


def usage_view(report: UsageReport, plan: PlanVersion, formats: Formats) -> UsageView:
    """Return the period's usage in words."""
    return UsageView(
        plan_name=plan.plan_name,
        period=formats.days(report.start, report.end),
        resets_on=formats.day(report.end),
        meters=tuple(meter_view(usage, formats) for usage in report.meters),
        overage_cost=formats.money(report.total_overage_cost),
    )


def meter_view(usage: MeterUsage, formats: Formats) -> MeterView:
    """Return one meter in words."""
    quantity, percent = formats.number(usage.quantity), usage.percent or _NOTHING
    included, over = bar_widths(usage.quantity, usage.limit)
    unit = usage.meter.unit
    of = unit if usage.limit is None else f"of {formats.number(usage.limit)} {unit}"
    note = " \u00b7 ".join(_notes(usage, formats))
    return MeterView(
        name=usage.meter.name,
        quantity=quantity,
        of=of,
        note=note,
        spoken=f"{quantity} {of}: {note}",
        has_limit=usage.limit is not None,
        is_over=usage.overage > 0,
        level="near" if percent >= NEAR_PERCENT and not over else "calm",
        value_now=str(min(percent, BAR_WIDTH)),
        included_width=str(included),
        over_width=str(over),
    )


def bar_widths(quantity: Decimal, limit: Decimal | None) -> tuple[Decimal, Decimal]:
    """Return how wide the included part and the part over it are, together at most 100.

    Up to the limit the bar is as long as the share of it that was used: 30 of 40 is (75, 0). Over
    it the whole bar stands for the use: 50 of 40 is (80, 20).
    """
    used = max(quantity, _NOTHING)
    if limit is None or not used:
        return _NOTHING, _NOTHING
    if used <= limit:
        return (BAR_WIDTH * used / limit).quantize(_HUNDREDTH), _NOTHING
    included = (BAR_WIDTH * limit / used).quantize(_HUNDREDTH)
    return included, BAR_WIDTH - included


def _notes(usage: MeterUsage, formats: Formats) -> Iterator[str]:
    """Yield where the meter stands, and what it costs so far if anything."""
    if usage.limit is None:
        yield "No limit in this plan"
    elif usage.overage > 0:
        yield f"{formats.number(usage.overage)} {usage.meter.unit} over the plan"
    else:
        yield f"{formats.whole_percent(usage.percent or _NOTHING)} of the plan"
    if not usage.overage_cost.is_zero():
        yield f"{formats.money(usage.overage_cost)} so far"
