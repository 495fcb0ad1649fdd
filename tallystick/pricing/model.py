"""Prices and ratings as values.

A price is one way of charging: `model` names it, the other fields are its figures. Amounts are
Decimals of major units, quantities Decimals of whatever the meter counts. In JSON each Decimal is
a string. A further model is one struct here, one file of its own, and one line in `rate.py`,
`validate.py` and `usage.py`; the type checker finds the lines.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

ZERO = Decimal(0)


class CustomUnit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A unit that the figures are in instead of money: `rate` is what one costs in `currency`.

    With `code` "credits" and `rate` 0.01 a price of 2 a call bills 0.02 of money a call.
    """

    code: str
    rate: Decimal


class PriceFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price of the usage whose properties have these values; all of them must match.

    `values` are texts by property; no value is any value. `price` has figures, `included` and,
    where it differs, a `model`; all else is the whole price's.
    """

    values: Mapping[str, tuple[str, ...]]
    price: "Price"


class BasePrice(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="model", forbid_unknown_fields=True
):
    """What every price says, whatever its model.

    `currency` is upper case. `included` units are free and come off the quantity before the model
    sees it. `minimum` and `maximum` are what a period bills at least and at most, in money, over
    all filters and groups together (`minimum.py`). `filters` price some of the usage otherwise
    (`filters.py`), `group_by` are event properties whose values get lines of their own, `prorate`
    says whether part of a period pays part of the price: these are the invoice's care, as
    `custom_unit` is `rate`'s. `tax_code` names what is sold for its taxes, None: `standard`;
    `tax_inclusive` says that the figures contain them, None: as the country's rates say.

    Usage in advance is billed as it comes (`in_advance.py`): with `invoice_at` event at once, with
    period as fees that the period's invoice collects. Units by the day (`prorate`) are then paid
    to the end of the period; `on_decrease` says whether days after they went are kept or credited.
    """

    currency: str
    code: str = ""
    meter: str | None = None
    billing: Literal["in_advance", "in_arrears"] = "in_arrears"
    invoice_at: Literal["event", "period"] = "event"
    on_decrease: Literal["keep", "credit"] = "keep"
    included: Decimal = ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    group_by: tuple[str, ...] = ()
    filters: tuple[PriceFilter, ...] = ()
    custom_unit: CustomUnit | None = None
    prorate: bool = False
    tax_code: str | None = None
    tax_inclusive: bool | None = None


class FlatPrice(BasePrice, frozen=True, kw_only=True, tag="flat"):
    """One amount for the period, whatever is used."""

    amount: Decimal


class PerUnitPrice(BasePrice, frozen=True, kw_only=True, tag="per_unit"):
    """The same amount for each unit, and its share for part of one."""

    unit: Decimal


class PackagePrice(BasePrice, frozen=True, kw_only=True, tag="package"):
    """`amount` for each package of `size` units that is begun, after `free` units."""

    size: Decimal
    amount: Decimal
    free: Decimal = ZERO


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


class VolumePrice(BasePrice, frozen=True, kw_only=True, tag="volume"):
    """All units cost what the one tier says that their number, rounded up, falls in."""

    tiers: tuple[Tier, ...]


class CapacityTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A peak in (previous up_to, up_to] costs `amount`; `up_to` None is no end."""

    up_to: Decimal | None
    amount: Decimal


class CapacityPrice(BasePrice, frozen=True, kw_only=True, tag="capacity"):
    """The period's peak picks one tier, whose amount is due. The quantity is that peak."""

    tiers: tuple[CapacityTier, ...]


class BlockTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The blocks numbered (previous up_to_blocks, up_to_blocks], each of `size` units at `amount`.

    `size` None is the price's.
    """

    up_to_blocks: Decimal | None
    amount: Decimal
    size: Decimal | None = None


class BlockPrice(BasePrice, frozen=True, kw_only=True, tag="block"):
    """Units are sold in blocks; a started block is a whole block.

    `graduated`: each block costs what its tier says. `volume`: all blocks cost what the tier of
    the last one says.
    """

    tiers: tuple[BlockTier, ...]
    size: Decimal | None = None
    policy: Literal["graduated", "volume"] = "graduated"


class PercentagePrice(BasePrice, frozen=True, kw_only=True, tag="percentage"):
    """`rate` percent of what the events amount to, plus `fixed` for each event.

    The first `free_events` events, and no more than `free_amount` of them, are free: whichever
    runs out first ends it, and an event that is free in part pays the whole `fixed`. `event_min`
    and `event_max` ("min" and "max" in JSON) bound what one event costs, `fixed` with it.
    """

    rate: Decimal
    fixed: Decimal = ZERO
    free_events: Decimal = ZERO
    free_amount: Decimal = ZERO
    event_min: Decimal | None = msgspec.field(default=None, name="min")
    event_max: Decimal | None = msgspec.field(default=None, name="max")


class PercentageTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part in (previous up_to, up_to] costs `rate` percent of it, and `flat` once entered."""

    up_to: Decimal | None
    rate: Decimal
    flat: Decimal = ZERO


