"""For staff over HTTP: accounts, people, keys, clocks, the audit."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tallystick.kernel.ids import show

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
ADMIN = "/api/v1/admin"
ACCOUNTS = f"{ADMIN}/accounts"
NEW: Json = {"name": "Initech", "email": "a@example.com", "currency": "usd", "country": "us"}


@pytest.fixture
def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.admin)


# -- accounts --


async def test_an_account_is_made_read_found_and_changed(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    full = {
        **NEW,
        "timezone": "Europe/Paris",
        "locale": "fr-FR",
        "external_id": "crm-42",
        "address": ["1 rue de la Paix", "75002 Paris"],
        "region": "NY",
        "city": "Albany",
        "postal_code": "12084",
        "tax_number": "FR123",
        "tax_name": "TVA",
        "tax_percent": "20",
        "payment_due_days": 30,
    }
    made = await admin.post(ACCOUNTS, json=full)
    assert made.status_code == 201, made.text
    account = made.json()
    assert {name: account[name] for name in full} == {**full, "country": "US"}
    assert (account["autopay"], account["test_clock"]) == (False, None)
    at = f"{ACCOUNTS}/{account['id']}"
    support = shop.as_person(shop.support)
    assert (await support.get(at)).json() == account
    found = (await support.get(ACCOUNTS, params={"search": "crm-42"})).json()
    assert [one["id"] for one in found["accounts"]] == [account["id"]]
    change: Json = {"name": "Initrode", "address": [], "tax_name": None, "tax_percent": None}
    changed = await admin.patch(at, json=change)
    assert changed.status_code == 200, changed.text
    assert changed.json() == {**account, **change}
    assert (await admin.patch(at, json={})).json() == changed.json()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": ""}, "name", "invalid_length"),
        ({"name": " "}, "name", "invalid_length"),
        ({"name": "x" * 201}, "name", "invalid_length"),
        ({"name": "a\nb"}, "name", "invalid_length"),
        ({"name": "a\u202eb"}, "name", "invalid_length"),
        ({"name": "a\0"}, "name", "control_character"),
        ({"name": 1}, "name", "invalid"),
        ({"name": None}, "name", "invalid"),
        ({"email": "x"}, "email", "invalid_email"),
        ({"email": "a@b@c"}, "email", "invalid_email"),
        ({"email": "a @b"}, "email", "invalid_email"),
        ({"email": "a@" + "b" * 300}, "email", "invalid_email"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"currency": "US"}, "currency", "unknown_currency"),
        ({"currency": "XAU"}, "currency", "unknown_currency"),
        ({"country": "XX"}, "country", "unknown_country"),
        ({"country": "USA"}, "country", "unknown_country"),
        ({"timezone": "Mars/Olympus"}, "timezone", "unknown_timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone", "unknown_timezone"),
        ({"timezone": ""}, "timezone", "unknown_timezone"),
        ({"locale": "xx-YY-zz"}, "locale", "unknown_locale"),
        ({"external_id": ""}, "external_id", "invalid_external_id"),
        ({"external_id": "acct_1"}, "external_id", "invalid_external_id"),
        ({"external_id": " a"}, "external_id", "invalid_external_id"),
        ({"address": ["x"] * 9}, "address", "invalid_address"),
        ({"address": [""]}, "address", "invalid_address"),
        ({"address": "x"}, "address", "invalid"),
        ({"region": "Québec"}, "region", "unknown_region"),
        ({"city": ""}, "city", "invalid_length"),
        ({"postal_code": "1" * 33}, "postal_code", "invalid_length"),
        ({"tax_name": "VAT"}, "tax_percent", "invalid_tax"),
        ({"tax_percent": "20"}, "tax_percent", "invalid_tax"),
        ({"tax_name": "VAT", "tax_percent": "101"}, "tax_percent", "invalid_tax"),
        ({"tax_name": "VAT", "tax_percent": "-1"}, "tax_percent", "invalid_tax"),
        ({"tax_name": "VAT", "tax_percent": "NaN"}, "tax_percent", "invalid_tax"),
        ({"tax_name": "VAT", "tax_percent": "1e1"}, "tax_percent", "invalid_tax"),
        ({"tax_name": "VAT", "tax_percent": "1e-99999"}, "tax_percent", "invalid_tax"),
        ({"tax_name": "VAT", "tax_percent": 20}, "tax_percent", "invalid"),
        ({"payment_due_days": -1}, "payment_due_days", "out_of_range"),
        ({"payment_due_days": 366}, "payment_due_days", "out_of_range"),
        ({"payment_due_days": 10**30}, "payment_due_days", "out_of_range"),
        ({"payment_due_days": "14"}, "payment_due_days", "invalid"),
        ({"minimum_amount_cents": -1}, "minimum_amount_cents", "out_of_range"),
        ({"test_clock_id": "x"}, "test_clock_id", "unknown_field"),
        ({"id": "acct_x"}, "id", "unknown_field"),
    ],
    ids=str,
)
async def test_a_field_that_can_not_be_is_named(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str, code: str
) -> None:
    before = await shop.counts()
    answer = await admin.post(ACCOUNTS, json={**NEW, **change})
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]
    if field != "currency":
        answer = await admin.patch(f"{ACCOUNTS}/{shop.acme.id}", json=change)
        assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]
    assert await shop.counts() == before


async def test_all_wrong_fields_are_named_at_once(shop: "Shop", admin: httpx.AsyncClient) -> None:
    wrong = {"name": "", "email": "x", "currency": "X", "country": "X"}
    answer = await admin.post(ACCOUNTS, json=wrong)
    problem = shop.refused(answer, 422, "validation_failed")
    assert [field for field, _ in shop.fields(problem)] == ["name", "email", "currency", "country"]


async def test_an_external_id_names_one_account(shop: "Shop", admin: httpx.AsyncClient) -> None:
    taken = shop.acme.account.external_id
    before = await shop.counts()
    answer = await admin.post(ACCOUNTS, json={**NEW, "external_id": taken})
    shop.refused(answer, 409, "external_id_taken")
    answer = await admin.patch(f"{ACCOUNTS}/{shop.globex.id}", json={"external_id": taken})
    shop.refused(answer, 409, "external_id_taken")
    assert await shop.counts() == before


async def test_the_currency_of_an_account_never_changes(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    answer = await admin.patch(f"{ACCOUNTS}/{shop.acme.id}", json={"currency": "eur"})
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("currency", "unknown_field")]


# -- people --


async def test_a_new_person_signs_in_and_reads(shop: "Shop", admin: httpx.AsyncClient) -> None:
    tenant = await shop.tenant()
    new = {"email": "Nora@Example.com", "name": "Nora", "role": "owner", "password": "long enough"}
    made = await admin.post(f"{ACCOUNTS}/{tenant.id}/members", json=new)
    assert made.status_code == 201, made.text
    assert (made.json()["email"], made.json()["role"]) == ("nora@example.com", "owner")
    assert "long enough" not in made.text
    form = {"email": "nora@example.com", "password": "long enough"}
    entered = await shop.client().post("/sign-in", data=form)
    assert entered.status_code == 303
    cookie = {"Cookie": f"session_token={entered.cookies['session_token']}"}
    answer = await shop.anybody.get("/api/v1/billing/settings", headers=cookie)
    assert answer.status_code == 200


async def test_a_known_person_joins_and_keeps_the_password(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    owner = shop.acme.owner
    other = await shop.tenant()
    joined = await admin.post(
        f"{ACCOUNTS}/{other.id}/members",
        json={"email": owner.email, "name": "Somebody Else", "password": "another password"},
    )
    assert (joined.status_code, joined.json()["id"]) == (201, owner.id)
    assert joined.json()["role"] == "member"
    for password, status in (("another password", 401), ("correct horse battery staple", 303)):
        form = {"email": owner.email, "password": password}
        assert (await shop.client().post("/sign-in", data=form)).status_code == status


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "x"}, "email"),
        ({"email": "a\0@b"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 2000}, "password"),
        ({"role": "admin"}, "role"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"staff_role": "admin"}, "staff_role"),
    ],
    ids=str,
)
async def test_a_person_that_can_not_be_is_refused(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str
) -> None:
    before = await shop.counts()
    body = {"email": "new@example.com", "name": "New", **change}
    answer = await admin.post(f"{ACCOUNTS}/{shop.acme.id}/members", json=body)
    problem = shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == [field]
    assert await shop.counts() == before


# -- keys --


async def test_a_keys_secret_is_shown_once(shop: "Shop", admin: httpx.AsyncClient) -> None:
    new = {"name": "ci", "scopes": ["billing:read", "billing:read"], "account": shop.acme.id}
    made = await admin.post(f"{ADMIN}/api-keys", json=new)
    assert made.status_code == 201, made.text
    key = made.json()
    assert key["scopes"] == ["billing:read"]
    assert key["secret"].startswith("tsk_")
    assert key["secret"].endswith(key["last_four"])
    answer = await shop.with_key(key["secret"]).get("/api/v1/billing/plans")
    assert answer.status_code == 200
    listed = await admin.get(f"{ADMIN}/api-keys", params={"limit": 100})
    assert key["secret"] not in listed.text
    assert "secret" not in listed.json()["api_keys"][0]
    audit = await admin.get(f"{ADMIN}/audit", params={"limit": 100})
    assert key["secret"] not in audit.text
    rows = await shop.rows("SELECT * FROM api_keys")
    assert not any(key["secret"] in str(dict(row)) for row in rows)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes[0]"),
        ({"scopes": "admin"}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
    ],
    ids=str,
)
async def test_a_key_that_can_not_be_is_refused(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str
) -> None:
    before = await shop.counts()
    answer = await admin.post(
        f"{ADMIN}/api-keys", json={"name": "k", "scopes": ["billing:read"], **change}
    )
    problem = shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == [field]
    assert await shop.counts() == before


async def test_a_key_of_an_account_never_rules_the_business(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    before = await shop.counts()
    new = {"name": "k", "scopes": ["admin"], "account": shop.acme.id}
    answer = await admin.post(f"{ADMIN}/api-keys", json=new)
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("scopes", "admin_needs_installation")]
    nowhere = {**new, "scopes": ["billing:read"], "account": f"acct_{'0' * 26}"}
    answer = await admin.post(f"{ADMIN}/api-keys", json=nowhere)
    shop.refused(answer, 404, "account_not_found")
    assert await shop.counts() == before


# -- test clocks --


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"now": "2026-01-01T00:00:00"}, "now"),
        ({"now": "2026-01-01"}, "now"),
        ({"now": 0}, "now"),
        ({"now": "1999-12-31T23:59:59Z"}, "now"),
        ({"now": "2200-01-01T00:00:00Z"}, "now"),
        ({"now": "0001-01-01T00:00:00+14:00"}, "now"),
        ({"now": "9999-12-31T23:59:59-14:00"}, "now"),
        ({"name": ""}, "name"),
        ({"name": "a\0"}, "name"),
        ({"accounts": ["x"] * 101}, "accounts"),
    ],
    ids=str,
)
async def test_a_clock_that_can_not_be_is_refused(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str
) -> None:
    before = await shop.counts()
    new = {"name": "c", "now": "2026-01-01T00:00:00Z", **change}
    answer = await admin.post(f"{ADMIN}/test-clocks", json=new)
    problem = shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == [field]
    assert await shop.counts() == before


async def test_a_clock_for_an_account_that_is_not_there_is_not_made(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    before = await shop.counts()
    accounts = [shop.acme.id, f"acct_{'0' * 26}"]
    new = {"name": "c", "now": "2026-01-01T00:00:00Z", "accounts": accounts}
    answer = await admin.post(f"{ADMIN}/test-clocks", json=new)
    shop.refused(answer, 404, "account_not_found")
    assert await shop.counts() == before


@pytest.mark.parametrize("to", ["9999-12-31T23:59:59-14:00", "2200-01-01T00:00:00Z", "x", 1, None])
async def test_a_clock_goes_no_further_than_two_hundred_years(
    shop: "Shop", admin: httpx.AsyncClient, to: object
) -> None:
    new = {"name": "c", "now": "2026-01-01T00:00:00Z"}
    clock = (await admin.post(f"{ADMIN}/test-clocks", json=new)).json()
    answer = await admin.post(f"{ADMIN}/test-clocks/{clock['id']}/advance", json={"to": to})
    problem = shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == ["to"]


async def test_a_clock_is_listed_with_its_accounts_advanced_and_deleted(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    account = await shop.account(name="Traveller")
    name = show("account", account.account_id)
    new = {"name": "c", "now": "2026-01-01T00:00:00Z"}
    clock = (await admin.post(f"{ADMIN}/test-clocks", json=new)).json()
    path = f"{ADMIN}/test-clocks/{clock['id']}"
    attached = await admin.post(f"{path}/accounts", json={"accounts": [name]})
    assert (attached.status_code, attached.json()["account_count"]) == (200, 1)
    (listed,) = (await admin.get(f"{path}/accounts")).json()["accounts"]
    assert (listed["id"], listed["test_clock"]) == (name, clock["id"])
    moving = await admin.post(f"{path}/advance", json={"to": "2026-01-11T00:00:00Z"})
    assert moving.json()["progress"] == {
        "started_from": "2026-01-01T00:00:00Z", "percent": 0, "work_count": 0,
    }  # fmt: skip
    again = await admin.post(f"{path}/advance", json={"to": "2026-01-12T00:00:00Z"})
    shop.refused(again, 409, "test_clock_advancing")
    shop.refused(await admin.delete(path), 409, "test_clock_advancing")
    await shop.work()
    newest = (await admin.get(f"{ADMIN}/test-clocks?limit=1")).json()["test_clocks"][0]
    assert (newest["id"], newest["status"], newest["progress"]["percent"]) == (
        clock["id"], "ready", 100,
    )  # fmt: skip
    assert newest["now"] == "2026-01-11T00:00:00Z"
    assert (await admin.delete(f"{path}/accounts/{name}")).status_code == 204
    assert (await admin.get(path)).json()["account_count"] == 0
    assert (await admin.delete(path)).status_code == 204
    shop.refused(await admin.get(path), 404, "test_clock_not_found")


# -- the audit --


async def test_the_audit_says_who_changed_what_without_any_secret(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    tenant = await shop.tenant()
    changed = await admin.patch(f"{ACCOUNTS}/{tenant.id}", json={"name": "Renamed"})
    answer = await shop.as_person(shop.support).get(
        f"{ADMIN}/audit", params={"account_id": tenant.id, "limit": 1}
    )
    (entry,) = answer.json()["entries"]
    assert (entry["table"], entry["action"]) == ("accounts", "UPDATE")
    assert (entry["actor_kind"], entry["actor"]) == ("user", shop.admin.id)
    assert entry["request_id"] == changed.headers["x-request-id"]
    assert entry["before"]["name"] != entry["after"]["name"] == "Renamed"
    whole = await shop.as_person(shop.support).get(f"{ADMIN}/audit", params={"limit": 100})
    for secret in ("password_hash", "token_hash", "key_hash", "$argon2"):
        assert secret not in whole.text


async def test_reading_leaves_nothing_in_the_audit(shop: "Shop", admin: httpx.AsyncClient) -> None:
    before = (await shop.counts())["billing_audit"]
    for path in (ACCOUNTS, f"{ADMIN}/audit", f"{ADMIN}/api-keys", "/api/v1/meters"):
        assert (await admin.get(path, headers={"X-Account-Id": shop.acme.id})).status_code == 200
    assert (await shop.counts())["billing_audit"] == before
