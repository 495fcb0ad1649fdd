"""What Lago's answers mean: pure. The shapes are those of getlago/lago-api, `api/v1/events`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from tallystick.lago_sync.model import REASON_CHARS_MAX

ALREADY: Final = "value_already_exist"
_CONTENT: Final = frozenset({400, 413, 422})
"""What is sent is at fault with these; with anything else the way to the server is."""
_SAID: Final = {
    401: "Lago refuses LAGO_API_KEY (401)",
    403: "Lago refuses LAGO_API_KEY (403)",
    404: "Lago has no such route (404); is LAGO_API_URL right?",
    429: "Lago wants fewer requests (429)",
}


class Stored(msgspec.Struct, frozen=True):
    """All events are stored."""


class Faulty(msgspec.Struct, frozen=True):
    """Nothing was stored: these positions can not be. None: that one is stored already."""

    reasons: Mapping[int, str | None]


class Whole(msgspec.Struct, frozen=True):
    """Nothing was stored, and Lago does not say which event is at fault."""

    reason: str


class Later(msgspec.Struct, frozen=True):
    """Whether something was stored is not known; try again, in `asked_s` seconds at the least."""

    reason: str
    asked_s: int | None = None


class CurrentUsage(msgspec.Struct, frozen=True):
    """Units by metric code in [start, end)."""

    start: datetime
    end: datetime
    units: Mapping[str, Decimal]


class NoUsage(msgspec.Struct, frozen=True):
    """Lago knows no such customer, or no subscription of theirs that is active."""

    reason: str


BatchAnswer = Stored | Faulty | Whole | Later
UsageAnswer = CurrentUsage | NoUsage | Later


def read_batch(
    status: int, headers: Mapping[str, str], body: bytes, count: int, now: datetime
) -> BatchAnswer:
    """Return what became of a batch of `count` events."""
    told = _json(body)
    if _is_success(status):
        events = told.get("events")
        if isinstance(events, list) and len(events) == count:
            return Stored()
        return Later(f"The answer {status} does not list the events; is LAGO_API_URL Lago's?")
    if status not in _CONTENT:
        return read_failure(status, headers, now)
    reasons = _by_position(told.get("error_details"), count)
    if reasons:
        return Faulty(reasons)
    said = told.get("error_details") or told.get("error") or "no reason given"
    return Whole(_shortened(f"{status}: {_written(said)}"))


def read_usage(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> UsageAnswer:
    """Return an account's usage as Lago has it."""
    told = _json(body)
    if status in {404, 405} and isinstance(told.get("code"), str):
        return NoUsage(_shortened(told["code"]))
    if not _is_success(status):
        return read_failure(status, headers, now)
    try:
        return _usage(msgspec.convert(told, _Answer).customer_usage)
    except (msgspec.ValidationError, DecimalException, ValueError) as error:
        return Later(_shortened(f"Lago's current usage can not be read: {error}"))


def read_failure(status: int, headers: Mapping[str, str], now: datetime) -> Later:
    """Return why to try again later, and when."""
    said = _SAID.get(status, f"Lago answered {status}")
    return Later(said, _asked_s(headers, now))


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - RFC 9110, section 15.3


class _Metric(msgspec.Struct, frozen=True):
    code: str


class _Charge(msgspec.Struct, frozen=True):
    units: str
    billable_metric: _Metric


class _Usage(msgspec.Struct, frozen=True):
    from_datetime: datetime
    to_datetime: datetime
    charges_usage: tuple[_Charge, ...]


class _Answer(msgspec.Struct, frozen=True):
    customer_usage: _Usage


def _usage(told: _Usage) -> CurrentUsage:
    """Lago's last instant is inside, cut to the second; ours is the first one outside.

    Several charges on one metric count the same events, so the first one tells.
    """
    units: dict[str, Decimal] = {}
    for charge in told.charges_usage:
        units.setdefault(charge.billable_metric.code, Decimal(charge.units))
    end = told.to_datetime.replace(microsecond=0) + timedelta(seconds=1)
    return CurrentUsage(told.from_datetime.astimezone(UTC), end.astimezone(UTC), units)


def _by_position(details: Any, count: int) -> dict[int, str | None]:
    """Return the faults by position; empty when they are not told by position."""
    if not isinstance(details, dict):
        return {}
    found = {}
    for key, fault in details.items():
        if not (isinstance(key, str) and key.isdecimal() and int(key) < count):
            return {}
        found[int(key)] = None if _is_already(fault) else _shortened(_written(fault))
    return found


def _is_already(fault: Any) -> bool:
    codes = fault.get("transaction_id") if isinstance(fault, dict) else None
    return isinstance(codes, Sequence) and ALREADY in codes


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _shortened(text: str) -> str:
    return text[:REASON_CHARS_MAX]


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _asked_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """Return the seconds of `Retry-After`, else of `x-ratelimit-reset`, as Lago's cloud sends."""
    for name in ("retry-after", "x-ratelimit-reset"):
        text = headers.get(name, "").strip()
        if text.isascii() and text.isdecimal():
            return int(text[:9])
    return _seconds_until(headers.get("retry-after", ""), now)


def _seconds_until(text: str, now: datetime) -> int | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((at - now) // timedelta(seconds=1), 0)
