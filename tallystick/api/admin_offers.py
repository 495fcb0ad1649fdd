"""For staff: add-ons and coupons."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.coupons import CouponAnswer, coupon_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import offers
from tallystick.catalog.feature_checks import FEATURES_MAX
from tallystick.catalog.model import FeatureValue, VersionStatus
from tallystick.catalog.offer_checks import PERIODS_MAX, REDEMPTIONS_MAX, SCOPE_MAX
from tallystick.catalog.offer_model import AddOn, Charge, Duration, NewAddOn, NewCoupon
from tallystick.catalog.plan_terms import read_amounts
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput
from tallystick.money.exact import plain

ADD_ONS: Final = "/api/v1/admin/add-ons"
COUPONS: Final = "/api/v1/admin/coupons"
TAGS: Final = ["Admin: catalogue"]
Codes = Annotated[
    tuple[fields.Code, ...],
    Meta(extra_json_schema={"maxItems": SCOPE_MAX, "uniqueItems": True}),
]
Share = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": r"^(100(\.0{1,12})?|[1-9][0-9]?(\.[0-9]{1,12})?|0\.[0-9]{0,11}[1-9])$"
        }
    ),
]
Times = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": REDEMPTIONS_MAX})]


class AddOnBody(Body, frozen=True, kw_only=True):
    """An add-on, sold from now on; `amounts` are for one of it, by currency."""

    code: fields.Code
    name: fields.Line
    charge: Charge
    amounts: fields.Amounts
    features: Annotated[
        dict[str, FeatureValue],
        Meta(
            extra_json_schema={
                "maxProperties": FEATURES_MAX,
                "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,62}$"},
            }
        ),
    ] = {}


class AddOnAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What can be bought beside a plan."""

    id: str
    code: str
    name: str
    version: int
    status: VersionStatus
    charge: Charge
    amounts: dict[str, str]
    features: dict[str, FeatureValue]
    created: datetime


class AddOnList(msgspec.Struct, frozen=True):
    """What is sold, by code."""

    add_ons: list[AddOnAnswer]
    total: int


class CouponBody(Body, frozen=True, kw_only=True):
    """A coupon: a `percent` (a decimal string) off what it covers, or `amounts` by currency.

    It works `once`, for so many `periods`, or `forever`. `plans`, `prices` and `meters` say what
    it covers; with none of them it covers everything. It can be redeemed from `valid_from` to
    before `valid_until`, as often as the two limits say (null: any).
    """

    code: fields.CouponCode
    name: fields.Line
    percent: Share | None = None
    amounts: fields.Amounts | None = None
    duration: Duration = "once"
    periods: (
        Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": PERIODS_MAX})] | None
    ) = None
    plans: Codes = ()
    prices: Codes = ()
    meters: Codes = ()
    redemptions_max: Times | None = None
    redemptions_per_account_max: Times | None = 1
    valid_from: fields.Instant | None = None
    valid_until: fields.Instant | None = None


class CouponList(msgspec.Struct, frozen=True):
    """What can be redeemed, by code."""

    coupons: list[CouponAnswer]
    total: int


@get(ADD_ONS, opt={"permission": "staff:read"}, tags=TAGS, summary="Add-ons")
async def list_add_ons(services: Services) -> AddOnList:
    """List the add-ons that are sold."""
    async with services.db.transaction(STAFF) as conn:
        found = await offers.list_add_ons(conn)
    return AddOnList([add_on_answer(one) for one in found], len(found))


@post(ADD_ONS, opt={"permission": "staff:admin"}, tags=TAGS, summary="Sell an add-on")
async def create_add_on(data: AddOnBody, services: Services) -> AddOnAnswer:
    """Sell an add-on, or a new version of it."""
    new = new_add_on(data)
    async with services.db.transaction(WRITER) as conn:
        return add_on_answer(await offers.create_add_on(conn, new, services.clock()))


@post(
    f"{ADD_ONS}/{{add_on_code:str}}/retire",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    status_code=200,
    summary="Sell an add-on no more",
)
async def retire_add_on(add_on_code: str, services: Services) -> AddOnAnswer:
    """Take an add-on off the list; who has it keeps it."""
    async with services.db.transaction(WRITER) as conn:
        return add_on_answer(await offers.retire_add_on(conn, add_on_code, services.clock()))


@get(COUPONS, opt={"permission": "staff:read"}, tags=TAGS, summary="Coupons")
async def list_coupons(services: Services) -> CouponList:
    """List the coupons that can be redeemed."""
    async with services.db.transaction(STAFF) as conn:
        found = await offers.list_coupons(conn)
    return CouponList([coupon_answer(one) for one in found], len(found))


@post(COUPONS, opt={"permission": "staff:admin"}, tags=TAGS, summary="Make a coupon")
async def create_coupon(data: CouponBody, services: Services) -> CouponAnswer:
    """Let a coupon be redeemed from now on; who redeemed an earlier version keeps that one."""
    new = new_coupon(data)
    async with services.db.transaction(WRITER) as conn:
        return coupon_answer(await offers.create_coupon(conn, new, services.clock()))


@post(
    f"{COUPONS}/{{coupon_code:str}}/retire",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    status_code=200,
    summary="Let a coupon be redeemed no more",
)
async def retire_coupon(coupon_code: str, services: Services) -> CouponAnswer:
    """Let a coupon be redeemed no more; who has it keeps it."""
    async with services.db.transaction(WRITER) as conn:
        return coupon_answer(await offers.retire_coupon(conn, coupon_code, services.clock()))


def new_add_on(data: AddOnBody) -> NewAddOn:
    """Read the parts that are texts in JSON; raises BadInput naming the fields."""
    return NewAddOn(
        code=data.code,
        name=data.name,
        charge=data.charge,
        amounts=read_amounts("amounts", data.amounts),
        features=data.features,
    )


def new_coupon(data: CouponBody) -> NewCoupon:
    """Read the parts that are texts in JSON; raises BadInput naming the fields."""
    same = {
        name: getattr(data, name)
        for name in data.__struct_fields__
        if name not in {"percent", "amounts"}
    }
    for name in ("valid_from", "valid_until"):
        if same[name] is not None:
            fields.check_instant(name, same[name])
    amounts = None if data.amounts is None else read_amounts("amounts", data.amounts)
    return NewCoupon(**same, percent=_percent(data.percent), amounts=amounts)


def _percent(text: str | None) -> Decimal | None:
    if text is None:
        return None
    if not fields.QUANTITY.fullmatch(text):
        raise BadInput.field("percent", "not_a_decimal_string", 'must be a string such as "20"')
    return Decimal(text)


def add_on_answer(one: AddOn) -> AddOnAnswer:
    """Show an add-on."""
    return AddOnAnswer(
        id=ids.show("add_on", one.add_on_id),
        code=one.code,
        name=one.name,
        version=one.version,
        status=one.status,
        charge=one.charge,
        amounts={code.lower(): plain(amount) for code, amount in one.amounts.items()},
        features=dict(one.features),
        created=one.created_at,
    )


ROUTES: Final = (
    list_add_ons,
    create_add_on,
    retire_add_on,
    list_coupons,
    create_coupon,
    retire_coupon,
)
