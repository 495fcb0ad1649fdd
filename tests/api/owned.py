"""Two tenants with one object of each kind that a path can name."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.payments import checkout_store, methods, schedule_store
from tallystick.payments.facts import Receipt
from tallystick.payments.model import Checkout, CheckoutStatus
from tallystick.payments.requests import Card, MethodDescription
from tallystick.payments.schedule_store import Schedule

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0"/></svg>'
WORK: Json = {"description": "Work", "amount_cents": 100}
SINCE: Json = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
LOGO = base64.b64encode(SVG).decode()
BODIES: Mapping[str, Json] = {
    "/cancel": {"at_period_end": True},
    "/subscriptions/{subscription_id}/change": {"quantity": 2},
    "/subscriptions/{subscription_id}": {"invoice_separately": True},
    "/pause": {},
    "/confirm": {"confirmation": "0" * 64},
    "/approve": {"reason": "seen"},
    "/reject": {"reason": "never came"},
    "/dismiss": {"reason": "told them"},
    "/credit-notes": {"reason": "other"},
    "/credit-notes/preview": {"reason": "other"},
    "/made": {"reference": "SEPA 1"},
    "/members": {"email": "new@example.com", "name": "New"},
    "/advance": {"to": "2036-01-01T00:00:00Z"},
    "/accounts/{account_id}": {"name": "Renamed"},
    "/credits/grant": {"credits": "1", "reason": "a gift"},
    "/credits/adjust": {"credits": "1", "reason": "a gift"},
    "/credits/refund": {"idempotency_key": "k", "reason": "sorry"},
    "/credits/settings": {},
    "/limits/{meter_code}/{per}": {"limit": "5", "reason": "as agreed"},
    "/usage/alerts/{rule_id}": {"name": "Renamed"},
    "/budgets/{budget_id}": {"name": "Renamed"},
    "{webhook_endpoint_id}": {"description": "Renamed"},
    "{webhook_endpoint_id}/replay": SINCE,
    "/stripe-meters/meters/{meter_code}": {"event_name": "storage", "reason": "as agreed"},
    "/decision": {"decision": "settled", "reason": "by hand"},
    "/payment-methods/{method_id}": {"label": "Renamed"},
    "/payments/{payment_id}/refund": {"reason": "sorry"},
    "{config_code}": {"gateway": "paypal", "type": "wallet", "name": "PayPal"},
    "/features/{feature_code}": {"name": "Renamed"},
    "/entitlements/{feature_code}": {"value": True, "reason": "as agreed"},
    "/accounts/{account_id}/invoices": {"lines": [WORK]},
    "/accounts/{account_id}/invoices/{invoice_id}": {"memo": "Thanks"},
    "/accounts/{account_id}/invoices/{invoice_id}/lines": {"lines": [WORK]},
    "/accounts/{account_id}/invoices/{invoice_id}/send": {},
    "/accounts/{account_id}/prepaid": {"amount_cents": 1, "reason": "paid ahead"},
    "/void": {"reason": "wrong address", "rebill": False},
    "/write-off": {"reason": "insolvent"},
    "/reopen": {"reason": "they paid"},
    "/tax-exemptions": {"reason": "Embassy", "valid_from": "2026-01-01"},
    "/tax-exemptions/{tax_exemption_id}/end": {"valid_until": "2027-01-01"},
    "/tax-rates/{tax_rate_id}/end": {"valid_until": "2027-01-01"},
    "/issuers/{issuer_id}": {"city": "Berlin"},
    "/issuers/{issuer_id}/logo": {"content": LOGO},
    "/{account_id}/coupons": {"code": "spring", "reason": "sorry"},
    "/{account_id}/add-ons": {"add_on": "help", "reason": "sorry"},
    "/{account_id}/add-ons/{subscription_add_on_id}/remove": {"reason": "sorry"},
    "/add-ons/{subscription_add_on_id}/remove": {},
    "/credit-packages/{package_id}": {
        "code": "c",
        "name": "n",
        "credits": "1",
        "currency": "USD",
        "amount_cents": 1,
    },
}
# What a meter at Stripe leaves here: the meter that goes to it, and an event a person looks at.
STRIPE_METER = """
INSERT INTO stripe_meters (meter_id, event_name, reference, formula, customer_key, value_key,
    sends_from, created_at)
