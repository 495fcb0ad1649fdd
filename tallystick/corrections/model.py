"""Corrections as values."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from tallystick.metering.model import EventResult
from tallystick.money.amount import Money

Kind = Literal["amend", "reverse", "backfill"]
State = Literal["applied", "to_confirm", "previewed", "unchanged"]
"""`to_confirm` and `previewed`: nothing was changed; `unchanged`: it was so already."""


class Told(msgspec.Struct, frozen=True):
    """What an event says; numbers in `properties` are int or Decimal."""

    type: str
    at: datetime
    properties: dict[str, Any]


class Named(msgspec.Struct, frozen=True):
    """An event of an account by its sender's names."""

    account_id: UUID
    source: str
    event_id: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an amendment changes; None stays as it was. `properties` are replaced as a whole."""

    type: str | None = None
    at: datetime | None = None
    properties: dict[str, Any] | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Why, and how far the caller goes.

    `confirm`: the confirmation that came with the effect as it was shown. `preview`: only show it.
    `may_change_billed`: whether usage may be corrected that an issued invoice billed.
    """

    reason: str
    confirm: str | None = None
    preview: bool = False
    may_change_billed: bool = False


class BilledLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a correction does to the usage behind a line of an issued invoice.

    `billed` is what the line says; `old` and `new` what its price makes of the period's usage
    before and after the correction. They differ from `billed` when late usage came before.
    """

    invoice_id: UUID
    number: str
    invoice_line_id: UUID
    position: int
    kind: str
    description: str
    meter_code: str
    period_start: datetime
    period_end: datetime
    billed_quantity: Decimal
    billed: Money
    old_quantity: Decimal
    old: Money
    new_quantity: Decimal
    new: Money
    is_in_window: bool

    @property
    def difference(self) -> Money:
        """What the correction adds to, or takes off, what the period costs."""
        return self.new - self.old


class OpenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a correction does to the usage of a period that is not billed yet."""

    subscription_id: UUID
    period_start: datetime
    period_end: datetime
    meter_code: str
    old_quantity: Decimal
    new_quantity: Decimal


class Effect(msgspec.Struct, frozen=True):
    """All that a correction changes: lines of issued invoices, and usage not billed yet."""

    billed: tuple[BilledLine, ...] = ()
    open: tuple[OpenUsage, ...] = ()


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to one event: who, when (wall time), why, from what to what.

    `position` counts the corrections of the event from 1. `effect` is that of the whole request.
    """

    account_id: UUID
    usage_correction_id: UUID
    kind: Kind
    root_key: UUID
    position: int
    key: UUID | None
    new_key: UUID | None
    source: str
    event_id: str
    old: Told | None
    new: Told | None
    reason: str
    actor_kind: str
    actor_id: str
    request_id: str
    corrected_at: datetime
    billed: tuple[BilledLine, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to correct.

    `results` answer the events of a backfill in order. `confirmation` confirms the effect shown.
    """

    state: State
    effect: Effect
    confirmation: str | None = None
    corrections: Sequence[Correction] = ()
    results: tuple[EventResult, ...] = ()


class History(msgspec.Struct, frozen=True):
    """An event as its sender sent it (None: it is no longer kept), and its corrections in order."""

    source: str
    event_id: str
    original: Told | None
    corrections: tuple[Correction, ...]

    @property
    def current(self) -> Told | None:
        """What counts now; None when it was taken out."""
        return self.corrections[-1].new if self.corrections else self.original
