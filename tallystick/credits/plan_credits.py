"""Credits of a plan for a period: given at its start, and put right when the plan changes in it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.credits.grants import grant, revoke_granted
from tallystick.credits.model import NewGrant
from tallystick.kernel.db import Connection
from tallystick.money.rounding import round_ratio

_MICROSECOND: Final = timedelta(microseconds=1)


def entitled(plans: Sequence[NewGrant], start: datetime, end: datetime) -> int:
    """Return what the plans of one period [`start`, `end`) give together, in 1/100,000 credits.

    Each gives its `units` for a whole period, from its `effective_at` to the next one's; a change
    from 100 to 300 in the middle is 50 + 150 = 200. Rounded once, a tie away from zero. Pure.
    """
    edges = [max(start, one.effective_at or start) for one in plans[1:]]
    parts = zip(plans, [start, *edges], [*edges, end], strict=True)
    weighed = sum(one.units * ((until - since) // _MICROSECOND) for one, since, until in parts)
    return round_ratio(weighed, (end - start) // _MICROSECOND)


def due_by_last(plans: Sequence[NewGrant], start: datetime, end: datetime) -> int:
    """Return what the last of the plans changes: above zero more is due, below zero less. Pure.

    All of them together make what is `entitled`, however often the plan changed.
    """
    before = entitled(plans[:-1], start, end) if len(plans) > 1 else 0
    return entitled(plans, start, end) - before


async def give_for_period(
    conn: Connection,
    account_id: UUID,
    plans: Sequence[NewGrant],
    *,
    start: datetime,
    end: datetime,
    key: str,
    at: datetime,
) -> None:
    """Give what a period's plans give, each from its `effective_at` on; repeated, it does nothing.

    `key` names the period, `plans` are all that held in it so far, in order. Where a change leaves
    less, the difference is taken back, as far as it is unspent. What has expired by `at` is not
    given any more.
    """
    keys: list[str] = []
    for number, plan in enumerate(plans):
        named = f"{key}:{number}" if number else key
        due = due_by_last(plans[: number + 1], start, end)
        if due < 0:
            await revoke_granted(conn, account_id, keys, key=named, at=at, units_max=-due)
        elif due and (plan.expires_at is None or plan.expires_at > at):
            await grant(conn, account_id, replace(plan, units=due), key=named, at=at)
        keys.append(named)
