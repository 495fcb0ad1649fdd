"""Tax rates, exemptions and what holds for an account, over HTTP."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

RATES = "/api/v1/admin/tax-rates"
ACCOUNTS = "/api/v1/admin/accounts"
Json = dict[str, Any]
NEW: Json = {
    "country": "fr", "name": "VAT", "percent": "20", "valid_from": "2014-01-01",
    "source": "https://example.com", "looked_up_on": "2026-01-01",
}  # fmt: skip


async def test_a_rate_is_added_listed_and_ended(shop: "Shop") -> None:
    finance, support = shop.as_person(shop.finance), shop.as_person(shop.support)
    made = await finance.post(RATES, json=NEW)
    assert made.status_code == 201, made.text
    rate = made.json()
    assert rate["id"].startswith("tr_")
    assert (rate["country"], rate["percent"], rate["category"]) == ("FR", "20", "S")
    following = {**NEW, "percent": "21.5", "valid_from": "2030-01-01"}
    assert (await finance.post(RATES, json=following)).status_code == 201
    listed = (await support.get(RATES, params={"country": "fr", "on": "2029-12-31"})).json()
    assert [(one["percent"], one["valid_until"]) for one in listed["tax_rates"]] == [
        ("20", "2030-01-01")]  # fmt: skip
    assert (await support.get(RATES, params={"country": "FR"})).json()["total"] == 2
    again = await finance.post(f"{RATES}/{rate['id']}/end", json={"valid_until": "2031-01-01"})
    assert (again.status_code, again.json()["code"]) == (409, "tax_rate_ended")


async def test_an_overlap_is_refused_and_changes_nothing(shop: "Shop") -> None:
    finance = shop.as_person(shop.finance)
    german = {**NEW, "country": "DE"}
    await finance.post(RATES, json=german)
    refused = await finance.post(RATES, json={**german, "percent": "19"})
    assert (refused.status_code, refused.json()["code"]) == (409, "tax_rate_overlaps")
    assert (await finance.get(RATES, params={"country": "DE"})).json()["total"] == 1


@pytest.mark.parametrize(("change", "field", "code"), [
    ({"percent": 20}, "percent", "invalid"),
    ({"percent": "2e1"}, "percent", "not_a_decimal_string"),
    ({"percent": "120"}, "percent", "out_of_range"),
    ({"percent": "0"}, "category", "invalid"),
    ({"country": "XX"}, "country", "unknown_country"),
    ({"category": "Q"}, "category", "invalid"),
    ({"valid_from": "yesterday"}, "valid_from", "invalid"),
    ({"valid_until": "2013-01-01"}, "valid_until", "ends_before_start"),
    ({"source": ""}, "source", "invalid_text"),
    ({"colour": "red"}, "colour", "unknown_field"),
])  # fmt: skip
async def test_a_bad_rate_is_refused_by_field(
    shop: "Shop", change: Json, field: str, code: str
) -> None:
    refused = await shop.as_person(shop.finance).post(RATES, json={**NEW, **change})
    assert refused.status_code == 422, refused.text
    assert [(one["field"], one["code"]) for one in refused.json()["errors"]] == [(field, code)]


async def test_support_reads_and_does_not_write(shop: "Shop") -> None:
    support = shop.as_person(shop.support)
    assert (await support.post(RATES, json=NEW)).status_code == 403


async def test_a_day_that_is_none_is_refused(shop: "Shop") -> None:
    answer = await shop.as_person(shop.support).get(RATES, params={"on": "2026-02-30"})
    assert answer.status_code == 422


async def test_what_holds_for_an_account_is_shown_with_its_reason(shop: "Shop") -> None:
    finance = shop.as_person(shop.finance)
    tenant = await shop.tenant()
    at = f"{ACCOUNTS}/{tenant.id}"
    plain = (await finance.get(f"{at}/taxes")).json()
    assert (plain["taxes"], plain["problem"], plain["exemptions"]) == ([], None, [])
    told = {"reason": "Embassy", "certificate": "7", "valid_from": "2026-01-01"}
    made = await finance.post(f"{at}/tax-exemptions", json=told)
    assert made.status_code == 201, made.text
    shown = (await finance.get(f"{at}/taxes")).json()["exemptions"]
    assert [(one["reason"], one["certificate"]) for one in shown] == [("Embassy", "7")]
    end = f"{at}/tax-exemptions/{made.json()['id']}/end"
    ended = await finance.post(end, json={"valid_until": "2026-06-01"})
    assert ended.json()["valid_until"] == "2026-06-01"
    assert (await finance.post(end, json={"valid_until": "2026-07-01"})).status_code == 409
    region = await finance.post(f"{at}/tax-exemptions", json={**told, "region": "NY"})
    assert region.status_code == 422
