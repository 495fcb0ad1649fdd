"""What is told when a threshold is reached, in the transaction that writes it down."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.alerts.model import Basis, Source, Unit, UsageAlert, Watch

USAGE_ALERT_FIRED: Final = "usage.alert_fired"


class UsageAlertFired(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold was reached, or is expected to be; once for each period and threshold.

    `quantity` is what there was then: units of the meter, minor units of `currency`, or credits;
    `limit` what a percent is of. Numbers are decimal strings. The period is half-open, UTC.
    """

    usage_alert_id: UUID
    source: Source
    source_id: UUID
    basis: Basis
    watch: Watch
    meter: str | None
    unit: Unit
    threshold: Decimal
    quantity: Decimal
    limit: Decimal | None
    currency: str | None
    period_start: datetime
    period_end: datetime
    fired_at: datetime


def alert_fired(alert: UsageAlert) -> UsageAlertFired:
    """Return the event of an alert."""
    return UsageAlertFired(
        usage_alert_id=alert.usage_alert_id,
        source=alert.source,
        source_id=alert.source_id,
        basis=alert.basis,
        watch=alert.watch,
        meter=alert.meter_code,
        unit=alert.unit,
        threshold=alert.threshold,
        quantity=alert.quantity,
        limit=alert.limit_quantity,
        currency=alert.currency,
        period_start=alert.period_start,
        period_end=alert.period_end,
        fired_at=alert.fired_at,
    )
