"""Saving a card or a US bank account with Stripe's form, and proving the latter by deposits."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import get, post

from tallystick.accounts.model import Account
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel.errors import BadInput
from tallystick.payments.requests import Microdeposits, PageSecret, WaitingSetup

TAGS: Final = ["Payment methods"]
WRITE: Final = {"permission": "billing:write", "gateway": True}
CARD: Final = "card"
BANK: Final = "us_bank_account"
_PROVED: Final = {"setup_intent_id": "seti_1RbV2k", "amounts": [32, 45]}

SetupIntentId = Annotated[str, msgspec.Meta(pattern="^seti_[A-Za-z0-9]{1,250}$")]
Cents = Annotated[int, msgspec.Meta(ge=1, le=99)]
Amounts = Annotated[tuple[Cents, ...], msgspec.Meta(min_length=2, max_length=2)]
DescriptorCode = Annotated[str, msgspec.Meta(pattern="^SM[A-Za-z0-9]{4}$")]


class Nothing(Body, frozen=True, kw_only=True):
    """An empty object."""


class SetupAnswer(msgspec.Struct, frozen=True):
    """What the page's form needs; the secret is for this one form.

    A bank account that has to be proved by deposits is named by `setup_intent_id` then.
    """

    setup_intent_id: str
    client_secret: str
    publishable_key: str
    script_url: str


class MicrodepositProof(Body, frozen=True, kw_only=True):
    """What arrived on the bank account: two amounts in cents, or the code on the statement."""

    setup_intent_id: SetupIntentId
    amounts: Amounts | None = None
    descriptor_code: DescriptorCode | None = None


class MicrodepositAnswer(msgspec.Struct, frozen=True):
    """`succeeded`: the bank account is listed once Stripe's webhook has told of it."""

    setup_intent_id: str
    status: str
    payment_method_token: str | None


class WaitingAnswer(msgspec.Struct, frozen=True):
    """A bank account that waits for deposits: when they should have arrived, and what proves it.

    `proof` is `amounts` (of two deposits) or `descriptor_code` (of one); null: not told, either
    may be sent.
    """

    setup_intent_id: str
    bank_name: str | None
    last4: str | None
    arrives_at: datetime | None
    proof: str | None


class WaitingList(msgspec.Struct, frozen=True):
    """The bank accounts that wait."""

    data: list[WaitingAnswer]


@post("/setup-intent/card", opt=WRITE, tags=TAGS, summary="Begin to save a card")
async def start_card_setup(
    services: Services, account: Account, data: Nothing | None = None
) -> SetupAnswer:
    """Return what the page's form needs; the card is stored when the gateway's webhook comes."""
    del data
    return _answer(await services.card_setup.start_card_setup(account.account_id))


@post("/setup-intent/us-bank", opt=WRITE, tags=TAGS, summary="Begin to save a US bank account")
async def start_bank_setup(
    services: Services, account: Account, data: Nothing | None = None
) -> SetupAnswer:
    """Return what the page's form needs; the account is stored when the gateway's webhook comes.

    Where the customer can not sign in at the bank, Stripe sends small deposits, which
    `/us-bank/verify-microdeposits` proves a day or two later.
    """
    del data
    gateway = services.gateways.get("stripe")
    if not gateway.capabilities.charges_in(BANK, account.currency):
        raise BadInput(
            "currency_not_supported",
            f"US bank accounts pay in USD alone; this account is billed in {account.currency}.",
        )
    return _answer(await services.card_setup.start_card_setup(account.account_id, method_type=BANK))


@post(
    "/us-bank/verify-microdeposits",
    opt={**WRITE, "example": _PROVED},
    tags=TAGS,
    status_code=200,
    summary="Prove a US bank account",
)
async def verify_microdeposits(
    data: MicrodepositProof, services: Services, account: Account
) -> MicrodepositAnswer:
    """Tell what arrived on the bank account; exactly one of `amounts` and `descriptor_code`."""
    if (data.amounts is None) == (data.descriptor_code is None):
        raise BadInput.field("amounts", "one_of", "send either amounts or descriptor_code")
    proof = Microdeposits(
        amounts=(data.amounts[0], data.amounts[1]) if data.amounts else None,
        descriptor_code=data.descriptor_code,
    )
    found = await services.card_setup.verify_setup(account.account_id, data.setup_intent_id, proof)
    return MicrodepositAnswer(data.setup_intent_id, found.state.value, found.method_token)


@get(
    "/us-bank/waiting",
    opt={"permission": "billing:read", "gateway": True},
    tags=TAGS,
    summary="US bank accounts that wait for deposits",
)
async def list_waiting_bank_accounts(services: Services, account: Account) -> WaitingList:
    """List the bank accounts that `/us-bank/verify-microdeposits` is to prove, newest first.

    Asked of Stripe each time, so that one is found again after the page was closed; nothing where
    Stripe is not configured.
    """
    found = await services.card_setup.waiting_setups(account.account_id)
    return WaitingList([_waiting(one) for one in found])


def _waiting(one: WaitingSetup) -> WaitingAnswer:
    bank = one.bank
    return WaitingAnswer(
        setup_intent_id=one.reference,
        bank_name=bank.name if bank else None,
        last4=bank.last4 if bank else None,
        arrives_at=one.arrives_at,
        proof=one.proof,
    )


def _answer(secret: PageSecret) -> SetupAnswer:
    return SetupAnswer(
        secret.reference, secret.client_secret, secret.publishable_key, secret.script_url
    )


ACCOUNT_ROUTES: Final = (
    start_card_setup,
    start_bank_setup,
    list_waiting_bank_accounts,
    verify_microdeposits,
)
