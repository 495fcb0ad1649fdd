"""Ways of paying: what is offered, and what an account notes for itself."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.api.conftest import Shop

Json = dict[str, Any]
METHODS = "/api/v1/billing/payment-methods"
CONFIGS = "/api/v1/admin/payment-method-configs"
IBAN = "DE89 3704 0044 0532 0130 00"
TRANSFER = {"type": "bank_transfer", "label": "Our bank", "details": {"iban": IBAN}}
WIRE = {"gateway": "manual", "type": "bank_transfer", "name": "Wire", "countries": ["us", "de"],
        "currencies": ["usd"], "instructions": "Send it to us.\nName the invoice."}  # fmt: skip


async def offered(client: "httpx.AsyncClient", **query: str) -> list[str]:
    answer = await client.get(f"{METHODS}/available", params=query)
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()["payment_methods"]]


async def test_what_is_offered_follows_country_currency_and_account(shop: "Shop") -> None:
    tenant, other = await shop.tenant(), await shop.tenant()
    admin = shop.as_person(shop.admin)
    owner, stranger = shop.as_person(tenant.owner), shop.as_person(other.owner)
    assert "bank_transfer" in await offered(owner)
    made = await admin.put(f"{CONFIGS}/wire", json=WIRE)
    assert made.status_code == 200, made.text
    assert made.json()["currencies"] == ["usd"]
    assert "wire" in await offered(owner, country="de", currency="USD")
    assert "wire" not in await offered(owner, country="FR")
    assert "wire" not in await offered(owner, currency="eur")
    shown = (await owner.get(f"{METHODS}/available", params={"country": "US"})).json()
    assert (shown["country"], shown["currency"]) == ("US", "usd")
    typo = await owner.get(f"{METHODS}/available", params={"currency": "zzz"})
    assert shop.refused(typo, 422, "unknown_currency")
    mine = {**WIRE, "accounts": [tenant.id]}
    assert (await admin.put(f"{CONFIGS}/wire", json=mine)).json()["accounts"] == mine["accounts"]
    assert "wire" in await offered(owner, country="US")
    assert "wire" not in await offered(stranger, country="US")
    listed = (await admin.get(CONFIGS)).json()["payment_method_configs"]
    assert [one["code"] for one in listed] == ["wire"]
    assert (await admin.delete(f"{CONFIGS}/wire")).status_code == 204
    assert (await admin.delete(f"{CONFIGS}/wire")).status_code == 404
    assert "bank_transfer" in await offered(owner)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gateway": "unheard"}, "gateway"),
        ({"countries": ["XX"]}, "countries[0]"),
        ({"currencies": ["USD", "QQQ"]}, "currencies[1]"),
        ({"name": " "}, "name"),
        ({"type": "Bank transfer"}, "type"),
    ],
    ids=["gateway", "country", "currency", "name", "type"],
)
async def test_what_can_not_be_offered_is_refused_by_field(
    shop: "Shop", changes: Json, field: str
) -> None:
    answer = await shop.as_person(shop.admin).put(f"{CONFIGS}/wire", json={**WIRE, **changes})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await shop.as_person(shop.admin).get(CONFIGS)).json()["total"] == 0


async def test_an_account_that_does_not_exist_is_offered_nothing(shop: "Shop") -> None:
    restricted = {**WIRE, "accounts": ["acct_00000000000000000000000001"]}
    answer = await shop.as_person(shop.admin).put(f"{CONFIGS}/wire", json=restricted)
    assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")


async def test_an_account_notes_changes_and_removes_its_own_ways_of_paying(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    made = await owner.post(METHODS, json=TRANSFER)
    assert made.status_code == 201, made.text
    record = made.json()
    assert (record["gateway"], record["label"]) == ("manual", "Our bank")
    assert (record["details"], record["is_default"]) == ({"iban": IBAN}, False)
    one = f"{METHODS}/{record['id']}"
    changed = await owner.patch(one, json={"details": {"bank": "Sparkasse"}})
    assert changed.json()["details"] == {"bank": "Sparkasse"}
    assert changed.json()["label"] == "Our bank"
    chosen = await owner.post(f"{one}/set_default", json={})
    assert chosen.json()["is_default"] is True
    assert (await owner.get(one)).json()["is_default"] is True
    stranger = shop.as_person((await shop.tenant()).owner)
    assert (await stranger.get(one)).status_code == 404
    assert (await stranger.patch(one, json={"label": "mine"})).status_code == 404
    assert (await owner.delete(one)).status_code == 204
    assert (await owner.get(METHODS)).json()["total"] == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"label": "4242 4242 4242 4242"}, "label"),
        ({"details": {"number": "5555555555554444"}}, "details"),
        ({"details": {"4242424242424242": "x"}}, "details"),
        ({"type": "card"}, "type"),
        ({"label": ""}, "label"),
        ({"details": {str(n): "x" for n in range(21)}}, "details"),
    ],
    ids=["label", "detail", "name of a detail", "card", "empty", "too many"],
)
async def test_card_data_and_nonsense_are_never_noted(
    shop: "Shop", changes: Json, field: str
) -> None:
    owner = shop.as_person((await shop.tenant()).owner)
    answer = await owner.post(METHODS, json={**TRANSFER, **changes})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "4242" not in answer.text
    assert (await owner.get(METHODS)).json()["total"] == 0
