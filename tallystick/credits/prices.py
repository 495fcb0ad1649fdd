"""Costs as they are configured: kept in memory, and set by staff in versions."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.credits import offer_store
from tallystick.credits.amounts import CREDITS_MAX, DECIMALS
from tallystick.credits.costs import STEP_DEFAULT, Cost, CostBook, Rounding
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.kernel.ids import new_id, unknown

NAME_LENGTH_MAX: Final = 100
DECIMALS_MAX: Final = 12


class NewCost(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a version; `effective_at` None: from now on. Not active: no cost."""

    operation: str
    model: str | None = None
    unit: str = "request"
    unit_size: Decimal = Decimal(1)
    credits_per_unit: Decimal
    minimum: Decimal = Decimal(0)
    rounding: Rounding = "up"
    step: Decimal = STEP_DEFAULT
    effective_at: datetime | None = None
    is_active: bool = True


class Prices:
    """The costs of one process, read anew when the database says that they have changed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._book: CostBook | None = None

    async def book(self) -> CostBook:
        """Return the costs; who debits by them learns from the database if they are old."""
        return self._book or await self.reload()

    async def reload(self) -> CostBook:
        """Read the costs anew, unless those in memory are still the newest."""
        async with self._db.own_transaction(WRITER) as conn:
            if self._book is None or self._book.epoch != await offer_store.epoch(conn):
                self._book = await read_book(conn)
        return self._book


async def read_book(conn: Connection) -> CostBook:
    """Return all costs; the count is read first, so that a change between makes it old."""
    epoch = await offer_store.epoch(conn)
    return CostBook(epoch, await offer_store.costs(conn))


async def list_costs(conn: Connection) -> tuple[Cost, ...]:
    """Return all versions of all costs, by operation, model and version."""
    found = await offer_store.costs(conn)
    return tuple(sorted(found, key=lambda one: (one.operation, one.model or "", one.version)))


async def set_cost(conn: Connection, new: NewCost, account_id: UUID | None, now: datetime) -> Cost:
    """Write the next version of a cost: for everybody, or for one account alone.

    What was debited keeps its credits; the version holds from `effective_at`, not before now. Needs
    the writer's scope. Raises BadInput naming every bad field.
    """
    effective_at = new.effective_at or now
    wrong = [*_text_faults(new), *_number_faults(new)]
    if effective_at < now:
        wrong.append(FieldError("effective_at", "in_the_past", "must not be before now"))
    if wrong:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in wrong)
        raise BadInput("validation_failed", detail, errors=wrong)
    await offer_store.lock_epoch(conn)
    version = await offer_store.last_version(conn, account_id, new.operation, new.model)
    fields = msgspec.structs.asdict(new) | {"effective_at": effective_at}
    cost = Cost(
        **fields,
        credit_cost_id=new_id(),
        account_id=account_id,
        version=version + 1,
        created_at=now,
    )
    await offer_store.insert_cost(conn, cost)
    return cost


async def get_cost(conn: Connection, cost_id: UUID) -> Cost:
    """Return one version of a cost; raises NotFound `credit_cost_not_found`."""
    found = await offer_store.cost(conn, cost_id)
    if found is None:
        raise unknown("credit_cost")
    return found


async def end_cost(
    conn: Connection, cost_id: UUID, effective_at: datetime | None, now: datetime
) -> Cost:
    """Write a version that ends the cost of this one's operation and model, else as `set_cost`.

    Operations are priced by what is more general then (any model, everybody), or not at all.
    """
    was = await get_cost(conn, cost_id)
    kept = msgspec.structs.asdict(was)
    wanted = {name: kept[name] for name in NewCost.__struct_fields__}
    new = NewCost(**wanted | {"effective_at": effective_at, "is_active": False})
    return await set_cost(conn, new, was.account_id, now)


def _text_faults(new: NewCost) -> list[FieldError]:
    named = {"operation": new.operation, "unit": new.unit}
    named |= {"model": new.model} if new.model is not None else {}
    message = f"must have 1 to {NAME_LENGTH_MAX} characters that can be printed"
    return [
        FieldError(field, "invalid_text", message)
        for field, text in named.items()
        if not (text.strip() and len(text) <= NAME_LENGTH_MAX and text.isprintable())
    ]


def _number_faults(new: NewCost) -> list[FieldError]:
    figures = {"credits_per_unit": new.credits_per_unit, "minimum": new.minimum}
    parts = {"unit_size": new.unit_size, "step": new.step}
    wrong = [
        FieldError(
            field, "out_of_range", f"must be up to {CREDITS_MAX}, with {DECIMALS_MAX} decimals"
        )
        for field, value in (figures | parts).items()
        if not _fits(value) or (field in parts and value == 0)
    ]
    if new.step.is_finite() and _decimals(new.step) > DECIMALS:
        wrong.append(FieldError("step", "too_many_decimals", f"may have {DECIMALS} decimals"))
    return wrong


def _fits(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value <= CREDITS_MAX and _decimals(value) <= DECIMALS_MAX


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else DECIMALS_MAX + 1
