"""Reads carry a strong ETag; who has the content already gets 304 and no body."""

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Shop

BILLING = "/api/v1/billing"
READS = ["plans", "usage/current", "subscription", "settings", "config"]


@pytest.fixture
def member(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.acme.member)


@pytest.mark.parametrize("name", READS)
async def test_a_read_has_a_strong_etag_and_304_has_no_body(shop: "Shop", name: str) -> None:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account)
    client = shop.as_person(tenant.member)
    first = await client.get(f"{BILLING}/{name}")
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert etag.endswith('"')
    assert first.headers["cache-control"] == "private, no-cache"
    for sent in (etag, f"W/{etag}", f'"x", {etag}', f'"x" ,W/{etag}', "*"):
        again = await client.get(f"{BILLING}/{name}", headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert "content-type" not in again.headers
        assert "ratelimit-limit" in again.headers
    for sent in ('"other"', etag.strip('"'), ""):
        other = await client.get(f"{BILLING}/{name}", headers={"If-None-Match": sent})
        assert other.content == first.content


async def test_usage_has_another_etag_as_soon_as_it_is_another(shop: "Shop") -> None:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account)
    client = shop.as_person(tenant.member)
    first = await client.get(f"{BILLING}/usage/current")
    sender = shop.with_key(tenant.keys["usage:write"])
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "api_calls",
        "subject": tenant.id,
        "data": {"n": 7},
    }
    assert (await sender.post("/api/v1/events", json=event)).status_code == 204
    etag = first.headers["etag"]
    second = await client.get(f"{BILLING}/usage/current", headers={"If-None-Match": etag})
    assert second.status_code == 200
    assert second.headers["etag"] != etag


async def test_two_accounts_have_two_etags(shop: "Shop") -> None:
    seen = set()
    for tenant in (shop.acme, shop.globex):
        await shop.subscribe(tenant.account)
        answer = await shop.as_person(tenant.member).get(f"{BILLING}/subscription")
        seen.add(answer.headers["etag"])
    assert len(seen) == 2


async def test_a_refusal_is_no_304(shop: "Shop", member: httpx.AsyncClient) -> None:
    answer = await member.get(f"{BILLING}/invoices/x", headers={"If-None-Match": "*"})
    shop.refused(answer, 404, "invoice_not_found")
    assert "etag" not in answer.headers


async def test_who_may_not_read_gets_no_304(shop: "Shop", member: httpx.AsyncClient) -> None:
    etag = (await member.get(f"{BILLING}/plans")).headers["etag"]
    headers = {"If-None-Match": etag}
    shop.refused(await shop.anybody.get(f"{BILLING}/plans", headers=headers), 401, "not_signed_in")


async def test_a_pdf_is_rendered_once_and_304_renders_nothing(
    shop: "Shop", again: "Callable[..., Shop]", monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, invoice = await shop.billed()
    client = shop.as_person(tenant.member)
    path = f"{BILLING}/invoices/{invoice['id']}/pdf"
    first = await client.get(path)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/pdf"
    assert first.headers["content-disposition"] == f'inline; filename="{invoice["number"]}.pdf"'
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.content.startswith(b"%PDF-")

    def broken(*_: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr("tallystick.invoices.files.drawn", broken)
    monkeypatch.setattr("tallystick.api.downloads.invoice_file", broken)
    etag = first.headers["etag"]
    for name in ("pdf", "download_pdf"):
        at = path.replace("pdf", name)
        for sent in (etag, f"W/{etag}", "*"):
            known = await again().as_person(tenant.member).get(at, headers={"If-None-Match": sent})
            assert (known.status_code, known.content) == (304, b"")
            assert known.headers["etag"] == etag
    monkeypatch.undo()
    monkeypatch.setattr("tallystick.invoices.files.drawn", broken)
    kept = await client.get(path, headers={"If-None-Match": '"other"'})
    assert (kept.status_code, kept.content) == (200, first.content)


async def test_a_payment_gives_the_pdf_another_etag(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    client = shop.as_person(tenant.owner)
    path = f"{BILLING}/invoices/{invoice['id']}/pdf"
    first = await client.get(path)
    manual = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T",
    }
    payment = (await client.post(f"{BILLING}/payments/manual", json=manual)).json()
    approved = await shop.as_person(shop.finance).post(
        f"/api/v1/admin/payments/{payment['id']}/approve", json={"reason": "it came"}
    )
    assert approved.status_code == 200
    paid = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert paid.status_code == 200
    assert paid.headers["etag"] != first.headers["etag"]
    assert paid.content != first.content
