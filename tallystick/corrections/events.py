"""What corrections tell others, through the outbox."""

from typing import Final
from uuid import UUID

import msgspec

USAGE_CORRECTED: Final = "usage.corrected"


class UsageCorrected(msgspec.Struct, frozen=True):
    """Events of an account were amended, taken out or put in later, in one request."""

    kind: str
    usage_correction_ids: tuple[UUID, ...]
