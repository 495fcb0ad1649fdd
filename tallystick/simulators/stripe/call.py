"""One request on its way through the simulator, and the routes that take it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from tallystick.simulators.stripe.errors import Json, no_such
from tallystick.simulators.stripe.params import Shape
from tallystick.simulators.stripe.state import State

API_VERSION = "2026-10-28.endive"


class Call(msgspec.Struct, frozen=True):
    """A request that is understood: who asks for what, with the state it acts on.

    `request_id` is None for what happens by itself, when its time has come.
    """

    state: State
    params: Mapping[str, Any]
    path: Mapping[str, str]
    request_id: str | None
    base_url: str
    idempotency_key: str | None = None
    publishable: bool = False

    def found(self, family: str, key: str, *, param: str | None = None) -> Json:
        """Return an object that the request names: in its path, or in the parameter `param`.

        Raises StripeError `resource_missing` when there is none, or it was deleted.
        """
        thing = self.state.get(family, key)
        if thing is None or thing.get("deleted"):
            in_path = param is None
            raise no_such(
                KINDS.get(family, family),
                key,
                param or PATH_PARAMS.get(family, "id"),
                status=404 if in_path else 400,
            )
        return thing

    def instead(self, params: Mapping[str, Any], *, publishable: bool = False) -> "Call":
        """Return the call with other parameters: one request that makes several objects."""
        return msgspec.structs.replace(self, params=params, publishable=publishable)

    def named(self) -> Mapping[str, Any]:
        """Return the parameters without those that only shape the answer."""
        return {name: value for name, value in self.params.items() if name not in SHAPING}


SHAPING = frozenset({"expand", "key", "client_secret"})
# What Stripe calls an object in the sentence of an error; elsewhere by its own name.
KINDS = {"payment_method": "PaymentMethod", "setup_intent": "setupintent"}
# What Stripe calls the id of a path in its errors; elsewhere it is "id".
PATH_PARAMS = {
    "payment_intent": "intent",
    "setup_intent": "intent",
    "payment_method": "payment_method",
    "refund": "refund",
}

Handler = Callable[[Call], Json]


class Route(msgspec.Struct, frozen=True):
    """A method and path (`/v1/customers/{id}`), what it takes, and who answers.

    `client` routes can be called from a page with a publishable key and a client secret.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Handler
    params: Shape = {}
    required: tuple[str, ...] = ()
    client: bool = False

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path's ids when this route takes the request."""
        pattern, parts = self.path.split("/"), path.rstrip("/").split("/")
        if method != self.method or len(pattern) != len(parts):
            return None
        pairs = list(zip(pattern, parts, strict=True))
        if any(name != part for name, part in pairs if not name.startswith("{")):
            return None
        return {name.strip("{}"): part for name, part in pairs if name.startswith("{") and part}
