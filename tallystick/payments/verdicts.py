"""What came of a gateway's news."""

from uuid import UUID

import msgspec


class Handled(msgspec.Struct, frozen=True):
    """The event has had its effect."""

    account_id: UUID


class Skipped(msgspec.Struct, frozen=True):
    """The event is nothing to us, now and later."""

    reason: str


class Parked(msgspec.Struct, frozen=True):
    """The event fits nothing here yet, or contradicts it.

    `customer_token`: once this gateway's customer, charge or subscription is linked it may fit.
    """

    reason: str
    customer_token: str | None = None


Verdict = Handled | Skipped | Parked


def together(verdicts: list[Verdict]) -> Verdict:
    """Return one verdict for several facts of one event: one that waits lets the event wait."""
    for kind in (Parked, Handled, Skipped):
        found = next((one for one in verdicts if isinstance(one, kind)), None)
        if found is not None:
            return found
    return Skipped("object_gone")
