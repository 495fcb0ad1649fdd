"""Ids as CCBill writes them: digits that tell a day, and hashes; the same for the same seed."""

import hashlib
import uuid
from datetime import datetime, timedelta, timezone

from tallystick.simulators.ccbill.model import Meta

# Mountain Standard Time, without summer time: the day of CCBill's ids, reports and webhooks.
MOUNTAIN = timezone(timedelta(hours=-7))
SERIALS = 10**9


def transaction_id(meta: Meta, at: datetime) -> str:
    """Return 18 digits: satellite, year, day of the year, server, and a serial number."""
    day = at.astimezone(MOUNTAIN)
    server = 100 + meta.seed % 900
    return f"9{day:%y%j}{server}{(meta.seed // 900 + meta.serial) % SERIALS:09d}"


def digest(meta: Meta, what: str) -> str:
    """Return 64 hex digits that no other serial or purpose has."""
    return hashlib.sha256(f"{meta.seed}/{meta.serial}/{what}".encode()).hexdigest()


def as_uuid(digits: str) -> str:
    """Return the first 32 hex digits written as a UUID."""
    return str(uuid.UUID(digits[:32]))


def long_form(identifier: str) -> str:
    """Return an id as webhooks write it: 19 characters, the first a zero."""
    return identifier.rjust(19, "0")


def short_form(identifier: str) -> str:
    """Return an id as REST writes it, without leading zeros."""
    return identifier.strip().lstrip("0") or "0"
