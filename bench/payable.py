"""Open invoices of accounts with a card at Stripe's simulator, for the measures of payments."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import httpx
import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.documents.document import Party
from tallystick.issuers import service as issuers
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.ids import new_id
from tallystick.ledger import service as ledger
from tallystick.ledger.model import RECEIVABLE, REVENUE, Entry, Posting
from tallystick.payments import method_store, methods
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings
from tallystick.payments.requests import Card, MethodDescription

ACCOUNTS: Final = 200
MINOR: Final = 4900
CURRENCY: Final = "USD"
KEY: Final = "sk_test_bench"
SECRET: Final = "whsec_bench_00000000"  # noqa: S105 - of a measure's own endpoint
_INVOICE: Final = """
INSERT INTO invoices (account_id, invoice_id, number, issuer_id, status, currency, subtotal_minor,
    tax_minor, total_minor, issued_at, due_at, created_at)
VALUES ($1, $2, $3, $4, 'open', $5, $6, 0, $6, $7, $7, $7)
"""


class Payable(msgspec.Struct, frozen=True):
    """An open invoice, and what its account has at the gateway."""

    account_id: UUID
    invoice_id: UUID
    customer_token: str
    method_token: str


@contextmanager
def simulator() -> Iterator[str]:
    """Run Stripe's simulator as a process of its own; its address."""
    command = [sys.executable, "-m", "tallystick.simulators.stripe", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        try:
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.terminate()


def stripe_at(base_url: str) -> StripeGateway:
    """Return the adapter as it calls that simulator."""
    settings = StripeSettings(
        secret_key=KEY, publishable_key="", webhook_secrets=(SECRET,), base_url=base_url
    )
    return StripeGateway(settings)


async def make_payable(db: Database, base_url: str, count: int) -> list[Payable]:
    """Return so many open invoices, of accounts in turn."""
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        holders = [await _holder(db, http) for _ in range(min(ACCOUNTS, count))]
    made: list[Payable] = []
    async with db.transaction(WRITER) as conn:
        now = datetime.now(UTC)
        issuer = await issuers.follow_settings(conn, Party("Seller"), now)
        for at in range(count):
            account, customer, method = holders[at % len(holders)]
            invoice_id = new_id()
            await _invoice(conn, account, invoice_id, issuer.issuer_id, now)
            made.append(Payable(account.account_id, invoice_id, customer, method))
    return made


async def _holder(db: Database, http: httpx.AsyncClient) -> tuple[Account, str, str]:
    """Return an account, its customer at the simulator, and the card saved there and here."""
    now = datetime.now(UTC)
    who = {"authorization": f"Bearer {KEY}"}
    customer = str((await http.post("/v1/customers", headers=who)).json()["id"])
    attach = "/v1/payment_methods/pm_card_visa/attach"
    saved = await http.post(attach, headers=who, data={"customer": customer})
    card = Card("visa", "4242", 12, 2034)
    described = MethodDescription(str(saved.json()["id"]), customer, "card", card)
    new = NewAccount(name="Payer", email="bench@example.com", currency=CURRENCY, country="US")
    async with db.transaction(WRITER) as conn:
        account = await accounts.create_account(conn, new, now)
        await accounts.set_autopay(conn, account.account_id, enabled=False)
        await method_store.link(conn, account.account_id, "stripe", customer, now)
        await methods.save(conn, account.account_id, "stripe", described, now)
    return account, customer, described.token


async def _invoice(
    conn: Connection, account: Account, invoice_id: UUID, issuer_id: UUID, at: datetime
) -> None:
    owner = account.account_id
    await conn.execute(_INVOICE, owner, invoice_id, str(invoice_id), issuer_id, CURRENCY, MINOR, at)
    owed = (Posting(RECEIVABLE, CURRENCY, MINOR), Posting(REVENUE, CURRENCY, -MINOR))
    entry = Entry(f"invoice:{invoice_id}", "issued", "inv", "bench", at, owed)
    await ledger.post(conn, owner, entry)
