"""What a correction changes: the difference between two readings of the same periods. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec

from tallystick.catalog.model import Meter
from tallystick.corrections.model import BilledLine, Effect, OpenUsage
from tallystick.invoices.usage_lines_model import UsageLine
from tallystick.money.exact import canonical
from tallystick.subscriptions.periods import Period

Quantities = Mapping[Period, Mapping[str, Decimal]]
"""What was used in each period, by meter code."""

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode
_BYTES: Final = 16


class Watched(msgspec.Struct, frozen=True):
    """What events at some instants may have a part in: billed lines, and periods still open."""

    meters: Mapping[str, Meter]
    lines: tuple[UsageLine, ...]
    subscription_id: UUID | None
    open: tuple[Period, ...]

    def wanted(self) -> dict[Period, list[Meter]]:
        """Return which meters are to be read in which periods."""
        found: dict[Period, dict[str, Meter]] = {one: dict(self.meters) for one in self.open}
        for line in self.lines:
            meters = found.setdefault(period_of(line), {})
            meters[line.meter_code] = self.meters[line.meter_code]
        return {period: list(meters.values()) for period, meters in found.items()}


def period_of(line: UsageLine) -> Period:
    """Return the period whose usage a line bills."""
    return Period(line.period_start, line.period_end)


def is_touched(period: Period, meters: Iterable[Meter], instants: Sequence[datetime]) -> bool:
    """Tell whether events at these instants have a part in the period's usage.

    A recurring meter also carries what was before the period into it.
    """
    carries = any(meter.recurring for meter in meters)
    return any(period.contains(at) or (carries and at < period.end) for at in instants)


def touched_lines(
    lines: Iterable[UsageLine], meters: Mapping[str, Meter], instants: Sequence[datetime]
) -> tuple[UsageLine, ...]:
    """Return the lines in whose usage events at these instants have a part."""
    return tuple(
        line for line in lines if is_touched(period_of(line), [meters[line.meter_code]], instants)
    )


def compare(
    watched: Watched, before: Quantities, after: Quantities, now: datetime, window: timedelta
) -> Effect:
    """Return what differs between two readings.

    A line is in it when its quantity differs, also when its amount stays, as within a tier.
    """
    billed = tuple(
        _line(line, before[period][code], after[period][code], line.period_end >= now - window)
        for line in watched.lines
        for period, code in [(period_of(line), line.meter_code)]
        if before[period][code] != after[period][code]
    )
    return Effect(billed, tuple(_open(watched, before, after)))


def confirmation(intent: str, effect: Effect) -> str:
    """Return what confirms this intent with this effect, and no other.

    The effect on issued invoices alone: usage that is not billed yet moves with every event.
    """
    lines = [
        (one.invoice_line_id, one.old_quantity, one.new_quantity, one.old.minor, one.new.minor)
        for one in effect.billed
    ]
    return "ucc_" + blake2b(_encode([intent, lines]), digest_size=_BYTES).hexdigest()


def _line(line: UsageLine, was: Decimal, now: Decimal, is_in_window: bool) -> BilledLine:  # noqa: FBT001 -- one caller, a few lines above
    return BilledLine(
        invoice_id=line.invoice_id,
        number=line.number,
        invoice_line_id=line.invoice_line_id,
        position=line.position,
        kind=line.kind,
        description=line.description,
        meter_code=line.meter_code,
        period_start=line.period_start,
        period_end=line.period_end,
        billed_quantity=line.quantity,
        billed=line.amount,
        old_quantity=canonical(was),
        old=line.amount_of(was),
        new_quantity=canonical(now),
        new=line.amount_of(now),
        is_in_window=is_in_window,
    )


def _open(watched: Watched, before: Quantities, after: Quantities) -> Iterator[OpenUsage]:
    for period in watched.open:
        for code, was in before[period].items():
            now = after[period][code]
            if was != now and watched.subscription_id is not None:
                yield OpenUsage(
                    subscription_id=watched.subscription_id,
                    period_start=period.start,
                    period_end=period.end,
                    meter_code=code,
                    old_quantity=canonical(was),
                    new_quantity=canonical(now),
                )
