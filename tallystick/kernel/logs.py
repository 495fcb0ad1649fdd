"""Structured logs: a fixed event name plus fields; secrets never pass.

What looks like a secret is cut out of every value, tracebacks included, and fields named after
one are dropped whole: the last wall, behind code that does not log them in the first place.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tallystick.kernel.card_numbers import passes_luhn

HIDDEN: Final = "[hidden]"
_SECRET_NAMES: Final = re.compile(
    r"password|secret|token|authorization|cookie|api_key$|client_secret|card_number|cvc",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:tsk|tss|sk|rk|whsec)_[A-Za-z0-9_]{8,}"  # our keys and Stripe's
    r"|[a-z]+_[A-Za-z0-9]+_secret_[A-Za-z0-9]+"  # client secrets
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWTs
    r"|(?i:bearer)\s+\S+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in a URL
)
_CARD_GROUPS: Final = re.compile(
    r"(?<![\d.])[2-6]\d{3}(?:(?:[ -]\d{4}){3}(?:[ -]\d{3})?|[ -]\d{6}[ -]\d{5})(?!\d)"
)
_CARD_DIGITS: Final = re.compile(r"(?<![\d.])[2-6]\d{12,18}(?!\d|\.\d)")
# Libraries that tell of every call: addresses with ids, and bodies with people in them.
_TALKATIVE: Final = ("stripe", "httpx", "httpcore")
_PLAIN: Final = (float, Decimal, date, timedelta, UUID)


def redact(value: object) -> object:
    """Return the value without anything that looks like a secret or a card number."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _SECRET_NAMES.search(str(key)) else redact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    if value is None or isinstance(value, _PLAIN):
        return value
    # Anything else would be written as its repr; an error's may quote a connection string.
    text = value if isinstance(value, str) else repr(value)
    hidden = _hide(text)
    return value if isinstance(value, int) and hidden == text else hidden


def _hide(text: str) -> str:
    without_groups = _CARD_GROUPS.sub(HIDDEN, _SECRET_TEXT.sub(HIDDEN, text))
    return _CARD_DIGITS.sub(_hide_card, without_groups)


def _hide_card(found: re.Match[str]) -> str:
    """Hide digits whose last one is their check digit (Luhn), as a card's is; keep the others."""
    return HIDDEN if passes_luhn(found[0]) else found[0]


def _redact_event(
    _logger: object, _name: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    cleaned = redact(event)
    assert isinstance(cleaned, dict)  # noqa: S101 - a mapping was given
    return cleaned


def configure_logs(*, json: bool, level: str = "INFO") -> None:
    """Send all logs, the libraries' too, to standard error: as JSON lines, or for a terminal."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: what is not wanted costs next to nothing
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
