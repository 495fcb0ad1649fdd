"""Schemathesis holds every operation to its description: what it allows is taken, the rest is not.

All checks, a fixed seed, against a real server with Stripe's simulator behind it.
"""

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tallystick.accounts.tokens import csrf_token
from tallystick.settings_ccbill import CcbillSettings
from tallystick.simulators.ccbill.server import running as running_ccbill

if TYPE_CHECKING:
    from tallystick.settings import Settings
    from tests.api.conftest import Shop

Json = dict[str, Any]
Case = schemathesis.Case[Any]
Check = Callable[..., bool | None]
DESCRIPTION: Json = msgspec.json.decode((files("tallystick.api") / "openapi.json").read_bytes())
EXAMPLES_MAX = 8
# So many requests of an operation are all sent; of the rest each tenth.
ALL_TRIED_MAX = 400
THINNED_BY = 10
SEED = 20261121
# What is valid may be a small part of what its parts allow.
DENSE = hypothesis_settings(suppress_health_check=[HealthCheck.filter_too_much])

# -- what our formats stand for --

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
PICTURE = base64.b64encode(SVG).decode()
YEAR_2000, SECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(seconds=1)
PRINTABLE = st.text(
    st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="@"),
    min_size=1,
    max_size=40,
)
schemathesis.openapi.format("single-line", PRINTABLE)
schemathesis.openapi.format(
    "iana-time-zone", st.sampled_from(["UTC", "Europe/Paris", "Asia/Tokyo"])
)
schemathesis.openapi.format("invoice-number-format", st.just("F-{year}{mm}-{number:04}"))
schemathesis.openapi.format("credit-note-number-format", st.just("N{year}/{mm}/{number}"))
schemathesis.openapi.format("iban", st.just("DE89370400440532013000"))
schemathesis.openapi.format("base64-picture", st.just(PICTURE))
schemathesis.openapi.format("webhook-url", st.just("https://hooks.invalid/billing"))
schemathesis.openapi.format("own-url", st.just("http://127.0.0.1:8000/back"))
schemathesis.openapi.format("bcp-47", st.sampled_from(["en-US", "de", "fr-FR"]))
schemathesis.openapi.format(
    "date-time",
    st.integers(0, 6_000_000_000).map(lambda seconds: (YEAR_2000 + seconds * SECOND).isoformat()),
)


# Each value of a list is tried: four say as much as the five hundred. In these countries a tax
# number may be any text; where it has check digits, no schema says which texts are numbers.
DESCRIPTION["components"]["schemas"]["CurrencyCode"]["enum"] = ["USD", "JPY", "KWD", "usd"]
DESCRIPTION["components"]["schemas"]["CountryCode"]["enum"] = ["US", "BR", "IN", "JP"]
# What a version may say is tried where plans are made, in half a minute.
DRAFT = {"code": "p", "name": "P", "currency": "USD", "interval": "month", "prices": []}
DESCRIPTION["components"]["schemas"]["AskWhatIf"]["properties"]["draft"] = {"enum": [None, DRAFT]}


def described(examples_max: int) -> schemathesis.BaseSchema:
    """The description, and how much is tried of it."""
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    # No text of the database holds a NUL; `test_problems` tries that one is refused.
    schema.config.generation.update(
        allow_x00=False,
        deterministic=True,
        max_examples=examples_max,
        with_security_parameters=False,
    )
    schema.config.seed = SEED
    # As with a conflict, the request was fine and what is there was not: too few credits.
    schema.config.checks.positive_data_acceptance.expected_statuses = [
        *("2xx", "3xx", "401", "402", "403", "404", "409", "429", "5xx")
    ]
    return schema


whole_schema = described(EXAMPLES_MAX)
quick_schema = described(3)
quick_schema.config.phases.coverage.enabled = False


class Known(msgspec.Struct, frozen=True):
    """What is really there, for requests that would otherwise find nothing."""

    url: str
    key: str
    member: dict[str, str]
    account: str
    places: Mapping[str, str]


@pytest.fixture(scope="module")
def ccbill() -> Iterator[CcbillSettings]:
    """CCBill as its simulator; nobody has a token, so every one is unknown."""
    with running_ccbill() as url:
        yield CcbillSettings(
            base_url=url,
            frontend_id="sim-frontend",
            frontend_secret="sim-frontend-secret",
            backend_id="sim-backend",
            backend_secret="sim-backend-secret",
            accnum=900000,
        )


