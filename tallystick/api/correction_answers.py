"""How corrections are shown: what they did, and what they do to invoices."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.api.answers import plain
from tallystick.corrections.model import (
    BilledLine,
    Correction,
    Effect,
    Kind,
    OpenUsage,
    Outcome,
    State,
    Told,
)
from tallystick.kernel import ids
from tallystick.metering.model import EventResult


class ToldAnswer(msgspec.Struct, frozen=True):
    """What an event says."""

    type: str
    time: datetime
    properties: dict[str, Any]


class BilledLineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an issued invoice whose usage changes; quantities are decimal strings.

    `billed_…` is what the line says. `old_…` and `new_…`: what its price makes of the period's
    usage before and after the correction. Outside the correction window nothing is billed of it.
    """

    invoice: str
    number: str
    line: str
    position: int
    kind: str
    description: str
    meter: str
    period_start: datetime
    period_end: datetime
    currency: str
    billed_quantity: str
    billed_amount: Decimal
    billed_amount_cents: int
    old_quantity: str
    old_amount: Decimal
    old_amount_cents: int
    new_quantity: str
    new_amount: Decimal
    new_amount_cents: int
    difference: Decimal
    difference_cents: int
    in_correction_window: bool


class OpenUsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Usage that changes in a period that is not billed yet."""

    subscription: str
    meter: str
    period_start: datetime
    period_end: datetime
    old_quantity: str
    new_quantity: str


class EffectAnswer(msgspec.Struct, frozen=True):
    """What changes: lines of issued invoices, and usage that is not billed yet."""

    invoices: list[BilledLineAnswer]
    current: list[OpenUsageAnswer]


class ActorAnswer(msgspec.Struct, frozen=True):
    """Who: a user, a service by its key, a job."""

    kind: str
    id: str


class CorrectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to an event: `before` and `after` are null where there was or is none.

    `source` and `event_id` are its sender's names; `invoices` is the effect as it was shown.
    """

    id: str
    kind: Kind
    account: str
    source: str
    event_id: str
    before: ToldAnswer | None
    after: ToldAnswer | None
    reason: str
    by: ActorAnswer
    request_id: str
    corrected: datetime
    invoices: list[BilledLineAnswer]


class CorrectedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to correct an event.

    `to_confirm`, `previewed`: nothing was changed; the same request with `confirm` set to
    `confirmation` does it. `unchanged`: it was so already; `correction` is the one that did it.
    """

    status: State
    correction: CorrectionAnswer | None
    effect: EffectAnswer
    confirmation: str | None


class BackfillAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The same for events that were put in; `events` answers each in order."""

    status: State
    events: list[EventResult]
    corrections: list[CorrectionAnswer]
    effect: EffectAnswer
    confirmation: str | None


def corrected(outcome: Outcome) -> CorrectedAnswer:
    """Show what became of one event."""
    made = corrections(outcome.corrections)
    return CorrectedAnswer(
        status=outcome.state,
        correction=made[0] if made else None,
        effect=effect_of(outcome.effect),
        confirmation=outcome.confirmation,
    )


def backfilled(outcome: Outcome) -> BackfillAnswer:
    """Show what became of many."""
    return BackfillAnswer(
        status=outcome.state,
        events=list(outcome.results),
        corrections=corrections(outcome.corrections),
        effect=effect_of(outcome.effect),
        confirmation=outcome.confirmation,
    )


def corrections(made: Sequence[Correction]) -> list[CorrectionAnswer]:
    """Show corrections."""
    return [_correction(one) for one in made]


def told(event: Told | None) -> ToldAnswer | None:
    """Show what an event says, if it is there."""
    return None if event is None else ToldAnswer(event.type, event.at, event.properties)


def effect_of(effect: Effect) -> EffectAnswer:
    """Show what changes."""
    return EffectAnswer([_billed(one) for one in effect.billed], [_open(o) for o in effect.open])


def _correction(one: Correction) -> CorrectionAnswer:
    return CorrectionAnswer(
        id=ids.show("usage_correction", one.usage_correction_id),
        kind=one.kind,
        account=ids.show("account", one.account_id),
        source=one.source,
        event_id=one.event_id,
        before=told(one.old),
        after=told(one.new),
        reason=one.reason,
        by=ActorAnswer(one.actor_kind, one.actor_id),
        request_id=one.request_id,
        corrected=one.corrected_at,
        invoices=[_billed(line) for line in one.billed],
    )


def _billed(one: BilledLine) -> BilledLineAnswer:
    return BilledLineAnswer(
        invoice=ids.show("invoice", one.invoice_id),
        number=one.number,
        line=ids.show("invoice_line", one.invoice_line_id),
        position=one.position,
        kind=one.kind,
        description=one.description,
        meter=one.meter_code,
        period_start=one.period_start,
        period_end=one.period_end,
        currency=one.new.currency.lower(),
        billed_quantity=plain(one.billed_quantity),
        billed_amount=one.billed.to_decimal(),
        billed_amount_cents=one.billed.minor,
        old_quantity=plain(one.old_quantity),
        old_amount=one.old.to_decimal(),
        old_amount_cents=one.old.minor,
        new_quantity=plain(one.new_quantity),
        new_amount=one.new.to_decimal(),
        new_amount_cents=one.new.minor,
        difference=one.difference.to_decimal(),
        difference_cents=one.difference.minor,
        in_correction_window=one.is_in_window,
    )


def _open(one: OpenUsage) -> OpenUsageAnswer:
    return OpenUsageAnswer(
        subscription=ids.show("subscription", one.subscription_id),
        meter=one.meter_code,
        period_start=one.period_start,
        period_end=one.period_end,
        old_quantity=plain(one.old_quantity),
        new_quantity=plain(one.new_quantity),
    )
