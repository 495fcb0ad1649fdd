"""Closed periods whose usage changed: read, rated again by the price as sold, made into lines."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from tallystick.catalog import service as catalog
from tallystick.invoices import usage_changes
from tallystick.invoices.late_lines import late_lines
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_lines_model import PriceKey, UsageChange, UsageLine
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError

log = structlog.get_logger()


class Late(msgspec.Struct, frozen=True):
    """What changed for an account, and the lines that put it right; none: to the same amounts."""

    changes: tuple[UsageChange, ...]
    lines: tuple[DraftLine, ...]


async def read_late(
    conn: Connection,
    account_ids: Collection[UUID],
    now: datetime,
    window: timedelta,
    *,
    lock: bool = False,
) -> Mapping[UUID, Late]:
    """Return what changed in periods that ended within the window, for accounts with any.

    `lock`: until the transaction ends nobody else bills it. What can not be rated now is left for
    a later run: it keeps nobody from being billed.
    """
    noted = await usage_changes.usage_changes_of(conn, account_ids, now, window, lock=lock)
    found: dict[UUID, Late] = {}
    for account_id, changes in noted.items():
        try:
            lines = await _lines(conn, account_id, changes)
        except (TallystickError, MoneyError) as error:
            log.warning("usage_change_not_rated", account_id=str(account_id), code=error.code)
            continue
        found[account_id] = Late(changes, lines)
    return found


async def _lines(
    conn: Connection, account_id: UUID, changes: Sequence[UsageChange]
) -> tuple[DraftLine, ...]:
    lines = await _billed_lines(conn, account_id, changes)
    if not lines:
        return ()
    meters = await catalog.meters_by_codes(conn, {line.meter_code for line in lines})
    uses = await usage_changes.uses_again(conn, account_id, lines, meters)
    earlier = await usage_changes.billed_later(conn, account_id, lines)
    taken = await usage_changes.discounts_on(conn, account_id, lines)
    plans = await _plans(conn, lines)
    return tuple(late_lines(lines, earlier, uses, meters, plans, taken=taken))


async def _billed_lines(
    conn: Connection, account_id: UUID, changes: Sequence[UsageChange]
) -> list[UsageLine]:
    """Return the lines that billed what changed; those of a void invoice are gone."""
    wanted = {(one.invoice_id, one.subscription_id, one.meter_code) for one in changes}
    codes = sorted({one.meter_code for one in changes})
    since = min(one.period_start for one in changes)
    found = await usage_changes.issued_usage_lines(conn, account_id, codes, since)
    return [
        line for line in found if (line.invoice_id, line.subscription_id, line.meter_code) in wanted
    ]


async def _plans(conn: Connection, lines: Sequence[UsageLine]) -> dict[PriceKey, str]:
    versions = {line.price_key: line.derivation.plan_version_id for line in lines}
    known = {
        one: (await catalog.get_plan_version(conn, one)).plan_code
        for one in {each for each in versions.values() if each is not None}
    }
    return {key: known[one] for key, one in versions.items() if one is not None}