@pytest.fixture(scope="module")
def settings(
    stripe_settings: "Settings",
    ccbill: CcbillSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> "Settings":
    folder = tmp_path_factory.mktemp("mail").as_uri()
    return msgspec.structs.replace(
        stripe_settings, mail_url=folder, mail_from="b@example.com", ccbill=ccbill
    )


@pytest.fixture(scope="module")
async def known(shop: "Shop", live: str) -> Known:
    (_, credited), (tenant, invoice) = await shop.billed(), await shop.billed()
    owner = shop.with_key(tenant.keys["billing:write"])
    manual = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T-1",
        "amount_cents": 1,
        "partial": True,
    }
    payment = (await owner.post("/api/v1/billing/payments/manual", json=manual)).json()
    admin = shop.with_key(shop.house_keys["admin"])
    cost = {"operation": "fuzzed", "credits_per_unit": "1"}
    made_cost = (await admin.post("/api/v1/admin/credit-costs", json=cost)).json()
    package = {"code": "fuzzed", "name": "P", "credits": "5", "currency": "USD", "amount_cents": 1}
    made_package = (await admin.post("/api/v1/admin/credit-packages", json=package)).json()
    give = f"/api/v1/admin/accounts/{tenant.id}/credits/grant"
    await admin.post(give, json={"credits": "1000", "reason": "to be used"})
    change = (await owner.get("/api/v1/billing/credits/transactions")).json()["transactions"][0]
    rule = {"name": "r", "watch": "meter", "meter": "storage", "unit": "quantity"}
    watch = await owner.post("/api/v1/billing/usage/alerts", json={**rule, "thresholds": ["1"]})
    await admin.post("/api/v1/admin/features", json={"code": "fuzzed", "kind": "text"})
    budget = {"name": "b", "watch": "spend", "amount_cents": 1, "actual_percents": ["80"]}
    made_budget = await owner.post("/api/v1/billing/budgets", json=budget)
    hook = {"url": "https://hooks.invalid/"}
    endpoint = (await owner.post("/api/v1/billing/webhook-endpoints", json=hook)).json()["id"]
    clock = {"name": "c", "now": "2026-01-01T00:00:00Z"}
    made = (await admin.post("/api/v1/admin/test-clocks", json=clock)).json()
    return Known(
        url=live,
        key=shop.house_keys["admin"],
        member={
            "Cookie": f"session_token={tenant.member.session}",
            "X-CSRF-Token": csrf_token(tenant.member.session),
        },
        account=tenant.id,
        places={
            "account_id": shop.globex.id,
            "meter_code": "storage",
            "feature_code": "fuzzed",
            "add_on_code": "fuzzed",
            "coupon_code": "FUZZED",
            "cost_id": made_cost["id"],
            "package_id": made_package["id"],
            "transaction_id": change["id"],
            "invoice_id": invoice["id"],
            "credited_invoice_id": credited["id"],
            "line_id": invoice["lines"][0]["id"],
            "payment_id": payment["id"],
            "subscription_id": invoice["subscription"],
            "test_clock_id": made["id"],
            "rule_id": watch.json()["id"],
            "webhook_endpoint_id": endpoint,
            "budget_id": made_budget.json()["id"],
        },
    )


def is_positive(case: Case, location: ParameterLocation) -> bool:
    component = case.meta.components.get(location) if case.meta else None
    return component is None or component.mode is GenerationMode.POSITIVE


def aim(case: Case, known: Known) -> None:
    """Let the valid parts of a request name what is there."""
    if is_positive(case, ParameterLocation.HEADER):
        case.headers["X-Account-Id"] = known.account
    if is_positive(case, ParameterLocation.PATH):
        for name in case.path_parameters:
            case.path_parameters[name] = known.places.get(name, case.path_parameters[name])
        if case.operation.path == CREDITED:  # so that the other one has something left to pay
            case.path_parameters["invoice_id"] = known.places["credited_invoice_id"]
    if is_positive(case, ParameterLocation.QUERY) and isinstance(case.query, dict):
        keep_question(case.query, known)
        keep_export(case, known)
    if is_positive(case, ParameterLocation.BODY) and isinstance(case.body, dict | list):
        case.body = whole(case.body)
        keep = RULES.get(case.operation.path)
        if keep is not None:
            case.body = keep(case.body, known)


