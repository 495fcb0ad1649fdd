"""Meters: what is counted, and how. Anybody reads them, staff makes them."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import service as catalog
from tallystick.catalog.expression import TEXT_LENGTH_MAX
from tallystick.catalog.meter_checks import (
    FILTER_VALUES_MAX,
    FILTERS_MAX,
    GROUP_BY_MAX,
    PRECISION_MAX,
    VALUE_LENGTH_MAX,
)
from tallystick.catalog.model import (
    Aggregation,
    FilterOperator,
    Meter,
    MeterFilter,
    NewMeter,
    Rounding,
    RoundingMode,
)
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.ids import HOUSE
from tallystick.metering import service as metering


class FilterBody(Body, frozen=True, kw_only=True):
    """Events count whose property is, or is not, one of the values; or which have it, or have not.

    Values are compared as text: the number 5 is "5", true is "true".
    """

    property: fields.Line
    operator: FilterOperator = "is"
    values: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"maxLength": VALUE_LENGTH_MAX})], ...],
        Meta(extra_json_schema={"maxItems": FILTER_VALUES_MAX}),
    ] = ()


class RoundingBody(Body, frozen=True, kw_only=True):
    """How a period's quantity is rounded, once; a precision below zero rounds to tens and so on."""

    mode: RoundingMode
    precision: Annotated[
        int, Meta(extra_json_schema={"minimum": -PRECISION_MAX, "maximum": PRECISION_MAX})
    ] = 0


class MeterBody(Body, frozen=True, kw_only=True):
    """A meter to be made; `name` and `event_type` are the code where they are left out.

    All but a `count` read a `property`, or compute an `expression` of several:
    `input_tokens + 3 * output_tokens`, with `+ - * / ( )`, `min max abs round ceil floor`. An event
    counts that passes all `filters`; `group_by` keeps totals apart by the values of properties.
    `recurring` (sum, latest, unique_count, weighted_sum): what was before the period counts too.
    `allow_negative` is true by default but for a sum that is not recurring.
    """

    code: fields.MeterCode
    name: fields.Line | None = None
    unit: fields.Line = "unit"
    event_type: fields.EventType | None = None
    aggregation: Aggregation = "count"
    property: fields.Line | None = None
    expression: (
        Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": TEXT_LENGTH_MAX})]
        | None
    ) = None
    filters: Annotated[
        tuple[FilterBody, ...], Meta(extra_json_schema={"maxItems": FILTERS_MAX})
    ] = ()
    group_by: Annotated[
        tuple[fields.Line, ...],
        Meta(extra_json_schema={"maxItems": GROUP_BY_MAX, "uniqueItems": True}),
    ] = ()
    rounding: RoundingBody | None = None
    recurring: bool = False
    allow_negative: bool | None = None


class MeterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted, and how."""

    id: str
    code: str
    name: str
    unit: str
    event_type: str
    aggregation: str
    property: str | None
    expression: str | None
    filters: tuple[MeterFilter, ...]
    group_by: tuple[str, ...]
    rounding: Rounding | None
    recurring: bool
    allow_negative: bool
    created: datetime


class MeterList(msgspec.Struct, frozen=True):
    """All meters, by code."""

    meters: list[MeterAnswer]
    total: int


@get("/api/v1/meters", opt={"permission": "billing:read"}, tags=["Usage"], summary="Meters")
async def list_meters(services: Services) -> MeterList:
    """List what is counted."""
    async with services.db.transaction(account_scope(HOUSE)) as conn:
        meters = [meter_answer(meter) for meter in await catalog.list_meters(conn)]
    return MeterList(meters, len(meters))


@get(
    "/api/v1/meters/{meter_code:str}",
    opt={"permission": "billing:read"},
    tags=["Usage"],
    summary="A meter",
)
async def read_meter(meter_code: str, services: Services) -> MeterAnswer:
    """Return one meter by its code."""
    async with services.db.transaction(account_scope(HOUSE)) as conn:
        return meter_answer(await catalog.get_meter(conn, meter_code))


@post(
    "/api/v1/admin/meters",
    opt={"permission": "staff:admin"},
    tags=["Admin: catalogue"],
    summary="Make a meter",
)
async def create_meter(data: MeterBody, services: Services) -> MeterAnswer:
    """Count events of a type from now on, and those of that type that are stored already.

    A meter never changes: invoices rest on what it counted.
    """
    new = new_meter(data)
    async with services.db.transaction(WRITER) as conn:
        return meter_answer(await metering.create_meter(conn, new, services.clock()))


def new_meter(body: MeterBody) -> NewMeter:
    """Return what is asked for as the catalogue takes it."""
    plain = {name: getattr(body, name) for name in body.__struct_fields__}
    filters = tuple(MeterFilter(**msgspec.structs.asdict(one)) for one in body.filters)
    rounding = Rounding(**msgspec.structs.asdict(body.rounding)) if body.rounding else None
    return NewMeter(**{**plain, "filters": filters, "rounding": rounding})


def meter_answer(meter: Meter) -> MeterAnswer:
    """Show a meter."""
    same = {
        name: getattr(meter, name)
        for name in MeterAnswer.__struct_fields__
        if name not in ("id", "created")
    }
    return MeterAnswer(id=ids.show("meter", meter.meter_id), created=meter.created_at, **same)


ROUTES: Final = (list_meters, read_meter, create_meter)
