"""Ids: UUIDv7 inside (RFC 9562), TypeIDs outside (`inv_01h4...`); one codec for both ways.

A TypeID is a prefix, an underscore and the 128 bits in 26 characters of Crockford's base 32
(TypeID specification 0.3). UUIDv7 begins with the milliseconds since 1970, so both sort by time.
"""

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tallystick.kernel.errors import NotFound

HOUSE: Final = UUID(int=0)
"""The business itself, where a row belongs to no account (its users, plans, house ledger rows)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_LENGTH: Final = 26
_TAIL_BITS: Final = 74
_STEP_BITS: Final = 32

PREFIXES: Final = {
    "account": "acct",
    "issuer": "iss",
    "user": "usr",
    "api_key": "key",
    "meter": "mtr",
    "plan": "plan",
    "plan_version": "pv",
    "feature": "feat",
    "add_on": "addon",
    "subscription_add_on": "sao",
    "coupon": "cpn",
    "coupon_redemption": "cpr",
    "subscription": "sub",
    "invoice": "inv",
    "invoice_line": "il",
    "credit_note": "cn",
    "refund": "rf",
    "dispute": "dp",
    "ledger_entry": "le",
    "credit_grant": "cg",
    "credit_reservation": "cr",
    "credit_cost": "cc",
    "credit_package": "cpkg",
    "credit_purchase": "cpur",
    "mail": "mail",
    "payment": "pay",
    "payment_attempt": "pa",
    "payment_method": "pm",
    "checkout": "chk",
    "stripe_meter_event": "sme",
    "alert_rule": "ar",
    "usage_alert": "ual",
    "budget": "bud",
    "test_clock": "clock",
    "unmatched_event": "uev",
    "event_conflict": "ucf",
    "usage_correction": "ucr",
    "what_if": "wif",
    "plan_migration": "pmig",
    "webhook_endpoint": "we",
    "webhook_delivery": "msg",
    "request": "req",
    "tax_rate": "tr",
    "tax_exemption": "tx",
}


def uuid7(at: datetime, random: Callable[[int], int] = secrets.randbits) -> UUID:
    """Return a UUIDv7 of the instant `at` (UTC, milliseconds), its other 74 bits from `random`."""
    millis = (at - _EPOCH) // timedelta(milliseconds=1)
    bits = random(74)  # at once: each call asks the system, which can take longer than all the rest
    value = (millis & ((1 << 48) - 1)) << 80 | 0x7 << 76 | bits >> 62 << 64 | 0b10 << 62
    return UUID(int=value | bits & ((1 << 62) - 1))


class Rising:
    """Makes UUIDv7s each of which sorts behind all those made before (RFC 9562, 6.2, method 2).

    What is made in one millisecond, or after the clock was put back, counts the last one's random
    bits up by a random step; so a list by id is in the order in which this process made the ids.
    """

    def __init__(
        self, now: Callable[[], datetime], random: Callable[[int], int] = secrets.randbits
    ) -> None:
        self._now = now
        self._random = random
        self._millis = 0
        self._tail = 0
        self._lock = threading.Lock()

    def __call__(self) -> UUID:
        """Return the next one."""
        millis = (self._now() - _EPOCH) // timedelta(milliseconds=1)
        with self._lock:
            if millis > self._millis:
                self._millis, self._tail = millis, self._random(_TAIL_BITS)
            else:
                self._tail += 1 + self._random(_STEP_BITS)
            if self._tail >> _TAIL_BITS:  # no higher one is left in this millisecond
                self._millis, self._tail = self._millis + 1, self._random(_TAIL_BITS)
            return _uuid7(self._millis, self._tail)


def _uuid7(millis: int, tail: int) -> UUID:
    """Put version and variant around the milliseconds and the 74 bits of the tail."""
    value = (millis & ((1 << 48) - 1)) << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62
    return UUID(int=value | tail & ((1 << 62) - 1))


_rising: Final = Rising(lambda: datetime.now(UTC))


def new_id() -> UUID:
    """Return a fresh UUIDv7 of this moment, behind all that this process made before.

    Ids are made by wall time, also on a test clock.
    """
    return _rising()


def show(kind: str, value: UUID) -> str:
    """Write an id for the outside: `show("invoice", id) == "inv_01h4..."`."""
    number = value.int
    pairs = [_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)]
    return f"{PREFIXES[kind]}_{''.join(pairs)}"


def parse(kind: str, text: str) -> UUID:
    """Read an id of this kind; anything else names no object, so it raises NotFound."""
    prefix, _, letters = text.rpartition("_")
    if prefix != PREFIXES[kind] or len(letters) != _LENGTH or letters[0] > "7":
        raise unknown(kind)
    number = 0
    for letter in letters:
        digit = _VALUES.get(letter)
        if digit is None:
            raise unknown(kind)
        number = number << 5 | digit
    return UUID(int=number)


def unknown(kind: str) -> NotFound:
    """Return the error that every look-up of a missing `kind` raises."""
    return NotFound(f"{kind}_not_found", f"There is no such {kind.replace('_', ' ')}.")
