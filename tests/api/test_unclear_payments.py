"""Charges without a clear answer: staff see them, and ask once more, over HTTP and by command."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tallystick.invoices.service import get_invoice
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.payment_commands import sweep_payments
from tests.lost_charges import lose_charge

if TYPE_CHECKING:
    import pytest

    from tallystick.settings import Settings
    from tests.api.conftest import Shop

URL = "/api/v1/admin/payments"


async def lost(shop: "Shop", gateway: str = "manual") -> dict[str, Any]:
    """Return a charge of two hours ago that nobody answered, as staff see it."""
    tenant, invoice = await shop.billed()
    sent = shop.wall() - timedelta(hours=2)
    invoice_id = ids.parse("invoice", invoice["id"])
    async with shop.db.transaction(WRITER) as conn:
        whole = await get_invoice(conn, tenant.account.account_id, invoice_id)
    payment = await lose_charge(shop.db, whole, gateway, sent)
    support = shop.as_person(shop.support)
    found = (await support.get(f"{URL}/unclear")).json()
    shown = ids.show("payment", payment.payment_id)
    (one,) = [row for row in found["payments"] if row["payment"] == shown]
    assert found["total"] == len(found["payments"])
    return dict(one)


async def test_support_sees_what_is_unclear_since_when_and_what_was_tried(shop: "Shop") -> None:
    one = await lost(shop)
    assert (one["gateway"], one["amount_cents"], one["currency"]) == ("manual", 5400, "usd")
    assert (one["outcome"], one["code"], one["reason"]) == ("unknown", "no_answer", "no_answer")
    assert (one["tried"], one["gateway_reference"]) == (0, None)
    assert one["since"] < one["next_try"]
    assert "nothing is ever sent with another key" in one["message"]
    for person in (shop.acme.owner, shop.acme.member):
        shop.refused(await shop.as_person(person).get(f"{URL}/unclear"), 403, "not_allowed")


async def test_finance_asks_once_more_and_what_is_known_then_is_not_unclear(shop: "Shop") -> None:
    one = await lost(shop)
    url = f"{URL}/{one['payment']}/look-up"
    shop.refused(await shop.as_person(shop.support).post(url), 403, "not_allowed")
    finance = shop.as_person(shop.finance)
    answer = await finance.post(url)
    assert (answer.status_code, answer.json()["status"]) == (200, "processing")
    left = (await finance.get(f"{URL}/unclear")).json()["payments"]
    assert one["payment"] not in {row["payment"] for row in left}
    none = ids.show("payment", ids.new_id())
    shop.refused(await finance.post(f"{URL}/{none}/look-up"), 404, "payment_not_found")


async def test_a_payment_that_is_decided_or_whose_gateway_has_no_keys_is_refused(
    shop: "Shop",
) -> None:
    one = await lost(shop, "paypal")
    assert one["reason"] == "gateway_not_configured"
    finance = shop.as_person(shop.finance)
    url = f"{URL}/{one['payment']}/look-up"
    shop.refused(await finance.post(url), 503, "gateway_unavailable")
    await shop.rows(
        "UPDATE payment_attempts SET outcome = 'declined' WHERE gateway = 'paypal' RETURNING 1"
    )
    shop.refused(await finance.post(url), 409, "payment_is_clear")


async def test_the_command_asks_about_all_and_names_what_stays_unclear(
    shop: "Shop", module_dsn: str, settings: "Settings", capsys: "pytest.CaptureFixture[str]"
) -> None:
    stays, clears = await lost(shop, "paypal"), await lost(shop)
    assert await sweep_payments(settings, module_dsn) == 1
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "Charges and refunds that gateways were asked about: 1. Unclear now: 1."
    (line,) = rest
    assert line.startswith(
        f"  {stays['payment']}: charge of $54.00 through paypal, unknown since 2"
    )
    assert "gateway_not_configured: Nobody can ask" in line
    assert clears["payment"] not in line
