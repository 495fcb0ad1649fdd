"""How a change of credits came about: which grants it took from, and by which cost."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.credits import debit_store, grant_store, offer_store
from tallystick.credits.burn import burn_order
from tallystick.credits.costs import Cost
from tallystick.credits.debits import shown
from tallystick.credits.model import Grant, UsageRow
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import show
from tallystick.money.exact import plain

_ROUNDED: Final = {
    "up": "rounded up to a multiple of",
    "nearest": "rounded to the nearest multiple of",
    "down": "rounded down to a multiple of",
}


class Part(msgspec.Struct, frozen=True):
    """So much of the change came from this grant, in 1/100,000 credits."""

    grant: Grant
    units: int


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one change.

    `debit`: what asked for credits, if somebody did; `cost`: the version that priced it. `granted`:
    the grant that the change gave. `parts` are in burn order; what a debit took beyond them was
    overdrawn.
    """

    debit: UsageRow | None
    cost: Cost | None
    granted: Grant | None
    parts: tuple[Part, ...]

    @property
    def overdrawn(self) -> int:
        """What no grant gave."""
        if self.debit is None:
            return 0
        return self.debit.credits - sum(part.units for part in self.parts)


async def explain(
    conn: Connection, account_id: UUID, ledger_entry_id: UUID, at: datetime
) -> Explained:
    """Return how the entry (whose instant is `at`) came about."""
    debit = await debit_store.by_entry(conn, account_id, ledger_entry_id, at)
    cost_id = debit.credit_cost_id if debit else None
    taken = await grant_store.allocations(conn, account_id, ledger_entry_id)
    grants = await grant_store.by_ids(conn, account_id, [one.credit_grant_id for one in taken])
    parts = (Part(grants[one.credit_grant_id], one.units) for one in taken)
    return Explained(
        debit=debit,
        cost=await offer_store.cost(conn, cost_id) if cost_id else None,
        granted=await grant_store.by_entry(conn, account_id, ledger_entry_id, at),
        parts=tuple(sorted(parts, key=lambda part: burn_order(part.grant))),
    )


def steps(explained: Explained) -> tuple[str, ...]:
    """Return the explanation in sentences, in the order of the computation. Pure."""
    return tuple(_steps(explained))


def _steps(explained: Explained) -> Iterator[str]:
    debit, cost = explained.debit, explained.cost
    if debit is not None and cost is not None:
        yield _priced(debit, cost)
    elif debit is not None:
        yield f"{shown(debit.credits)} credits were asked for."
    if explained.granted is not None:
        yield f"{shown(explained.granted.amount)} credits were given."
    is_paid_back = explained.granted is not None
    yield from (_taken(part, is_paid_back=is_paid_back) for part in explained.parts)
    if explained.overdrawn:
        yield f"{shown(explained.overdrawn)} were overdrawn: no grant had them."


def _priced(debit: UsageRow, cost: Cost) -> str:
    """Write how a quantity became credits: the figures of the version that held then."""
    each = "" if cost.unit_size == 1 else f"{plain(cost.unit_size)} "
    least = f", at least {plain(cost.minimum)}" if cost.minimum else ""
    quantity = "" if debit.quantity is None else f"{plain(debit.quantity)} "
    return (
        f"{quantity}{cost.unit} at {plain(cost.credits_per_unit)} credits for each "
        f"{each}{cost.unit}{least}, {_ROUNDED[cost.rounding]} {plain(cost.step)}: "
        f"{shown(debit.credits)} credits (version {cost.version} of the cost)."
    )


def _taken(part: Part, *, is_paid_back: bool) -> str:
    grant = part.grant
    if is_paid_back:
        return f"{shown(part.units)} of them paid back what was overdrawn."
    until = f", expires {grant.expires_at:%Y-%m-%dT%H:%M:%SZ}" if grant.expires_at else ""
    named = show("credit_grant", grant.credit_grant_id)
    return f"{shown(part.units)} from {named} ({grant.source}, priority {grant.priority}{until})."
