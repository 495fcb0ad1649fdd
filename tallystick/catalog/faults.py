"""What the checks of the catalogue share: codes, names, and faults told all at once."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from tallystick.kernel.errors import BadInput, FieldError

NAME_LENGTH_MAX: Final = 200
CODE: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
CODE_MESSAGE: Final = "must be 1 to 63 of a-z, 0-9, _ and -, a letter first"


def text_problems(field: str, text: str, length_max: int) -> Iterator[FieldError]:
    """Yield what is wrong with a text that people read on one line."""
    if not (text.strip() and len(text) <= length_max and text.isprintable()):
        message = f"must have 1 to {length_max} characters that can be printed"
        yield FieldError(field, "invalid_text", message)


def under(field: str, errors: Sequence[FieldError]) -> Iterator[FieldError]:
    """Yield the faults of a part with the part's place before them."""
    for fault in errors:
        yield msgspec.structs.replace(fault, field=f"{field}.{fault.field}")


def raise_any(found: Sequence[FieldError]) -> None:
    """Raise BadInput with these faults, if there are any."""
    if found:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in found)
        raise BadInput("validation_failed", detail, errors=found)