def keep_question(query: Json, known: Known) -> None:
    """Name a subject, a group and a currency that are there, and a time that is not too long."""
    if "currency" in query:
        query["currency"] = "USD"
    if "groupBy" in query or "windowSize" in query or "percentile" in query:
        query |= {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    if "subject" in query:
        query["subject"] = [known.account]
    if "groupBy" in query:
        query["groupBy"] = ["subject"]


def keep_export(case: Case, known: Known) -> None:
    """Ask for a span that is one, and for usage of an account."""
    months = "/reports/" in case.operation.path
    if {"from", "to"} & set(case.query) and (months or "/exports/" in case.operation.path):
        case.query |= dict(zip(("from", "to"), MONTHS if months else DAYS, strict=True))
    if "timezone" in case.query:
        case.query["timezone"] = "Europe/Paris"
    if case.path_parameters.get("sheet") == "usage.csv":
        case.query["account_id"] = known.account


def whole(value: Any) -> Any:
    """Write 1.0 as 1: JSON Schema takes both for whole numbers, we do not take floats."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# -- rules that no schema can say, kept for valid bodies --


def keep_plan_rules(body: Json, _: Known) -> Json:
    """One currency, codes that differ, meters that exist and are priced once, tiers that ascend."""
    meters = iter(("api_calls", "storage"))
    prices = []
    for number, price in enumerate(body["prices"]):
        changed = {**keep_figures(price, price["model"]), "code": f"p{number}"}
        changed["currency"] = body["currency"]
        if price["model"] != "flat":  # the meters tell nothing apart, and are not recurring
            changed |= {"meter": next(meters, None), "group_by": [], "filters": []}
            changed["prorate"] = False
        if price["model"] == "flat" or changed["meter"]:
            prices.append(changed)
    named = {code: terms for code, terms in body.get("limits", {}).items() if code == "storage"}
    limits = {
        code: terms[:1] if isinstance(terms, list) else terms for code, terms in named.items()
    }
    periods: Json = {"fixed_months": False, "usage_interval": None, "minimum_commitment": {}}
    periods["features"] = {}
    if body.get("credits"):
        periods["credits"] = {"amount": "5"}
    return {**body, **periods, "prices": prices, "limits": limits}


def keep_what_if_rules(body: Json, known: Known) -> Json:
    """One version, stored or given; accounts that are there; an end behind the beginning."""
    draft = body.get("draft")
    return {
        "plan_version": None if draft else body.get("plan_version") or f"pv_{'0' * 26}",
        "draft": draft,
        "accounts": [known.account] if body.get("accounts") else None,
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-02-01T00:00:00Z",
    }


def keep_migration_rules(body: Json, known: Known) -> Json:
    """A plan that is sold and nothing that goes with others."""
    given = {"plan": "pro", "tier": None, "versions": None, "to_plan": None, "at": None}
    accounts = [known.account] if body.get("accounts") else None
    return {
        **body, **given, "accounts": accounts, "to_version": None, "when": "period_end",
    }  # fmt: skip


def keep_figures(price: Json, model: str) -> Json:
    """Tiers that end in no end, sizes above zero, bounds in their order."""
    changed = {**price}
    if "tiers" in price:
        end = "up_to_blocks" if model == "block" else "up_to"
        changed["tiers"] = [{**price["tiers"][0], end: None}]
        if model == "graduated":
            changed["tiers"].insert(0, {"up_to": "10", "unit": "1"})
        if model == "block":
            changed["tiers"][0].pop("size", None)
    if model in {"package", "block"}:
        changed["size"] = "10"
    for least, most in (("minimum", "maximum"), ("min", "max")):
        if changed.get(least):
            changed.pop(most, None)
    if price.get("custom_unit"):
        changed["custom_unit"] = {**price["custom_unit"], "rate": "0.01"}
    return changed


def keep_meter_rules(body: Json, _: Known) -> Json:
    """What is not counted reads a property; filters compare with values; only some carry over."""
    filters = [{"property": one["property"], "values": ["x"]} for one in body.get("filters", ())]
    is_count = body.get("aggregation", "count") == "count"
    fixed = {"property": None if is_count else "n", "expression": None, "filters": filters}
    return {**body, **fixed, "recurring": False, "allow_negative": None}


def keep_feature_rules(body: Json, _: Known) -> Json:
    """A metered feature has a meter that exists, another one none."""
    return {**body, "kind": "boolean", "meter": None}


def keep_override_rules(body: Json, _: Known) -> Json:
    """What is given fits the feature's kind."""
    return {**body, "value": "x"}


def keep_add_on_rules(body: Json, _: Known) -> Json:
    """What stands on an invoice has no more decimals than its currency; features exist."""
    return {**body, "amounts": {"USD": "5.00"}, "features": {}}


def keep_coupon_rules(body: Json, _: Known) -> Json:
    """A percent or amounts, a number of periods for that duration alone, an end after its start."""
    worth: Json = {"percent": "20", "amounts": None, "duration": "once", "periods": None}
    return {**body, **worth, "valid_from": None}


def keep_rate_rules(body: Json, _: Known) -> Json:
    """Two currencies, and something that the one was worth."""
    return {**body, "base": "USD", "quote": "JPY", "rate": "150.5", "rate_on": "2026-01-31"}


def keep_subscription_rules(body: Json, _: Known) -> Json:
    """It begins now and ends, resumes or changes in the future."""
    dates = dict.fromkeys({"starts_at", "ends_at", "resumes_at", "at"} & set(body))
    ours = {"schedule_owner": "tallystick"} if "schedule_owner" in body else {}
    named = {"external_id": None} if "external_id" in body else {}
    return {**body, **dates, **ours, **named}


def keep_tax_rules(body: Json, _: Known) -> Json:
    """A tax has a name and a rate, or neither; which of them are stored decides."""
    return {name: value for name, value in body.items() if not name.startswith("tax_")}


def keep_line_rules(body: Json, _: Known) -> Json:
    """A line has a price or an amount, and both ends of a period or none."""
    told = body.get("lines")
    if not isinstance(told, list) or not all(isinstance(line, dict) for line in told):
        return body
    one: Json = {"quantity": "2.5", "unit_price": "1.5", "amount_cents": None}
    # One label may stand once; memos and terms are tried as they come.
    fields: Json = {"custom_fields": None} if "custom_fields" in body else {}
    ends: Json = {"period_start": None, "period_end": None}
    return {**body, **fields, "lines": [{**line, **one, **ends} for line in told]}


def keep_clock_rules(body: Json, _: Known) -> Json:
    """A clock only moves forward, and ten years at once."""
    return {**body, "to": "2035-12-31T00:00:00Z"}


def keep_grant_rules(body: Json, _: Known) -> Json:
    """What is given lasts from its beginning to its end, which is ahead."""
    return {**body, "effective_at": None, "expires_at": "2199-12-31T00:00:00Z"}


def keep_use_rules(body: Json, _: Known) -> Json:
    """What a quantity costs is a matter of the stored costs, and may be nothing."""
    return {**body, "quantity": None, "credits": "1"}


def keep_top_up_rules(body: Json, _: Known) -> Json:
    """A top-up is said whole, with a package that is there, or not at all."""
    return {name: None if name.startswith("top_up") else body[name] for name in body}


def keep_event_rules(body: Any, known: Known) -> Any:
    """An event is of an account and a meter that exist, has its quantity, and has happened."""
    if isinstance(body, list):
        return [keep_event_rules(event, known) for event in body]
    for name in ("event", "events"):
        if name in body and "specversion" not in body:
            return {**body, name: keep_event_rules(body[name], known)}
    facts: Json = {"time": None, "timestamp": None, "subject": known.account, "type": "api_calls"}
    facts |= {"code": "api_calls", "meter": "api_calls", "data": {"n": 1}, "properties": {"n": 1}}
    facts |= {"external_subscription_id": known.account, "external_customer_id": known.account}
    needed = {"properties"} if "transaction_id" in body or "specversion" not in body else {"data"}
    named = {name: facts[name] for name in facts if name in {*body, *needed}}
    return {**body, **named}


def keep_correction_rules(body: Json, known: Known) -> Json:
    """It is of an account that is there, of a meter's type, and has happened."""
    facts: Json = {"type": "api_calls", "properties": {"n": 1}, "time": "2026-01-01T00:00:00Z"}
    return {**body, "subject": known.account, **{n: facts[n] for n in facts if n in body}}


def keep_backfill_rules(body: Json, known: Known) -> Json:
    """Events are of one account, and say when they happened."""
    told = keep_event_rules(body["events"], known)
    return {**body, "events": [{**one, "time": "2026-01-01T00:00:00Z"} for one in told]}


def keep_check_rules(body: Json, known: Known) -> Json:
    """It is asked of a meter and an account that exist."""
    return {**body, "meter": "storage", "subject": known.account}


def keep_transfer_rules(body: Json, known: Known) -> Json:
    """Credits go to another account."""
    return {**body, "to_account": known.account}


def keep_package_rules(body: Json, _: Known) -> Json:
    """The code and the currency of a package never change."""
    return {**body, "code": "fuzzed", "currency": "USD"}


def keep_cost_rules(body: Json, _: Known) -> Json:
    """A version holds from now on, and an account's own one is of an account that exists."""
    return {**body, "effective_at": "2199-12-31T00:00:00Z"}


def keep_settle_rules(body: Json, _: Known) -> Json:
    """Events are named, or a subject is, and what is discarded goes to nobody."""
    return {**body, "events": None, "subject": "nobody", "action": "claim", "account": None}


def keep_alert_rules(body: Json, _: Known) -> Json:
    """What is watched, its unit and its meter fit together."""
    return {**body, "watch": "meter", "meter": "storage", "unit": "quantity"}


def keep_budget_rules(body: Json, _: Known) -> Json:
    """A budget of spend has an amount of money, and something to tell at."""
    fixed = {"quantity": None, "amount_cents": 5, "actual_percents": ["80"]}
    return {**body, **fixed, **({"watch": "spend", "meter": None} if "watch" in body else {})}


def keep_replay_rules(body: Json, _: Known) -> Json:
    """A range ends after it begins."""
    return {**body, "since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}


def keep_preview_rules(_: Json, __: Known) -> Json:
    """What a change would do depends on what is there; nothing is always possible."""
    return {"do": "nothing"}


def keep_tax_rate_rules(body: Json, _: Known) -> Json:
    """S is above nothing, others are nothing and may say why; ends follow beginnings."""
    is_charged = body.get("category", "S") == "S"
    changed = {**body, "percent": "19" if is_charged else "0", "valid_until": None}
    changed["reason"] = None if body.get("category", "S") in {"S", "Z"} else "Export"
    return {**changed, "replaces_national": False}


def keep_exemption_rules(body: Json, _: Known) -> Json:
    """A region has its country; ends follow beginnings."""
    return {**body, "valid_until": None, "region": None}


RULES: Mapping[str, Callable[[Any, Known], Any]] = {
    "/api/v1/admin/tax-rates": keep_tax_rate_rules,
    "/api/v1/admin/accounts/{account_id}/tax-exemptions": keep_exemption_rules,
    "/api/v1/billing/subscriptions": keep_subscription_rules,
    "/api/v1/billing/subscriptions/{subscription_id}/change": keep_subscription_rules,
    "/api/v1/billing/subscriptions/{subscription_id}/pause": keep_subscription_rules,
    "/api/v1/billing/subscriptions/{subscription_id}/cancel": keep_subscription_rules,
    "/api/v1/admin/meters": keep_meter_rules,
    "/api/v1/admin/plans": keep_plan_rules,
    "/api/v1/admin/features": keep_feature_rules,
    "/api/v1/admin/add-ons": keep_add_on_rules,
    "/api/v1/admin/coupons": keep_coupon_rules,
    "/api/v1/admin/exchange-rates": keep_rate_rules,
    "/api/v1/admin/accounts/{account_id}/entitlements/{feature_code}": keep_override_rules,
    "/api/v1/admin/billing/what-ifs": keep_what_if_rules,
    "/api/v1/admin/billing/plan-migrations": keep_migration_rules,
    "/api/v1/admin/accounts/{account_id}": keep_tax_rules,
    "/api/v1/admin/accounts/{account_id}/invoices": keep_line_rules,
    "/api/v1/admin/accounts/{account_id}/invoices/{invoice_id}/lines": keep_line_rules,
    "/api/v1/admin/test-clocks/{test_clock_id}/advance": keep_clock_rules,
    "/api/v1/admin/accounts/{account_id}/credits/grant": keep_grant_rules,
    "/api/v1/admin/accounts/{account_id}/credits/settings": keep_top_up_rules,
    "/api/v1/admin/accounts/{account_id}/credits/transfer": keep_transfer_rules,
    "/api/v1/admin/credit-packages/{package_id}": keep_package_rules,
    "/api/v1/admin/credit-costs": keep_cost_rules,
    "/api/v1/admin/credit-costs/{cost_id}/end": keep_cost_rules,
    "/api/v1/billing/preview": keep_preview_rules,
    "/api/v1/billing/credits/settings": keep_top_up_rules,
    "/api/v1/billing/credits/deduct": keep_use_rules,
    "/api/v1/billing/credits/reserve": keep_use_rules,
    "/api/v1/admin/unmatched-events": keep_settle_rules,
    "/api/v1/billing/usage/alerts": keep_alert_rules,
    "/api/v1/billing/webhook-endpoints/{webhook_endpoint_id}/replay": keep_replay_rules,
    "/api/v1/admin/webhooks/endpoints/{webhook_endpoint_id}/replay": keep_replay_rules,
    "/api/v1/billing/budgets": keep_budget_rules,
    "/api/v1/billing/budgets/{budget_id}": keep_budget_rules,
    "/api/v1/events": keep_event_rules,
    "/api/v1/events/batch": keep_event_rules,
    "/api/v1/events/backfill": keep_backfill_rules,
    "/api/v1/events/{event_id}/amend": keep_correction_rules,
    "/api/v1/events/{event_id}/reverse": keep_correction_rules,
    "/api/v1/usage/check": keep_check_rules,
    "/api/v1/usage/check-and-record": keep_event_rules,
}
# A signature over the body is no matter of a schema; `test_webhooks` signs.
MONTHS, DAYS = ("2026-01", "2026-03"), ("2026-01-01", "2026-03-01")
SIGNED = {
    *("/api/stripe/webhook", "/api/v1/webhooks/stripe"),
    *("/api/ccbill/webhook", "/api/v1/webhooks/ccbill"),
}
# An order names all methods that are there, which no schema says; `test_paying` orders.
ORDERS = {"/api/v1/billing/payment-methods/priority"}
# Each item of a batch is answered for itself, with 200 for the whole.
ITEMWISE = {"/api/v1/billing/credits/deduct/batch"}
PUBLIC = {*SIGNED, "/healthz", "/readyz", "/api/v1/meta/features"}
CREDITED = "/api/v1/admin/billing/invoices/{invoice_id}/credit-notes"
# What Schemathesis calls a header that no description names; HTTP has it ignored (RFC 9110, 5.1).
UNKNOWN_HEADER = "x-schemathesis-unknown-property"


def was_meant_right(case: Case) -> bool:
    """Tell a good request that the rules above changed, whatever it is taken for since."""
    told = getattr(case.meta.phase.data, "description", None) if case.meta else None
    return told is not None and told.lower().endswith("positive test case")


def excluded_checks(case: Case) -> list[Check]:
    if case.operation.path in SIGNED | ORDERS:
        return [positive_data_acceptance]
    is_taken = (
        case.operation.path in ITEMWISE
        or UNKNOWN_HEADER in case.headers
        # A case meant to be wrong may come out right.
        or (case.meta and all(is_positive(case, place) for place in case.meta.components))
        or was_meant_right(case)
    )
    return [negative_data_rejection] if is_taken else []


tried: Counter[str] = Counter()


def is_one_too_many(case: Case) -> bool:
    """Tell whether much alike was tried: a plan's prices have 3,000 cases, 30 seconds of them."""
    tried[case.operation.label] += 1
    count = tried[case.operation.label]
    return count > ALL_TRIED_MAX and count % THINNED_BY != 0


@whole_schema.parametrize()
@DENSE
def test_an_operation_keeps_to_its_description(case: Case, known: Known) -> None:
    if is_one_too_many(case):
        return
    aim(case, known)
    headers = {"Authorization": f"Bearer {known.key}"}
    excluded = excluded_checks(case)
    case.call_and_validate(base_url=known.url, headers=headers, excluded_checks=excluded)


@quick_schema.parametrize()
@DENSE
def test_a_member_reads_the_own_account_and_changes_nothing(case: Case, known: Known) -> None:
    """The same checks in a member's session: `ignored_auth` among them."""
    aim(case, known)
    public = case.operation.path in PUBLIC
    excluded = excluded_checks(case)
    answer = case.call_and_validate(
        base_url=known.url, headers=known.member, excluded_checks=excluded
    )
    path = case.operation.path
    is_read = case.method == "GET" and not path.startswith("/api/v1/admin/")
    is_read = is_read or path in {"/api/v1/usage/check", "/api/v1/billing/preview"}
    if not public and not is_read:
        assert answer.status_code in {401, 403, 404, 405, 413, 415, 422}, answer.status_code


@quick_schema.parametrize()
@DENSE
def test_nobody_is_let_in(case: Case, known: Known) -> None:
    answer = case.call(base_url=known.url)
    if case.operation.path not in PUBLIC:
        assert answer.status_code in {401, 404, 405}, answer.status_code
