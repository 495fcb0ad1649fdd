"""A payment that the bank wants its customer to confirm (3-D Secure): what the page needs."""

from typing import Final

import msgspec
from litestar import post

from tallystick.accounts.model import Account
from tallystick.api.payments import PaymentAnswer, view_answer
from tallystick.api.services import Services
from tallystick.api.setups import Nothing
from tallystick.kernel import ids

TAGS: Final = ["Payments"]
WRITE: Final = {"permission": "billing:write", "gateway": True}


class ActionAnswer(msgspec.Struct, frozen=True):
    """What the gateway's script needs to confirm this very charge with this very method.

    The secret is for this one payment.
    """

    client_secret: str
    publishable_key: str
    script_url: str
    payment_method_token: str | None


@post(
    "/payments/{payment_id:str}/action",
    opt=WRITE,
    tags=TAGS,
    status_code=200,
    summary="Begin to confirm a payment",
)
async def start_action(
    payment_id: str, services: Services, account: Account, data: Nothing | None = None
) -> ActionAnswer:
    """Return what a page needs; 409 `payment_needs_no_action` when nothing is to be confirmed."""
    del data
    wanted = ids.parse("payment", payment_id)
    secret = await services.collector.start_action(account.account_id, wanted)
    return ActionAnswer(
        secret.client_secret, secret.publishable_key, secret.script_url, secret.method_token
    )


@post(
    "/payments/{payment_id:str}/refresh",
    opt=WRITE,
    tags=TAGS,
    status_code=200,
    summary="Ask the gateway about a payment",
)
async def refresh(
    payment_id: str, services: Services, account: Account, data: Nothing | None = None
) -> PaymentAnswer:
    """Return the payment as the gateway has it now; what is over is not asked for again."""
    del data
    wanted = ids.parse("payment", payment_id)
    view = await services.collector.refresh(account.account_id, wanted)
    return view_answer(view, services.settings.public_url)


ACCOUNT_ROUTES: Final = (start_action, refresh)
