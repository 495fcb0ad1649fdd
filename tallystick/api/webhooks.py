"""Where gateways report. No signing in and no CSRF token here: the signature is the credential."""

from typing import Any, Final

import msgspec
from litestar import Request, post

from tallystick.api.services import Services
from tallystick.payments.facts import Delivery


class Received(msgspec.Struct, frozen=True):
    """The event is stored; what it means is done afterwards."""

    received: bool = True


SIGNATURE: Final = {
    "name": "Stripe-Signature",
    "in": "header",
    "required": True,
    "description": "When it was sent, and the HMAC-SHA256 of time and body.",
    "schema": {"type": "string", "pattern": "^[!-~]+$"},
}


@post(
    ["/api/stripe/webhook", "/api/v1/webhooks/stripe"],
    opt={
        "public": True,
        "any_query": True,
        "parameters": [SIGNATURE],
        "request_body": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
            "description": "Stripe's event, signed in the header `Stripe-Signature`.",
        },
    },
    status_code=200,
    tags=["Webhooks"],
    summary="Stripe's events",
)
async def receive_stripe(request: Request[Any, Any, Any], services: Services) -> Received:
    """Check the signature over the raw bytes, store the event once, and answer."""
    body = await request.body()
    delivery = Delivery(body=body, headers=dict(request.headers))
    await services.inbox.receive("stripe", delivery, services.clock())
    return Received()


ROUTES: Final = (receive_stripe,)
