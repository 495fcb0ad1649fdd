"""What may be shown of a webhook's body: everything but what lets its reader act for somebody."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

_SECRET: Final = re.compile(
    r"secret|password|passwd|api_?key|authorization|cvc|cvv|card_?num|account_?number$|access_?token",
    re.IGNORECASE,
)
HIDDEN: Final = "[hidden]"


def readable(body: bytes) -> Any:
    """Return the body as JSON without secrets: a form as a mapping, None for what is neither."""
    try:
        return _without_secrets(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None
    return _without_secrets(dict(fields)) if fields else None


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if inner is not None and _SECRET.search(name) else _without_secrets(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return value
