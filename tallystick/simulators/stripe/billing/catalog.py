"""Making a product, with its first price where one is sent along."""

from tallystick.simulators.stripe.billing import prices, products
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.params import Shape, nest, text


def _create(call: Call) -> Json:
    data = dict(call.named())
    first, key = data.pop("default_price_data", None), data.pop("id", None)
    if key and call.state.get("product", key):
        raise invalid("Product already exists.", code="resource_already_exists", param="id")
    product = products.new_product(call, data, key)
    if first is None:
        return product
    price = prices.new_price(call, {**first, "product": product["id"]})
    return call.state.save({**product, "default_price": price["id"]})


CREATE: Shape = {
    **products.DATA,
    "default_price_data": nest(prices.DATA, required=("currency",)),
    "id": text,
}
ROUTES = (Route("POST", "/v1/products", _create, CREATE, ("name",)),)
