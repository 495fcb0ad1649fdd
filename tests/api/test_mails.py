"""Invoices by e-mail: by themselves, at request, and not where mail is off."""

from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.payments import methods
from tallystick.payments.requests import Card, MethodDescription
from tallystick.settings import Settings

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING, ADMIN = "/api/v1/billing", "/api/v1/admin"


def files(folder: Path) -> list[Path]:
    return [*folder.iterdir()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail")


@pytest.fixture(scope="module")
def settings(own_settings: Callable[..., Settings], folder: Path) -> Settings:
    return own_settings(mail_url=folder.as_uri(), mail_from="billing@tallystick.example")


async def test_an_issued_invoice_goes_out_by_itself(shop: "Shop", folder: Path) -> None:
    tenant, invoice = await shop.billed(email="ada@example.com")
    query = {"account_id": tenant.id}
    answer = await shop.as_person(shop.support).get(f"{ADMIN}/mails", params=query)
    (mail,) = answer.json()["mails"]
    assert (mail["invoice"], mail["status"], mail["to"]) == (
        invoice["id"], "sent", ["ada@example.com"],
    )  # fmt: skip
    written = {message_from_bytes(file.read_bytes())["To"] for file in files(folder)}
    assert "ada@example.com" in written


async def test_an_account_has_its_invoice_sent_once_for_each_request(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    with_key = shop.with_key(tenant.keys["billing:write"])
    path = f"{BILLING}/invoices/{invoice['id']}/send"
    first = await with_key.post(path, headers={"Idempotency-Key": "once"})
    again = await with_key.post(path, headers={"Idempotency-Key": "once"})
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.json()["status"] == "waiting"
    await shop.work()
    staff = shop.as_person(shop.support)
    query = {"account_id": tenant.id, "status": "sent"}
    assert (await staff.get(f"{ADMIN}/mails", params=query)).json()["total"] == 2


async def test_staff_send_an_invoice_to_whom_they_like(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    finance = shop.as_person(shop.finance)
    path = f"{ADMIN}/accounts/{tenant.id}/invoices/{invoice['id']}/send"
    answer = await finance.post(path, json={"to": ["cfo@example.com", "ap@example.com"]})
    assert answer.json()["to"] == ["cfo@example.com", "ap@example.com"]
    wrong = await finance.post(path, json={"to": ["cfo@example.com", "nobody"]})
    assert shop.fields(shop.refused(wrong, 422, "validation_failed")) == [("to.1", "invalid_email")]
    many = await finance.post(path, json={"to": ["cfo@example.com"] * 11})
    assert shop.fields(shop.refused(many, 422, "validation_failed")) == [("to", "too_many")]
    shop.refused(await shop.as_person(shop.support).post(path, json={}), 403, "not_allowed")


async def card_of_the_past(shop: "Shop", tenant: "Tenant") -> str:
    """Save a card whose month is over; return its id as the API shows it."""
    described = MethodDescription(
        token=f"pm_{tenant.id}",
        customer_token="cus_1",
        type="card",
        card=Card("visa", "4242", 1, 2020),
    )
    async with shop.db.transaction(WRITER) as conn:
        saved = await methods.save(
            conn, tenant.account.account_id, "stripe", described, shop.wall()
        )
    assert saved is not None
    return ids.show("payment_method", saved.payment_method_id)


async def test_a_card_that_expired_is_told_of_once_in_the_customers_language(
    shop: "Shop", folder: Path
) -> None:
    tenant = await shop.tenant(email="grete@example.com", locale="de-DE")
    card = await card_of_the_past(shop, tenant)
    for _ in range(3):
        await shop.work()
    query = {"account_id": tenant.id}
    answer = await shop.as_person(shop.support).get(f"{ADMIN}/mails", params=query)
    (mail,) = answer.json()["mails"]
    assert (mail["payment_method"], mail["invoice"], mail["status"]) == (card, None, "sent")
    (written,) = [
        read
        for file in files(folder)
        if (read := message_from_bytes(file.read_bytes(), policy=policy.default))["To"]
        == "grete@example.com"
    ]
    assert "Ihre Karte VISA 4242 gilt bis 01/2020" in written["Subject"]
    assert "/billing/payment-methods" in written.get_content()


async def test_a_card_that_is_gone_is_not_told_of(shop: "Shop") -> None:
    tenant = await shop.tenant()
    card = await card_of_the_past(shop, tenant)
    owner = shop.as_person(tenant.owner)
    assert (await owner.delete(f"{BILLING}/payment-methods/{card}")).status_code == 204
    await shop.work()
    answer = await shop.as_person(shop.support).get(
        f"{ADMIN}/mails", params={"account_id": tenant.id}
    )
    assert answer.json()["mails"] == []


async def test_where_mail_is_off_it_says_so(
    shop: "Shop", again: "Callable[..., Shop]", folder: Path
) -> None:
    off = again(mail_url=None)
    tenant, invoice = await off.billed()
    count = len(files(folder))
    with_key = off.with_key(tenant.keys["billing:write"])
    answer = await with_key.post(f"{BILLING}/invoices/{invoice['id']}/send")
    off.refused(answer, 503, "mail_not_configured")
    staff = shop.as_person(shop.support)
    mails = await staff.get(f"{ADMIN}/mails", params={"account_id": tenant.id})
    assert mails.json()["mails"] == []
    assert len(files(folder)) == count
