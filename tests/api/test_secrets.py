"""A whole story, with server and worker as processes that log all they can: no secret is in it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import msgspec
import pytest

if TYPE_CHECKING:
    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
CARD = "4242424242424242"
PASSWORD = "correct horse battery staple"
CHOSEN = "a chosen password 4711"
JWT_SECRET = "a secret of the issuer, 32 bytes or more"
WEBHOOK_SECRET = "whsec_tallystick_0123456789"
STRIPE_KEY = "sk_test_tallystick_0123456789"
WAIT_S = 30.0


class Told(msgspec.Struct, frozen=True):
    """A running installation, where it writes to, and every secret that the story meets."""

    url: str
    log: Path
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


def environment(settings: "Settings", dsn: str, port: int) -> Mapping[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": "/nowhere",
        "DATABASE_URL": dsn,
        "TALLYSTICK_PORT": str(port),
        "TALLYSTICK_LOG_LEVEL": "DEBUG",
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_PUBLISHABLE_KEY": "pk_test_tallystick",
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_BASE_URL": settings.stripe_base_url,
        "STRIPE_JS_URL": settings.stripe_js_url,
        "TALLYSTICK_JWT_SECRET": JWT_SECRET,
        "TALLYSTICK_JWT_ISSUER": "https://issuer.example",
        "TALLYSTICK_JWT_AUDIENCE": "tallystick",
    }


@pytest.fixture
def told(
    settings: "Settings",
    shop: "Shop",
    module_dsn: str,
    listener: socket.socket,
    tmp_path: Path,
) -> Iterator[Told]:
    """Server and worker on the module's database; the simulator's webhooks go to the server."""
    port = listener.getsockname()[1]
    listener.close()  # the server takes the port that the simulator was told of
    log = tmp_path / "all.log"
    with log.open("wb") as out:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "tallystick", command],
                env=environment(settings, module_dsn, port),
                stdout=out,
                stderr=out,
            )
            for command in ("serve", "worker")
        ]
        secrets = {
            "Stripe's key": STRIPE_KEY,
            "the webhooks' secret": WEBHOOK_SECRET,
            "the tokens' secret": JWT_SECRET,
            "a card's number": CARD,
            "a password": PASSWORD,
            "a chosen password": CHOSEN,
            **{f"key {scope}": key for scope, key in shop.house_keys.items()},
        }
        yield Told(f"http://127.0.0.1:{port}", log, secrets)
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=20)


async def until(client: httpx.AsyncClient, path: str, name: str) -> Json:
    """Ask until there is one in the list of this name, or the server answers at all."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        try:
            answer = await client.get(path)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == 200 and answer.json()[name]:
            found: Json = answer.json()
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} has no {name}")


async def ask_wrongly(client: httpx.AsyncClient, told: Told, tenant: "Tenant") -> None:
    """Send secrets where they do not belong."""
    token = jwt.encode({"sub": "x"}, "another secret, which is none of ours")
    told.secrets["a token that is not taken"] = token
    bad = "tsk_" + "b" * 52
    told.secrets["a key that is none"] = bad
    for credential in (token, bad, "tss_" + "c" * 52):
        headers = {"Authorization": f"Bearer {credential}"}
        assert (await client.get(f"{BILLING}/plans", headers=headers)).status_code == 401
    owner = {"Authorization": f"Bearer {tenant.keys['billing:write']}"}
    for body in (
        {"card_number": CARD},
        {"payment_method_id": CARD},
        {"payment_method_id": STRIPE_KEY},
    ):
        answer = await client.post(f"{BILLING}/payment-methods/default", json=body, headers=owner)
        assert answer.status_code in {404, 422}
    for path in (f"{BILLING}/invoices/{CARD}", f"{BILLING}/invoices?cursor={CARD}", f"/{CARD}"):
        assert (await client.get(path, headers=owner)).status_code in {404, 422}
    form = {"email": tenant.owner.email, "password": CHOSEN}
    assert (await client.post("/sign-in", data=form)).status_code == 401
    hook = await client.post(
        "/api/stripe/webhook",
        content=b'{"client_secret": "seti_1_secret_2abc"}',
        headers={"Stripe-Signature": f"t=1,v1={WEBHOOK_SECRET}"},
    )
    assert hook.status_code == 400
    told.secrets["a client secret in a webhook"] = "seti_1_secret_2abc"


async def sign_in(told: Told, email: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=told.url, trust_env=False)
    answer = await client.post("/sign-in", data={"email": email, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    session = answer.cookies["session_token"]
    told.secrets[f"session of {email}"] = session
    page = await client.get("/billing/usage")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert token
    told.secrets[f"CSRF token of {email}"] = token
    client.headers["X-CSRF-Token"] = token
    return client


async def save_card(owner: httpx.AsyncClient, told: Told, stripe: "Stripe") -> None:
    begun = await owner.post(f"{BILLING}/setup-intent/card", json={})
    assert begun.status_code == 201, begun.text
    secret = begun.json()["client_secret"]
    told.secrets["the form's client secret"] = secret
    await asyncio.to_thread(
        stripe.page,
        f"/v1/setup_intents/{secret.partition('_secret_')[0]}/confirm",
        client_secret=secret,
        payment_method="pm_card_visa",
    )
    await until(owner, f"{BILLING}/payment-methods", "payment_methods")


async def let_in(admin: httpx.AsyncClient, told: Told, tenant: "Tenant") -> None:
    """Make a key and a person, whose secrets are in a request and in an answer."""
    new = {"name": "ci", "scopes": ["billing:read"], "account": tenant.id}
    made = await admin.post(
        "/api/v1/admin/api-keys", json=new, headers={"Idempotency-Key": "key-1"}
    )
    assert made.status_code == 201, made.text
    told.secrets["a new key"] = made.json()["secret"]
    person = {"email": "new@example.com", "name": "New", "password": CHOSEN}
    joined = await admin.post(f"/api/v1/admin/accounts/{tenant.id}/members", json=person)
    assert joined.status_code == 201, joined.text


async def test_no_secret_is_ever_logged(shop: "Shop", told: Told, stripe: "Stripe") -> None:
    tenant, invoice = await shop.billed()
    told.secrets.update({f"key {scope} of the account": key for scope, key in tenant.keys.items()})
    anybody = httpx.AsyncClient(base_url=told.url, trust_env=False)
    await until(anybody, "/readyz", "status")
    owner = await sign_in(told, tenant.owner.email)
    await save_card(owner, told, stripe)
    paid = await owner.post(f"{BILLING}/invoices/{invoice['id']}/pay")
    assert paid.json()["status"] == "succeeded", paid.text
    await let_in(await sign_in(told, shop.admin.email), told, tenant)
    await ask_wrongly(anybody, told, tenant)
    await asyncio.to_thread(stripe.arm, "status", status=500, path="/v1/*", times=None)
    refused = await owner.post(f"{BILLING}/setup-intent/card", json={})
    assert refused.status_code == 503
    await asyncio.to_thread(stripe.disarm)
    written = told.log.read_text()
    assert written.count("request_answered") > 15
    assert "webhook_received" in written
    assert "webhook_handled" in written
    assert refused.headers["x-request-id"] in written
    assert "HTTP Request" not in written
    assert stripe.url not in written
    assert tenant.owner.email not in written
    assert [name for name, secret in told.secrets.items() if secret in written] == []
