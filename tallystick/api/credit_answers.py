"""How credits look: balances, the usage log, sums, changes. Decimals are exact JSON numbers."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.api.answers import Pagination, plain
from tallystick.credits.amounts import to_credits
from tallystick.credits.debit_store import UsageFilter
from tallystick.credits.model import UsageRow, UsageSum
from tallystick.kernel import ids
from tallystick.ledger.model import CREDITS, PostedEntry


class CreditBalanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What can be spent now; `credits` is `usable` less what is reserved and owed."""

    credits: Decimal
    plan_credits_per_month: Decimal
    credits_used_this_month: Decimal
    credits_remaining: Decimal
    usable: Decimal
    reserved: Decimal
    owed: Decimal
    overdraft: Decimal


class CreditUsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the usage log."""

    id: str
    idempotency_key: str
    operation: str
    model: str | None
    quantity: str | None
    credits: Decimal
    cost: str | None
    description: str
    metadata: Any
    available: Decimal
    created: datetime


class CreditUsageList(msgspec.Struct, frozen=True):
    """A part of the usage log, newest first."""

    usage: list[CreditUsageAnswer]
    pagination: Pagination
    total: int


class SumAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one operation, with one model, used."""

    operation: str
    model: str | None
    credits: Decimal
    quantity: str
    count: int


class SummaryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was used in [`start`, `end`), by operation and model."""

    start: datetime | None
    end: datetime | None
    total_credits: Decimal
    total_count: int
    by_operation: dict[str, Decimal]
    by_model: dict[str, Decimal]
    items: list[SumAnswer]


class LimitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of the plan with what is used of it in the running period."""

    code: str
    title: str
    unit: str
    limit: str
    used: str
    available: str


class LimitsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The plan's limits; `counts` is how often each operation used credits this month."""

    plan: str | None
    limits: list[LimitAnswer]
    credits: CreditBalanceAnswer
    counts: dict[str, int]


class TransactionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the credits; `credits` below zero: they were taken."""

    id: str
    type: str
    credits: Decimal
    balance_after: Decimal
    description: str
    reference: str
    created: datetime


class TransactionList(msgspec.Struct, frozen=True):
    """A part of the changes, newest first."""

    transactions: list[TransactionAnswer]
    pagination: Pagination
    total: int


def summary_answer(sums: tuple[UsageSum, ...], wanted: UsageFilter) -> SummaryAnswer:
    """Show sums by operation and model, and over all."""
    by_operation: dict[str, Decimal] = {}
    by_model: dict[str, Decimal] = {}
    for one in sums:
        amount = to_credits(one.credits)
        by_operation[one.operation] = by_operation.get(one.operation, Decimal(0)) + amount
        model = one.model or ""
        by_model[model] = by_model.get(model, Decimal(0)) + amount
    return SummaryAnswer(
        start=wanted.since,
        end=wanted.until,
        total_credits=to_credits(sum(one.credits for one in sums)),
        total_count=sum(one.operation_count for one in sums),
        by_operation=by_operation,
        by_model=by_model,
        items=[
            SumAnswer(
                operation=one.operation,
                model=one.model,
                credits=to_credits(one.credits),
                quantity=plain(one.quantity),
                count=one.operation_count,
            )
            for one in sums
        ],
    )


def usage_answer(row: UsageRow) -> CreditUsageAnswer:
    """Show a line of the usage log."""
    return CreditUsageAnswer(
        id=ids.show("ledger_entry", row.ledger_entry_id),
        idempotency_key=row.idempotency_key,
        operation=row.operation,
        model=row.model,
        quantity=None if row.quantity is None else plain(row.quantity),
        credits=to_credits(row.credits),
        cost=ids.show("credit_cost", row.credit_cost_id) if row.credit_cost_id else None,
        description=row.description,
        metadata=row.metadata,
        available=to_credits(row.available_after),
        created=row.at,
    )


def transaction_answer(entry: PostedEntry) -> TransactionAnswer:
    """Show a change as its customer sees it: what they hold is a credit in our books."""
    own = next(posting for posting in entry.postings if posting.ledger_account == CREDITS)
    return TransactionAnswer(
        id=ids.show("ledger_entry", entry.ledger_entry_id),
        type=entry.kind.removeprefix("credit_"),
        credits=to_credits(-own.amount),
        balance_after=to_credits(-(own.balance_after or 0)),
        description=entry.reason,
        reference=entry.reference,
        created=entry.at,
    )
