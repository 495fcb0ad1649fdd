"""Where gateways report. No signing in and no CSRF token here: the signature is the credential.

A further gateway is one more `receives(...)`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from tallystick.api.peers import peer_of
from tallystick.api.services import Services
from tallystick.payments.facts import Delivery

JSON_BODY: Final[Mapping[str, object]] = {"application/json": {"schema": {"type": "object"}}}


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


EVENT_TYPE: Final = {
    "name": "eventType",
    "in": "query",
    "required": False,
    "description": "Which event it is; needed, unless the body says it.",
    "schema": {"type": "string", "pattern": "^[A-Za-z]{1,64}$"},
}
# `x-www-form-encoded` is no slip of ours: CCBill's guide and its servers write it so.
CCBILL_BODY: Final[Mapping[str, object]] = {
    kind: {"schema": {"type": "object"}}
    for kind in (
        "application/json",
        "application/x-www-form-urlencoded",
        "application/x-www-form-encoded",
    )
}


def receives(
    gateway: str,
    paths: Sequence[str],
    *,
    summary: str,
    about: str,
    content: Mapping[str, object] = JSON_BODY,
    parameters: Sequence[Mapping[str, object]] = (),
) -> HTTPRouteHandler:
    """Return the route that takes this gateway's webhooks: any query, any body of `content`."""

    async def receive(request: Request[Any, Any, Any], services: Services) -> Received:
        """Check over the raw request who sent it, store the event once, and answer."""
        delivery = await _delivery(request, services.settings.ccbill.trusted_proxies)
        await services.inbox.receive(gateway, delivery, services.clock())
        return Received()

    # The description's operation is named after the function.
    receive.__name__ = f"receive_{gateway}"
    body = {"required": True, "content": dict(content), "description": about}
    return post(
        list(paths),
        opt={
            "public": True,
            "any_query": True,
            "parameters": list(parameters),
            "request_body": body,
        },
        status_code=200,
        tags=["Webhooks"],
        summary=summary,
    )(receive)


async def _delivery(request: Request[Any, Any, Any], trusted: Sequence[str]) -> Delivery:
    host = request.client.host if request.client else None
    forwarded = request.headers.getall("x-forwarded-for", [])
    query = {name: values[0] for name, values in request.query_params.dict().items()}
    return Delivery(
        body=await request.body(),
        headers=dict(request.headers),
        query=query,
        peer=peer_of(host, forwarded, trusted),
    )


ROUTES: Final = (
    receives(
        "stripe",
        ["/api/stripe/webhook", "/api/v1/webhooks/stripe"],
        summary="Stripe's events",
        about="Stripe's event, signed in the header `Stripe-Signature`.",
        parameters=[SIGNATURE],
    ),
    receives(
        "ccbill",
        ["/api/ccbill/webhook", "/api/v1/webhooks/ccbill"],
        summary="CCBill's events",
        about="CCBill's event as JSON or as a form; its type stands in the query (`eventType`).",
        content=CCBILL_BODY,
        parameters=[EVENT_TYPE],
    ),
)
