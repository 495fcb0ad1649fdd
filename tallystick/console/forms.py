"""What a form or an address may say: read strictly, since anybody can send anything."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from tallystick.kernel.errors import BadInput

NEXT_CHARS_MAX: Final = 2000
KEY_CHARS_MAX: Final = 64


def text_field(form: Mapping[str, object], name: str) -> str:
    """Return the text of a field; a missing one, or a file in its place, is empty."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def safe_next(text: str) -> str:
    """Return the path to go on to, or `/` for whatever might lead to another site.

    Browsers read `//host` and a backslash as the start of a host, and drop control characters.
    """
    own = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if own and text.isprintable() and len(text) <= NEXT_CHARS_MAX else "/"


def read_choice(form: Mapping[str, object], name: str) -> bool:
    """Return a field that is `true` or `false`; raises BadInput for anything else."""
    text = text_field(form, name)
    if text not in ("true", "false"):
        raise BadInput.field(name, "invalid", "must be true or false")
    return text == "true"


def read_key(form: Mapping[str, object]) -> str:
    """Return the key that a page gave its form, so that it does its work once; raises BadInput."""
    key = text_field(form, "key")
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isprintable():
        raise BadInput.field("key", "invalid", "open the page again")
    return key


def read_instant(form: Mapping[str, object], name: str) -> datetime:
    """Return the instant of a `datetime-local` field, which is meant in UTC; raises BadInput."""
    try:
        at = datetime.fromisoformat(text_field(form, name))
    except ValueError as error:
        raise _no_instant(name) from error
    if at.tzinfo is not None:
        raise _no_instant(name)
    return at.replace(tzinfo=UTC)


def _no_instant(name: str) -> BadInput:
    return BadInput.field(name, "invalid", "must be a date and a time such as 2027-01-31T00:00")
