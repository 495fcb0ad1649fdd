"""Prices: what a product costs, once or again and again, for a quantity or for metered usage."""

from decimal import Decimal, InvalidOperation
from typing import Any

from tallystick.simulators.stripe import amounts
from tallystick.simulators.stripe.billing.products import PRODUCT_DATA, new_product
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.computed import TIERS
from tallystick.simulators.stripe.errors import Json, invalid, missing_parameter
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.form import Raw
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    between,
    boolean,
    clearable,
    integer,
    many,
    merged,
    metadata,
    nest,
    one_of,
    text,
)

PLACES_MAX = 12


def decimal(raw: Raw, name: str) -> str:
    """Read a decimal of at most twelve places; it stays a text, so that nothing is lost."""
    value = text(raw, name)
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise invalid(f"Invalid decimal: {value}", param=name) from error
    exponent = number.as_tuple().exponent
    if number.is_finite() and not 0 <= number <= UNIT_MAX:
        raise invalid(f"Invalid decimal: {value} is out of range.", param=name)
    if not isinstance(exponent, int) or exponent < -PLACES_MAX:
        raise invalid(f"Invalid decimal: {value} has more than 12 places.", param=name)
    return f"{number:f}"


def up_to(raw: Raw, name: str) -> int | None:
    """Read the end of a tier: a whole number, or `inf` as None."""
    value: int | None = None if raw == "inf" else integer(raw, name)
    return value


# Three years, in each interval.
COUNTS_MAX = {"day": 1095, "week": 156, "month": 36, "year": 3}
UNIT_MAX = 999_999_999_999
INTERVAL = one_of(*COUNTS_MAX)
UNIT = between(0, UNIT_MAX)
RECURRING = nest(
    {
        "interval": INTERVAL,
        "interval_count": between(1, COUNTS_MAX["day"]),
        "meter": text,
        "trial_period_days": between(1, 730),
        "usage_type": one_of("licensed", "metered"),
    },
    required=("interval",),
)
TIER = nest(
    {
        "flat_amount": UNIT,
        "flat_amount_decimal": decimal,
        "unit_amount": UNIT,
        "unit_amount_decimal": decimal,
        "up_to": up_to,
    },
    required=("up_to",),
)
# What a price inside of another request may say; `price_data` of a line has a product besides.
DATA: Shape = {
    "currency": text,
    "metadata": metadata,
    "recurring": RECURRING,
    "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
    "unit_amount": UNIT,
    "unit_amount_decimal": decimal,
}
PRICE_DATA = nest({**DATA, "product": text, "product_data": PRODUCT_DATA}, required=("currency",))
CREATE: Shape = {
    **DATA,
    "active": boolean,
    "billing_scheme": one_of("per_unit", "tiered"),
    "lookup_key": text,
    "nickname": text,
    "product": text,
    "product_data": PRODUCT_DATA,
    "tiers": many(TIER),
    "tiers_mode": one_of("graduated", "volume"),
    "transfer_lookup_key": boolean,
    "transform_quantity": nest(
        {"divide_by": between(2, 1_000_000), "round": one_of("down", "up")},
        required=("divide_by", "round"),
    ),
}


def new_price(call: Call, data: dict[str, Any]) -> Json:
    """Make a price of a product that exists. Raises StripeError when it says no amount."""
    call.found("product", data["product"], param="product")
    tiers = data.get("tiers", [])
    if not tiers and "unit_amount" not in data and "unit_amount_decimal" not in data:
        raise missing_parameter("unit_amount")
    if tiers and "tiers_mode" not in data:
        raise missing_parameter("tiers_mode")
    if tiers and tiers[-1]["up_to"] is not None:
        raise invalid("The last tier must have up_to=inf.", param="tiers")
    recurring = _recurring(call, data.get("recurring"))
    amount, exact = _both(data, "unit_amount")
    price = {
        "id": call.state.ids.new("price"),
        "object": "price",
        "active": data.get("active", True),
        "billing_scheme": "tiered" if tiers else "per_unit",
        "created": call.state.now(),
        "currency": amounts.read_currency(data["currency"]),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": data.get("lookup_key"),
        "metadata": merged({}, data.get("metadata") or {}),
        "nickname": data.get("nickname"),
        "product": data["product"],
        "recurring": recurring,
        "tax_behavior": data.get("tax_behavior", "unspecified"),
        "tiers_mode": data.get("tiers_mode"),
        "transform_quantity": data.get("transform_quantity"),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": None if tiers else amount,
        "unit_amount_decimal": None if tiers else exact,
    }
    if tiers:
        call.state.put(TIERS, price["id"], {"tiers": [_tier(tier) for tier in tiers]})
    emit(call, "price.created", call.state.save(price))
    return price


