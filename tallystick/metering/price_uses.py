"""What prices are rated for: one query for all totals, and one for each grouped price."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.metering import service
from tallystick.metering.reads import GroupTotal
from tallystick.pricing.charges import Use, Uses, is_metered, needs_total_only, uses_of_totals
from tallystick.pricing.model import Price

GROUPS_MAX: Final = 1_000
"""How many groups of one price a period may have: each is a line of the invoice."""


async def read_uses(
    conn: Connection,
    account_id: UUID,
    prices: Sequence[Price],
    meters: Mapping[str, Meter],
    *,
    start: datetime,
    end: datetime,
    totals: Mapping[str, Decimal] | None = None,
) -> Uses:
    """Return what was used in the half-open [start, end) by the code of the price that bills it.

    `meters` go by code; a price whose meter is not among them is left out. `totals` are those of
    the same period by meter code, if they were read already. Raises Conflict
    `too_many_groups`, `usage_archived`; BadInput `not_grouped`.
    """
    known = [price for price in prices if is_metered(price) and price.meter in meters]
    if totals is None:
        codes = {price.meter or "" for price in known if needs_total_only(price)}
        wanted = [meters[code] for code in sorted(codes)]
        totals = await service.period_totals(conn, account_id, wanted, start, end) if wanted else {}
    uses = uses_of_totals(known, totals)
    for price in known:
        if price.code not in uses:
            found = await service.grouped_totals(
                conn, account_id, meters[price.meter or ""], start, end, group_by=price.group_by
            )
            uses[price.code] = _groups(price, found)
    return uses


def _groups(price: Price, found: Sequence[GroupTotal]) -> tuple[Use, ...]:
    """Return the groups in an order that is always the same."""
    if len(found) > GROUPS_MAX:
        raise Conflict(
            "too_many_groups",
            f"Price {price.code} has {len(found)} groups in this period and {GROUPS_MAX} is the "
            "most; group by a property with fewer values.",
        )
    uses = [
        Use(
            quantity=one.quantity,
            group={name: one.dimensions.get(name) for name in price.group_by},
        )
        for one in found
    ]
    return tuple(sorted(uses, key=lambda use: msgspec.json.encode(list(use.group.values()))))
