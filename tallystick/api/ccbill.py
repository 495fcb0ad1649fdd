"""Cards through CCBill: what its page script needs, and the token that it brings back.

The card is typed into CCBill's fields and goes from the browser to CCBill; we get a token.
"""

from typing import Annotated, Final

import msgspec
from litestar import Response, post

from tallystick.accounts.model import Account
from tallystick.api.payment_methods import MethodAnswer, method_answer
from tallystick.api.services import Services
from tallystick.api.setups import Nothing
from tallystick.api.strict import Body
from tallystick.payments.gateway import not_configured
from tallystick.payments.gateways.ccbill import CcbillGateway
from tallystick.payments.requests import Card

TAGS: Final = ["Payment methods"]
WRITE: Final = {"permission": "billing:write", "gateway": True}
PaymentToken = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9_-]{1,64}$", description="The token that CCBill's script made."
    ),
]
Brand = Annotated[str, msgspec.Meta(pattern="^[A-Za-z][A-Za-z _-]{0,31}$")]
Last4 = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")]
Month = Annotated[int, msgspec.Meta(ge=1, le=12)]
Year = Annotated[int, msgspec.Meta(ge=2000, le=2199)]


class ShownCard(Body, frozen=True, kw_only=True):
    """What the page may show of the card; never its number."""

    brand: Brand
    last4: Last4
    exp_month: Month
    exp_year: Year


class SaveToken(Body, frozen=True, kw_only=True):
    """A payment token, and what the page knows of its card: CCBill tells nothing of it."""

    payment_token_id: PaymentToken
    card: ShownCard | None = None
    make_default: bool = False


class PageToken(msgspec.Struct, frozen=True):
    """What the page's script needs once: a bearer that makes payment tokens and nothing else.

    It is told once: a repeat with the same `Idempotency-Key` is answered without `access_token`.
    """

    token_type: str
    expires_in: int
    access_token: str | None = None


@post(
    "/config/ccbill-token",
    opt={**WRITE, "told_once": "access_token"},
    tags=TAGS,
    status_code=200,
    summary="A bearer for CCBill's page script",
)
async def make_page_token(
    services: Services, account: Account, data: Nothing | None = None
) -> Response[PageToken]:
    """Fetch a bearer for this page alone; it is neither kept nor logged."""
    del data, account
    bearer = await _gateway(services).page_token()
    told = PageToken("bearer", bearer.life_s, bearer.token)
    return Response(told, headers={"Cache-Control": "no-store"})


@post(
    "/payment-methods/ccbill-token",
    opt=WRITE,
    tags=TAGS,
    summary="Save a card by CCBill's token",
)
async def save_token(data: SaveToken, services: Services, account: Account) -> MethodAnswer:
    """Keep a payment token of our account at CCBill as a method; the first one is the default.

    The same token again changes nothing. 404 `payment_token_not_found` for one that CCBill does not
    know, or that is of another account.
    """
    card = data.card
    shown = Card(card.brand.lower(), card.last4, card.exp_month, card.exp_year) if card else None
    saved = await services.card_setup.save_token(
        account.account_id,
        "ccbill",
        data.payment_token_id,
        shown=shown,
        make_default=data.make_default,
    )
    return method_answer(saved)


def _gateway(services: Services) -> CcbillGateway:
    gateway = services.gateways.get("ccbill")
    if not isinstance(gateway, CcbillGateway):
        raise not_configured("ccbill")
    return gateway


ACCOUNT_ROUTES: Final = (make_page_token, save_token)
