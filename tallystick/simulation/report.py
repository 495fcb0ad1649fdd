"""What came of a story, as JSON: the same bytes for the same scenario.

Ids are made by wall time, so none of them is here: invoices have their numbers, subscriptions the
names of the scenario, payments p1, p2 and so on. Instants are the account's, amounts whole minor
units, quantities and credits decimal strings.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tallystick.api.answers import plain
from tallystick.credits import service as credits_
from tallystick.credits.amounts import to_credits
from tallystick.credits.model import Grant
from tallystick.invoices import service as invoice_service
from tallystick.invoices.customer_credit import open_customer_credit
from tallystick.invoices.explain import LineExplanation, line_explanation
from tallystick.invoices.model import Invoice, InvoiceLine, Status
from tallystick.kernel.db import Connection
from tallystick.ledger import service as ledger
from tallystick.ledger.model import RECEIVABLE
from tallystick.payments.model import Payment
from tallystick.simulation.notes import NoteOut, notes_out
from tallystick.simulation.reads import all_grants, all_invoices, all_payments
from tallystick.simulation.recorder import Heard
from tallystick.simulation.story import Told
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.sold import plan_of


class PeriodOut(msgspec.Struct, frozen=True):
    """A half-open period, in UTC."""

    start: datetime
    end: datetime


class LineOut(msgspec.Struct, frozen=True, kw_only=True):
    """A line; `explanation` holds a sentence for each step of its amount; none on a draft."""

    kind: str
    description: str
    price: str | None
    meter: str | None
    quantity: str
    unit: str | None
    period: PeriodOut | None
    amount_cents: int
    explanation: tuple[str, ...]


class InvoiceOut(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice; one over several subscriptions has `subscriptions` in place of `subscription`."""

    number: str | None
    status: str
    subscription: str | None
    subscriptions: list[str | None] | msgspec.UnsetType = msgspec.UNSET
    issued_at: datetime | None
    due_at: datetime | None
    period: PeriodOut | None
    currency: str
    subtotal_cents: int
    tax_cents: int
    total_cents: int
    amount_paid_cents: int
    amount_due_cents: int
    lines: list[LineOut]


