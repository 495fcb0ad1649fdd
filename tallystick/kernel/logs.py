"""Structured logs: a fixed event name plus fields; secrets never pass.

What looks like a secret is cut out of every value, tracebacks included, and fields named after
one are dropped whole: the last wall, behind code that does not log them in the first place.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Final

import structlog

HIDDEN: Final = "[hidden]"
_SECRET_NAMES: Final = re.compile(
    r"password|secret|token|authorization|cookie|api_key$|client_secret|card_number|cvc",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"(?:tsk|sk|rk|whsec)_[A-Za-z0-9_]{8,}"  # our keys and Stripe's
    r"|(?:seti|pi)_[A-Za-z0-9]+_secret_[A-Za-z0-9]+"  # client secrets
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWTs
    r"|Bearer\s+\S+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in a URL
    r"|(?<![\d.-])(?:\d[ -]?){12,18}\d(?![\d.])"  # card numbers
)


def redact(value: object) -> object:
    """Return the value without anything that looks like a secret or a card number."""
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _SECRET_NAMES.search(str(key)) else redact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value


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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
