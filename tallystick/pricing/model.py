"""Prices and ratings as values.

A price is one way of charging: `model` names it, the other fields are its figures. Amounts are
Decimals of major units, quantities Decimals of whatever the meter counts. In JSON each Decimal is
a string. A further model is one struct here, one file of its own, and one line in `rate.py` and
`validate.py`; the type checker finds the lines.
"""

from decimal import Decimal
from typing import Literal

import msgspec

ZERO = Decimal(0)


class BasePrice(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="model", forbid_unknown_fields=True
):
    """What every price says, whatever its model.

    `currency` is upper case. `included` units are free and come off the quantity before the model
    sees it. `minimum` is what a period bills at least, `group_by` the event properties that get
    lines of their own, `prorate` whether part of a period pays part of the price: these three are
    the invoice's care (`invoices`), not the rating's.
    """

    currency: str
    code: str = ""
    meter: str | None = None
    billing: Literal["in_advance", "in_arrears"] = "in_arrears"
    included: Decimal = ZERO
    minimum: Decimal | None = None
    group_by: tuple[str, ...] = ()
    prorate: bool = False


class FlatPrice(BasePrice, frozen=True, kw_only=True, tag="flat"):
    """One amount for the period, whatever is used."""

    amount: Decimal


class PerUnitPrice(BasePrice, frozen=True, kw_only=True, tag="per_unit"):
    """The same amount for each unit, and its share for part of one."""

    unit: Decimal


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The units in (previous up_to, up_to]; `up_to` None is no end.

    `unit` is due for each unit in the tier, `flat` once as soon as the tier is entered.
    """

    up_to: Decimal | None
    unit: Decimal
    flat: Decimal = ZERO


class GraduatedPrice(BasePrice, frozen=True, kw_only=True, tag="graduated"):
    """Each unit costs what the tier it falls in says."""

    tiers: tuple[Tier, ...]


Price = FlatPrice | PerUnitPrice | GraduatedPrice


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One term of a rating; the amounts of all steps sum to the amount of the rating.

    - `below_zero`: `quantity` (negative) counted as nothing;
    - `included`: `quantity` of the `up_to` free units were used;
    - `flat`: `flat` is due;
    - `per_unit`: `quantity` times `unit`;
    - `tier`: `quantity` times `unit`, plus `flat`, for the units in (`from_`, `up_to`], counted
      after the included ones; `up_to` None is no end. `from_` is "from" in JSON.
    """

    kind: Literal["below_zero", "included", "flat", "per_unit", "tier"]
    amount: Decimal
    quantity: Decimal | None = None
    unit: Decimal | None = None
    flat: Decimal | None = None
    from_: Decimal | None = msgspec.field(default=None, name="from")
    up_to: Decimal | None = None


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """What a quantity costs: exact and not rounded, in major units; `steps` say how it came."""

    amount: Decimal
    currency: str
    steps: tuple[Step, ...]