SELECT meter_id, 'storage', 'mtr_1', 'sum', 'customer', 'value', $1, $1 FROM meters
WHERE code = 'storage' ON CONFLICT DO NOTHING
"""
HELD_AT_STRIPE = """
INSERT INTO stripe_meter_events (account_id, stripe_meter_event_id, meter_id, reference, event_name,
    hour, revision, value, at, status, created_at, try_after)
SELECT $1, $2, meter_id, 'mtr_1', 'storage', date_trunc('hour', $3::timestamptz), 1, 1, $3, 'held',
    $3, $3
FROM meters WHERE code = 'storage'
"""
# Names that all accounts share.
SHARED = {
    "meter_code": "storage", "per": "day", "plan_code": "next", "feature_code": "sso",
    "coupon_code": "spring", "add_on_code": "help", "sheet": "ledger.csv",
    "gateway": "stripe", "event_id": "evt_of_globex",
    "config_code": "wallet"
}  # fmt: skip


class Owned(msgspec.Struct, frozen=True):
    """A tenant and the id of one of its objects of each kind, by the name in paths."""

    tenant: Any
    ids: Mapping[str, str]


async def own(shop: "Shop") -> Owned:
    tenant, invoice = await shop.billed()
    owner = shop.with_key(tenant.keys["billing:write"])
    manual = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T-1",
        "amount_cents": 1,
        "partial": True,
    }
    payment = await owner.post(f"{BILLING}/payments/manual", json=manual)
    assert payment.status_code == 201, payment.text
    return Owned(
        tenant=tenant,
        ids={
            "account_id": tenant.id,
            "invoice_id": invoice["id"],
            "line_id": invoice["lines"][0]["id"],
            "subscription_id": invoice["subscription"],
            "payment_id": payment.json()["id"],
            "transaction_id": await granted(shop, tenant),
            "method_id": await saved_card(shop, tenant),
            "conflict_id": await contradicted(shop, tenant),
            **await watched(owner),
            **await told(owner),
            **await of_the_business(shop),
            **await offered(shop, tenant),
            **await taxed(shop, tenant),
            **await credited(shop, invoice),
            **await at_gateways(shop, tenant, invoice["subscription"]),
        },
    )


async def credited(shop: "Shop", invoice: Json) -> dict[str, str]:
    """Credit a cent of the invoice, and owe another account its money back."""
    admin = shop.with_key(shop.house_keys["admin"])
    notes = "/api/v1/admin/billing/invoices/{}/credit-notes"
    line = next(one["id"] for one in invoice["lines"] if one["amount_cents"] > 0)
    cent = {"reason": "other", "lines": [{"line": line, "amount_cents": 1}]}
    note = await admin.post(notes.format(invoice["id"]), json=cent)
    assert note.status_code == 201, note.text
    tenant, paid = await shop.billed()
    transfer = {
        "invoice_id": paid["id"], "payment_method": "bank_transfer",
        "transaction_reference": "T-1", "amount_cents": paid["total_cents"],
    }  # fmt: skip
    owner = shop.with_key(tenant.keys["billing:write"])
    payment = (await owner.post(f"{BILLING}/payments/manual", json=transfer)).json()
    await admin.post(f"/api/v1/admin/payments/{payment['id']}/approve", json={"reason": "seen"})
    await admin.post(notes.format(paid["id"]), json={"reason": "other", "rest": "refund"})
    asked = {"account_id": tenant.id}
    (refund,) = (await admin.get("/api/v1/admin/billing/refunds", params=asked)).json()["refunds"]
    return {"credit_note_id": note.json()["id"], "refund_id": refund["id"]}


async def watched(owner: httpx.AsyncClient) -> dict[str, str]:
    """Make an alert rule and a budget."""
    rule = {
        "name": "r", "watch": "meter", "meter": "storage", "unit": "quantity", "thresholds": ["1"],
    }  # fmt: skip
    budget = {"name": "b", "watch": "spend", "amount_cents": 1, "actual_percents": ["80"]}
    return {
        name: (await owner.post(f"{BILLING}{path}", json=body)).json()["id"]
        for name, path, body in (
            ("rule_id", "/usage/alerts", rule),
            ("budget_id", "/budgets", budget),
        )
    }


async def told(owner: httpx.AsyncClient) -> dict[str, str]:
    """Make a webhook endpoint, and let it be told of what has happened."""
    new = {"url": "https://hooks.invalid/"}
    endpoint = (await owner.post(f"{BILLING}/webhook-endpoints", json=new)).json()["id"]
    await owner.post(f"{BILLING}/webhook-endpoints/{endpoint}/replay", json=SINCE)
    listed = (await owner.get(f"{BILLING}/webhook-deliveries")).json()["webhook_deliveries"]
    return {"webhook_endpoint_id": endpoint, "webhook_delivery_id": listed[0]["id"]}


async def granted(shop: "Shop", tenant: "Tenant") -> str:
    admin = shop.with_key(shop.house_keys["admin"])
    give = f"/api/v1/admin/accounts/{tenant.id}/credits/grant"
    await admin.post(give, json={"credits": "1", "reason": "to be explained"})
    reader = shop.with_key(tenant.keys["billing:read"])
    listed = await reader.get(f"{BILLING}/credits/transactions")
    found: str = listed.json()["transactions"][0]["id"]
    return found


async def saved_card(shop: "Shop", tenant: "Tenant") -> str:
    account_id = tenant.account.account_id
    card = Card(brand="visa", last4="4242", exp_month=12, exp_year=2040)
    described = MethodDescription(
        token=f"pm_{tenant.id}", customer_token=f"cus_{tenant.id}", type="card", card=card
    )
    async with shop.db.transaction(account_scope(account_id)) as conn:
        saved = await methods.save(conn, account_id, "stripe", described, shop.wall())
    assert saved is not None
    return ids.show("payment_method", saved.payment_method_id)


async def contradicted(shop: "Shop", tenant: "Tenant") -> str:
    """Send an event twice, the second time with other content."""
    sender = shop.with_key(shop.house_keys["usage:write"])
    for number in range(2):
        event = {"id": "e", "meter": "api_calls", "subject": tenant.id, "properties": {"n": number}}
        await sender.post("/api/v1/events", json={"events": [event]})
    admin = shop.with_key(shop.house_keys["admin"])
    params = {"account_id": tenant.id}
    listed = await admin.get("/api/v1/admin/event-conflicts", params=params)
    found: str = listed.json()["conflicts"][0]["id"]
    return found


async def of_the_business(shop: "Shop") -> dict[str, str]:
    admin = shop.with_key(shop.house_keys["admin"])
    told = Receipt(SHARED["event_id"], "any", b"{}")
    await shop.services.inbox.keep(SHARED["gateway"], [told], shop.wall())
    made = await admin.post(
        "/api/v1/admin/test-clocks", json={"name": "c", "now": "2026-01-01T00:00:00Z"}
    )
    package = {
        "code": "small", "name": "n", "credits": "1", "currency": "USD", "amount_cents": 1,
    }  # fmt: skip
    await admin.post("/api/v1/admin/credit-packages", json=package)
    listed = await admin.get("/api/v1/admin/credit-packages")
    new = {"name": "k", "scopes": ["billing:read"]}
    key = await admin.post("/api/v1/admin/api-keys", json=new)
    cost = await admin.post(
        "/api/v1/admin/credit-costs", json={"operation": "write", "credits_per_unit": "1"}
    )
    return {
        "cost_id": cost.json()["id"],
        "test_clock_id": made.json()["id"],
        "api_key_id": key.json()["id"],
        "package_id": listed.json()["packages"][0]["id"],
    }


async def offered(shop: "Shop", tenant: "Tenant") -> dict[str, str]:
    """Make what is sold under a name, and what the account has of it by agreement."""
    admin = shop.with_key(shop.house_keys["admin"])
    place = "/api/v1/admin"
    plan = {"code": "next", "name": "N", "currency": "USD", "interval": "month", "prices": []}
    for path, body in (
        ("features", {"code": "sso", "kind": "boolean"}),
        ("coupons", {"code": "spring", "name": "S", "percent": "10"}),
        ("add-ons", {"code": "help", "name": "H", "charge": "once", "amounts": {"usd": "1"}}),
    ):
        await admin.post(f"{place}/{path}", json=body)  # 409 for the second account: it is there
    draft = await admin.post(f"{place}/plans", json={**plan, "draft": True})
    give = {"code": "spring", "reason": "sorry"}
    given = await admin.post(f"{place}/accounts/{tenant.id}/coupons", json=give)
    for path in ("entitlements/{feature_code}", "limits/{meter_code}/{per}"):
        kept = f"{place}/accounts/{tenant.id}/{path.format(**SHARED)}"
        assert (await admin.put(kept, json=BODIES[f"/{path}"])).is_success
    put_on = {"add_on": "help", "reason": "sorry"}
    added = await admin.post(f"{place}/accounts/{tenant.id}/add-ons", json=put_on)
    since = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    asked = {"draft": plan, "accounts": [tenant.id], **since}
    what_if = await admin.post(f"{place}/billing/what-ifs", json=asked)
    to_move = {"plan": "pro", "accounts": [tenant.id], "when": "now", "reason": "a new price"}
    migration = await admin.post(f"{place}/billing/plan-migrations", json=to_move)
    return {
        "plan_version_id": draft.json()["id"],
        "subscription_add_on_id": added.json()["id"],
        "redemption_id": given.json()["id"],
        "what_if_id": what_if.json()["id"],
        "plan_migration_id": migration.json()["id"],
    }


async def taxed(shop: "Shop", tenant: "Tenant") -> dict[str, str]:
    """Make an issuer with a logo and a rate for the business, and exempt the account."""
    admin = shop.with_key(shop.house_keys["admin"])
    place = "/api/v1/admin"
    code = tenant.id[-10:].upper()
    issuer = await admin.post(f"{place}/issuers", json={"code": code, "legal_name": "L"})
    await admin.put(f"{place}/issuers/{issuer.json()['id']}/logo", json={"content": LOGO})
    rate = {
        "country": "FR", "name": code, "tax_code": f"t{code.lower()}", "percent": "20",
        "valid_from": "2014-01-01", "source": "https://example.com", "looked_up_on": "2026-01-01",
    }  # fmt: skip
    known = await admin.post(f"{place}/tax-rates", json=rate)
    embassy = BODIES["/tax-exemptions"]
    free = await admin.post(f"{place}/accounts/{tenant.id}/tax-exemptions", json=embassy)
    return {
        "issuer_id": issuer.json()["id"],
        "tax_rate_id": known.json()["id"],
        "tax_exemption_id": free.json()["id"],
    }


async def at_gateways(shop: "Shop", tenant: "Tenant", subscription: str) -> dict[str, str]:
    """Send the account to a gateway's page, let a gateway renew it, and offer it a way to pay."""
    account_id, now = tenant.account.account_id, shop.wall()
    page = Checkout(
        account_id=account_id, checkout_id=ids.new_id(), request_key="k", gateway="stripe",
        mode="setup", status=CheckoutStatus.OPEN, reference=f"cs_{tenant.id}", description="d",
        currency="USD", amount_minor=None, payment_id=None, payment_attempt_id=None,
        subscription_id=None, success_url="https://a.invalid/", cancel_url="https://a.invalid/",
        expires_at=now, created_at=now,
    )  # fmt: skip
    schedule = Schedule(
        account_id=account_id, subscription_id=ids.parse("subscription", subscription),
        gateway="ccbill", initial_days=30, currency="USD", recurring_minor=100,
        period_days=30, rebills=None, created_at=now,
    )  # fmt: skip
    async with shop.db.transaction(account_scope(account_id)) as conn:
        await checkout_store.insert(conn, page)
        await schedule_store.wish(conn, schedule)
    admin = shop.with_key(shop.house_keys["admin"])
    place = "/api/v1/admin/payment-method-configs/{config_code}"
    made = await admin.put(place.format(**SHARED), json=BODIES["{config_code}"])
    assert made.status_code == 200, made.text
    told = ids.new_id()
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(STRIPE_METER, now)
        await conn.execute(HELD_AT_STRIPE, account_id, told, now)
    return {
        "checkout_id": ids.show("checkout", page.checkout_id),
        "stripe_meter_event_id": ids.show("stripe_meter_event", told),
    }
