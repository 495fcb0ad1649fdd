"""What migrations tell others, through the outbox."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

MIGRATION_SCHEDULED: Final = "subscription.migration_scheduled"
MIGRATION_CANCELED: Final = "subscription.migration_canceled"


class MigrationScheduled(msgspec.Struct, frozen=True):
    """A subscription will be, or is, on another version of a plan from `at` on."""

    plan_migration_id: UUID
    subscription_id: UUID
    plan_version_id: UUID
    at: datetime
    notice_days: int


class MigrationCanceled(msgspec.Struct, frozen=True):
    """What was told of is not going to happen."""

    plan_migration_id: UUID
    subscription_id: UUID