class GrantOut(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that were given, and what is left of them."""

    source: str
    amount: str
    remaining: str
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    reason: str


class CreditsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Credits at the end of the story; `invoice_credit_cents` comes off the next invoices."""

    available: str
    invoice_credit_cents: int
    grants: list[GrantOut]


class PaymentOut(msgspec.Struct, frozen=True, kw_only=True):
    """A payment."""

    name: str
    invoice: str | None
    status: str
    currency: str
    amount_cents: int
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None


class SubscriptionOut(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription at the end of the story; the period is the one that is billed next."""

    name: str
    plan: str
    version: int
    status: str
    quantity: int
    started_at: datetime
    trial_ends_at: datetime | None
    period: PeriodOut
    next_bill_at: datetime | None
    cancel_at_period_end: bool
    ends_at: datetime | None


class LedgerOut(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the books are whole, and what the customer owes by them.

    `lines_recomputed`: every line, computed again from what is stored beside it, has its cent.
    """

    balanced: bool
    lines_recomputed: bool
    receivable_cents: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that came of a story; lists are in the order in which things were made."""

    invoices: list[InvoiceOut]
    credit_notes: list[NoteOut]
    credits: CreditsOut
    payments: list[PaymentOut]
    subscriptions: list[SubscriptionOut]
    events: list[dict[str, Any]]
    ledger: LedgerOut


def encode(report: Report) -> bytes:
    """Write the report as indented JSON, ending in a line break."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


async def read_report(conn: Connection, told: Told, *, is_balanced: bool) -> Report:
    """Read what came of a story; under the writer's scope."""
    account = told.account
    invoices = await all_invoices(conn, account.account_id)
    payments = await all_payments(conn, account.account_id)
    names = _names(told, invoices, payments)
    owed = await ledger.balance(conn, account.account_id, RECEIVABLE, account.currency)
    explained = {
        line.invoice_line_id: await line_explanation(
            conn, account.account_id, one.invoice_id, line.invoice_line_id
        )
        for one in invoices
        for line in one.lines
        if one.status is not Status.DRAFT
    }
    is_recomputed = all(one.is_same for one in explained.values())
    return Report(
        invoices=[_invoice(one, names, explained) for one in invoices],
        credit_notes=await notes_out(conn, account.account_id),
        credits=await _credits(conn, told),
        payments=[_payment(one, names) for one in payments],
        subscriptions=await _subscriptions(conn, told),
        events=[_event(heard, names) for heard in told.recorder.heard],
        ledger=LedgerOut(
            balanced=is_balanced, lines_recomputed=is_recomputed, receivable_cents=owed
        ),
    )


def _names(told: Told, invoices: Sequence[Invoice], payments: Sequence[Payment]) -> dict[str, str]:
    """Return what each id is called here."""
    named = {str(one.invoice_id): one.number or "" for one in invoices}
    named |= {str(one.payment_id): f"p{at}" for at, one in enumerate(payments, 1)}
    return named | {str(one): name for one, name in told.subscriptions.items()}


def _invoice(
    one: Invoice, names: Mapping[str, str], explained: Mapping[UUID, LineExplanation]
) -> InvoiceOut:
    return InvoiceOut(
        number=one.number,
        status=one.status.value,
        subscription=names.get(str(one.subscription_id)),
        subscriptions=[names.get(str(each)) for each in one.subscription_ids]
        if len(one.subscription_ids) > 1
        else msgspec.UNSET,
        issued_at=one.issued_at,
        due_at=one.due_at,
        period=_period(one.period_start, one.period_end),
        currency=one.currency,
        subtotal_cents=one.subtotal.minor,
        tax_cents=one.tax.minor,
        total_cents=one.total.minor,
        amount_paid_cents=one.paid.minor,
        amount_due_cents=one.due.minor,
        lines=[_line(line, explained.get(line.invoice_line_id)) for line in one.lines],
    )


def _line(line: InvoiceLine, explained: LineExplanation | None) -> LineOut:
    return LineOut(
        kind=line.kind,
        description=line.description,
        price=line.price_code,
        meter=line.meter_code,
        quantity=plain(line.quantity),
        unit=line.unit,
        period=_period(line.period_start, line.period_end),
        amount_cents=line.amount.minor,
        explanation=explained.steps if explained else (),
    )


def _period(start: datetime | None, end: datetime | None) -> PeriodOut | None:
    return None if start is None or end is None else PeriodOut(start, end)


async def _credits(conn: Connection, told: Told) -> CreditsOut:
    account_id = told.account.account_id
    balance = await credits_.balance(conn, account_id, told.ended_at)
    kept = await invoice_service.open_credit(conn, account_id, told.account.currency)
    noted = await open_customer_credit(conn, account_id, told.account.currency)
    return CreditsOut(
        available=_shown(balance.available),
        invoice_credit_cents=sum([one.left.minor for one in kept])
        + sum([one.left.minor for one in noted]),
        grants=[_grant(one) for one in await all_grants(conn, account_id)],
    )


def _grant(one: Grant) -> GrantOut:
    return GrantOut(
        source=one.source,
        amount=_shown(one.amount),
        remaining=_shown(one.remaining),
        priority=one.priority,
        effective_at=one.effective_at,
        expires_at=one.expires_at,
        reason=one.reason,
    )


def _shown(units: int) -> str:
    return plain(to_credits(units))


def _payment(one: Payment, names: Mapping[str, str]) -> PaymentOut:
    return PaymentOut(
        name=names[str(one.payment_id)],
        invoice=names.get(str(one.invoice_id)),
        status=one.status.value,
        currency=one.currency,
        amount_cents=one.amount_minor,
        failure_code=one.failure_code,
        created_at=one.created_at,
        settled_at=one.settled_at,
    )


async def _subscriptions(conn: Connection, told: Told) -> list[SubscriptionOut]:
    return [
        await _subscription(conn, told.account.account_id, subscription_id, name)
        for subscription_id, name in told.subscriptions.items()
    ]


async def _subscription(
    conn: Connection, account_id: UUID, subscription_id: UUID, name: str
) -> SubscriptionOut:
    one = await subscriptions.get_subscription(conn, account_id, subscription_id)
    plan = await plan_of(conn, one)
    return SubscriptionOut(
        name=name,
        plan=plan.plan_code,
        version=plan.version,
        status=one.status.value,
        quantity=one.quantity,
        started_at=one.started_at,
        trial_ends_at=one.trial_ends_at,
        period=PeriodOut(one.period_start, one.period_end),
        next_bill_at=one.next_bill_at,
        cancel_at_period_end=one.cancel_at_period_end,
        ends_at=one.ends_at,
    )


def _event(heard: Heard, names: Mapping[str, str]) -> dict[str, Any]:
    """Show an event; what is not called anything here is left out.

    `at` is when it was told; an instant that the event tells of is its `from`.
    """
    about: dict[str, Any] = {"at": heard.at, "kind": heard.kind}
    for key, value in sorted(heard.payload.items()):
        if not key.endswith(("_id", "_ids")):
            about["from" if key == "at" else key] = value
        elif str(value) in names:
            about[key.removesuffix("_id")] = names[str(value)]
    return about
