"""Products: what is sold."""

from typing import Any

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    boolean,
    clearable,
    many,
    merged,
    metadata,
    nest,
    text,
)

DATA: Shape = {
    "active": boolean,
    "description": clearable(text),
    "images": many(text),
    "metadata": metadata,
    "name": text,
    "statement_descriptor": text,
    "tax_code": clearable(text),
    "unit_label": clearable(text),
    "url": clearable(text),
}
PRODUCT_DATA = nest(DATA, required=("name",))


def new_product(call: Call, data: dict[str, Any], key: str | None = None) -> Json:
    """Make a product from its parameters."""
    product = {
        "id": key or call.state.ids.new("prod"),
        "object": "product",
        "active": True,
        "created": call.state.now(),
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "tax_details": None,
        "type": "service",
        "unit_label": None,
        "updated": call.state.now(),
        "url": None,
        **data,
        "metadata": merged({}, data.get("metadata") or {}),
    }
    emit(call, "product.created", call.state.save(product))
    return product


def _retrieve(call: Call) -> Json:
    return call.found("product", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("product", call.path["id"])
    given = dict(call.named())
    if "metadata" in given:
        given["metadata"] = merged(before["metadata"], given["metadata"])
    if given.get("default_price"):
        call.found("price", given["default_price"], param="default_price")
    product = call.state.save({**before, **given, "updated": call.state.now()})
    emit(call, "product.updated", product, before)
    return product


def _delete(call: Call) -> Json:
    product = call.found("product", call.path["id"])
    if any(one["product"] == product["id"] for one in call.state.newest_first("price")):
        raise invalid("This product cannot be deleted because it has one or more prices.")
    emit(call, "product.deleted", product)
    return call.state.save({"id": product["id"], "object": "product", "deleted": True})


def _list(call: Call) -> Json:
    active, ids = call.params.get("active"), call.params.get("ids")
    return page(
        call,
        "product",
        lambda product: (
            not product.get("deleted")
            and active in {None, product["active"]}
            and (ids is None or product["id"] in ids)
            and created_within(call, product)
        ),
    )


ONE = "/v1/products/{id}"
FILTERS: Shape = {**LIST, "active": boolean, "ids": many(text), "created": CREATED}
ROUTES = (
    Route("GET", "/v1/products", _list, FILTERS),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, {**DATA, "default_price": clearable(text)}),
    Route("DELETE", ONE, _delete),
)
