"""How an invoice is paid by hand."""

from decimal import Decimal
from typing import Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account
from tallystick.api.method_records import AvailableMethod, available_answer
from tallystick.api.payments import READ, TAGS
from tallystick.api.services import Services
from tallystick.invoices import service as invoices
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.payments.instructions import instructions_of


class BankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a transfer goes."""

    holder: str
    iban: str
    bic: str | None
    bank_name: str | None


class InstructionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How to pay what is due by hand; nothing due: `amount_due_cents` is 0 and there is no bank.

    `reference` is to stand on the transfer. `instructions` are the issuer's own words, those of
    each way of paying stand with it.
    """

    invoice: str
    reference: str | None
    currency: str
    amount_due: Decimal
    amount_due_cents: int
    bank: BankAnswer | None
    instructions: str | None
    payment_methods: list[AvailableMethod]


@get(
    "/invoices/{invoice_id:str}/payment-instructions",
    opt=READ,
    tags=TAGS,
    summary="How to pay an invoice by hand",
)
async def read_instructions(
    invoice_id: str, services: Services, account: Account
) -> InstructionsAnswer:
    """Return where to send how much, under which reference."""
    wanted = ids.parse("invoice", invoice_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        invoice = await invoices.get_invoice(conn, account.account_id, wanted)
        told = await instructions_of(conn, account, invoice)
    bank = told.bank if told else None
    return InstructionsAnswer(
        invoice=invoice_id,
        reference=told.reference if told else None,
        currency=invoice.currency.lower(),
        amount_due=invoice.due.to_decimal() if told else Decimal(0),
        amount_due_cents=invoice.due.minor if told else 0,
        bank=BankAnswer(holder=told.holder, iban=bank.iban, bic=bank.bic, bank_name=bank.bank_name)
        if told and bank
        else None,
        instructions=told.text if told else None,
        payment_methods=[available_answer(way) for way in told.ways] if told else [],
    )


ACCOUNT_ROUTES: Final = (read_instructions,)
