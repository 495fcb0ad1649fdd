"""What prices are rated for: one query for all totals, and one for each price that needs more."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.metering import archive_checks, event_amounts_store, service
from tallystick.metering.price_parts import (
    Part,
    all_parts,
    held_by_part,
    kept,
    merged,
    part_of,
    properties_of,
    refuse_many,
    use_of,
)
from tallystick.metering.usage_store import GROUP_ROWS_MAX, need_postgres
from tallystick.metering.windows import cut
from tallystick.money.currency import currency
from tallystick.money.exact import total
from tallystick.pricing.charges import (
    is_metered,
    needs_of_all,
    needs_total_only,
    own_price,
    uses_of_totals,
)
from tallystick.pricing.in_advance import keeps_peak
from tallystick.pricing.model import ZERO, PercentagePrice, Price
from tallystick.pricing.percentage import Tallying
from tallystick.pricing.usage import DynamicSum
from tallystick.pricing.use import Held, Level, Use, Uses

UTC = ZoneInfo("UTC")


class Days(msgspec.Struct, frozen=True):
    """How days are counted where units are paid for the days that they were held.

    In `zone`; `whole` is the number of days of the whole period, None: those of the period read.
    Days that begin at `until` or later do not count.
    """

    zone: ZoneInfo = UTC
    whole: int | None = None
    until: datetime | None = None


async def read_uses(
    conn: Connection,
    account_id: UUID,
    prices: Sequence[Price],
    meters: Mapping[str, Meter],
    *,
    start: datetime,
    end: datetime,
    days: Days,
    totals: Mapping[str, Decimal] | None = None,
) -> Uses:
    """Return what was used in the half-open [start, end) by the code of the price that bills it.

    `meters` go by code; a price whose meter is not among them is left out. `totals` are those of
    the same period by meter code, if they were read already. Inside a transaction. Raises Conflict
    `too_many_groups`, `usage_archived`, and `needs_usage_in_postgresql` for prices by single events
    where usage is in ClickHouse.
    """
    known = [price for price in prices if is_metered(price) and price.meter in meters]
    if totals is None:
        codes = {price.meter or "" for price in known if needs_total_only(price)}
        wanted = [meters[code] for code in sorted(codes)]
        totals = await service.period_totals(conn, account_id, wanted, start, end) if wanted else {}
    uses: dict[str, Sequence[Use]] = dict(uses_of_totals(known, totals))
    for price in known:
        if price.code not in uses:
            reading = _Reading(conn, account_id, price, meters[price.meter or ""], (start, end))
            uses[price.code] = await reading.uses(days)
    return uses


class _Reading:
    """One price over one span of time."""

    def __init__(
        self,
        conn: Connection,
        account_id: UUID,
        price: Price,
        meter: Meter,
        span: tuple[datetime, datetime],
    ) -> None:
        self._conn = conn
        self._account_id = account_id
        self._price = price
        self._meter = meter
        self._span = span
        self._names = properties_of(price)

    async def uses(self, days: Days) -> tuple[Use, ...]:
        """Return a use for each part."""
        need = needs_of_all(self._price)
        if need == "events":
            found = await self._by_events()
        elif need == "dynamic":
            found = await self._by_amounts()
        elif self._price.prorate:
            found = await self._by_days(days)
        else:
            found = await self._by_totals()
        parts = all_parts(self._price, found)
        return tuple(found.get(part) or use_of(self._price, part) for part in parts)

    async def _by_totals(self) -> dict[Part, Use]:
        windows = await service.spans(
            self._conn, self._account_id, self._meter, [self._span], self._names
        )
        return {
            part: replace(
                use_of(self._price, part), quantity=one.quantity, event_count=one.event_count
            )
            for part, one in merged(self._price, self._meter, windows).items()
        }

    async def _by_days(self, days: Days) -> dict[Part, Use]:
        every = cut(*self._span, "DAY", days.zone)
        windows = await service.spans(self._conn, self._account_id, self._meter, every, self._names)
        counted = [day for day in every if days.until is None or day[0] < days.until]
        empty = Held(
            levels=(Level(ZERO, len(counted)),),
            whole=days.whole or max(len(counted), 1),
            timezone=days.zone.key,
        )
        held = held_by_part(self._price, self._meter, windows, counted, empty)
        if keeps_peak(self._price):
            held = {part: kept(one) for part, one in held.items()}
        return {
            part: replace(
                use_of(self._price, part),
                quantity=held[part].levels[-1].quantity if part in held else ZERO,
                held=held.get(part, empty),
            )
            for part in all_parts(self._price, held)
        }

    async def _by_events(self) -> dict[Part, Use]:
        self._need_events()
        counting: dict[Part, Tallying] = {}
        events = event_amounts_store.amounts(
            self._conn, self._account_id, self._meter.meter_id, self._span, self._names
        )
        async for dimensions, amount in events:
            part = part_of(self._price, dimensions)
            if part not in counting:
                own = own_price(self._price, part[0])
                assert isinstance(own, PercentagePrice)  # noqa: S101 -- no other needs events
                counting[part] = Tallying(own)
                refuse_many(self._price, len(counting))
            counting[part].take(amount)
        await self._refuse_archived()
        return {part: self._tallied(part, one) for part, one in counting.items()}

    def _tallied(self, part: Part, counting: Tallying) -> Use:
        tally = counting.result()
        return replace(
            use_of(self._price, part),
            quantity=tally.quantity,
            event_count=tally.event_count,
            events=tally,
        )

    async def _by_amounts(self) -> dict[Part, Use]:
        self._need_events()
        sums: dict[Part, list[event_amounts_store.DynamicTotal]] = {}
        found = await event_amounts_store.dynamic_sums(
            self._conn,
            self._account_id,
            self._meter.meter_id,
            self._span,
            self._names,
            exponent=currency(self._price.currency).exponent,
            rows_max=GROUP_ROWS_MAX,
        )
        for one in found:
            sums.setdefault(part_of(self._price, one.dimensions), []).append(one)
        await self._refuse_archived()
        return {part: _summed(use_of(self._price, part), found) for part, found in sums.items()}

    def _need_events(self) -> None:
        need_postgres(self._conn, f"Price {self._price.code}, which is by single events,")

    async def _refuse_archived(self) -> None:
        types = {self._meter.event_type}
        await archive_checks.refuse_archived_span(self._conn, self._account_id, types, *self._span)


def _summed(use: Use, found: Sequence[event_amounts_store.DynamicTotal]) -> Use:
    quantity = total(one.quantity for one in found)
    amount = total(one.amount for one in found)
    count = sum(one.event_count for one in found)
    events = DynamicSum(amount=amount, event_count=count, quantity=quantity)
    return replace(use, quantity=quantity, event_count=count, events=events)