def priced(call: Call, line: dict[str, Any], param: str) -> tuple[Json, dict[str, Any]]:
    """Return the price that a line names or describes, with the line."""
    if "price" in line:
        return call.found("price", line["price"], param=f"{param}[price]"), line
    if "price_data" not in line:
        raise missing_parameter(f"{param}[price]")
    data = dict(line["price_data"])
    if "product_data" in data:
        data["product"] = new_product(call, data.pop("product_data"))["id"]
    if "product" not in data:
        raise missing_parameter(f"{param}[price_data][product]")
    # A price that is made on the way is for this one line and never listed as active.
    return new_price(call, {**data, "active": False}), line


def _recurring(call: Call, given: Json | None) -> Json | None:
    if given is None:
        return None
    recurring: Json = {
        "interval_count": 1,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
        **given,
    }
    if recurring["usage_type"] == "metered":
        if recurring["meter"] is None:
            raise missing_parameter("recurring[meter]")
        call.found("billing.meter", recurring["meter"], param="recurring[meter]")
    most = COUNTS_MAX[recurring["interval"]]
    if recurring["interval_count"] > most:
        raise invalid(
            f"The interval must be no longer than three years: {most}.",
            param="recurring[interval_count]",
        )
    return recurring


def _both(data: Json, name: str) -> tuple[int | None, str | None]:
    """Return an amount as a whole number, None where it has a fraction, and as a decimal."""
    whole: int | None = data.get(name)
    exact: str | None = data.get(f"{name}_decimal")
    if exact is None:
        return whole, None if whole is None else str(whole)
    number = Decimal(exact)
    return (int(number) if number == number.to_integral_value() else None), exact


def _tier(given: Json) -> Json:
    flat, flat_exact = _both(given, "flat_amount")
    unit, unit_exact = _both(given, "unit_amount")
    return {
        "flat_amount": flat,
        "flat_amount_decimal": flat_exact,
        "unit_amount": unit,
        "unit_amount_decimal": unit_exact,
        "up_to": given["up_to"],
    }


def _create(call: Call) -> Json:
    data = dict(call.named())
    if "product_data" in data:
        data["product"] = new_product(call, data.pop("product_data"))["id"]
    if "product" not in data:
        raise missing_parameter("product")
    return new_price(call, data)


def _retrieve(call: Call) -> Json:
    return call.found("price", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("price", call.path["id"])
    given = dict(call.named())
    if "metadata" in given:
        given["metadata"] = merged(before["metadata"], given["metadata"])
    price = call.state.save({**before, **given})
    emit(call, "price.updated", price, before)
    return price


def _list(call: Call) -> Json:
    wanted = {name: call.params[name] for name in PLAIN if name in call.params}
    keys = call.params.get("lookup_keys")
    return page(
        call,
        "price",
        lambda price: (
            all(price[name] == value for name, value in wanted.items())
            and (keys is None or price["lookup_key"] in keys)
            and created_within(call, price)
        ),
    )


ONE = "/v1/prices/{id}"
PLAIN: Shape = {
    "active": boolean,
    "currency": text,
    "product": text,
    "type": one_of("one_time", "recurring"),
}
FILTERS: Shape = {**LIST, **PLAIN, "lookup_keys": many(text), "created": CREATED}
UPDATE: Shape = {
    "active": boolean,
    "lookup_key": text,
    "metadata": metadata,
    "nickname": clearable(text),
}
ROUTES = (
    Route("POST", "/v1/prices", _create, CREATE, ("currency",)),
    Route("GET", "/v1/prices", _list, FILTERS),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, UPDATE),
)
