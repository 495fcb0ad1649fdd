"""Who asks: each way of signing in, each way of failing at it, and the account it is about."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tallystick.accounts import keys, users
from tallystick.accounts import service as accounts
from tallystick.accounts.tokens import csrf_token
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER

if TYPE_CHECKING:
    from tests.api.conftest import Person, Shop

BILLING = "/api/v1/billing"
PLANS = f"{BILLING}/plans"
AUTOPAY = f"{BILLING}/autopay"
SECRET = "a secret of the issuer, 32 bytes or more"
PASSWORD = "correct horse battery staple"


def token_for(person: "Person", **changes: Any) -> str:
    """A token of the issuer; a change of None leaves the claim out."""
    now = int(time.time())
    claims = {
        "sub": person.external_id,
        "iss": "https://issuer.example",
        "aud": "tallystick",
        "iat": now,
        "exp": now + 300,
        **{name: value for name, value in changes.items() if name not in {"key", "algorithm"}},
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, changes.get("key", SECRET), changes.get("algorithm", "HS256"))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


Way = Callable[["Shop", "Person"], Mapping[str, str]]
WAYS: dict[str, Way] = {
    "jwt": lambda _, person: bearer(token_for(person)),
    "session and jwt": lambda _, person: {
        "X-SESSION-ID": person.session,
        **bearer(token_for(person)),
    },
    "session twice": lambda _, person: {"X-SESSION-ID": person.session, **bearer(person.session)},
    "session cookie": lambda _, person: {"Cookie": f"session_token={person.session}"},
    "jwt cookie": lambda _, person: {"Cookie": f"access_token={token_for(person)}"},
    "jwt of our own id": lambda _, person: bearer(token_for(person, sub=person.id)),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_signing_in_reads_the_own_account(shop: "Shop", way: str) -> None:
    headers = WAYS[way](shop, shop.acme.member)
    answer = await shop.anybody.get(f"{BILLING}/subscription", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["tier"] == "free"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_key_signs_in_a_machine(shop: "Shop", scheme: str) -> None:
    key = shop.acme.keys["billing:read"]
    answer = await shop.anybody.get(PLANS, headers={"Authorization": f"{scheme} {key}"})
    assert answer.status_code == 200, answer.text


async def test_nobody_is_asked_to_sign_in(shop: "Shop") -> None:
    shop.refused(await shop.anybody.get(PLANS), 401, "not_signed_in")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": ""}, "not_signed_in"),
        ({"Authorization": "Bearer"}, "not_signed_in"),
        ({"Authorization": "Bearer  "}, "not_signed_in"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, "not_signed_in"),
        ({"Authorization": "Bearer tsk_" + "a" * 52}, "invalid_api_key"),
        ({"Authorization": "Bearer tsk_" + "a" * 5000}, "invalid_api_key"),
        ({"Authorization": "Bearer tsk_"}, "invalid_api_key"),
        ({"Authorization": "Bearer a.b.c"}, "invalid_token"),
        ({"Authorization": "Bearer " + "a" * 9000}, "invalid_token"),
        ({"X-SESSION-ID": "tss_x"}, "not_signed_in"),
        ({"X-SESSION-ID": "tss_x", "Authorization": "Bearer tss_x"}, "invalid_session"),
        ({"Cookie": "session_token=tss_x"}, "invalid_session"),
        ({"Cookie": "session_token=" + "x" * 6000}, "invalid_session"),
        ({"Cookie": "access_token=x"}, "invalid_token"),
        ({"Cookie": "session_token="}, "not_signed_in"),
        ({"Cookie": 'a=b; ;;=; "quote'}, "not_signed_in"),
    ],
)
async def test_a_credential_that_is_none_is_401(
    shop: "Shop", headers: dict[str, str], code: str
) -> None:
    shop.refused(await shop.anybody.get(PLANS, headers=headers), 401, code)


async def test_bytes_that_are_no_text_are_no_credential(shop: "Shop") -> None:
    answer = await shop.anybody.get(PLANS, headers={b"Authorization": b"Bearer \xff\xfe\x80"})
    shop.refused(answer, 401, "invalid_token")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"sub": "nobody"},
        {"key": "another secret of 32 bytes or more!!"},
        {"algorithm": "HS384"},
        {"key": None, "algorithm": "none"},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["header", "cookie", "pair"])
async def test_a_token_that_fails_a_check_is_401(
    shop: "Shop", changes: dict[str, Any], place: str
) -> None:
    person = shop.acme.member
    token = token_for(person, **changes)
    headers = {
        "header": bearer(token),
        "cookie": {"Cookie": f"access_token={token}"},
        "pair": {"X-SESSION-ID": person.session, **bearer(token)},
    }[place]
    answer = await shop.anybody.get(PLANS, headers=headers)
    code = "session_mismatch" if place == "pair" and changes == {"sub": "nobody"} else None
    shop.refused(answer, 401, code or "invalid_token")


async def test_a_session_and_a_token_of_two_people_are_nobody(shop: "Shop") -> None:
    acme, globex = shop.acme.member, shop.globex.member
    headers = {"X-SESSION-ID": acme.session, **bearer(token_for(globex))}
    shop.refused(await shop.anybody.get(PLANS, headers=headers), 401, "session_mismatch")
    headers = {"X-SESSION-ID": acme.session, **bearer(globex.session)}
    shop.refused(await shop.anybody.get(PLANS, headers=headers), 401, "session_mismatch")


async def test_a_bad_header_is_not_made_up_for_by_a_good_cookie(shop: "Shop") -> None:
    cookie = {"Cookie": f"session_token={shop.acme.owner.session}"}
    answer = await shop.anybody.get(PLANS, headers={**bearer("tsk_" + "a" * 52), **cookie})
    shop.refused(answer, 401, "invalid_api_key")


async def test_a_key_beside_a_session_id_is_no_pair(shop: "Shop") -> None:
    headers = {
        "X-SESSION-ID": shop.acme.owner.session,
        **bearer(shop.acme.keys["billing:read"]),
    }
    assert (await shop.anybody.get(PLANS, headers=headers)).status_code == 401


async def test_a_session_ends_after_fourteen_days(shop: "Shop") -> None:
    person = await shop.member(shop.acme.account, "Late", "member")
    client = shop.as_person(person)
    try:
        shop.wall.ahead = timedelta(days=14, seconds=-60)
        assert (await client.get(PLANS)).status_code == 200
        shop.wall.ahead = timedelta(days=14)
        shop.refused(await client.get(PLANS), 401, "invalid_session")
    finally:
        shop.wall.ahead = timedelta()


async def test_signing_in_on_the_page_gives_a_cookie_and_signing_out_ends_it(shop: "Shop") -> None:
    person = await shop.member(shop.acme.account, "Cookie", "owner")
    browser = shop.client()
    entered = await browser.post("/sign-in", data={"email": person.email, "password": PASSWORD})
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert all(part in cookie.lower() for part in ("httponly", "samesite=lax", "path=/"))
    token = entered.cookies["session_token"]
    headers = {"Cookie": f"session_token={token}"}
    assert (await shop.anybody.get(PLANS, headers=headers)).status_code == 200
    left = await shop.anybody.post(
        "/sign-out", data={"csrf_token": csrf_token(token)}, headers=headers
    )
    assert left.status_code == 303
    shop.refused(await shop.anybody.get(PLANS, headers=headers), 401, "invalid_session")


async def test_a_wrong_password_gives_no_cookie(shop: "Shop") -> None:
    for email in (shop.acme.owner.email, "nobody@example.com"):
        answer = await shop.client().post(
            "/sign-in", data={"email": email, "password": "wrong one"}
        )
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


async def test_a_revoked_key_ends_at_once_and_for_good(shop: "Shop") -> None:
    async with shop.db.transaction(WRITER) as conn:
        key, secret = await keys.create_api_key(
            conn, shop.acme.account.account_id, name="x", scopes=["billing:read"], now=shop.wall()
        )
    client = shop.with_key(secret)
    assert (await client.get(PLANS)).status_code == 200
    admin = shop.with_key(shop.house_keys["admin"])
    shown = ids.show("api_key", key.api_key_id)
    for _ in range(2):
        revoked = await admin.post(f"/api/v1/admin/api-keys/{shown}/revoke")
        assert revoked.status_code == 200
        assert revoked.json()["revoked_at"]
    shop.refused(await client.get(PLANS), 401, "invalid_api_key")


async def test_a_disabled_person_is_let_in_no_way(shop: "Shop") -> None:
    person = await shop.member(shop.acme.account, "Gone", "owner")
    async with shop.db.transaction(WRITER) as conn:
        await users.disable_user(conn, ids.parse("user", person.id), shop.wall())
    for way in WAYS.values():
        answer = await shop.anybody.get(PLANS, headers=way(shop, person))
        assert answer.status_code == 401, answer.text
    page = await shop.client().post("/sign-in", data={"email": person.email, "password": PASSWORD})
    assert page.status_code == 401


async def test_a_new_password_ends_every_session(shop: "Shop") -> None:
    person = await shop.member(shop.acme.account, "New", "owner")
    kept = await shop.services.passwords.hash("another password")
    async with shop.db.transaction(WRITER) as conn:
        await users.set_password(conn, ids.parse("user", person.id), kept, shop.wall())
    shop.refused(await shop.as_person(person).get(PLANS), 401, "invalid_session")


# -- roles and scopes --


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("usage:write", PLANS, 403),
        ("credits:write", PLANS, 403),
        ("billing:read", PLANS, 200),
        ("billing:write", PLANS, 200),
    ],
)
async def test_a_key_reads_what_its_scope_says(
    shop: "Shop", scope: str, path: str, status: int
) -> None:
    keys_of: Mapping[str, str] = {str(name): key for name, key in shop.acme.keys.items()}
    answer = await shop.with_key(keys_of[scope]).get(path)
    if status == 403:
        shop.refused(answer, 403, "not_allowed")
    assert answer.status_code == status


async def test_a_member_reads_and_an_owner_decides(shop: "Shop") -> None:
    member, owner = shop.as_person(shop.acme.member), shop.as_person(shop.acme.owner)
    assert (await member.get(f"{BILLING}/settings")).status_code == 200
    shop.refused(await member.post(AUTOPAY, json={"enabled": False}), 403, "not_allowed")
    assert (await owner.post(AUTOPAY, json={"enabled": False})).status_code == 200


async def test_neither_members_nor_owners_nor_their_keys_are_staff(shop: "Shop") -> None:
    clients = [
        shop.as_person(shop.acme.member),
        shop.as_person(shop.acme.owner),
        *(shop.with_key(key) for key in shop.acme.keys.values()),
        *(shop.with_key(key) for scope, key in shop.house_keys.items() if scope != "admin"),
    ]
    for client in clients:
        shop.refused(await client.get("/api/v1/admin/accounts"), 403, "not_allowed")
        shop.refused(await client.get("/api/v1/admin/audit"), 403, "not_allowed")


async def test_support_reads_finance_decides_admin_does_all(shop: "Shop") -> None:
    new = {"name": "A", "email": "a@example.com", "currency": "USD", "country": "US"}
    allowed = {"support": (200, 403, 403), "finance": (200, 200, 403), "admin": (200, 200, 201)}
    for name, wanted in allowed.items():
        client = shop.as_person(
            {"support": shop.support, "finance": shop.finance}.get(name, shop.admin)
        )
        answers = (
            await client.get("/api/v1/admin/accounts"),
            await client.get("/api/v1/admin/payments/pending"),
            await client.post("/api/v1/admin/accounts", json=new),
        )
        assert tuple(answer.status_code for answer in answers) == wanted, name


# -- the account --


async def test_a_person_of_one_account_need_not_name_it(shop: "Shop") -> None:
    client = shop.as_person(shop.acme.owner)
    for named in (None, shop.acme.id, shop.acme.account.external_id):
        headers = {"X-Account-Id": named} if named else {}
        assert (await client.get(f"{BILLING}/settings", headers=headers)).status_code == 200


@pytest.mark.parametrize("who", ["owner", "key"])
async def test_another_account_named_is_unknown(shop: "Shop", who: str) -> None:
    client = (
        shop.as_person(shop.acme.owner)
        if who == "owner"
        else shop.with_key(shop.acme.keys["billing:read"])
    )
    assert shop.globex.account.external_id is not None
    names = [shop.globex.id, shop.globex.account.external_id, "acct_x", "", "a\x7fb", "ä" * 300]
    for name in names:
        answer = await client.get(PLANS, headers={b"X-Account-Id": name.encode("latin-1")})
        shop.refused(answer, 404, "account_not_found")


async def test_a_person_of_two_accounts_names_one(shop: "Shop") -> None:
    both = await shop.member(shop.acme.account, "Both", "owner")
    async with shop.db.transaction(WRITER) as conn:
        await accounts.add_member(
            conn, shop.globex.account.account_id, ids.parse("user", both.id), "member", shop.wall()
        )
    client = shop.as_person(both)
    shop.refused(await client.get(PLANS), 400, "account_required")
    for tenant, status in ((shop.acme, 200), (shop.globex, 403)):
        headers = {"X-Account-Id": tenant.id}
        assert (await client.get(PLANS, headers=headers)).status_code == 200
        answer = await client.post(AUTOPAY, json={"enabled": False}, headers=headers)
        assert answer.status_code == status


async def test_staff_and_the_business_name_any_account_and_must(shop: "Shop") -> None:
    for client in (shop.as_person(shop.support), shop.with_key(shop.house_keys["billing:read"])):
        shop.refused(await client.get(PLANS), 400, "account_required")
        for tenant in (shop.acme, shop.globex):
            answer = await client.get(PLANS, headers={"X-Account-Id": tenant.id})
            assert answer.status_code == 200
        answer = await client.get(PLANS, headers={"X-Account-Id": ids.show("account", ids.HOUSE)})
        shop.refused(answer, 404, "account_not_found")


# -- CSRF --


@pytest.mark.parametrize("way", ["session cookie", "jwt cookie"])
async def test_a_cookie_alone_changes_nothing(shop: "Shop", way: str) -> None:
    owner = shop.acme.owner
    headers = dict(WAYS[way](shop, owner))
    secret = headers["Cookie"].partition("=")[2]
    before = await shop.counts()
    bad = [None, "", "x", csrf_token(secret + "x"), csrf_token(shop.globex.owner.session), "ä"]
    for token in bad:
        sent = headers if token is None else {**headers, "X-CSRF-Token": token}
        raw = {name.encode(): text.encode("latin-1") for name, text in sent.items()}
        answer = await shop.anybody.post(AUTOPAY, json={"enabled": True}, headers=raw)
        shop.refused(answer, 403, "csrf_token_invalid")
    assert await shop.counts() == before
    good = {**headers, "X-CSRF-Token": csrf_token(secret)}
    answer = await shop.anybody.post(AUTOPAY, json={"enabled": False}, headers=good)
    assert answer.status_code == 200, answer.text


async def test_a_cookie_reads_without_a_csrf_token(shop: "Shop") -> None:
    headers = WAYS["session cookie"](shop, shop.acme.owner)
    assert (await shop.anybody.get(PLANS, headers=headers)).status_code == 200


@pytest.mark.parametrize("way", ["jwt", "session and jwt", "session twice"])
async def test_credentials_in_headers_need_no_csrf_token(shop: "Shop", way: str) -> None:
    headers = WAYS[way](shop, shop.acme.owner)
    answer = await shop.anybody.post(AUTOPAY, json={"enabled": False}, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_a_page_of_another_site_can_not_use_a_form(shop: "Shop") -> None:
    headers = WAYS["session cookie"](shop, shop.acme.owner)
    answer = await shop.anybody.post(AUTOPAY, data={"enabled": "true"}, headers=headers)
    shop.refused(answer, 403, "csrf_token_invalid")


async def test_the_csrf_token_in_a_form_counts_on_pages_alone(shop: "Shop") -> None:
    owner = shop.acme.owner
    answer = await shop.anybody.post(
        AUTOPAY,
        data={"enabled": "true", "csrf_token": csrf_token(owner.session)},
        headers=WAYS["session cookie"](shop, owner),
    )
    shop.refused(answer, 403, "csrf_token_invalid")
