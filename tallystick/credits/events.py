"""What credits tell: written to the outbox with the change itself (a debit's by the database)."""

from typing import Final

import msgspec

CREDITS_LOW: Final = "credits.low"
CREDITS_TOP_UP_DUE: Final = "credits.top_up_due"


class CreditsFell(msgspec.Struct, frozen=True):
    """What is available fell below what was set; in 1/100,000 credits. Once for each crossing."""

    available_units: int
