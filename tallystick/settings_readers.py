"""How settings are read from text: one reader for each kind of value, and what a variable is."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})
CORRECTION_DAYS: Final = 400
"""So long closed periods are corrected when their usage changes."""

Limits = tuple[tuple[str, Decimal, Decimal], ...]


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: which field it sets, how it is read, and what it means."""

    name: str
    field: str
    read: Callable[[str], object]
    about: str


def read_bool(text: str) -> bool:
    """Read true or false, in the words people use."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be true or false")


def read_list(separator: str) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of several values in one variable; empty ones are left out."""
    return lambda text: tuple(part.strip() for part in text.split(separator) if part.strip())


def read_port(text: str) -> int:
    """Read a TCP port; 0 lets the system choose."""
    return _in_range(text, 0, 65535)


def read_count(text: str) -> int:
    """Read a whole number from 1."""
    return _in_range(text, 1, 1_000_000_000)


def read_days(text: str) -> int:
    """Read a whole number of days, a century of them at most."""
    return _in_range(text, 1, 36_525)


def read_lag_minutes(text: str) -> int:
    """Read a whole number of minutes, ten days of them at most."""
    return _in_range(text, 1, 14_400)


def read_call_rate(text: str) -> int:
    """Read how many calls a second are made, a thousand at most."""
    return _in_range(text, 1, 1_000)


def read_hours(text: str) -> int:
    """Read a whole number of hours, a year of them at most."""
    return _in_range(text, 1, 8_784)


def read_keep_days(text: str) -> int:
    """Read how many days of usage events are kept: at least those that corrections need."""
    return _in_range(text, CORRECTION_DAYS, 1_000_000)


def read_url(text: str) -> str:
    """Read an http(s) address, without a slash at its end."""
    if not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return text.rstrip("/")


def read_key(text: str) -> str:
    """Read a key that goes into a header: printable ASCII without spaces."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces")
    return text


def read_redis_url(text: str) -> str:
    """Read the address of a Redis server."""
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return text


def read_mail_url(text: str) -> str:
    """Read where mail goes: a server, which is only told a password under TLS, or a folder."""
    parts = urlsplit(text)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise ValueError("must name a folder like file:///var/mail/tallystick")
        return text
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path.strip("/"):
        raise ValueError("must be like smtp://user:password@host:587, or file:///folder")
    if parts.query not in {"", "tls=none"}:
        raise ValueError("takes nothing after the host but ?tls=none")
    if parts.query and (parts.username or parts.scheme == "smtps"):
        raise ValueError("must not send a password without TLS: leave out ?tls=none")
    _ = parts.port  # raises ValueError itself when it is none
    return text


def read_address(text: str) -> str:
    """Read an e-mail address."""
    name, at, domain = text.strip().rpartition("@")
    if not (name and at and "." in domain and text.isascii()) or len(text.split()) != 1:
        raise ValueError("must be an e-mail address in ASCII")
    return text.strip()


def read_usage_store_url(text: str) -> str:
    """Read the address of a ClickHouse server: user, password, host, port, database."""
    parts = urlsplit(text)
    if parts.scheme not in {"clickhouse", "clickhouses"} or not parts.hostname:
        raise ValueError("must be like clickhouse://user:password@host:8123/database")
    try:
        port = parts.port
    except ValueError:
        port = 0
    name = parts.path.removeprefix("/")
    if port == 0 or parts.query or parts.fragment or (name and not name.isidentifier()):
        raise ValueError("must end with a port from 1 to 65535 and the name of a database")
    return text


def read_level(text: str) -> str:
    """Read a log level."""
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def read_currency(text: str) -> str:
    """Read the form of an ISO 4217 code; whether it exists is checked where it is used."""
    if len(text) != 3 or not text.isascii() or not text.isalpha():  # noqa: PLR2004 - ISO 4217
        raise ValueError("must be a currency code of three letters, such as USD")
    return text.upper()


def read_number_code(text: str) -> str:
    """Read the form of a currency's ISO number: `840`, `036`."""
    if len(text) != 3 or not text.isascii() or not text.isdigit():  # noqa: PLR2004 - ISO 4217
        raise ValueError("must be a currency's number of three digits, such as 840")
    return text


def _in_range(text: str, least: int, most: int) -> int:
    number = int(text) if text.strip().isdigit() else -1
    if not least <= number <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return number


def read_networks(text: str) -> tuple[str, ...]:
    """Read addresses or ranges of addresses (`10.0.0.0/8`), separated by commas."""
    parts = read_list(",")(text)
    try:
        return tuple(str(ip_network(part)) for part in parts)
    except ValueError as error:
        raise ValueError("must be addresses or ranges like 10.0.0.0/8, with commas") from error


def read_origins(text: str) -> tuple[str, ...]:
    """Read origins of pages (`https://example.com`, `https://*.example.com`), with commas."""
    origins = read_list(",")(text)
    for origin in origins:
        parts = urlsplit(origin)
        is_plain = not (parts.path or parts.query or parts.fragment or parts.username)
        if parts.scheme not in {"http", "https"} or not parts.netloc or not is_plain:
            raise ValueError("must be origins like https://example.com, with commas")
        if any(sign in origin for sign in " ;,'\""):
            raise ValueError("must be origins like https://example.com, with commas")
    return origins


def read_price_limits(text: str) -> Limits:
    """Read the least and the most of a price by currency: `USD:2.95-100.00,EUR:2.95-95.00`."""
    found = []
    for part in read_list(",")(text):
        code, _, span = part.partition(":")
        least, _, most = span.partition("-")
        try:
            found.append((read_currency(code.strip()), Decimal(least), Decimal(most)))
        except InvalidOperation as error:
            raise ValueError("must be like USD:2.95-100.00,EUR:2.95-95.00") from error
        if not Decimal(0) < found[-1][1] <= found[-1][2]:
            raise ValueError("must name the least price before the most: USD:2.95-100.00")
    return tuple(found)


def read_in_range(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""
    return lambda text: _in_range(text, least, most)
