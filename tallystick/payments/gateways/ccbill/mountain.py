"""CCBill's time: Mountain Standard Time, seven hours behind UTC all year (America/Phoenix)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

MOUNTAIN: Final = timezone(timedelta(hours=-7))
_FORMS: Final = ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y%m%d")


def read_time(text: str | None) -> datetime | None:
    """Return an instant in UTC; a date is its first second; None when it is neither."""
    for form in _FORMS:
        try:
            local = datetime.strptime((text or "").strip(), form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            continue
        return local.replace(tzinfo=MOUNTAIN).astimezone(UTC)
    return None


def write_time(at: datetime) -> str:
    """Return an instant as DataLink takes it: `20260105070852`."""
    return at.astimezone(MOUNTAIN).strftime("%Y%m%d%H%M%S")
