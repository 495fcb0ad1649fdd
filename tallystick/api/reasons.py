"""Why staff do something: asked of every act that the audit keeps a reason of."""

from typing import Annotated

from litestar.params import Parameter
from msgspec.structs import replace

from tallystick.api.fields import WRITTEN
from tallystick.kernel.db import Actor, actor
from tallystick.payments.approvals import REASON_LENGTH_MAX, check_reason

ReasonParameter = Annotated[
    str,
    Parameter(
        description="Why; kept in the audit.",
        min_length=1,
        max_length=REASON_LENGTH_MAX,
        pattern=WRITTEN,
    ),
]
"""The reason of what has no body: a thing that is taken away."""


def because(reason: str) -> Actor:
    """Return who acts, with why: for the audit. Raises BadInput naming `reason`."""
    return replace(actor(), reason=check_reason(reason))
