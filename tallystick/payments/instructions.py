"""How an invoice is paid by hand: the issuer's bank account, and what staff set up besides."""

import msgspec

from tallystick.accounts.model import Account
from tallystick.documents.document import BankAccount
from tallystick.invoices.crediting import frozen_document
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.payments import method_config_store as store
from tallystick.payments.method_configs import MethodConfig, by_hand
from tallystick.payments.wishes import PAYABLE


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send how much, under which reference; `ways` are those that have instructions."""

    due: Money
    reference: str
    holder: str
    bank: BankAccount | None
    text: str | None
    ways: tuple[MethodConfig, ...]


async def instructions_of(
    conn: Connection, account: Account, invoice: Invoice
) -> Instructions | None:
    """Return how the invoice can be paid by hand; None: nothing is due on it, or it is a draft."""
    if invoice.status not in PAYABLE or invoice.due.is_zero() or invoice.number is None:
        return None
    document = await frozen_document(conn, account.account_id, invoice.invoice_id)
    configs = by_hand(await store.configs_of(conn, account.account_id))
    return Instructions(
        due=invoice.due,
        reference=invoice.number,
        holder=(document.bank.holder if document.bank else None) or document.seller.name,
        bank=document.bank,
        text=document.payment_instructions,
        ways=tuple(
            config
            for config in configs
            if config.is_active
            and config.instructions
            and config.serves(account.country, invoice.currency)
        ),
    )
