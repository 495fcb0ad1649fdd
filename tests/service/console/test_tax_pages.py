"""Why nothing is charged, on the pages of staff and of the account."""

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.documents.document import Party
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.issuers import service as issuers
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import show
from tallystick.money.amount import Money
from tallystick.taxes import service as taxes

from .conftest import NOW, World


async def test_a_reverse_charge_is_said_with_its_reason(world: World) -> None:
    told = {"country": "FR", "vat_number": "FR40303265045"}
    new = NewAccount(
        name="Werk", email="a@werk.example", currency="EUR", country="DE",
        tax_number="DE136695976",
    )  # fmt: skip
    async with world.services.db.transaction(WRITER) as conn:
        issuer = await issuers.follow_settings(conn, Party("Seller"), NOW)
        await issuers.change_issuer(conn, issuer.issuer_id, told)
        account = await accounts.create_account(conn, new, NOW)
        terms = (await taxes.read_terms(conn, [account]))[account.account_id]
        amount = Money(12345, "EUR")
        draft = one_off_draft(
            account, "one_off", amount, description="Advice", code="advice", at=NOW, terms=terms
        )
        invoice = await issue_one_off(conn, account, draft, seller=Party("Seller"), at=NOW)
    await world.enter(await world.person((account.account_id, "owner"), staff_role="admin"))
    for path in (
        f"/staff/accounts/{show('account', account.account_id)}",
        f"/billing/invoices/{show('invoice', invoice.invoice_id)}",
    ):
        page = (await world.http.get(path)).text
        assert "Reverse charge: Article 196 of Directive 2006/112/EC" in page
