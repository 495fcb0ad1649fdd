"""A form that was refused is shown again with the reason; anything else is a page of its own."""

from http import HTTPStatus
from typing import Final

from tallystick.kernel.errors import BadInput, Conflict, TallystickError, Unavailable

REFUSED: Final = (BadInput, Conflict, Unavailable)
"""What a person can do something about, on the page on which it happened."""


def status_of(error: TallystickError) -> int:
    """Return the status that the page with this refusal has."""
    if isinstance(error, BadInput):
        return HTTPStatus.UNPROCESSABLE_ENTITY.value
    is_conflict = isinstance(error, Conflict)
    return (HTTPStatus.CONFLICT if is_conflict else HTTPStatus.SERVICE_UNAVAILABLE).value