class GraduatedPercentagePrice(BasePrice, frozen=True, kw_only=True, tag="graduated_percentage"):
    """Each part of what was moved costs the percentage of the tier it falls in."""

    tiers: tuple[PercentageTier, ...]


class DynamicPrice(BasePrice, frozen=True, kw_only=True, tag="dynamic"):
    """Each event says what it costs; the sum is due."""


Price = (
    FlatPrice
    | PerUnitPrice
    | PackagePrice
    | GraduatedPrice
    | VolumePrice
    | CapacityPrice
    | BlockPrice
    | PercentagePrice
    | GraduatedPercentagePrice
    | DynamicPrice
)

StepKind = Literal[
    "below_zero",
    "included",
    "held",
    "flat",
    "per_unit",
    "package",
    "tier",
    "volume",
    "capacity",
    "block",
    "free_events",
    "percentage",
    "event_min",
    "event_max",
    "percentage_tier",
    "dynamic",
    "conversion",
    "minimum",
    "maximum",
]


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One term of a rating; the amounts of all steps sum to the amount of the rating.

    - `below_zero`: `quantity` (negative) counted as nothing; without a quantity, `amount` lifts a
      sum below zero to nothing;
    - `included`: `quantity` of the `up_to` free units were used;
    - `held`: `quantity` units were there on `size` of `up_to` days;
    - `flat`: `flat` is due;
    - `per_unit`: `quantity` times `unit`;
    - `package`: `quantity` packages of `size` units, times `unit`;
    - `tier`: `quantity` times `unit`, plus `flat`, for the units in (`from_`, `up_to`], counted
      after the included ones; `up_to` None is no end. `from_` is "from" in JSON;
    - `volume`: the same for all units, by the tier (`from_`, `up_to`];
    - `capacity`: `flat`, for a peak of `quantity` in (`from_`, `up_to`];
    - `block`: `quantity` blocks of `size` units, times `unit`, by the tier (`from_`, `up_to`] of
      blocks;
    - `free_events`: `event_count` events over `quantity` were free, one of them perhaps in part;
    - `percentage`: `rate` percent of `quantity`, plus `event_count` times `fixed`;
    - `event_min`, `event_max`: `event_count` events over `quantity` cost `unit` each;
    - `percentage_tier`: `rate` percent of the `quantity` in (`from_`, `up_to`], plus `flat`;
    - `dynamic`: what `event_count` events say that they cost;
    - `conversion`: `quantity` of the custom unit times `unit`, its rate to money;
    - `minimum`, `maximum`: what brings the amount up, or down, to `flat`.

    A step with a `custom_unit` has its amounts in that unit, and the `conversion` behind them
    sums them up; only steps without one are money and are summed.
    """

    kind: StepKind
    amount: Decimal
    quantity: Decimal | None = None
    unit: Decimal | None = None
    flat: Decimal | None = None
    from_: Decimal | None = msgspec.field(default=None, name="from")
    up_to: Decimal | None = None
    size: Decimal | None = None
    rate: Decimal | None = None
    fixed: Decimal | None = None
    event_count: int | None = None
    custom_unit: str | None = None


class CustomAmount(msgspec.Struct, frozen=True, kw_only=True):
    """What a rating is in a custom unit; times `rate` it is the amount of money."""

    code: str
    amount: Decimal
    rate: Decimal


class Rated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What usage costs: exact and not rounded, in major units; `steps` say how it came.

    `custom` is the same in the price's custom unit, if it has one.
    """

    amount: Decimal
    currency: str
    steps: tuple[Step, ...]
    custom: CustomAmount | None = None
