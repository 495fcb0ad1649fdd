"""Invoices taxed by the rates of the place, through the billing run."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tallystick.documents.document import Party, decode
from tallystick.issuers import service as issuers
from tallystick.issuers.model import TaxRegistration
from tallystick.kernel.db import WRITER
from tallystick.pricing.model import FlatPrice
from tallystick.taxes import service as taxes
from tallystick.taxes.model import NewExemption, NewTaxRate

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def sell_from_france(world: World, *rates: tuple[str, str, str]) -> None:
    """The issuer is in France and in the One-Stop Shop; rates are (country, percent, since)."""
    async with world.db.transaction(WRITER) as conn:
        issuer = await issuers.follow_settings(conn, Party("Seller"), START)
        told = {"country": "FR", "vat_number": "FR40303265045",
                "tax_registrations": (TaxRegistration(country="EU", number="FR1"),)}  # fmt: skip
        await issuers.change_issuer(conn, issuer.issuer_id, told)
        for country, percent, since in rates:
            new = NewTaxRate(
                country=country, name="VAT", percent=Decimal(percent), source="a test",
                valid_from=date.fromisoformat(since), looked_up_on=date(2026, 1, 1),
            )  # fmt: skip
            await taxes.add_rate(conn, new, START)


async def plan(world: World, **more: Any) -> Any:
    return await world.plan(
        [FlatPrice(currency="EUR", code="fee", amount=Decimal(100), **more)],
        code="pro" if not more else "gross",
    )


async def printed(world: World, account: Any) -> list[tuple[str, str | None, int, int]]:
    """The tax lines of the account's one document."""
    rows = await world.rows(
        "SELECT document::text AS document FROM invoices WHERE account_id = $1", account.account_id
    )
    (row,) = rows
    return [
        (f"{tax.name} {tax.percent}", tax.category, tax.base_minor, tax.amount_minor)
        for tax in decode(row["document"]).taxes
    ]


async def test_each_customer_is_taxed_by_the_rules_of_the_place(world: World) -> None:
    await sell_from_france(world, ("FR", "20", "2014-01-01"), ("DE", "19", "2021-01-01"))
    sold = await plan(world)
    french = await world.account(country="FR")
    person = await world.account(country="DE")
    business = await world.account(country="DE", tax_number="DE136695976")
    american = await world.account(country="US")
    own = await world.account(country="DE", tax_name="Agreed", tax_percent=Decimal(3))
    for account in (french, person, business, american, own):
        await world.subscribe(account, sold)
    await world.bill(END)
    assert await printed(world, french) == [("VAT 20", "S", 10_000, 2000)]
    assert await printed(world, person) == [("VAT 19", "S", 10_000, 1900)]
    assert await printed(world, business) == [("VAT 0", "AE", 10_000, 0)]
    assert await printed(world, american) == [("VAT 0", "O", 10_000, 0)]
    assert await printed(world, own) == [("Agreed 3", None, 10_000, 300)]


async def test_what_a_price_contains_is_the_total_that_was_printed(world: World) -> None:
    await sell_from_france(world, ("FR", "20", "2014-01-01"))
    account = await world.account(country="FR")
    await world.subscribe(account, await plan(world, tax_inclusive=True))
    await world.bill(END)
    invoice = await world.invoice(account)
    assert (invoice.subtotal.minor, invoice.tax.minor, invoice.total.minor) == (8333, 1667, 10_000)


async def test_a_missing_rate_parks_that_invoice_alone_until_it_is_there(world: World) -> None:
    await sell_from_france(world, ("FR", "20", "2014-01-01"))
    sold = await plan(world)
    french, german = await world.account(country="FR"), await world.account(country="DE")
    await world.subscribe(french, sold)
    waiting = await world.subscribe(german, sold)
    await world.bill(END)
    assert await printed(world, french) == [("VAT 20", "S", 10_000, 2000)]
    assert await world.invoices(german) == ()
    parked = await world.rows(
        "SELECT bill_error FROM subscriptions WHERE subscription_id = $1",
        waiting.subscription_id,
    )
    assert parked[0]["bill_error"].startswith("tax_rate_missing: There is no tax rate for DE")
    assert await world.rows("SELECT 1 FROM invoices WHERE status = 'draft'") == []


async def test_usage_has_the_rate_of_its_days_and_a_fee_the_one_of_the_invoice(
    world: World,
) -> None:
    """VAT rose on 28 February, the day on which February's invoice is issued."""
    await sell_from_france(world, ("FR", "20", "2014-01-01"), ("FR", "22", "2026-02-28"))
    account, invoice = await world.billed_account(country="FR")
    assert invoice.tax.minor == round(Decimal(invoice.subtotal.minor) * 20 / 100)
    assert {tax[0] for tax in await printed(world, account)} == {"VAT 20"}


async def test_an_exemption_is_printed_with_its_reason(world: World) -> None:
    await sell_from_france(world, ("FR", "20", "2014-01-01"))
    account = await world.account(country="FR")
    async with world.db.transaction(WRITER) as conn:
        freed = NewExemption(reason="Embassy", certificate="7", valid_from=date(2026, 1, 1))
        await taxes.add_exemption(conn, account.account_id, freed, START)
    await world.subscribe(account, await plan(world))
    await world.bill(END)
    assert await printed(world, account) == [("VAT 0", "E", 10_000, 0)]
    (row,) = await world.rows("SELECT document::text AS document FROM invoices")
    (tax,) = decode(row["document"]).taxes
    assert tax.reason == "Embassy (certificate 7)"
