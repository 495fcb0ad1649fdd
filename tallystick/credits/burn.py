"""In which order credits are used, and how much of a grant can be. Pure.

The database's `debit_credits` does the same over many accounts at once; a property test holds both
to the same answers.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from tallystick.credits.model import Allocation, Grant

_NEVER = datetime.max.replace(tzinfo=UTC)


def burn_order(grant: Grant) -> tuple[int, datetime, datetime, int]:
    """Return what grants are sorted by: priority (lowest first), earliest expiry, oldest."""
    expires_at = grant.expires_at or _NEVER
    return grant.priority, expires_at, grant.created_at, grant.credit_grant_id.int


def usable(grant: Grant, at: datetime) -> int:
    """Return how much of the grant can be used at `at`, whatever a worker has done or not."""
    if at < grant.effective_at or (grant.expires_at is not None and at >= grant.expires_at):
        return 0
    if grant.cap_at is not None and grant.cap is not None and at >= grant.cap_at:
        return min(grant.remaining, grant.cap)
    return grant.remaining


def lapsed(grant: Grant, at: datetime) -> int:
    """Return how much of the grant can never be used any more: what is breakage by `at`."""
    return grant.remaining - usable(grant, at) if at >= grant.effective_at else 0


def burn(grants: Iterable[Grant], wanted: int, at: datetime) -> tuple[Allocation, ...]:
    """Return what is taken from which grant; less than `wanted` when there is no more."""
    taken = []
    for grant in sorted(grants, key=burn_order):
        part = min(usable(grant, at), wanted)
        if part > 0:
            taken.append(Allocation(grant.credit_grant_id, part))
            wanted -= part
    return tuple(taken)
