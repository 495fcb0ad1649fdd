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
    parts = (_taken(part, until) for part, until in _with_ends(explained))
    return (*opening(explained), *parts, *closing(explained))


def opening(explained: Explained) -> Iterator[str]:
    """Yield what was asked for, or given, and what paid an overdraft back."""
    debit, cost, granted = explained.debit, explained.cost, explained.granted
    if debit is not None and cost is not None:
        yield _priced(debit, cost)
    elif debit is not None:
        yield f"{shown(debit.credits)} credits were asked for."
    if granted is not None:
        yield f"{shown(granted.amount)} credits were given."
        yield from (
            f"{shown(part.units)} of them paid back what was overdrawn." for part in explained.parts
        )


def closing(explained: Explained) -> Iterator[str]:
    """Yield what no grant had."""
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


def _with_ends(explained: Explained) -> Iterator[tuple[Part, str]]:
    for part in () if explained.granted is not None else explained.parts:
        end = part.grant.expires_at
        yield part, f", expires {end:%Y-%m-%dT%H:%M:%SZ}" if end else ""


def _taken(part: Part, until: str) -> str:
    grant = part.grant
    named = show("credit_grant", grant.credit_grant_id)
    return f"{shown(part.units)} from {named} ({grant.source}, priority {grant.priority}{until})."
