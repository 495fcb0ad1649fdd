"""Usage that changed after it was billed: found, noted, and kept for the run that bills the rest.

An issued invoice is never changed; what its period's usage comes to now is rated again by the
next run, which bills or gives back the difference.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tallystick.catalog.model import Meter
from tallystick.invoices import usage_lines_store as store
from tallystick.invoices.usage_change import Billed, ChangedUsage
from tallystick.invoices.usage_lines_model import Charges, PriceKey, UsageChange, UsageLine
from tallystick.kernel.db import Connection
from tallystick.metering.price_uses import Days, read_uses
from tallystick.metering.windows import cut
from tallystick.pricing.charges import charges
from tallystick.pricing.use import Use


async def issued_usage_lines(
    conn: Connection, account_id: UUID, meter_codes: Sequence[str], after: datetime
) -> tuple[UsageLine, ...]:
    """Return the lines of issued, non-void invoices for these meters, the oldest period first.

    Those of subscriptions' periods that end after the instant.
    """
    return await store.issued_lines(conn, account_id, meter_codes, after)


async def rate_again(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine], meters: Mapping[str, Meter]
) -> Charges:
    """Return what the prices of these lines come to by what was used as it is known now.

    Each by the price as it was sold and in the period of its lines; `meters` go by code.
    """
    prices = {line.price_key: line.derivation for line in lines}
    found = await uses_again(conn, account_id, lines, meters)
    return {key: charges(prices[key].price, uses, prices[key].part) for key, uses in found.items()}


async def uses_again(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine], meters: Mapping[str, Meter]
) -> Mapping[PriceKey, tuple[Use, ...]]:
    """Return what the prices of these lines are rated for, as usage is known now."""
    found: dict[PriceKey, tuple[Use, ...]] = {}
    for key, line in {line.price_key: line for line in lines}.items():
        price = line.derivation.price
        start, end = line.period_start, line.period_end
        uses = await read_uses(
            conn, account_id, [price], meters, start=start, end=end, days=_days(line)
        )
        found[key] = tuple(uses.get(price.code, ()))
    return found


def _days(line: UsageLine) -> Days:
    """Return the days that counted when the line was billed."""
    held = line.derivation.use.held if line.derivation.use else None
    if held is None:
        return Days()
    zone = ZoneInfo(held.timezone)
    every = cut(line.period_start, line.period_end, "DAY", zone)
    count = sum(level.days for level in held.levels)
    return Days(zone, held.whole, every[count][0] if count < len(every) else None)


async def note_usage_change(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine], wall: datetime
) -> None:
    """Note that the usage behind these lines changed; the writer's scope."""
    once = {(line.invoice_id, line.subscription_id, line.meter_code): line for line in lines}
    if once:
        await store.note(conn, account_id, tuple(once.values()), wall)


async def note_change_again(
    conn: Connection, account_id: UUID, changed: ChangedUsage, price_code: str, wall: datetime
) -> None:
    """Note a change once more, for the invoice that billed it is void; the writer's scope."""
    await store.note_again(conn, account_id, changed.invoice_id, price_code, wall)


async def usage_changes_of(
    conn: Connection,
    account_ids: Collection[UUID],
    now: datetime,
    window: timedelta,
    *,
    lock: bool = False,
) -> Mapping[UUID, tuple[UsageChange, ...]]:
    """Return what is to be rated again, by account: of periods that ended within the window.

    `lock`: until the transaction ends nobody else bills it.
    """
    found: dict[UUID, list[UsageChange]] = {}
    for one in await store.changes_of(conn, account_ids, now - window, lock=lock):
        found.setdefault(one.account_id, []).append(one)
    return {account_id: tuple(own) for account_id, own in found.items()}


async def billed_later(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine]
) -> Mapping[PriceKey, Billed]:
    """Return what later invoices added to, or gave back of, the prices of these lines."""
    return await store.billed_later(conn, account_id, {line.invoice_id for line in lines})


async def discounts_on(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine]
) -> Mapping[PriceKey, int]:
    """Return what coupons took, in minor units, off what was billed for the prices of these."""
    return await store.discounts(conn, account_id, lines)


async def settle_usage_change(conn: Connection, change: UsageChange) -> None:
    """Say that a change was billed; one that came after it was read stays."""
    await store.settle(conn, change)
