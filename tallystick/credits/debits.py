"""Taking credits inside a wider transaction, and what the answers mean."""

from collections.abc import Sequence
from uuid import UUID

from tallystick.credits import debit_store
from tallystick.credits.amounts import to_credits
from tallystick.credits.debit_store import NewDebit
from tallystick.credits.grants import key_conflict
from tallystick.credits.model import Debit, Debited, Outcome
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import PaymentRequired
from tallystick.kernel.ids import new_id


async def debit_within(conn: Connection, debit: Debit) -> Debited:
    """Take credits within the open transaction; a replay answers as the first time.

    Locks the account's credits until it ends. Raises PaymentRequired `insufficient_credits` with
    `required` and `available`, Conflict `credit_key_conflict`.
    """
    (answer,) = await debit_store.debit(conn, [NewDebit(new_id(), debit)])
    return need_debited(debit, answer)


def need_debited(debit: Debit, answer: Debited) -> Debited:
    """Return the answer, or raise what it means."""
    if answer.outcome is Outcome.INSUFFICIENT:
        raise insufficient(debit.units, answer.available_units)
    if answer.outcome is Outcome.CONFLICT:
        raise key_conflict()
    return answer


def insufficient(required: int, available: int) -> PaymentRequired:
    """Return the refusal with both figures in credits; what is available is never below zero."""
    extra = {"required": shown(required), "available": shown(max(available, 0))}
    return PaymentRequired("insufficient_credits", "There are not as many credits.", extra=extra)


def shown(units: int) -> str:
    """Write 1/100,000 credits as a plain decimal string: `12.5`."""
    text = f"{to_credits(units):f}"
    return text.rstrip("0").rstrip(".")


def batch_key(new: NewDebit) -> tuple[UUID, str]:
    """Return what names a debit's intent."""
    return new.debit.account_id, new.debit.key


def repeated(first: NewDebit, again: NewDebit, answer: Debited) -> Debited | None:
    """Answer a key that its batch had already, as the database would behind the first one.

    None where the first one's answer does not say: it was refused, or must be priced again.
    """
    if answer.outcome not in (Outcome.DEBITED, Outcome.REPLAYED):
        return None
    outcome = Outcome.REPLAYED if _same(first.debit, again.debit) else Outcome.CONFLICT
    return Debited(
        outcome=outcome,
        ledger_entry_id=answer.ledger_entry_id,
        units=answer.units,
        available_units=answer.available_units,
        at=answer.at,
    )


def _same(one: Debit, other: Debit) -> bool:
    """Tell whether both say the same; a price may have changed between the first and a retry."""
    said = (one.kind, one.operation, one.model, one.quantity)
    if said != (other.kind, other.operation, other.model, other.quantity):
        return False
    both_priced = one.cost_id is not None and other.cost_id is not None
    return both_priced or one.units == other.units


async def debit_batch(conn: Connection, batch: Sequence[NewDebit]) -> Sequence[Debited]:
    """Do a batch of the committer's: one statement."""
    return await debit_store.debit(conn, batch)
