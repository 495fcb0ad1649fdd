"""What a correction changes: the difference between two readings of the same periods. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.corrections.model import BilledLine, Effect, OpenUsage
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.usage_lines_model import Charges, PriceKey, UsageLine
from tallystick.money.amount import Money
from tallystick.money.exact import canonical
from tallystick.pricing.charges import Charge
from tallystick.pricing.use import Use
from tallystick.subscriptions.periods import Period

Quantities = Mapping[Period, Mapping[str, Decimal]]
"""What was used in each period, by meter code."""

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode
_BYTES: Final = 16
_Part = tuple[str, int | None, bytes]
"""A kind of charge, its filter and its group: what tells the lines of one price apart."""


class Watched(msgspec.Struct, frozen=True):
    """What events at some instants may have a part in: billed lines, and periods still open."""

    meters: Mapping[str, Meter]
    lines: tuple[UsageLine, ...]
    subscription_id: UUID | None
    open: tuple[Period, ...]


class Reading(msgspec.Struct, frozen=True):
    """Usage at a moment: of open periods, and what it makes of the prices of billed lines."""

    open: Quantities
    billed: Charges


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
    watched: Watched, before: Reading, after: Reading, now: datetime, window: timedelta
) -> Effect:
    """Return what differs between two readings.

    A line is in it when its quantity differs, also when its amount stays, as within a tier. What
    has no line yet, a group that is new or a minimum that is no longer reached, stands in it with
    nothing billed and under the first line of its price.
    """
    billed = tuple(
        change
        for lines in _by_price(watched.lines)
        for change in _changes(lines, before, after, lines[0].period_end >= now - window)
    )
    return Effect(billed, tuple(_open(watched, before.open, after.open)))


def confirmation(intent: str, effect: Effect) -> str:
    """Return what confirms this intent with this effect, and no other.

    The effect on issued invoices alone: usage that is not billed yet moves with every event.
    """
    lines = [
        (one.invoice_line_id, one.old_quantity, one.new_quantity, one.old.minor, one.new.minor)
        for one in effect.billed
    ]
    return "ucc_" + blake2b(_encode([intent, lines]), digest_size=_BYTES).hexdigest()


def _by_price(lines: Iterable[UsageLine]) -> Iterator[list[UsageLine]]:
    """Yield the lines of each price of each invoice, in their order."""
    found: dict[PriceKey, list[UsageLine]] = {}
    for line in lines:
        found.setdefault(line.price_key, []).append(line)
    yield from found.values()


def _changes(
    lines: Sequence[UsageLine],
    before: Reading,
    after: Reading,
    is_in_window: bool,  # noqa: FBT001 -- one caller, a few lines above
) -> Iterator[BilledLine]:
    key = lines[0].price_key
    was, now = _by_part(before.billed[key]), _by_part(after.billed[key])
    known = {_part(line.derivation.kind, line.derivation): line for line in lines}
    for part in dict.fromkeys([*known, *was, *now]):
        old, new = was.get(part), now.get(part)
        if _told(old) != _told(new):
            line = known.get(part) or _without_line(lines[0], new or old)
            yield _line(line, old, new, is_in_window)


def _by_part(charges: Iterable[Charge]) -> dict[_Part, Charge]:
    return {_part(one.kind, one.use): one for one in charges}


def _part(kind: str, use: Use | Derivation) -> _Part:
    return kind, use.filter, _encode(use.group)


def _told(charge: Charge | None) -> tuple[Decimal, int]:
    return (Decimal(0), 0) if charge is None else (charge.use.quantity, charge.amount.minor)


def _without_line(first: UsageLine, charge: Charge | None) -> UsageLine:
    """Return a line over nothing for what the invoice did not bill, in the place of the first."""
    assert charge is not None  # noqa: S101 -- it is in one of the readings
    nothing = replace(first.derivation, kind=charge.kind, quantity=Decimal(0), use=charge.use)
    return replace(
        first,
        kind="usage" if charge.kind == "rated" else charge.kind,
        amount=Money.zero(first.amount.currency),
        derivation=nothing,
    )


def _line(
    line: UsageLine,
    was: Charge | None,
    now: Charge | None,
    is_in_window: bool,  # noqa: FBT001 -- one caller, a few lines above
) -> BilledLine:
    nothing = Money.zero(line.amount.currency)
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
        old_quantity=canonical(was.use.quantity) if was else Decimal(0),
        old=was.amount if was else nothing,
        new_quantity=canonical(now.use.quantity) if now else Decimal(0),
        new=now.amount if now else nothing,
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
