"""Features as values: what a plan lets an account do, and what an account was given besides."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.catalog.model import FeatureValue

FeatureKind = Literal["boolean", "number", "text", "metered"]
"""A switch; a number such as seats; a text such as a level; so much of a meter in each period."""


class NewFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a new feature; `name` defaults to the code, `meter` is for metered ones."""

    code: str
    kind: FeatureKind
    name: str | None = None
    meter: str | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a plan gives or not. Its kind and its meter never change."""

    feature_id: UUID
    code: str
    name: str
    kind: FeatureKind
    meter: str | None
    created_at: datetime


class FeatureOverride(msgspec.Struct, frozen=True, kw_only=True):
    """What one account is given in place of its plan's, until an instant or for good."""

    feature: str
    value: FeatureValue
    reason: str
    until: datetime | None
    set_at: datetime
